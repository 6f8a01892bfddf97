"""Wires the plans service and runs it."""

import asyncio
import os

import httpx
import stamina
from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database, is_away
from headworks.common.ingest import IngestClient
from headworks.common.service import prepare, run
from headworks.common.sites import read_sites
from headworks.plans.actuators import actuators_of
from headworks.plans.api import create_api
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.approvals import approval_rules
from headworks.plans.bus_record import RecordedDesk
from headworks.plans.desk import SubmissionDesk
from headworks.plans.door import door_tasks
from headworks.plans.lanes import Lanes
from headworks.plans.retention import keep_tidy
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import vendor_desk
from headworks.plans.waiting_room import WaitingRoom
from headworks.plans.write_route import Writes


async def main() -> None:
    """Serve plans until told to stop."""
    settings = PlansSettings()
    prepare("plans", settings)
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    actuators = actuators_of(sites)
    database = Database(settings.database_url)
    async with (
        await Bus.connect(settings.nats_url, "plans", settings.nats_seed_file) as bus,
        service_client(settings, "plans", settings.ingest_url) as http,
    ):
        store = PlanStore(database)
        async for attempt in stamina.retry_context(on=is_away, attempts=None, timeout=None, wait_max=5):
            with attempt:
                await store.register(actuators.values(), clock.now())
        vendors = vendor_desk(database, store, sites, IngestClient(http), clock, settings)
        waiting = WaitingRoom(database, store.outbox, approval_rules(sites))
        desk = SubmissionDesk(store, actuators, clock, vendors, waiting)
        approvals = ApprovalDesk(desk, store, waiting, clock)

        writes = Writes.over(database, clock)
        recorded = RecordedDesk(desk, writes.audit, clock)

        async def bus_ready() -> bool:
            return bus.is_connected

        doorkeeping = door_tasks(settings, bus, vendors)
        await run(
            "plans",
            settings,
            create_api(database, store, desk, approvals, vendors, actuators, clock, writes),
            tasks={
                "submissions": Lanes(bus, vendors.registry, recorded.on_submission).keep,
                "approvals": approvals.watch,
                "outbox": lambda: store.outbox.relay(database, bus),
                "retention": lambda: keep_tidy(database, clock, settings),
                "challengers": vendors.challengers.work,
                **doorkeeping,
            },
            ready={"database": database.is_ready, "bus": bus_ready},
        )
    await database.close()


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    settings, clock = PlansSettings(), Clock()
    database = Database(settings.database_url)
    store = PlanStore(database)
    vendors = vendor_desk(database, store, {}, IngestClient(httpx.AsyncClient()), clock, settings)
    waiting = WaitingRoom(database, store.outbox, {})
    desk = SubmissionDesk(store, {}, clock, vendors, waiting)
    approvals = ApprovalDesk(desk, store, waiting, clock)
    return create_api(database, store, desk, approvals, vendors, {}, clock, Writes.over(database, clock))


if __name__ == "__main__":
    asyncio.run(main())

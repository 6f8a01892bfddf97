"""Wires the plans service and runs it."""

import asyncio
import os

import httpx
import stamina
from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.ingest import IngestClient
from headworks.common.service import prepare, run
from headworks.common.sites import read_sites
from headworks.plans.actuators import actuators_of
from headworks.plans.approvals import approval_rules
from headworks.plans.door import door_tasks
from headworks.plans.parts import Parts, Plant
from headworks.plans.retention import keep_tidy
from headworks.plans.settings import PlansSettings
from headworks.plans.write_route import Writes


async def main() -> None:
    """Serve plans until told to stop."""
    settings = PlansSettings()
    prepare("plans", settings)
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    plant = Plant(sites, actuators_of(sites), approval_rules(sites))
    database = Database(settings.database_url)
    async with (
        await Bus.connect(settings.nats_url, "plans", settings.nats_seed_file) as bus,
        service_client(settings, "plans", settings.ingest_url) as http,
    ):
        parts = Parts(plant, database, clock, IngestClient(http), settings, Writes.over(database, clock))
        async for attempt in stamina.retry_context(on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5):
            with attempt:
                await parts.store.register(plant.actuators.values(), clock.now())

        async def bus_ready() -> bool:
            return bus.is_connected

        await run(
            "plans",
            settings,
            parts.api,
            tasks={
                "submissions": parts.lanes(bus).keep,
                "approvals": parts.approvals.watch,
                "outbox": lambda: parts.store.outbox.relay(database, bus),
                "retention": lambda: keep_tidy(database, clock, settings),
                "challengers": parts.vendors.challengers.work,
                **door_tasks(settings, bus, parts.vendors, parts.writes.access),
            },
            ready={"database": database.is_ready, "bus": bus_ready},
        )
    await database.close()


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    settings, clock = PlansSettings(), Clock()
    database, ingest = Database(settings.database_url), IngestClient(httpx.AsyncClient())
    return Parts(Plant(), database, clock, ingest, settings, Writes.over(database, clock)).api


if __name__ == "__main__":
    asyncio.run(main())

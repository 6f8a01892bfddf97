"""Wires the control gateway and runs it."""

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.service import Task, prepare, run
from headworks.common.sites import read_sites
from headworks.control_gateway.api import create_api
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import actuators_of, control_section
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.plc import Plc
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.shipping import Shipper, publish_state
from headworks.control_gateway.switches import SwitchBoard
from headworks.waterway.site import Site


async def main() -> None:
    """Control until told to stop."""
    settings = GatewaySettings()
    prepare("control_gateway", settings)
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    journal, database = Journal(settings.folder), Database(settings.database_url)
    shipper = Shipper(journal, database)
    async with (
        await Bus.connect(settings.nats_url, "control_gateway", settings.nats_seed_file) as bus,
        service_client(settings, "control_gateway", settings.plans_url) as client,
    ):
        loops: dict[str, ControlLoop] = {}
        tasks: dict[str, Task] = {"journal": shipper.ship, "outbox": lambda: shipper.outbox.relay(database, bus)}
        for site in sites.values():
            plans = OptimizationPlanManager(
                site.site, client, bus, clock, cache_file=settings.folder / f"plans-{site.site}.json"
            )
            loop = _loop(site, settings, plans, journal, clock)
            loops[site.site] = loop
            tasks |= _tasks(loop, plans, bus, shipper)

        async def bus_ready() -> bool:
            return bus.is_connected

        ready = {"bus": bus_ready}
        await run("control_gateway", settings, create_api(loops, shipper, clock), tasks, ready)
    await database.close()


def _tasks(loop: ControlLoop, plans: OptimizationPlanManager, bus: Bus, shipper: Shipper) -> dict[str, Task]:
    return {
        f"plans-{loop.site}": plans.start_monitoring,
        f"control-{loop.site}": loop.run,
        f"state-{loop.site}": lambda: publish_state(loop, bus, shipper),
    }


def _loop(
    site: Site, settings: GatewaySettings, plans: OptimizationPlanManager, journal: Journal, clock: Clock
) -> ControlLoop:
    section = control_section(site)
    plcs = {
        name: Plc(name, *settings.plc_address(name), plc.unit_id, plc.timeout) for name, plc in section.plcs.items()
    }
    return ControlLoop(
        site=site.site,
        actuators=actuators_of(site, section),
        plcs=plcs,
        plans=plans,
        switches=SwitchBoard(settings.folder, site.site),
        journal=journal,
        clock=clock,
        tick_s=section.tick_every,
    )


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    with TemporaryDirectory() as folder:
        shipper = Shipper(Journal(Path(folder)), Database(GatewaySettings().database_url))
        return create_api({}, shipper, Clock())


if __name__ == "__main__":
    asyncio.run(main())

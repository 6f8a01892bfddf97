"""Wires the optimizer and runs it: API and scheduler, worker, or both."""

import asyncio
import os
from pathlib import Path

from fastapi import FastAPI
from nats.aio.client import Client

from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.service import Task, prepare, run
from headworks.common.sites import read_sites
from headworks.common.subjects import FORECAST, MARKET, SOLVE_JOB
from headworks.optimizer.api import create_api
from headworks.optimizer.control_states import ControlStates
from headworks.optimizer.kind import kind_of
from headworks.optimizer.scheduler import Scheduler
from headworks.optimizer.settings import OptimizerSettings
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.worker import MAX_DELIVERIES, Worker
from headworks.waterway.site import Site
from headworks.waterway.site_file import parse_site


async def main() -> None:
    """Serve and solve until told to stop."""
    settings = OptimizerSettings()
    prepare("optimizer", settings)
    clock = clock_from_environment(os.environ)
    database = Database(settings.database_url)
    store = RunStore(database)
    strategies = StrategyStore(database, store)
    control = ControlStates()
    kinds = {name: kind_of(site, strategies, control) for name, site in read_sites(settings.sites).items()}
    async with (
        await Bus.connect(settings.nats_url, "optimizer", settings.nats_seed_file) as bus,
        service_client(settings, "optimizer", settings.ingest_url, timeout_s=15) as client,
    ):
        tasks: dict[str, Task] = {
            "outbox": lambda: store.outbox.relay(database, bus),
            "outbox-clearing": lambda: store.outbox.keep_cleared(database, settings.outbox_retention_days),
        }
        if settings.role in {"all", "worker"}:
            tasks["control"] = lambda: control.hear(bus)
            texts = site_texts(settings.sites)
            worker = Worker(kinds, texts, store, IngestClient(client), bus, clock)
            tasks["worker"] = lambda: bus.consume(
                SOLVE_JOB, worker.on_job, durable="workers", max_attempts=MAX_DELIVERIES + 1
            )
        if settings.role in {"all", "api"}:
            for kind in kinds.values():
                tasks |= _scheduling(kind.site, store, bus, clock)

        async def bus_ready() -> bool:
            return bus.is_connected

        ready = {"database": database.is_ready, "bus": bus_ready}
        await run("optimizer", settings, create_api(kinds, store, strategies, bus, clock), tasks, ready)
    await database.close()


def _scheduling(site: Site, store: RunStore, bus: Bus, clock: Clock) -> dict[str, Task]:
    scheduler = Scheduler(site, store, clock)
    return {
        f"schedule-{site.site}": scheduler.every_period,
        f"awards-{site.site}": lambda: bus.consume(
            MARKET, scheduler.on_award, durable=f"schedule-awards-{site.site}", site=site.site
        ),
        f"forecasts-{site.site}": lambda: bus.consume(
            FORECAST,
            scheduler.on_forecast,
            durable=f"schedule-forecasts-{site.site}",
            site=site.site,
        ),
    }


def site_texts(folder: Path) -> dict[str, str]:
    """The text of every site's file by the site's name, for the solver's own process."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))]
    return {parse_site(text).site: text for text in texts}


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    database = Database(OptimizerSettings().database_url)
    store = RunStore(database)
    return create_api({}, store, StrategyStore(database, store), Bus(Client(), "optimizer"), Clock())


if __name__ == "__main__":
    asyncio.run(main())

"""Wires ingest and runs it."""

import asyncio
import os
from contextlib import AsyncExitStack

from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.service import Task, prepare, run
from headworks.common.sites import read_sites
from headworks.ingest.api import create_api
from headworks.ingest.collect import AwardCollector, Collector
from headworks.ingest.import_store import ImportStore
from headworks.ingest.sections import sources_of
from headworks.ingest.settings import IngestSettings
from headworks.ingest.store import SeriesStore
from headworks.ingest.wiring import Polling, Wiring


async def main() -> None:
    """Collect and serve until told to stop."""
    settings = IngestSettings()
    prepare("ingest", settings)
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    database = Database(settings.database_url)
    store = SeriesStore(database)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(await Bus.connect(settings.nats_url, "ingest", settings.nats_seed_file))
        wiring = Wiring(settings, bus, stack)
        tasks: dict[str, Task] = {
            "outbox": lambda: store.outbox.relay(database, bus),
            "outbox-clearing": lambda: store.outbox.keep_cleared(database, settings.outbox_retention_days),
        }
        awards: dict[str, AwardCollector] = {}
        for site in sites.values():
            collector = Collector(site, store, clock)
            for source, polling in wiring.pollers(collector, sources_of(site)).items():
                tasks[f"{source}-{site.site}"] = _task(collector, source, polling)
                if isinstance(polling.poller, AwardCollector):
                    awards[site.site] = polling.poller

        async def bus_ready() -> bool:
            return bus.is_connected

        api = create_api(sites, store, ImportStore(database), awards, clock)
        await run("ingest", settings, api, tasks, {"database": database.is_ready, "bus": bus_ready})
    await database.close()


def _task(collector: Collector, source: str, polling: Polling) -> Task:
    return lambda: collector.keep_polling(source, polling.every_s, polling.poller.poll)


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    database = Database(IngestSettings().database_url)
    return create_api({}, SeriesStore(database), ImportStore(database), {}, Clock())


if __name__ == "__main__":
    asyncio.run(main())

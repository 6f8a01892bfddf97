"""The sources on real ports, the time of all, what goes wrong there, and the collectors of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from headworks.common.clock import Clock
from headworks.ingest.collect import AwardCollector, Collector, ForecastCollector, PiCollector
from headworks.ingest.store import SeriesStore, SourceHealth
from headworks.simulators.web import WebServer
from headworks.waterway.site import Site

Serve = Callable[..., Awaitable[WebServer]]
START = datetime(2026, 2, 17, 20, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Outside:
    """The three sources on ports, the time of all, what goes wrong, and Headworks' collectors of them."""

    site: Site
    store: SeriesStore
    now: datetime = START
    faults: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("pi", "hydroforecast", "caiso"), "none"))
    servers: dict[str, WebServer] = field(default_factory=dict)
    pollers: dict[str, PiCollector | ForecastCollector | AwardCollector] = field(default_factory=dict)
    collector: Collector = field(init=False)

    async def poll(self, source: str) -> str | None:
        self.collector.clock = stopped(self.now)
        return await self.collector.poll_once(source, self.pollers[source].poll)

    async def health(self, source: str) -> SourceHealth:
        return {h.source: h for h in await self.store.health("abay", self.now)}[source]


def stopped(now: datetime) -> Clock:
    return Clock(now, wall_epoch_s=0.0, speed=1e-20)


@asynccontextmanager
async def clients(urls: dict[str, str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    opened = {
        name: httpx.AsyncClient(base_url=url, timeout=2, auth=("demo", "demo") if name == "pi" else None)
        for name, url in urls.items()
    }
    yield opened
    for client in opened.values():
        await client.aclose()

"""The plans service in the test's process: its own parts over a real database and a real bus, served on a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from headworks.common.auth import Authenticator
from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.tasks import in_background
from headworks.plans.lanes import Lanes
from headworks.plans.parts import Parts, Plant
from headworks.plans.settings import PlansSettings
from headworks.plans.write_route import Writes

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


@dataclass(frozen=True)
class HandClock(Clock):
    """A clock that stands until a test moves it."""

    held: list[datetime] = field(default_factory=lambda: [NOW])

    def now(self) -> datetime:
        return self.held[0]

    def forward(self, span: timedelta) -> None:
        self.held[0] += span


def parts_of(
    database: Database,
    plant: Plant,
    clock: Clock,
    *,
    settings: PlansSettings | None = None,
    writes: Writes | None = None,
) -> Parts:
    """The parts as main wires them, with no ingest to ask."""
    nobody = IngestClient(httpx.AsyncClient(base_url="http://127.0.0.1:9"))
    return Parts(plant, database, clock, nobody, settings or PlansSettings(), writes or Writes.over(database, clock))


@asynccontextmanager
async def migrated(database_url: str) -> AsyncIterator[Database]:
    """A database with the schema at its head."""
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    database = Database(database_url)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def served(app: FastAPI, settings: PlansSettings) -> AsyncIterator[str]:
    """An API on a socket of its own, by its address."""
    app.state.authenticator = Authenticator(settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        web = asyncio.create_task(serving.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving.should_exit = True
        await web


@dataclass(frozen=True)
class Running:
    """The service at work, and where its API is."""

    parts: Parts
    clock: HandClock
    lanes: Lanes
    url: str


@asynccontextmanager
async def plans_of(
    database_url: str, bus: Bus, plant: Plant, secret_file: Path, begins: datetime
) -> AsyncIterator[Running]:
    """The service hears the bus, answers on it, and lets nothing wait too long."""
    settings, clock = PlansSettings(jwt_secret_file=secret_file), HandClock(held=[begins])
    async with migrated(database_url) as database:
        parts = parts_of(database, plant, clock, settings=settings)
        await parts.store.register(plant.actuators.values(), begins)
        lanes = parts.lanes(bus)
        tasks = (lanes.keep(), parts.approvals.watch(), parts.store.outbox.relay(database, bus))
        async with in_background(*tasks), served(parts.api, settings) as url:
            yield Running(parts, clock, lanes, url)

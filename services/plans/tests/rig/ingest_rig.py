"""The real ingest API over a real database, in the test's process: plans asks it as it does in a deployment."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from headworks.common.auth import Authenticator
from headworks.common.client import service_client
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.messages import Basis, Quality, Sample
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.settings import ServiceSettings
from headworks.ingest.api import create_api
from headworks.ingest.import_store import ImportStore
from headworks.ingest.store import SeriesStore
from headworks.waterway.site_file import AnySite

HOUR = timedelta(hours=1)


@dataclass
class Ingest:
    """Ingest, and what a test tells it."""

    client: IngestClient
    store: SeriesStore

    async def measured(
        self, site: str, series: str, values: Mapping[datetime, float], basis: Basis = Basis.INSTANT
    ) -> None:
        """Good values, known as they came."""
        samples = [
            Sample(series=series, valid_at=at, value=v, quality=Quality.GOOD, basis=basis) for at, v in values.items()
        ]
        await self.store.add_samples(site, "pi", samples, max(values) + basis.span)


@asynccontextmanager
async def ingest_of(
    database_url: str, sites: Mapping[str, AnySite], clock: Clock, secret_file: Path
) -> AsyncIterator[Ingest]:
    """Ingest with nothing known yet."""
    await asyncio.to_thread(upgrade, database_url, "ingest", dict(migration_folders())["ingest"])
    database, settings = Database(database_url), ServiceSettings(jwt_secret_file=secret_file)
    store = SeriesStore(database)
    app = create_api(sites, store, ImportStore(database), {}, clock)
    app.state.authenticator = Authenticator(settings)
    async with service_client(settings, "plans", "http://ingest") as client:
        client._transport = httpx.ASGITransport(app)
        client._mounts = {}
        yield Ingest(IngestClient(client), store)
    await database.close()

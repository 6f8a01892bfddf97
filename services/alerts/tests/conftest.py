"""Both sites with their alarms, and a store on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headworks.alerts.sections import Alarm, alarms_of
from headworks.alerts.store import Addressees, AlarmStore
from headworks.common.database import Database
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.sites import read_sites
from headworks.waterway.site_file import AnySite

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


@pytest.fixture(scope="session")
def site(sites_folder: Path) -> AnySite:
    return read_sites(sites_folder)["abay"]


@pytest.fixture(scope="session")
def alarms(site: AnySite) -> dict[str, Alarm]:
    return alarms_of(site)


@pytest.fixture(scope="session")
def station(sites_folder: Path) -> AnySite:
    return read_sites(sites_folder)["blominmaki"]


@pytest.fixture(scope="session")
def station_alarms(station: AnySite) -> dict[str, Alarm]:
    return alarms_of(station)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "alerts", dict(migration_folders())["alerts"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> AlarmStore:
    return AlarmStore(database, Addressees({"email": ("operator@example.org",)}, timedelta(minutes=30)))

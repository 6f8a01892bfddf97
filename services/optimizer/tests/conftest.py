"""The site file of the repository, and the optimizer's store on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import SolveJob
from headworks.common.migrate import migration_folders, upgrade
from headworks.optimizer.store import RunStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import parse_site

SITE_FILE = Path(__file__).parents[3] / "sites" / "abay.yaml"
NOW = datetime(2026, 2, 17, 18, 20, tzinfo=UTC)


@pytest.fixture(scope="session")
def site_file() -> Path:
    return SITE_FILE


@pytest.fixture(scope="session")
def site_file_text() -> str:
    return SITE_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def site(site_file_text: str) -> AfterbaySite:
    parsed = parse_site(site_file_text)
    assert isinstance(parsed, AfterbaySite)
    return parsed


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture
def clock() -> Clock:
    """Plant time stands still."""
    return Clock(NOW, wall_epoch_s=0.0, speed=1e-18)


@pytest.fixture(scope="session")
def job() -> SolveJob:
    return SolveJob(run_id="abay-1", site="abay", requested_at=NOW, requested_by="ann", reason="a test")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "optimizer", dict(migration_folders())["optimizer"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database)

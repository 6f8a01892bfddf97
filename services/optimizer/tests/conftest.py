"""The site file of the repository, and the optimizer's store on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import nats.aio.client
import pytest
from fastapi import FastAPI

from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import SolveJob
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.settings import ServiceSettings
from headworks.optimizer.api import create_api
from headworks.optimizer.control_states import ControlStates
from headworks.optimizer.kind import kind_of
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite, parse_site
from headworks.waterway.station_site import StationSite

SITES = Path(__file__).parents[3] / "sites"
SITE_FILE = SITES / "abay.yaml"
STATION_FILE = SITES / "blominmaki.yaml"
SECRET = "a-secret-of-these-tests-that-is-long-enough"
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
def station_file() -> Path:
    return STATION_FILE


@pytest.fixture(scope="session")
def station_text() -> str:
    return STATION_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def station_site(station_text: str) -> StationSite:
    parsed = parse_site(station_text)
    assert isinstance(parsed, StationSite)
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


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.common.bus.RETRY_S", 0.01)
    monkeypatch.setattr("headworks.common.handling.RETRY_S", 0.01)
    monkeypatch.setattr("headworks.common.handling.DRAIN_S", 0.01)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "optimizer", dict(migration_folders())["optimizer"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database)


@pytest.fixture
def strategies(database: Database, store: RunStore) -> StrategyStore:
    return StrategyStore(database, store)


class Client:
    """Calls the API in a role."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __call__(
        self, method: str, path: str, role: Role | None = Role.OPERATOR, json: object = None
    ) -> httpx.Response:
        """The answer to a caller called ann; without a role to nobody."""
        headers = {}
        if role is not None:
            token = Issuer(SECRET, "headworks", "headworks").issue("ann", role, timedelta(minutes=1))
            headers["Authorization"] = f"Bearer {token}"
        return await self._client.request(method, path, headers=headers, json=json)


@pytest.fixture
def api(
    site: AfterbaySite,
    station_site: StationSite,
    store: RunStore,
    strategies: StrategyStore,
    clock: Clock,
    tmp_path: Path,
) -> Callable[[Bus], FastAPI]:
    """The API of two afterbays and a station over a bus."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    sites: list[AnySite] = [site, site.model_copy(update={"site": "other"}), station_site]
    kinds = {each.site: kind_of(each, strategies, ControlStates()) for each in sites}

    def over(bus: Bus) -> FastAPI:
        app = create_api(kinds, store, strategies, bus, clock)
        app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret))
        return app

    return over


@pytest.fixture
async def call(api: Callable[[Bus], FastAPI]) -> AsyncIterator[Client]:
    """The API with the bus away: only watching a run needs it."""
    transport = httpx.ASGITransport(api(Bus(nats.aio.client.Client(), "test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://optimizer") as client:
        yield Client(client)


@pytest.fixture
async def watch(api: Callable[[Bus], FastAPI], bus: Bus) -> AsyncIterator[Client]:
    """The API with a bus."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api(bus)), base_url="http://optimizer") as client:
        yield Client(client)

"""A dashboard on a real socket, between a real NATS and a neighbour that gives the answers real services once gave.

`recorded/*.json` hold answers of the running demo, by path, with long lists cut to their first entries. Time stands still at the
instant of abay's; blominmaki's are of the day before. The neighbour stands for all five services and tells in whose name an order
came.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import uvicorn
from argon2 import PasswordHasher
from browser_rig import ARGUMENTS, WAIT_MS, chromium
from playwright.async_api import Browser, async_playwright, expect
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock
from headworks.common.messages import ControlState, Plan, Sample, Setpoint
from headworks.common.settings import ServiceSettings
from headworks.common.sites import read_sites
from headworks.common.tasks import in_background
from headworks.dashboard.answers import AlarmRecord, Answers, RunRecord, SourceHealth
from headworks.dashboard.api import Desk, create_api
from headworks.dashboard.live import Live
from headworks.dashboard.orders import Orders
from headworks.dashboard.services import Services
from headworks.dashboard.sessions import Sessions
from headworks.dashboard.throttle import Throttle
from headworks.dashboard.users import User
from headworks.waterway.site_file import AnySite

SERVICES = ("ingest", "optimizer", "plans", "control_gateway", "alerts")
SECRET = "a-secret-of-these-tests-that-is-long-enough"
PASSWORD = "a good password"
HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
STALE_AFTER = timedelta(minutes=30)


@dataclass(frozen=True)
class Told:
    """What every service answered for a site: what all sites have, and what its kind adds."""

    common: Answers
    own: Any

    def with_part(self, name: str, part: Any) -> "Told":
        """The same with another part."""
        of = "own" if hasattr(self.own, name) else "common"
        return replace(self, **{of: replace(getattr(self, of), **{name: part})})


@dataclass(frozen=True)
class Recorded:
    """Answers of a system with both sites at `now`, by path."""

    now: datetime
    answers: dict[str, Any]

    def read(self, form: Any, path: str) -> Any:
        """An answer as the dashboard reads it."""
        return TypeAdapter(form).validate_python(self.answers[path])

    def told(self, site: str, own: Any) -> Told:
        """All answers for a site; `own` are those that only its kind has."""
        at = f"/sites/{site}"
        latest = [path for path in self.answers if path.startswith(f"{at}/series/") and path.endswith("/latest")]
        common = Answers(
            latest=[(self.read(Sample, path), None) for path in latest],
            sources=self.read(list[SourceHealth], f"{at}/sources"),
            newest_run=self.read(list[RunRecord], f"{at}/runs")[0],
            plans=self.read(list[Plan], f"/plans/active?station={site}"),
            approvals=[],
            control=self.read(ControlState, f"{at}/state"),
            journal=self.read(list[Setpoint], f"{at}/journal"),
            alarms=self.read(list[AlarmRecord], f"{at}/alarms"),
        )
        return Told(common, own)


@pytest.fixture(scope="session")
def recorded() -> Recorded:
    folder = Path(__file__).parent / "recorded"
    abay, station = (json.loads((folder / f"{name}.json").read_text()) for name in ("abay", "blominmaki"))
    none_wait: dict[str, Any] = {
        f"/approvals?station={site}": [] for site in ("abay", "blominmaki")
    }  # the demo asks for no approval
    return Recorded(datetime.fromisoformat(abay["now"]), abay["answers"] | station["answers"] | none_wait)


@pytest.fixture(scope="session")
def sites(sites_folder: Path) -> dict[str, AnySite]:
    return read_sites(sites_folder)


@pytest.fixture(scope="session")
def users() -> dict[str, User]:
    roles = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "enna": Role.ENGINEER}
    return {name: User(name=name, role=role, argon2=HASHER.hash(PASSWORD)) for name, role in roles.items()}


class Server:
    """An ASGI app on a socket of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Server":
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


class Neighbour:
    """Gives recorded answers to whoever has a token, and keeps the orders with their giver."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = dict(answers)
        self.orders: list[tuple[str, str, str, Any]] = []
        self.asked: list[str] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="headworks")
        path = request.url.path
        self.asked.append(path)
        if request.method == "POST":
            self.orders.append((path, claims["sub"], claims["role"], await request.json()))
        if request.method == "POST" and self.refusal is not None:
            status, content = self.refusal
        else:
            station = request.query_params.get("station")
            found = self.answers.get(path if station is None else f"{path}?station={station}")
            status, content = (200, found) if found is not None else (404, {"title": "Not here", "status": 404})
        await JSONResponse(content, status)(scope, receive, send)


@pytest.fixture
async def neighbour(recorded: Recorded) -> AsyncIterator[tuple[Neighbour, str]]:
    made = Neighbour(recorded.answers)
    async with Server(made) as server:
        yield made, server.url


@dataclass
class Dashboard:
    """The service under test."""

    url: str
    live: Live
    sessions: Sessions
    issuer: Issuer

    def client(self) -> httpx.AsyncClient:
        """A browser: it keeps cookies, and says where its page is from."""
        return httpx.AsyncClient(base_url=self.url, headers={"Origin": self.url}, timeout=10, verify=False)

    @asynccontextmanager
    async def signed_in(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        async with self.client() as client:
            answer = await client.post("/session", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield client


@pytest.fixture
def addresses(neighbour: tuple[Neighbour, str]) -> dict[str, str]:
    """Where the other services are; a test may put one away by changing its address."""
    return dict.fromkeys(SERVICES, neighbour[1])


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that is taken by nobody who answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def dashboard(
    addresses: dict[str, str],
    recorded: Recorded,
    sites: dict[str, AnySite],
    users: dict[str, User],
    bus: Bus,
    tmp_path: Path,
) -> AsyncIterator[Dashboard]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    settings = ServiceSettings(jwt_secret_file=secret)
    authenticator = Authenticator(settings)
    issuer, clock = authenticator.issuer, Clock(recorded.now, wall_epoch_s=0.0, speed=1e-12)
    of_url = {url: service_client(settings, "dashboard", url) for url in set(addresses.values())}
    clients = {name: of_url[url] for name, url in addresses.items()}
    sessions = Sessions(users, SECRET, timedelta(hours=12), Throttle(), HASHER)
    live = Live(sites, bus, clock, STALE_AFTER)
    app = create_api(
        Desk(sites, Services(clients), Orders(clients, issuer), live, sessions, issuer, clock, STALE_AFTER)
    )
    app.state.authenticator = authenticator
    async with in_background(live.run()), Server(app) as server:
        yield Dashboard(server.url, live, sessions, issuer)
    for client in of_url.values():
        await client.aclose()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    there = chromium()
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=there, args=ARGUMENTS)
        yield started
        await started.close()

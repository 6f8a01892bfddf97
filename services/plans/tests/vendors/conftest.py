"""A plans service with its door, on a real NATS with the generated permissions and a real PostgreSQL."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from ingest_rig import Ingest, ingest_of
from vendor_rig import NOW, SECRET, Plans

from headworks.common.auth import Authenticator
from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.embedded.nats import NatsServer
from headworks.common.ingest import IngestClient
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.permissions import DOORKEEPER, MIGRATE, VENDOR_ISSUER, authorization, write_seeds
from headworks.common.sites import read_sites
from headworks.common.tasks import in_background
from headworks.plans.actuators import actuators_of
from headworks.plans.api import create_api
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.bus_record import RecordedDesk
from headworks.plans.desk import SubmissionDesk
from headworks.plans.door import door_tasks
from headworks.plans.lanes import Lanes
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import vendor_desk
from headworks.plans.waiting_room import WaitingRoom
from headworks.plans.write_route import Writes
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite


@pytest.fixture(scope="session")
def sites(sites_folder: Path) -> dict[str, AnySite]:
    return read_sites(sites_folder)


@pytest.fixture(scope="session")
def abay(sites: dict[str, AnySite]) -> AfterbaySite:
    site = sites["abay"]
    assert isinstance(site, AfterbaySite)
    return site


@pytest.fixture(scope="session")
def station(sites: dict[str, AnySite]) -> StationSite:
    site = sites["blominmaki"]
    assert isinstance(site, StationSite)
    return site


@pytest.fixture
async def ingest(
    database_url: str, plans: Plans, sites: dict[str, AnySite], secret_file: Path
) -> AsyncIterator[Ingest]:
    """Ingest beside the plans, with nothing known yet."""
    async with ingest_of(database_url, sites, Clock(NOW, wall_epoch_s=0.0, speed=1e-12), secret_file) as opened:
        yield opened


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def guarded(tmp_path: Path, keys: Path) -> Iterator[NatsServer]:
    """A server with the generated permissions."""
    server = NatsServer(tmp_path / "nats", authorization=authorization(write_seeds(keys)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "jwt-secret"
    file.write_text(SECRET)
    return file


@pytest.fixture
async def plans(
    guarded: NatsServer, keys: Path, secret_file: Path, database_url: str, sites: dict[str, AnySite]
) -> AsyncIterator[Plans]:
    """The service as main.py wires it, with a clock that stands."""
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    async with await Bus.connect(guarded.url, MIGRATE, keys / f"{MIGRATE}.nk") as migrate:
        await migrate.declare_streams()
    settings = PlansSettings(
        nats_url=guarded.url,
        jwt_secret_file=secret_file,
        doorkeeper_seed_file=keys / f"{DOORKEEPER}.nk",
        vendor_issuer_seed_file=keys / f"{VENDOR_ISSUER}.nk",
    )
    database, clock = Database(database_url), Clock(NOW, wall_epoch_s=0.0, speed=1e-12)
    store, ingest = PlanStore(database), IngestClient(httpx.AsyncClient(base_url="http://127.0.0.1:9"))
    vendors = vendor_desk(database, store, sites, ingest, clock, settings)
    await store.register(actuators_of(sites).values(), NOW)
    waiting = WaitingRoom(database, store.outbox, {})
    desk = SubmissionDesk(store, actuators_of(sites), clock, vendors, waiting)
    approvals, writes = ApprovalDesk(desk, store, waiting, clock), Writes.over(database, clock)
    recorded = RecordedDesk(desk, writes.audit, clock)
    app = create_api(database, store, desk, approvals, vendors, actuators_of(sites), clock, writes)
    app.state.authenticator = Authenticator(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    web = asyncio.create_task(serving.serve([listening]))
    async with await Bus.connect(guarded.url, "plans", keys / "plans.nk") as bus:
        lanes = Lanes(bus, vendors.registry, recorded.on_submission)
        jobs = [task() for task in door_tasks(settings, bus, vendors).values()]
        jobs += [
            store.outbox.relay(database, bus),
            lanes.keep(),
        ]
        async with in_background(*jobs):  # type: ignore[arg-type]  # a task is a coroutine function's call
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            yield Plans(guarded, keys, settings, database, desk, vendors, store, lanes, address)
    serving.should_exit = True
    await web
    listening.close()
    await database.close()

"""A plans service with its door, on a real NATS with the generated permissions and a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from ingest_rig import Ingest, ingest_of
from plans_rig import migrated, parts_of, served
from vendor_rig import NOW, SECRET, Plans

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.embedded.nats import NatsServer
from headworks.common.permissions import DOORKEEPER, MIGRATE, VENDOR_ISSUER, authorization, write_seeds
from headworks.common.sites import read_sites
from headworks.common.tasks import in_background
from headworks.plans.actuators import actuators_of
from headworks.plans.door import door_tasks
from headworks.plans.parts import Plant
from headworks.plans.settings import PlansSettings
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
    async with await Bus.connect(guarded.url, MIGRATE, keys / f"{MIGRATE}.nk") as migrate:
        await migrate.declare_streams()
    settings = PlansSettings(
        nats_url=guarded.url,
        jwt_secret_file=secret_file,
        doorkeeper_seed_file=keys / f"{DOORKEEPER}.nk",
        vendor_issuer_seed_file=keys / f"{VENDOR_ISSUER}.nk",
    )
    clock, plant = Clock(NOW, wall_epoch_s=0.0, speed=1e-12), Plant(sites, actuators_of(sites))
    async with (
        migrated(database_url) as database,
        await Bus.connect(guarded.url, "plans", keys / "plans.nk") as bus,
        AsyncExitStack() as hearing,
    ):
        parts = parts_of(database, plant, clock, settings=settings)
        await parts.store.register(plant.actuators.values(), NOW)
        lanes = parts.lanes(bus)
        jobs = [task() for task in door_tasks(settings, bus, parts.vendors, parts.writes.access).values()]
        jobs.append(parts.store.outbox.relay(database, bus))
        async with (
            served(parts.api, settings) as address,
            in_background(*jobs),  # type: ignore[arg-type]  # a task is a coroutine function's call
        ):
            made = Plans(guarded, keys, settings, parts, lanes, address, lambda: in_background(lanes.keep()), hearing)
            await hearing.enter_async_context(made.hear())
            yield made
            await hearing.aclose()

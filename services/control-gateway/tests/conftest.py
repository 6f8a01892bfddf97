"""The afterbay's control section, a journal entry to write, a clock moved by hand, and a PLC."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import yaml
from api_rig import Caller, api_over
from gateway_rig import HandClock, PlcServer
from loop_rig import Gateway
from pump_rig import PumpGateway, PumpPlcServer
from sites_rig import Raw, Running
from time_rig import NOW

from headworks.common.bus import Bus
from headworks.common.messages import Outcome, Setpoint
from headworks.common.sites import afterbays, read_sites
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.pump_limits import PumpLimits, pump_limits_of
from headworks.control_gateway.section import ControlSection, control_section
from headworks.waterway.site import Site


@pytest.fixture(scope="session")
def site(sites_folder: Path) -> Site:
    return afterbays(read_sites(sites_folder))["abay"]


@pytest.fixture(scope="session")
def section(site: Site) -> ControlSection:
    return control_section(site)


@pytest.fixture(scope="session")
def actuator(site: Site, section: ControlSection) -> Actuator:
    [only] = actuators_of(site, section)
    return only


@pytest.fixture(scope="session")
def station_site(sites_folder: Path) -> Site:
    return read_sites(sites_folder)["blominmaki"]


@pytest.fixture(scope="session")
def pumps(station_site: Site) -> tuple[Actuator, ...]:
    return actuators_of(station_site, control_section(station_site))


@pytest.fixture(scope="session")
def pump_limits(station_site: Site, pumps: tuple[Actuator, ...]) -> PumpLimits:
    limits = pump_limits_of(station_site, control_section(station_site), pumps)
    assert limits is not None
    return limits


@pytest.fixture
def clock() -> HandClock:
    """It stands at 2026-02-17 08:00 UTC."""
    return HandClock(NOW)


@pytest.fixture
async def plc_server() -> AsyncIterator[PlcServer]:
    server = PlcServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def entry() -> Callable[[str], Setpoint]:
    def make(setpoint_id: str) -> Setpoint:
        return Setpoint(
            setpoint_id=setpoint_id,
            site="abay",
            resource="OXPH",
            at=NOW,
            outcome=Outcome.VERIFIED,
            unit="MW",
            requested=2.0,
            enforced=2.0,
            read_back=2.0,
        )

    return make


@pytest.fixture
async def gateway(
    tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock
) -> AsyncIterator[Gateway]:
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        made = Gateway(tmp_path / "state", (actuator,), {"oxph-plc": plc_server.port}, clock, bus, client)
        yield made
        made.close()


@pytest.fixture
async def call(tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock) -> AsyncIterator[Caller]:
    """Calls the afterbay's API."""
    async with api_over((actuator,), plc_server.port, tmp_path, clock) as caller:
        yield caller


@pytest.fixture
async def pump_servers() -> AsyncIterator[tuple[PumpPlcServer, PumpPlcServer]]:
    both = PumpPlcServer(1), PumpPlcServer(2)
    for server in both:
        await server.start()
    yield both
    for server in both:
        await server.stop()


@pytest.fixture
async def pump_gateway(
    tmp_path: Path,
    pumps: tuple[Actuator, ...],
    pump_limits: PumpLimits,
    pump_servers: tuple[PumpPlcServer, PumpPlcServer],
    clock: HandClock,
) -> AsyncIterator[PumpGateway]:
    """P1_1 and P1_4 run, as at the record's begin; the level is 2 m."""
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        made = PumpGateway(tmp_path / "state", pumps, pump_limits, pump_servers, clock, bus, client)
        made.run("P1_1", "P1_4")
        yield made
        made.close()


@pytest.fixture
def raw(sites_folder: Path) -> Raw:
    """The afterbay's file as it is written."""
    read: Raw = yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture
async def ready(tmp_path: Path, raw: Raw, plc_server: PlcServer, clock: HandClock) -> AsyncIterator[Running]:
    """It is not run yet."""
    sites, state = tmp_path / "sites", tmp_path / "state"
    for folder in (sites, state):
        folder.mkdir()
    (sites / "abay.yaml").write_text(yaml.safe_dump(raw))
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        yield Running(sites, state, plc_server, clock, bus, client)


@pytest.fixture
async def running(ready: Running) -> AsyncIterator[Running]:
    async with in_background(ready.controlled.run()):
        await eventually(lambda: ready.is_up("abay"))
        yield ready

"""The gateway as a process with bus, database and plans down: it controls on its last plan, and its e-stop works."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from gateway_rig import PlcServer, plan_of
from process_rig import Process, token_of
from pump_rig import PumpPlcServer

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.process import spawn
from headworks.common.messages import ControlState
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.subjects import CONTROL_STATE
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.clock_mark import ClockMark, boot_id
from headworks.control_gateway.journal import CLOCK_STEPPED, Journal
from headworks.control_gateway.lease import seconds
from headworks.control_gateway.main import outlasting_faults, plans_of, tell_what_is_off
from headworks.control_gateway.settings import GatewaySettings
from headworks.waterway.site import Site

SOURCE = Path(__file__).parents[1] / "src" / "headworks" / "control_gateway"


@pytest.fixture
def nats_away(tmp_path: Path) -> NatsServer:
    """A NATS that is not started yet."""
    return NatsServer(tmp_path / "nats")


@pytest.fixture
def gateway(tmp_path: Path, sites_folder: Path, plc_server: PlcServer, nats_away: NatsServer) -> Process:
    process = Process(tmp_path / "state", sites_folder, plc_server.port, nats_away.url)
    now = datetime.now(UTC)
    process.remember(plan_of(2.1, made=now, begins=now - timedelta(hours=1), ends=now + timedelta(hours=20)))
    return process


@pytest.mark.timeout(300)
async def test_with_all_else_down_it_controls_on_its_last_plan_and_its_e_stop_works(
    gateway: Process, plc_server: PlcServer, nats_away: NatsServer
) -> None:
    async with gateway.ready() as client:
        await eventually(lambda: plc_server.read_back == 210, timeout_s=30)
        state = (await client.get("/sites/abay/state")).json()
        assert state["resources"][0]["plan_age_s"] is None, "nobody has confirmed the plan"
        assert "no local e-stop" in (gateway.folder / "log").read_text()
        pressed = await client.post("/sites/abay/e-stop", json={"reason": "smoke"})
        assert pressed.json()["e_stop"] is True
        plc_server.read_back = plc_server.actual = 150
        writes = list(plc_server.writes)
        await eventually(lambda: _reason(client, "e-stop is active"), timeout_s=30)

    async with gateway.ready() as client:
        await eventually(lambda: _reason(client, "e-stop is active"), timeout_s=30)
        assert plc_server.writes == writes
        asked = await client.post("/sites/abay/e-stop/clear", json={"reason": "no smoke"})
        assert asked.json()["e_stop"] is True
        second = {"Authorization": f"Bearer {token_of('bob')}"}
        cleared = await client.post("/sites/abay/e-stop/clear", json={"reason": "seen"}, headers=second)
        assert cleared.json()["e_stop"] is False
        await eventually(lambda: plc_server.read_back == 210, timeout_s=60)
        assert plc_server.writes[len(writes)] < 175, "no jump"
        nats_away.start()
        try:
            assert (await _last_state(nats_away)).e_stop is False
        finally:
            nats_away.stop()
    kept = Journal(gateway.own).unshipped(1000)[0]
    assert [e.reason for e in kept if "e-stop" in e.reason] == [
        "e-stop pressed by ann: smoke",
        "e-stop clear requested by ann: no smoke",
        "e-stop cleared by bob: seen",
    ]


@pytest.mark.timeout(300)
async def test_one_gateway_controls_both_kinds_of_sites_and_an_e_stop_is_of_one(
    tmp_path: Path, sites_folder: Path, plc_server: PlcServer, nats_away: NatsServer
) -> None:
    servers = PumpPlcServer(1), PumpPlcServer(2)
    for server in servers:
        await server.start()
    ports = servers[0].port, servers[1].port
    gateway = Process(tmp_path / "state", sites_folder, plc_server.port, nats_away.url, ports)
    now = datetime.now(UTC)
    gateway.remember(plan_of(2.1, made=now, begins=now - timedelta(hours=1), ends=now + timedelta(hours=20)))
    async with gateway.ready() as client:
        await eventually(lambda: servers[0].pumps[1].running == 1, timeout_s=30)
        await client.post("/sites/blominmaki/e-stop", json={"reason": "smoke"})
        await eventually(lambda: servers[0].pumps[1].running == 0, timeout_s=30)
        await eventually(lambda: plc_server.read_back == 210, timeout_s=30)
        await eventually(lambda: _all_stand(client))
        assert (await client.get("/sites/abay/state")).json()["e_stop"] is False
    for server in servers:
        await server.stop()


async def _all_stand(client: httpx.AsyncClient) -> bool:
    state = (await client.get("/sites/blominmaki/state")).json()
    assert (state["level_m"], state["interlock"], len(state["resources"])) == (2.0, None, 8)
    return {r["running"] for r in state["resources"]} == {False}


async def _reason(client: httpx.AsyncClient, reason: str) -> bool:
    state = (await client.get("/sites/abay/state")).json()
    return bool(state["resources"][0]["reason"] == reason)


async def _last_state(server: NatsServer) -> ControlState:
    async with await Bus.connect(server.url, "test") as bus:
        await bus.declare_streams()
        async for state, _delivery in bus.follow(CONTROL_STATE, deliver=Deliver.ALL):
            return state
    raise AssertionError("the bus ended")


@pytest.mark.timeout(300)
async def test_a_wall_clock_that_was_set_while_it_was_down_is_told(gateway: Process) -> None:
    ahead = ClockMark(at=datetime.now(UTC) + timedelta(hours=2), at_s=seconds(), boot=boot_id())
    (gateway.own / "clock-abay.json").write_text(ahead.model_dump_json())
    async with gateway.ready() as client:

        async def is_told() -> bool:
            findings = (await client.get("/sites/abay/state")).json()["findings"]
            return any(finding.startswith("the wall clock was stepped by -") for finding in findings)

        await eventually(is_told, timeout_s=30)
    links = Journal(gateway.own).unshipped_links(1000)[0]
    assert [link.body["subject"] for link in links if link.body.get("event_type") == CLOCK_STEPPED] == ["abay"]


@pytest.mark.timeout(300)
async def test_a_second_gateway_of_the_same_folder_ends_at_once(gateway: Process) -> None:
    async with gateway.ready():
        second = spawn(
            [sys.executable, "-m", "headworks.control_gateway.main"],
            gateway.folder / "second-log",
            environment=gateway.environment,
        )
        assert second.wait(120) != 0
        assert "is in use by another gateway" in (gateway.folder / "second-log").read_text()


@pytest.mark.timeout(300)
async def test_a_site_file_that_is_wrong_ends_it_before_anything_is_written(
    gateway: Process, plc_server: PlcServer, sites_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "sites").mkdir()
    wrong = (sites_folder / "abay.yaml").read_text().replace("max_rate: 0.042 MW/min", "max_rate: 0 MW/min")
    (tmp_path / "sites" / "abay.yaml").write_text(wrong)
    gateway.environment["HEADWORKS_SITES"] = str(tmp_path / "sites")
    with gateway.running() as process:
        assert process.wait(120) != 0
    assert "control.actuators.OXPH: rate_per_s=0 must be above zero" in (gateway.folder / "log").read_text()
    assert plc_server.writes == []


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ({}, """HEADWORKS_PLC_ADDRESSES lacks 'oxph-plc'; write {"oxph-plc": "host:502"}"""),
        ({"oxph-plc": "host"}, "HEADWORKS_PLC_ADDRESSES: oxph-plc='host' must be host:port"),
        ({"oxph-plc": ":502"}, "HEADWORKS_PLC_ADDRESSES: oxph-plc=':502' must be host:port"),
        ({"oxph-plc": "host:port"}, "HEADWORKS_PLC_ADDRESSES: oxph-plc='host:port' must be host:port"),
    ],
)
def test_a_plc_without_an_address_is_named(addresses: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        GatewaySettings(plc_addresses=addresses).plc_address("oxph-plc")


def test_a_plcs_address_may_be_any_host() -> None:
    assert GatewaySettings(plc_addresses={"a": "::1:502"}).plc_address("a") == ("::1", 502)


async def test_what_fails_around_control_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.control_gateway.main.BEGIN_AGAIN_S", 0)
    begun: list[int] = []

    class Enough(BaseException):
        """Ends the test."""

    async def task() -> None:
        begun.append(1)
        if len(begun) == 4:
            raise Enough
        if len(begun) > 1:
            raise RuntimeError("whatever")

    with pytest.raises(Enough):
        await outlasting_faults("task", task)()
    assert len(begun) == 4


@pytest.mark.timeout(300)
async def test_a_site_file_that_comes_later_is_controlled_without_a_restart(
    tmp_path: Path, sites_folder: Path, plc_server: PlcServer, nats_away: NatsServer
) -> None:
    sites, abay = tmp_path / "sites", (sites_folder / "abay.yaml").read_text()
    sites.mkdir()
    (sites / "abay.yaml").write_text(abay)
    gateway, of_later = Process(tmp_path / "state", sites, plc_server.port, nats_away.url), PlcServer()
    await of_later.start()
    addresses = json.loads(gateway.environment["HEADWORKS_PLC_ADDRESSES"])
    gateway.environment["HEADWORKS_PLC_ADDRESSES"] = json.dumps(addresses | {"later-plc": f"127.0.0.1:{of_later.port}"})
    gateway.environment["HEADWORKS_AUTO_DISCOVERY_REFRESH_MINUTES"] = "0.01"
    async with gateway.ready() as client:
        assert (await client.get("/sites/later/state")).status_code == 404
        later = abay.replace("site: abay", "site: later", 1).replace("oxph-plc", "later-plc")
        (sites / "later.yaml").write_text(later)

        async def is_controlled() -> bool:
            response = await client.get("/sites/later/state")
            return response.status_code == 200 and response.json()["resources"][0]["link_up"]

        await eventually(is_controlled, timeout_s=30)
        (sites / "later.yaml").write_text("broken")

        async def is_told() -> bool:
            findings = (await client.get("/sites/abay/state")).json()["findings"]
            return any("later.yaml cannot be read" in finding for finding in findings)

        await eventually(is_told, timeout_s=30)
        assert await is_controlled()
    await of_later.stop()


async def test_how_often_plans_are_asked_for_and_whether_are_settings(
    tmp_path: Path, site: Site, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both managers run side by side: once the one has asked again and again, the other has not asked at all."""
    asked: dict[str, int] = {"on": 0, "off": 0}

    def started(name: str) -> OptimizationPlanManager:
        def answer(_request: httpx.Request) -> httpx.Response:
            asked[name] += 1
            return httpx.Response(200, json=[])

        client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://plans")
        return plans_of(site, GatewaySettings(state_dir=tmp_path / name), client, bus, Clock())

    monkeypatch.setenv("HEADWORKS_OPTIMIZATION_REFRESH_SECONDS", "0.02")
    on = started("on")
    monkeypatch.setenv("HEADWORKS_OPTIMIZATION_MONITORING_ENABLED", "false")
    off = started("off")
    async with in_background(on.start_monitoring()), in_background(off.start_monitoring()):
        await eventually(lambda: asked["on"] >= 3)
    assert asked["off"] == 0


@pytest.mark.parametrize(
    ("content", "told"), [("[]", True), ("[ ]\n", True), ('[{"name": "ann"}]', False), ("", False)]
)
def test_a_local_e_stop_that_nobody_may_use_is_told_at_the_start(tmp_path: Path, content: str, told: bool) -> None:
    (tmp_path / "secrets").write_text(content)
    settings = GatewaySettings(local_api="/run/e-stop.sock", local_secrets_file=tmp_path / "secrets")
    with structlog.testing.capture_logs() as logs:
        tell_what_is_off(settings)
    assert ["names nobody" in log["event"] for log in logs] == [True] * told


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LOCAL_API": "/run/e-stop.sock", "LOCAL_SECRETS_FILE": "/run/secrets.json"}, []),
        ({}, ["no local e-stop"]),
        ({"OPTIMIZATION_MONITORING_ENABLED": "false"}, ["no local e-stop", "plans are not heard of"]),
    ],
)
def test_what_the_settings_leave_out_is_told_at_the_start(
    variables: dict[str, str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"HEADWORKS_{name}", value)
    with structlog.testing.capture_logs() as logs:
        tell_what_is_off(GatewaySettings())
    assert [(log["event"].partition(":")[0], log["log_level"]) for log in logs] == [(text, "warning") for text in told]


def test_plans_are_asked_for_every_30_s_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    told = GatewaySettings()
    assert (told.optimization_monitoring_enabled, told.optimization_refresh_seconds) == (True, 30)
    for wrong in ("0", "-1", "inf", "nan"):
        monkeypatch.setenv("HEADWORKS_OPTIMIZATION_REFRESH_SECONDS", wrong)
        with pytest.raises(ValueError, match="HEADWORKS_OPTIMIZATION_REFRESH_SECONDS="):
            GatewaySettings()


def test_only_the_writer_writes_and_only_the_port_reaches_modbus() -> None:
    users = {path.stem: path.read_text() for path in SOURCE.glob("*.py")}
    assert {name for name, text in users.items() if "plc.write(" in text} == {"writer"}
    assert {name for name, text in users.items() if "write_register" in text} == {"plc"}
    assert {name for name, text in users.items() if "write_setpoint(" in text} == {"writer", "setpoint_control"}
    assert {name for name, text in users.items() if "write_run(" in text} == {"writer", "pump_control"}

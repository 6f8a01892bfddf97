"""Discovery: what is new and whole begins, what is wrong is told, and what controls already is left as it is."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from gateway_rig import NOW, HandClock, PlcServer, lead_board, plan_of, plc_at

from headworks.common.audit import Link
from headworks.common.bus import Bus
from headworks.common.messages import Plan
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.service import Task
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.clock_watch import ClockWatch
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.discovering import Discovery
from headworks.control_gateway.discovery import discovered
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import actuators_of
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.section import control_section
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.steady_clock import SteadyClock
from headworks.control_gateway.switches import SwitchBoard
from headworks.waterway.site import Site
from headworks.waterway.site_file import parse_site

Raw = dict[str, Any]
SECOND = {
    "setpoint": {"table": "holding", "address": 120, "type": "uint16", "scale": "0.01 MW", "writable": True},
    "readback": {"table": "holding", "address": 121, "type": "uint16", "scale": "0.01 MW"},
    "actual": {"table": "input", "address": 120, "type": "uint16", "scale": "0.01 MW"},
}


@pytest.fixture
def raw(sites_folder: Path) -> Raw:
    """The afterbay's file as it is written."""
    read: Raw = yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8"))
    return read


def site_of(raw: Raw, **changes: Any) -> Site:
    return parse_site(yaml.safe_dump(raw | changes))


def with_second(raw: Raw, **points: Any) -> Raw:
    """The file with a second unit on the same PLC."""
    grown = copy.deepcopy(raw)
    grown["control"]["plcs"]["oxph-plc"]["points"]["SECOND"] = SECOND | points
    grown["control"]["actuators"]["SECOND"] = grown["control"]["actuators"]["OXPH"]
    return grown


def checked(site: Site) -> None:
    actuators_of(site, control_section(site))


def look(
    running: Raw, *files: Raw | str, planned: frozenset[str] = frozenset()
) -> tuple[Mapping[str, Site], tuple[str, ...]]:
    read = {f"{k}.yaml": f if isinstance(f, str) else site_of(f) for k, f in enumerate(files)}
    found = discovered({"abay": site_of(running)}, read, {"abay": planned}, checked)
    return found.sites, found.findings


def test_files_that_say_what_runs_find_nothing(raw: Raw) -> None:
    assert look(raw, raw, planned=frozenset({"OXPH"})) == ({}, ())


def test_a_new_site_that_is_whole_is_found(raw: Raw) -> None:
    sites, findings = look(raw, raw, raw | {"site": "other"})
    assert (list(sites), findings) == (["other"], ())


def test_a_new_actuator_is_found_and_nothing_else_of_the_file_is_taken(raw: Raw) -> None:
    grown = with_second(raw)
    grown["control"]["actuators"]["OXPH"] = grown["control"]["actuators"]["OXPH"] | {"maximum": "6 MW"}
    grown["control"]["tick_every"] = "2 s"
    sites, findings = look(raw, grown)
    first, second = actuators_of(sites["abay"], control_section(sites["abay"]))
    assert (first.resource, first.limits.maximum, second.resource) == ("OXPH", 580, "SECOND")
    assert control_section(sites["abay"]).tick_every == 1
    assert findings == (
        "site abay: actuator OXPH is changed; it comes into force with a restart",
        "site abay: what its actuators share is changed; it comes into force with a restart",
    )


def test_a_new_actuator_on_a_new_plc_is_found(raw: Raw) -> None:
    grown = with_second(raw)
    plcs = grown["control"]["plcs"]
    plcs["other-plc"] = plcs["oxph-plc"] | {
        "unit_id": 3,
        "points": {"SECOND": plcs["oxph-plc"]["points"].pop("SECOND")},
    }
    grown["control"]["actuators"]["SECOND"] = grown["control"]["actuators"]["SECOND"] | {"plc": "other-plc"}
    sites, findings = look(raw, grown)
    assert findings == ()
    assert [a.plc for a in actuators_of(sites["abay"], control_section(sites["abay"]))] == ["oxph-plc", "other-plc"]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"readback": {**SECOND["readback"], "address": 101}}, "another register than OXPH.readback's"),
        ({"setpoint": {**SECOND["setpoint"], "writable": False}}, "SECOND.setpoint.writable=False must be true"),
        ({"actual": {**SECOND["actual"], "scale": "0 MW"}}, "SECOND.actual.scale='0 MW' must be above zero"),
        ({"actual": {**SECOND["actual"], "colour": "red"}}, "Extra inputs are not permitted (got 'red')"),
    ],
)
def test_a_new_actuator_that_is_wrong_is_told_and_begins_nowhere(raw: Raw, change: Raw, finding: str) -> None:
    sites, [told] = look(raw, with_second(raw, **change))
    assert sites == {}
    assert finding in told
    assert told.endswith("; nothing new of site abay begins")


def test_a_file_that_cannot_be_read_is_told(raw: Raw) -> None:
    sites, findings = look(raw, "line 3: a tab")
    assert (sites, findings) == ({}, ("0.yaml cannot be read: line 3: a tab",))


def test_a_site_whose_file_is_gone_is_told(raw: Raw) -> None:
    _, [told] = look(raw, raw | {"site": "other"})
    assert told == "site abay has no file any more; it is controlled until a restart"


def test_what_a_file_drops_or_changes_is_told(raw: Raw) -> None:
    changed = with_second(raw)
    for section in (changed["control"]["actuators"], changed["control"]["plcs"]["oxph-plc"]["points"]):
        del section["OXPH"]
    changed["control"]["plcs"]["oxph-plc"]["timeout"] = "1 s"
    sites, findings = look(raw, changed)
    assert [a.resource for a in actuators_of(sites["abay"], control_section(sites["abay"]))] == ["OXPH", "SECOND"]
    assert findings == (
        "site abay: PLC oxph-plc is changed; it comes into force with a restart",
        "site abay: actuator OXPH is no longer listed; it comes into force with a restart",
    )


def test_a_plan_for_an_actuator_that_no_file_lists_is_told(raw: Raw) -> None:
    _, [told] = look(raw, raw, planned=frozenset({"OXPH", "GATE_1"}))
    assert told == "site abay: plans name GATE_1, which its file does not list; it is not controlled"
    assert look(raw, with_second(raw), planned=frozenset({"SECOND"}))[1] == ()


def test_a_new_pump_waits_for_a_restart(sites_folder: Path) -> None:
    raw: Raw = yaml.safe_load((sites_folder / "blominmaki.yaml").read_text(encoding="utf-8"))
    grown = copy.deepcopy(raw)
    grown["control"]["actuators"]["P1_5"] = grown["control"]["actuators"]["P1_4"]
    found = discovered({"blominmaki": site_of(raw)}, {"b.yaml": site_of(grown)}, {}, checked)
    assert found.sites == {}
    assert found.findings == (
        "site blominmaki: pump P1_5 is new, and all pumps of a site decide together; it comes into force with a restart",
    )


# ---------------------------------------------------------------- while a real loop runs on a real PLC


@dataclass
class Running:
    """The afterbay under control in a folder of its own."""

    sites: Path
    state: Path
    plc_server: PlcServer
    clock: HandClock
    bus: Bus
    client: httpx.AsyncClient
    controlled: ControlledSites = field(init=False)
    discovery: Discovery = field(init=False)
    watch: ClockWatch = field(init=False)
    refused: str = ""
    lived_s: float = 0.0
    """The machine's seconds."""

    def __post_init__(self) -> None:
        """Begin with the file that is there."""
        self.journal = Journal(self.state)
        self.controlled = ControlledSites(self.build)
        for path in self.sites.glob("*.yaml"):
            self.controlled.add(parse_site(path.read_text()))
        auditor = Auditor(self.journal, self.clock)
        self.discovery = Discovery(self.sites, self.controlled, auditor, every_s=3600)
        self.watch = ClockWatch(self.controlled, auditor)

    def build(self, site: Site) -> tuple[ControlLoop, dict[str, Task]]:
        if site.site == self.refused:
            raise ValueError(f"HEADWORKS_PLC_ADDRESSES lacks the PLC of {site.site}")
        section, clock = control_section(site), SteadyClock.beside(self.clock, lambda: self.lived_s)
        actuators = actuators_of(site, section)
        plans = OptimizationPlanManager(
            site.site, self.client, self.bus, clock, cache_file=self.state / f"plans-{site.site}.json"
        )
        loop = ControlLoop(
            site=site.site,
            actuators=actuators,
            plcs={n: plc_at(self.plc_server.port, p) for n, p in plc_points(site.site, section).items()},
            plans=plans,
            switches=SwitchBoard(self.state, site.site),
            journal=self.journal,
            clock=clock,
            tick_s=0.02,
            leads=lead_board(self.state, site.site, actuators, clock.now()),
        )
        return loop, {f"control-{site.site}": loop.run}

    def live(self, seconds: float) -> None:
        """So much time passes."""
        self.lived_s += seconds
        self.clock.forward(seconds)

    async def turns(self, count: int = 3) -> None:
        """Let the PLC see so many turns."""
        for _ in range(count):
            beat = self.plc_server.heartbeat
            await eventually(lambda beat=beat: self.plc_server.heartbeat != beat)

    async def moved_to(self, counts: int) -> None:
        """Live, for twenty minutes at most, until the PLC holds so much."""
        for _ in range(80):
            self.live(15)
            await self.turns(2)
            if self.plc_server.setpoint >= counts:
                return
        raise AssertionError(f"the PLC holds {self.plc_server.setpoint}: {self.loop.state().resources[0].reason}")

    def write(self, name: str, raw: Raw) -> None:
        (self.sites / name).write_text(yaml.safe_dump(raw))

    def follow(self, *plans: Plan) -> None:
        """What the gateway holds, and would find in its folder after a restart."""
        held = self.controlled.loops["abay"].plans
        held._hold(plans, ended=set())
        assert held._cache is not None
        held._cache.store()

    @property
    def loop(self) -> ControlLoop:
        return self.controlled.loops["abay"]

    def is_up(self, name: str) -> bool:
        return name in self.controlled.loops and all(r.link_up for r in self.controlled.loops[name].state().resources)


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


async def test_a_new_site_begins_and_the_other_is_not_touched(running: Running, raw: Raw) -> None:
    before = running.loop
    running.write("other.yaml", raw | {"site": "other"})
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("other"))
    assert running.loop is before
    assert await running.discovery.look() == ()


async def test_a_new_actuator_begins_and_the_setpoint_of_the_old_goes_on_without_a_jump(
    running: Running, raw: Raw, plc_server: PlcServer, clock: HandClock
) -> None:
    running.follow(plan_of(2.5))
    for counts in (201, 202, 203):
        running.live(15)
        await eventually(lambda counts=counts: plc_server.writes[-1:] == [counts])
    running.write("abay.yaml", with_second(raw))
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("abay"))
    assert [a.resource for a in running.loop.actuators] == ["OXPH", "SECOND"]
    assert plc_server.writes == [201, 202, 203]
    running.live(15)
    await eventually(lambda: plc_server.writes == [201, 202, 203, 204])


async def test_a_broken_file_disturbs_nothing_and_is_told_until_it_is_mended(
    running: Running, raw: Raw, plc_server: PlcServer, clock: HandClock
) -> None:
    before = running.loop
    running.follow(plan_of(2.5))
    (running.sites / "abay.yaml").write_text("site: [")
    [told] = await running.discovery.look()
    assert told.startswith("abay.yaml cannot be read")
    assert running.loop is before
    assert running.loop.state().findings == (told,)
    running.live(15)
    await eventually(lambda: plc_server.writes == [201])
    running.write("abay.yaml", raw)
    assert await running.discovery.look() == ()
    assert running.loop.state().findings == ()


async def test_a_site_that_cannot_be_reached_is_told_and_the_others_go_on(running: Running, raw: Raw) -> None:
    running.refused = "other"
    running.write("other.yaml", raw | {"site": "other"})
    [told] = await running.discovery.look()
    assert told == "HEADWORKS_PLC_ADDRESSES lacks the PLC of other; nothing new of site other begins"
    assert running.controlled.loops.keys() == {"abay"}
    running.refused = ""
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("other"))


async def test_a_hung_plc_holds_no_discovery_up_for_long(running: Running, raw: Raw, plc_server: PlcServer) -> None:
    plc_server.fault = "hang"
    running.write("abay.yaml", with_second(raw))
    assert await running.discovery.look() == ()
    plc_server.fault = "none"
    await eventually(lambda: running.is_up("abay"))
    assert len(running.loop.actuators) == 2


async def test_a_plan_for_an_unknown_actuator_stands_in_the_state(running: Running) -> None:
    plan = plan_of(2.5).model_copy(update={"resource_id": "GATE_1", "interval_end": NOW + timedelta(days=1)})
    running.follow(plan)
    [told] = await running.discovery.look()
    assert "plans name GATE_1" in told


async def test_a_loop_that_dies_ends_the_whole(ready: Running) -> None:
    whole = asyncio.create_task(ready.controlled.run())
    await eventually(lambda: ready.is_up("abay"))
    ready.loop.end_after_this_turn()
    with pytest.raises(RuntimeError, match="control-abay ended by itself"):
        await whole


def test_addresses_may_stand_in_a_file_that_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    settings = GatewaySettings(plc_addresses={"a": "a:502"}, plc_addresses_file=file)
    with pytest.raises(ValueError, match=r"^HEADWORKS_PLC_ADDRESSES_FILE=.* cannot be read; it must be a JSON object"):
        settings.plc_address("b")
    file.write_text('{"b": "b:502"}')
    assert [settings.plc_address(name) for name in ("a", "b")] == [("a", 502), ("b", 502)]
    file.write_text('{"b": "c:503"}')
    assert settings.plc_address("b") == ("c", 503)
    with pytest.raises(ValueError, match="HEADWORKS_PLC_ADDRESSES lacks 'c'"):
        settings.plc_address("c")


# ---------------------------------------------------------------- when the wall clock is stepped


@pytest.mark.parametrize("by_s", [-7200.0, 7200.0])
async def test_a_step_of_the_wall_clock_earns_no_rate_and_forgets_nothing_of_the_window_and_the_site_begins_anew(
    ready: Running, raw: Raw, plc_server: PlcServer, by_s: float
) -> None:
    bound = copy.deepcopy(raw)
    bound["control"]["actuators"]["OXPH"]["max_change"] = {"at_most": "0.05 MW", "within": "10 min"}
    ready.controlled.add(site_of(bound))
    plan = plan_of(2.5, made=NOW - timedelta(hours=3), begins=NOW - timedelta(hours=3))
    async with in_background(ready.controlled.run()):
        ready.follow(plan)
        await ready.moved_to(205)
        ready.clock.forward(by_s)
        await ready.turns()
        before = ready.loop
        await ready.watch.look()
        assert ready.loop is not before
        assert ready.loop.clock.now() == ready.clock.now()
        assert [f"stepped by {by_s:+.0f} s" in told for told in ready.loop.findings] == [True]
        await ready.turns()
        written = len(plc_server.writes)
        for _ in range(10):
            ready.live(15)
            await ready.turns()
        assert (plc_server.setpoint, len(plc_server.writes)) == (205, written), "the window is as full as it was"
        await ready.moved_to(206)
    assert [link.body["details"] for link in noted(ready.state, "clock_stepped")] == [{"by_s": by_s}]
    assert all(abs(b - a) <= 1 for a, b in pairwise([200, *plc_server.writes])), "no step but by the rate"


async def test_until_a_step_of_the_wall_clock_is_recorded_the_site_goes_on_by_the_time_it_has(
    running: Running, plc_server: PlcServer
) -> None:
    running.follow(plan_of(2.5))
    running.clock.forward(3600)
    now, path = running.loop.clock.now(), running.state / "journal.jsonl"
    path.rename(path.with_name("away"))
    with pytest.raises(OSError, match=r"the wall clock was stepped by \+3600 s: .* could not be recorded"):
        await running.watch.look()
    assert running.loop.clock.now() == now
    path.with_name("away").rename(path)
    await running.turns()
    await running.watch.look()
    assert running.loop.clock.now() == now + timedelta(hours=1)
    await running.turns()


def noted(folder: Path, event_type: str) -> list[Link]:
    """The events of a kind."""
    links = Journal(folder).unshipped_links(10_000)[0]
    return [link for link in links if link.body.get("event_type") == event_type]

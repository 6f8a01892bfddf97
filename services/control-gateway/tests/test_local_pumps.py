"""Pumps that the PLC's own control leads, and pumps that an interlock bars, at every level: what is written, and what is not."""

from dataclasses import replace
from typing import Any

import pytest
from gateway_rig import changed
from hypothesis import given
from hypothesis import strategies as st
from pump_rig import PumpGateway
from pump_safety_rig import LIMITS, RUNS, SPEEDS, STANDS
from time_rig import NOW, SECOND

from headworks.control_gateway.leading import Lead, Leader, Wishes, at_once, leading, speed_led
from headworks.control_gateway.pump_safety import Duty, Keep, RunSituation, Start, Stop, decide_run
from headworks.control_gateway.safety import DuePlan, Feedback, Limits, Refused, Situation, Write, decide
from headworks.control_gateway.trips import Interlock
from headworks.waterway.site import Site

LOW, NORMAL, HIGH = 100, 2000, 7401
PLAN = DuePlan(4900, NOW, NOW, NOW + SECOND)
CALLS = Lead(Leader.INTERLOCK, at_once(5000, NOW), "the level is high-high")
LOCAL = {
    "local": {"table": "holding", "address": 104, "type": "uint16", "writable": True},
    "local_readback": {"table": "holding", "address": 105, "type": "uint16"},
}


def with_local(site: Site) -> Site:
    """The station, where P1_1 can be handed to the PLC's own control."""
    for role, point in LOCAL.items():
        site = changed(site, f"plcs.pumps-1.points.P1_1.{role}", point)
    return changed(site, "actuators.P1_1.fail_safe", "hand_to_local")


def of_p1_1(gateway: PumpGateway) -> list[tuple[str, int]]:
    return [(what, counts) for pump, what, counts in gateway.written() if pump == "P1_1"]


@pytest.mark.parametrize("level", [LOW, NORMAL, HIGH])
@pytest.mark.parametrize("runs", [True, False])
async def test_in_local_control_nothing_is_written_at_any_level_but_the_stop_of_an_e_stop(
    pump_gateway: PumpGateway, station_site: Site, level: int, runs: bool
) -> None:
    gateway = pump_gateway
    gateway.begin_by(with_local(station_site))
    gateway.run(*(["P1_1"] if runs else []), "P1_4")
    gateway.pump("P1_1").local = 1
    await gateway.settle()
    gateway.plan("P1_1", "P1_4", speed_hz=49.5)
    gateway.set_level(level)
    states = await gateway.tick(after_s=60, times=8)
    assert (states["P1_1"].leader, of_p1_1(gateway)) == ("plant", [])
    gateway.loop.switches.press_e_stop("ann", NOW)
    await gateway.tick(times=3)
    assert of_p1_1(gateway) == ([("run", 0)] if runs else [])


async def test_handed_to_local_control_it_is_the_plcs_at_high_high_too(
    pump_gateway: PumpGateway, station_site: Site
) -> None:
    gateway = pump_gateway
    gateway.begin_by(with_local(station_site))
    gateway.run("P1_1", "P1_4")
    await gateway.settle()
    states = await gateway.tick(times=2)
    assert (states["P1_1"].leader, gateway.pump("P1_1").local) == ("local", 1)
    gateway.servers[0].writes.clear()
    gateway.set_level(HIGH)
    await gateway.tick(after_s=60, times=8)
    assert of_p1_1(gateway) == []
    assert len(gateway.running()) == 4, "the others are called"


@pytest.mark.parametrize("then", ["hold", "refuse"])
async def test_what_only_bars_wishes_runs_at_the_speed_of_high_high(
    pump_gateway: PumpGateway, station_site: Site, then: str
) -> None:
    gateway, entry = pump_gateway, {"name": "hot", "when": "P1_1.power > 1 kW", "then": then, "applies_to": ["P1_1"]}
    gateway.begin_by(changed(station_site, "interlocks", [entry]))
    gateway.run("P1_1", "P1_4")
    await gateway.settle()
    gateway.plan("P1_1", "P1_4", speed_hz=49.5)
    await gateway.tick(after_s=60, times=3)
    assert of_p1_1(gateway) == []
    gateway.set_level(HIGH)
    await gateway.tick(after_s=60, times=8)
    assert of_p1_1(gateway)[-1] == ("speed", 5000)


async def test_one_that_an_interlock_stops_is_given_no_speed_while_it_runs_on(
    pump_gateway: PumpGateway, station_site: Site
) -> None:
    gateway, entry = pump_gateway, {"name": "hot", "when": "P1_1.power > 1 kW", "then": "stop", "applies_to": ["P1_1"]}
    gateway.run("P1_1", "P1_4")
    await gateway.settle()
    gateway.set_level(HIGH)
    pump = gateway.pump("P1_1")
    gateway.begin_by(changed(station_site, "interlocks", [entry]))
    for _ in range(3):
        await gateway.tick()
        pump.running = 1  # it runs on
    assert of_p1_1(gateway) == [("run", 0)]


# ---------------------------------------------------------------- properties

bars: Any = st.sampled_from(["hold", "refuse", "stop", "value"]).map(
    lambda then: Interlock("hot", None, "", None, then, frozenset({"P"}), counts={"P": 4800})  # type: ignore[arg-type]
)
plans = st.none() | st.integers(0, 5100).map(lambda counts: replace(PLAN, requested=counts))
wishes = st.builds(
    Wishes,
    plan=plans,
    silent=st.none() | st.just("silent"),
    fail_safe=plans,
    hands_to_local=st.booleans(),
    local=st.none() | st.just("somebody at the plant leads"),
    override=plans,
    interlock=st.none() | bars,
    undetermined=st.none() | st.just("hot"),
)
duties = st.builds(
    Duty,
    low_low=st.booleans(),
    high_high=st.booleans(),
    called=st.booleans(),
    needed=st.booleans(),
    level_known=st.booleans(),
)
speeds = st.builds(replace, st.just(SPEEDS), deadband=st.integers(0, 20))


@given(
    wishes, duties, speeds, st.sampled_from([STANDS, RUNS, replace(RUNS, commanded=False), replace(STANDS, commanded=True)]),
    st.booleans(), st.booleans(), st.integers(0, 6000), st.booleans(),
)  # fmt: skip
def test_local_no_write_of_any_kind_but_by_e_stop(
    asked: Wishes, duty: Duty, limits: Limits, run: Any, e_stop: bool, recordable: bool, held: int, standing: bool
) -> None:
    lead = leading("P", asked, NOW)
    speed = speed_led(lead, CALLS if duty.called or duty.high_high else None)
    barred = Keep("x") if lead.barred is not None and not isinstance(lead.barred, Refused) else lead.barred
    on_run = RunSituation(
        "auto", e_stop, recordable, lead.run, run, duty, None, None,
        local=lead.why if lead.by_the_plc else None, stops=lead.why if lead.stops else None, barred=barred,
    )  # fmt: skip
    decided = decide_run(LIMITS, limits, on_run, NOW)
    on_speed = Situation(
        "auto", e_stop, recordable, speed.due, Feedback(held, held, NOW), NOW - 60 * SECOND,
        standing=standing, barred=speed.barred,
    )  # fmt: skip
    written = decide(limits, on_speed, NOW)
    if asked.local is not None or lead.by is Leader.LOCAL:
        assert not isinstance(written, Write)
        assert isinstance(decided, Keep) or (e_stop and isinstance(decided, Stop))
    if asked.local is None and asked.interlock is not None and asked.interlock.action == "stop":
        assert not isinstance(written, Write)
        assert not isinstance(decided, Start)

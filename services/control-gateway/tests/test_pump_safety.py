"""Starts and stops: who stands above the plan, and each time at its edge."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from math import inf, nan

import pytest
from pump_safety_rig import FREE, LIMITS, OFF, ON, RUNS, STANDS, WAITS, decided, situation
from time_rig import NOW, SECOND, TICK

from headworks.control_gateway.interlocks import (
    Order,
)
from headworks.control_gateway.pump_safety import (
    Duty,
    Keep,
    RunLimits,
    Start,
    Stop,
)
from headworks.control_gateway.safety import DuePlan, Mode, Refused

# ---------------------------------------------------------------- limits


def test_what_decides_cannot_be_changed() -> None:
    for frozen, name in (
        (LIMITS, "minimum_run_s"),
        (STANDS, "running"),
        (FREE, "low_low"),
        (situation(), "e_stop"),
        (Start(""), "forced"),
        (Stop(""), "forced"),
        (Keep("no plan is in force: what runs is held"), "reason"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(frozen, name, 1)


@pytest.mark.parametrize(
    "name", ["minimum_run_s", "minimum_rest_s", "start_every_s", "start_takes_s", "feedback_stale_after_s"]
)
@pytest.mark.parametrize("value", [0.0, -1.0, inf, nan])
def test_limits_that_limit_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{name}={value:g} must be above zero')}$"):
        replace(LIMITS, **{name: value})


def test_limits_may_be_short() -> None:
    assert RunLimits(0.1, 0.1, 0.1, 0.1, 0.1).start_every_s == 0.1


# ---------------------------------------------------------------- who stands above the plan


def test_what_is_not_seen_is_not_decided_on() -> None:
    assert decided(situation(None, e_stop=True)) == Refused(("the PLC has not answered yet",))
    for at, fresh in ((NOW, True), (NOW - 600 * SECOND, True), (NOW - 600 * SECOND - TICK, False), (NOW + TICK, False)):
        decision = decided(situation(replace(STANDS, at=at)))
        assert decision == (Start("the plan") if fresh else Refused(("the PLC's feedback is not of the last 600 s",)))


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("commanded", [True, False])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"e_stop": True, "mode": "manual", "duty": Duty(called=True, high_high=True)}, "e-stop is active"),
        ({"duty": Duty(low_low=True, called=True, needed=True)}, "the level is low-low: no pump may run"),
    ],
)
def test_e_stop_and_low_low_stop_what_runs_or_may_whatever_else_is_so(
    running: bool, commanded: bool, changes: dict[str, object], reason: str
) -> None:
    feedback = replace(RUNS, running=running, commanded=commanded, since=NOW)
    made = replace(situation(feedback, recordable=False, plan=None), **changes)  # type: ignore[arg-type]
    expected = Stop(reason, forced=True) if running or commanded else Keep(reason)
    assert decided(made) == expected


@pytest.mark.parametrize("e_stop", [True, False])
def test_a_forced_stop_is_given_the_time_it_takes_and_then_given_again(e_stop: bool) -> None:
    spinning, duty = replace(RUNS, commanded=False), Duty(low_low=not e_stop)
    reason = "e-stop is active" if e_stop else "the level is low-low: no pump may run"
    stop, wait = Stop(reason, forced=True), Keep(reason)
    for ordered, expected in (
        (Order(False, NOW), wait),
        (Order(False, NOW - 30 * SECOND + TICK), wait),
        (Order(False, NOW - 30 * SECOND), stop),
        (Order(True, NOW), stop),
        (None, stop),
    ):
        assert decided(situation(spinning, duty=duty, e_stop=e_stop, ordered=ordered)) == expected
    commanded = situation(RUNS, duty=duty, e_stop=e_stop, ordered=Order(False, NOW))
    assert decided(commanded) == stop, "it is commanded to run"


@pytest.mark.parametrize("mode", ["manual", "off"])
def test_a_person_in_the_lead_is_left_alone_by_plan_and_interlocks(mode: Mode) -> None:
    for duty in (FREE, Duty(low_low=True), Duty(called=True), Duty(high_high=True)):
        assert decided(situation(duty=duty, mode=mode, recordable=False)) == Keep(f"mode is {mode}")


def test_who_is_called_starts_without_rest_record_plan_or_level() -> None:
    tired = replace(STANDS, since=NOW)
    made = situation(tired, None, Duty(called=True, level_known=False), recordable=False)
    assert decided(made) == Start("too few pumps run", forced=True)
    made = replace(made, duty=Duty(called=True, high_high=True))
    assert decided(made) == Start("the level is high-high", forced=True)


def test_starts_come_one_at_a_time_forced_or_not() -> None:
    for duty, start in ((Duty(called=True), Start("too few pumps run", forced=True)), (FREE, Start("the plan"))):
        assert decided(situation(duty=duty, started_at=NOW - 60 * SECOND)) == start
        assert decided(situation(duty=duty, started_at=NOW - 60 * SECOND + TICK)) == WAITS


def test_at_high_high_nothing_stops_and_what_lost_its_command_gets_it_again() -> None:
    duty, held = Duty(high_high=True), Keep("the level is high-high: no pump is stopped")
    for plan in (ON, OFF, None):
        assert decided(situation(RUNS, plan, duty)) == held
        assert decided(situation(replace(RUNS, running=False), plan, duty)) == held
        again = Start("it runs without its command", forced=True)
        assert decided(situation(replace(RUNS, commanded=False), plan, duty, recordable=False)) == again


def test_at_high_high_the_plan_may_still_start_what_is_not_called() -> None:
    duty = Duty(high_high=True)
    assert decided(situation(STANDS, ON, duty)) == Start("the plan")
    assert decided(situation(STANDS, OFF, duty)) == Keep("it stands as planned")


CALLED, LOW = Duty(called=True, high_high=True), Duty(low_low=True)


def test_where_the_plcs_own_control_leads_nothing_is_commanded_but_by_e_stop() -> None:
    local = replace(situation(RUNS, duty=LOW), local="the plant leads", stops="hot", barred=Keep("no"))
    assert decided(local) == Keep("the plant leads")
    assert decided(replace(local, duty=CALLED, feedback=STANDS)) == Keep("the plant leads")
    assert decided(replace(local, e_stop=True)) == Stop("e-stop is active", forced=True)
    assert decided(replace(local, mode="maintenance")) == Keep("mode is maintenance")


def test_an_interlock_that_stops_stands_over_high_high_and_under_low_low() -> None:
    hot = replace(situation(RUNS, duty=CALLED, recordable=False), stops="interlock hot")
    assert decided(hot) == Stop("interlock hot", forced=True)
    assert decided(replace(hot, feedback=STANDS)) == Keep("interlock hot")
    assert decided(replace(hot, duty=LOW)) == Stop("the level is low-low: no pump may run", forced=True)


@pytest.mark.parametrize("barred", [Keep("interlock wet: x"), Refused(("interlock wet: x",))])
def test_an_interlock_that_holds_or_refuses_bars_wishes_but_nothing_that_protects(barred: Keep | Refused) -> None:
    wish = replace(situation(STANDS, ON), barred=barred)
    assert decided(wish) == barred
    assert decided(replace(wish, feedback=RUNS, plan=OFF)) == barred
    assert decided(replace(wish, duty=CALLED)) == Start("the level is high-high", forced=True)
    assert decided(replace(wish, duty=LOW, feedback=RUNS)) == Stop("the level is low-low: no pump may run", forced=True)
    assert decided(replace(wish, recordable=False)) == Refused(("the journal cannot be written",))


def test_why_there_is_no_plan_is_told() -> None:
    silent = replace(situation(RUNS, None), lacking="no plan update for 1200 s")
    assert decided(silent) == Keep("no plan update for 1200 s: what runs is held")


# ---------------------------------------------------------------- the plan


def test_a_wish_needs_a_record() -> None:
    for feedback in (STANDS, RUNS):
        assert decided(situation(feedback, recordable=False)) == Refused(("the journal cannot be written",))


def test_without_a_plan_what_runs_is_held() -> None:
    for feedback in (STANDS, RUNS, replace(RUNS, commanded=False)):
        assert decided(situation(feedback, None)) == Keep("no plan is in force: what runs is held")
    assert Keep("no plan is in force: what runs is held").reason == "no plan is in force: what runs is held"


@pytest.mark.parametrize("asked", [ON, OFF])
def test_a_plan_is_for_its_time_and_not_too_old(asked: DuePlan) -> None:
    for plan, violation in (
        (replace(asked, interval_start=NOW + TICK), "the plan is not for now"),
        (replace(asked, interval_end=NOW), "the plan is not for now"),
        (replace(asked, created_at=NOW - 7201 * SECOND), "the plan is older than 7200 s"),
        (replace(asked, created_at=NOW + 61 * SECOND), "the plan was made in the future: a clock is wrong"),
    ):
        for feedback in (STANDS, RUNS):
            assert decided(situation(feedback, plan)) == Refused((violation,))


@pytest.mark.parametrize(
    ("requested", "violation"),
    [
        (None, "the plan asks nothing that this actuator can do"),
        (4779.99, "4779.99 counts is outside the station's 4780 to 5000"),
        (5000.01, "5000.01 counts is outside the station's 4780 to 5000"),
        (-1, "-1 counts is outside the station's 4780 to 5000"),
        (0.01, "0.01 counts is outside the station's 4780 to 5000"),
        (nan, "nan counts is outside the station's 4780 to 5000"),
    ],
)
def test_a_plan_that_asks_no_allowed_speed_starts_and_stops_nothing(requested: float | None, violation: str) -> None:
    for feedback in (STANDS, RUNS):
        assert decided(situation(feedback, replace(ON, requested=requested))) == Refused((violation,))


def test_what_is_as_planned_is_kept() -> None:
    for level_known in (True, False):
        duty = Duty(level_known=level_known)
        assert decided(situation(RUNS, ON, duty, ordered=Order(True, NOW))) == Keep("it runs as planned")
        assert decided(situation(STANDS, OFF, duty, ordered=Order(False, NOW))) == Keep("it stands as planned")


def test_without_a_level_a_plan_starts_and_stops_nothing() -> None:
    duty = Duty(level_known=False)
    refused = Refused(("the tunnel's level is not known: what runs is held",))
    assert decided(situation(STANDS, ON, duty)) == refused
    assert decided(situation(RUNS, OFF, duty)) == refused


@pytest.mark.parametrize(("rest_s", "rested"), [(3599.999999, False), (3600, True), (3600.000001, True)])
def test_a_pump_rests_its_minimum(rest_s: float, rested: bool) -> None:
    feedback = replace(STANDS, since=NOW - timedelta(seconds=rest_s))
    expected = Start("the plan") if rested else Keep("it has not stood for 3600 s yet")
    assert decided(situation(feedback)) == expected


@pytest.mark.parametrize(("run_s", "done"), [(7199.999999, False), (7200, True), (7200.000001, True)])
def test_a_pump_runs_its_minimum(run_s: float, done: bool) -> None:
    feedback = replace(RUNS, since=NOW - timedelta(seconds=run_s))
    assert decided(situation(feedback, OFF)) == (Stop("the plan") if done else Keep("it has not run for 7200 s yet"))


def test_the_last_pumps_are_not_stopped() -> None:
    assert decided(situation(RUNS, OFF, Duty(needed=True))) == Keep("too few others run for it to stop")
    assert decided(situation(STANDS, OFF, Duty(needed=True))) == Keep("it stands as planned")


def test_a_command_is_given_the_time_it_takes() -> None:
    wait = Keep("the last command takes effect")
    starting = replace(STANDS, commanded=True, since=NOW)
    for plan in (ON, OFF):
        for on in (True, False):
            assert decided(situation(starting, plan, ordered=Order(on, NOW - 30 * SECOND + TICK))) == wait
    after = Order(True, NOW - 30 * SECOND)
    assert decided(situation(starting, ON, ordered=after)) == Refused(("it stands although it is commanded to run",))
    assert decided(situation(starting, OFF, ordered=after)) == Stop("the plan")


def test_what_runs_without_its_command_gets_the_plan_s() -> None:
    """So a PLC that restarted is led on, without rest or turn: nothing starts."""
    alone = replace(RUNS, commanded=False, since=NOW)
    assert decided(situation(alone, ON, started_at=NOW)) == Start("it runs without its command")
    assert decided(situation(alone, OFF)) == Keep("it has not run for 7200 s yet")
    assert decided(situation(replace(alone, since=NOW - 7200 * SECOND), OFF)) == Stop("the plan")

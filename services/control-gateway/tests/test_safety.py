"""The safety decision: each rule at its edge, one inside, one outside; and whatever is allowed is within range and rate."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, nan
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.control_gateway.movement import Held, MaxChange, with_seen
from headworks.control_gateway.plausibility import PlausibleLimits, Watched
from headworks.control_gateway.safety import (
    Decision,
    DuePlan,
    FailSafe,
    Feedback,
    Hold,
    Layer,
    Limits,
    Mode,
    Range,
    Refused,
    Situation,
    Write,
    decide,
)

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
LIMITS = Limits(
    minimum=80,
    maximum=580,
    rate_per_s=0.5,
    rate_window_s=300,
    deadband=4,
    plan_stale_after_s=3600,
    feedback_stale_after_s=600,
)
PLAN = DuePlan(300, NOW - 60 * SECOND, NOW - 60 * SECOND, NOW + 60 * SECOND)
FEEDBACK = Feedback(read_back=200, actual=200, at=NOW)
SITUATION = Situation(
    "auto", e_stop=False, recordable=True, plan=PLAN, feedback=FEEDBACK, ramped_until=NOW - 20 * SECOND
)


def asked(requested: float | None, read_back: int = 200, actual: int = 200) -> Situation:
    return replace(SITUATION, plan=replace(PLAN, requested=requested), feedback=Feedback(read_back, actual, NOW))


def violation(situation: Situation, limits: Limits = LIMITS) -> str:
    decision = decide(limits, situation, NOW)
    assert isinstance(decision, Refused), decision
    [only] = decision.violations
    return only


# ---------------------------------------------------------------- who leads


def test_e_stop_holds_whatever_else_is_so() -> None:
    assert decide(LIMITS, replace(SITUATION, e_stop=True), NOW) == Hold("e-stop is active")
    nothing = Situation("off", e_stop=True, recordable=False, plan=None, feedback=None, ramped_until=NOW)
    assert decide(LIMITS, nothing, NOW) == Hold("e-stop is active")


@pytest.mark.parametrize("mode", ["manual", "off"])
def test_only_auto_follows_the_plan(mode: Mode) -> None:
    assert decide(LIMITS, replace(SITUATION, mode=mode, recordable=False), NOW) == Hold(f"mode is {mode}")


def test_what_cannot_be_recorded_is_refused_before_all_else_is_asked() -> None:
    assert violation(replace(SITUATION, recordable=False, plan=None)) == "the journal cannot be written"


def test_without_a_plan_the_safe_action_is_in_force() -> None:
    assert decide(LIMITS, replace(SITUATION, plan=None, feedback=None), NOW) == FailSafe("no plan is in force")


# ---------------------------------------------------------------- the plan


def test_a_plan_is_for_its_half_open_interval() -> None:
    begins_now = replace(PLAN, interval_start=NOW)
    assert isinstance(decide(LIMITS, replace(SITUATION, plan=begins_now), NOW), Write)
    begins_later = replace(PLAN, interval_start=NOW + TICK)
    assert violation(replace(SITUATION, plan=begins_later)) == "the plan is not for now"
    ends_later = replace(PLAN, interval_end=NOW + TICK)
    assert isinstance(decide(LIMITS, replace(SITUATION, plan=ends_later), NOW), Write)
    ends_now = replace(PLAN, interval_end=NOW)
    assert violation(replace(SITUATION, plan=ends_now)) == "the plan is not for now"


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (3599, None),
        (3600, None),
        (3600.001, "the plan is older than 3600 s"),
        (-60, None),
        (-60.001, "the plan was made in the future: a clock is wrong"),
    ],
)
def test_a_plan_too_old_or_from_the_future_is_refused(age_s: float, text: str | None) -> None:
    plan = replace(PLAN, created_at=NOW - timedelta(seconds=age_s))
    situation = replace(SITUATION, plan=plan)
    if text is None:
        assert isinstance(decide(LIMITS, situation, NOW), Write)
    else:
        assert violation(situation) == text


@pytest.mark.parametrize("requested", [80, 80.01, 81, 579, 579.99, 580])
def test_a_request_at_or_inside_the_range_is_allowed(requested: float) -> None:
    assert isinstance(decide(LIMITS, asked(requested), NOW), Write)


@pytest.mark.parametrize(
    ("requested", "text"),
    [
        (79, "79 counts is outside the station's 80 to 580"),
        (79.99, "79.99 counts is outside the station's 80 to 580"),
        (580.01, "580.01 counts is outside the station's 80 to 580"),
        (581, "581 counts is outside the station's 80 to 580"),
        (-1, "-1 counts is outside the station's 80 to 580"),
        (nan, "nan counts is outside the station's 80 to 580"),
        (inf, "inf counts is outside the station's 80 to 580"),
        (None, "the plan asks nothing that this actuator can do"),
    ],
)
def test_a_request_outside_is_refused_and_never_clamped(requested: float | None, text: str) -> None:
    assert violation(asked(requested)) == text


def test_every_violation_is_named() -> None:
    plan = DuePlan(9999, NOW - 3601 * SECOND, NOW + SECOND, NOW + 2 * SECOND)
    decision = decide(LIMITS, replace(SITUATION, plan=plan, feedback=None), NOW)
    assert decision == Refused(
        (
            "the plan is not for now",
            "the plan is older than 3600 s",
            "9999 counts is outside the station's 80 to 580",
            "the PLC has not answered yet",
        )
    )


# ---------------------------------------------------------------- the feedback


def test_a_plc_that_never_answered_is_not_written_to() -> None:
    assert violation(replace(SITUATION, feedback=None)) == "the PLC has not answered yet"


@pytest.mark.parametrize(("age_s", "allowed"), [(-0.001, False), (0, True), (599, True), (600, True), (600.001, False)])
def test_feedback_counts_while_it_is_fresh_and_not_of_the_future(age_s: float, allowed: bool) -> None:
    situation = replace(SITUATION, feedback=replace(FEEDBACK, at=NOW - timedelta(seconds=age_s)))
    if allowed:
        assert isinstance(decide(LIMITS, situation, NOW), Write)
    else:
        assert violation(situation) == "the PLC's feedback is not of the last 600 s"


@pytest.mark.parametrize("read_back", [1, 79, 581, 600, 65535, -1])
def test_a_read_back_outside_the_limits_is_not_known_and_refused(read_back: int) -> None:
    assert violation(asked(300, read_back)) == (
        f"the PLC holds {read_back} counts, outside 80 to 580, while the machine gives 200: "
        "from where to start is not known"
    )


@pytest.mark.parametrize("read_back", [80, 81, 579, 580])
def test_a_read_back_at_or_inside_the_limits_is_where_a_step_starts(read_back: int) -> None:
    target = 300
    toward = 1 if target > read_back else -1
    assert decide(LIMITS, asked(target, read_back, actual=9999), NOW) == Write(read_back + 10 * toward, complete=False)


@pytest.mark.parametrize(
    ("actual", "start"), [(76, 80), (80, 80), (81, 81), (200, 200), (579, 579), (580, 580), (584, 580)]
)
def test_a_restarted_plc_is_led_on_from_what_the_machine_gives(actual: int, start: int) -> None:
    at_once = replace(asked(actual, read_back=0, actual=actual), ramped_until=NOW)
    at_once = replace(at_once, plan=replace(PLAN, requested=300))
    assert decide(LIMITS, at_once, NOW) == Write(start, complete=False)


def test_a_restarted_plc_is_given_the_plan_at_once_when_the_machine_is_there() -> None:
    at_once = replace(asked(200, read_back=0, actual=200), ramped_until=NOW)
    assert decide(LIMITS, at_once, NOW) == Write(200, complete=True)


@pytest.mark.parametrize("actual", [0, 75, 585, 65535])
def test_a_restarted_plc_whose_machine_is_out_of_limits_is_refused(actual: int) -> None:
    assert "from where to start is not known" in violation(asked(300, read_back=0, actual=actual))


# ---------------------------------------------------------------- deadband and rate


@pytest.mark.parametrize("requested", [200, 203, 203.4, 197])
def test_a_change_within_the_deadband_starts_no_ramp(requested: float) -> None:
    assert decide(LIMITS, asked(requested), NOW) == Hold("at the plan's setpoint")


@pytest.mark.parametrize(("requested", "counts"), [(203.6, 204), (204, 204), (205, 205), (196, 196), (195, 195)])
def test_a_change_of_the_deadband_or_more_is_made(requested: float, counts: int) -> None:
    assert decide(LIMITS, asked(requested), NOW) == Write(counts, complete=True)


def test_a_ramp_once_begun_goes_all_the_way() -> None:
    for away in (1, 2, 3):
        on_its_way = replace(asked(200 + away), ramping=True)
        assert decide(LIMITS, on_its_way, NOW) == Write(200 + away, complete=True)
    assert decide(LIMITS, replace(asked(200), ramping=True), NOW) == Hold("at the plan's setpoint")


def test_without_a_deadband_what_is_there_is_not_written_again() -> None:
    limits = replace(LIMITS, deadband=0)
    assert decide(limits, asked(200), NOW) == Hold("at the plan's setpoint")
    assert decide(limits, asked(201), NOW) == Write(201, complete=True)


@pytest.mark.parametrize(
    ("elapsed_s", "step"),
    [(-10, 0), (0, 0), (1.999, 0), (2, 1), (3.999, 1), (4, 2), (299, 149), (300, 150), (9999, 150)],
)
@pytest.mark.parametrize(("target", "toward"), [(580, 1), (80, -1)])
def test_a_step_is_what_the_rate_earned_in_whole_counts_within_the_window(
    elapsed_s: float, step: int, target: int, toward: int
) -> None:
    situation = replace(asked(target, 330), ramped_until=NOW - timedelta(seconds=elapsed_s))
    decision = decide(LIMITS, situation, NOW)
    if step == 0:
        assert decision == Hold("the rate allows no step yet")
    else:
        assert decision == Write(330 + toward * step, complete=False)


@pytest.mark.parametrize(
    ("requested", "elapsed_s", "spare_s"),
    [
        (580, 0, 0.0),  # nothing earned
        (580, 1.5, 1.5),  # less than a count is earned, and kept
        (580, 3, 1.0),  # one count used, half a one kept
        (580, 4, 0.0),
        (205, 60, 2.0),  # the target was near: of the rest one count is kept
        (200, 1.5, 1.5),  # at rest
        (200, 60, 2.0),
        (200, -5, 0.0),
    ],
)
def test_of_the_rate_that_is_not_used_at_most_one_count_is_kept(
    requested: float, elapsed_s: float, spare_s: float
) -> None:
    decision = decide(LIMITS, replace(asked(requested), ramped_until=NOW - timedelta(seconds=elapsed_s)), NOW)
    assert isinstance(decision, Write | Hold)
    assert decision.spare_s == spare_s


def test_nobody_who_is_held_back_keeps_any_rate() -> None:
    assert Write(1, complete=True).spare_s == Hold("").spare_s == 0
    for situation in (replace(SITUATION, e_stop=True), replace(SITUATION, mode="manual")):
        decision = decide(LIMITS, situation, NOW)
        assert isinstance(decision, Hold)
        assert decision.spare_s == 0


# ---------------------------------------------------------------- limits that limit nothing


def test_limits_at_their_own_edges_are_taken() -> None:
    assert replace(LIMITS, minimum=0, maximum=1, deadband=0)
    assert replace(LIMITS, minimum=0, maximum=65535, deadband=65535)
    assert replace(LIMITS, rate_per_s=0.25, rate_window_s=4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"minimum": -1}, "minimum=-1 and maximum=580 counts must be in order, 0 to 65535"),
        ({"minimum": 580}, "minimum=580 and maximum=580 counts must be in order, 0 to 65535"),
        ({"maximum": 65536}, "minimum=80 and maximum=65536 counts must be in order, 0 to 65535"),
        ({"deadband": -1}, "deadband=-1 counts must be 0 to 500, the range"),
        ({"deadband": 501}, "deadband=501 counts must be 0 to 500, the range"),
        ({"rate_per_s": 0.0}, "rate_per_s=0 must be above zero"),
        ({"rate_per_s": -0.1}, "rate_per_s=-0.1 must be above zero"),
        ({"rate_per_s": nan}, "rate_per_s=nan must be above zero"),
        ({"rate_per_s": inf}, "rate_per_s=inf must be above zero"),
        ({"rate_window_s": 0.0}, "rate_window_s=0 must be above zero"),
        ({"plan_stale_after_s": 0.0}, "plan_stale_after_s=0 must be above zero"),
        ({"feedback_stale_after_s": 0.0}, "feedback_stale_after_s=0 must be above zero"),
        ({"rate_per_s": 0.25, "rate_window_s": 3.0}, "rate_window_s=3 earns 0.75 counts; it must earn at least 1"),
    ],
)
def test_limits_that_limit_nothing_cannot_be_made(change: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        replace(LIMITS, **change)  # type: ignore[arg-type]  # each case changes fields of either type


@pytest.mark.parametrize(
    "fact", [LIMITS, PLAN, FEEDBACK, SITUATION, Write(1, True), Hold(""), FailSafe(""), Refused(())]
)
def test_nothing_that_is_decided_on_or_decided_can_be_changed_afterwards(fact: object) -> None:
    assert not hasattr(fact, "__dict__")
    name = next(iter(fact.__slots__))  # type: ignore[attr-defined]  # each is a dataclass with slots
    with pytest.raises(FrozenInstanceError):
        setattr(fact, name, None)


# ---------------------------------------------------------------- whatever is so

instants = st.floats(-2e8, 2e8).map(lambda seconds: NOW + timedelta(seconds=seconds))
counts = st.integers(-70000, 140000)


@st.composite
def some_limits(draw: st.DrawFn) -> Limits:
    minimum = draw(st.integers(0, 65534))
    maximum = draw(st.integers(minimum + 1, 65535))
    rate_per_s = draw(st.floats(1e-3, 1e3))
    return Limits(
        minimum=minimum,
        maximum=maximum,
        rate_per_s=rate_per_s,
        rate_window_s=draw(st.floats(1.001 / rate_per_s, 1e6)),
        deadband=draw(st.integers(0, min(50, maximum - minimum))),
        plan_stale_after_s=draw(st.floats(1e-3, 1e15)),
        feedback_stale_after_s=draw(st.floats(1e-3, 1e15)),
    )


plans = st.builds(DuePlan, st.none() | st.floats() | counts.map(float), instants, instants, instants)
situations = st.builds(
    Situation,
    mode=st.sampled_from(get_args(Mode)),
    e_stop=st.booleans(),
    recordable=st.booleans(),
    plan=st.none() | plans,
    feedback=st.none() | st.builds(Feedback, counts, counts, instants),
    ramped_until=instants,
    ramping=st.booleans(),
)


@given(some_limits(), situations, instants)
def test_it_never_raises_and_says_the_same_again(limits: Limits, situation: Situation, now: datetime) -> None:
    decision = decide(limits, situation, now)
    assert isinstance(decision, get_args(Decision))
    assert decide(limits, situation, now) == decision
    if situation.e_stop or situation.mode != "auto" or not situation.recordable:
        assert not isinstance(decision, Write)


@st.composite
def followable(draw: st.DrawFn) -> tuple[Limits, Situation]:
    """Situations in which nothing speaks against a write, but for what the plan asks and the PLC holds."""
    limits = draw(some_limits())
    near = st.integers(limits.minimum - 60, limits.maximum + 60)
    requested = draw(near.map(float) | st.floats(limits.minimum - 2, limits.maximum + 2))
    plan = DuePlan(requested, NOW, NOW, NOW + SECOND)
    feedback = Feedback(draw(near | st.just(0)), draw(near | st.just(0)), NOW)
    ramped_until = NOW - timedelta(seconds=draw(st.floats(-1e4, 1e6)))
    situation = Situation("auto", False, True, plan, feedback, ramped_until, ramping=draw(st.booleans()))
    return limits, situation


@given(followable())
def test_whatever_is_written_is_within_range_rate_and_request(case: tuple[Limits, Situation]) -> None:
    limits, situation = case
    decision = decide(limits, situation, NOW)
    if not isinstance(decision, Write):
        return
    plan, feedback = situation.plan, situation.feedback
    assert plan is not None
    assert plan.requested is not None
    assert feedback is not None
    assert limits.minimum <= decision.counts <= limits.maximum
    start = feedback.read_back or min(limits.maximum, max(limits.minimum, feedback.actual))
    elapsed_s = min(limits.rate_window_s, max(0.0, (NOW - situation.ramped_until).total_seconds()))
    assert abs(decision.counts - start) <= limits.rate_per_s * elapsed_s
    assert abs(decision.counts - plan.requested) <= abs(start - plan.requested) + 0.5
    assert decision.complete == (decision.counts == round(plan.requested))
    held = replace(situation, feedback=replace(feedback, read_back=decision.counts), ramped_until=NOW)
    again = decide(limits, held, NOW)
    assert isinstance(again, Hold)
    assert decision.complete == (again.reason == "at the plan's setpoint") or not situation.ramping


@pytest.mark.parametrize(
    "spoil",
    [
        {"e_stop": True},
        {"mode": "manual"},
        {"mode": "off"},
        {"recordable": False},
        {"plan": None},
        {"feedback": None},
        {"plan": replace(PLAN, created_at=NOW - 3601 * SECOND)},
        {"feedback": replace(FEEDBACK, at=NOW - 601 * SECOND)},
    ],
)
@given(requested=st.integers(80, 580), read_back=st.integers(0, 600), rest_s=st.floats(0, 1e6))
def test_one_thing_wrong_is_enough(spoil: dict[str, object], requested: int, read_back: int, rest_s: float) -> None:
    situation = replace(asked(requested, read_back), ramped_until=NOW - timedelta(seconds=rest_s))
    assert not isinstance(decide(LIMITS, replace(situation, **spoil), NOW), Write)  # type: ignore[arg-type]


@given(
    rate_per_s=st.floats(0.01, 50),
    steps=st.lists(st.tuples(st.floats(0.001, 400), st.integers(80, 580)), min_size=2, max_size=60),
)
def test_over_any_stretch_of_time_the_register_moves_at_most_the_rate_and_one_count(
    rate_per_s: float, steps: list[tuple[float, int]]
) -> None:
    limits = replace(LIMITS, rate_per_s=rate_per_s)
    now, register, ramped_until, ramping = NOW, 330, NOW, False
    track = [(now, register)]
    for wait_s, requested in steps:
        now += timedelta(seconds=wait_s)
        plan = DuePlan(requested, now, now, now + SECOND)
        situation = Situation("auto", False, True, plan, Feedback(register, 0, now), ramped_until, ramping)
        decision = decide(limits, situation, now)
        assert isinstance(decision, Write | Hold)
        if isinstance(decision, Write):
            register, ramping = decision.counts, not decision.complete
        ramped_until = now - timedelta(seconds=decision.spare_s)
        track.append((now, register))
    for i, (begin, before) in enumerate(track):
        for end, after in track[i:]:
            assert abs(after - before) <= rate_per_s * (end - begin).total_seconds() + 1 + 1e-3
    assert all(abs(b - a) <= rate_per_s * limits.rate_window_s for (_, a), (_, b) in pairwise(track))


def test_a_slow_rate_is_used_up_whole_and_the_plan_is_reached_exactly() -> None:
    """The afterbay's 0.042 MW/min at one tick a second: 100 counts take 100 / 0.07 s, not longer by what each step leaves."""
    limits = replace(LIMITS, rate_per_s=0.07, deadband=2)
    register, ramped_until, ramping, ticks = 200, NOW, False, 0
    while register != 300:
        ticks += 1
        now = NOW + ticks * SECOND
        plan = DuePlan(300.0, now, now, now + SECOND)
        decision = decide(
            limits, Situation("auto", False, True, plan, Feedback(register, 0, now), ramped_until, ramping), now
        )
        assert isinstance(decision, Write | Hold)
        if isinstance(decision, Write):
            register, ramping = decision.counts, not decision.complete
        ramped_until = now - timedelta(seconds=decision.spare_s)
        assert ticks < 1440, f"stands at {register}"
    assert ticks == 1429


# ---------------------------------------------------------------- a machine that stands


def test_the_setpoint_of_a_machine_that_stands_is_set_at_once() -> None:
    standing = replace(asked(580, 80, 0), standing=True, ramped_until=NOW)
    assert decide(LIMITS, standing, NOW) == Write(580, complete=True)
    assert decide(LIMITS, replace(asked(300.4, 200), standing=True), NOW) == Write(300, complete=True)


def test_what_it_holds_is_written_over_whatever_it_is() -> None:
    for held in (0, 7, 79, 581, 65535):
        assert decide(LIMITS, replace(asked(300, held, 0), standing=True), NOW) == Write(300, complete=True)


def test_what_it_holds_already_is_not_written_again_and_no_deadband_keeps_it_from_the_plan() -> None:
    assert decide(LIMITS, replace(asked(300, 300, 0), standing=True), NOW) == Hold("at the plan's setpoint")
    assert decide(LIMITS, replace(asked(300, 299, 0), standing=True), NOW) == Write(300, complete=True)


def test_what_is_refused_is_refused_of_a_machine_that_stands_too() -> None:
    assert violation(replace(asked(581), standing=True)) == "581 counts is outside the station's 80 to 580"
    assert violation(replace(SITUATION, feedback=None, standing=True)) == "the PLC has not answered yet"
    old = replace(SITUATION, feedback=replace(FEEDBACK, at=NOW - 601 * SECOND), standing=True)
    assert violation(old) == "the PLC's feedback is not of the last 600 s"
    assert decide(LIMITS, replace(asked(300), standing=True, e_stop=True), NOW) == Hold("e-stop is active")


def test_why_a_plan_asks_nothing_is_told() -> None:
    plan = replace(PLAN, requested=None, lacking="the plan gives no target_level_m")
    assert violation(replace(SITUATION, plan=plan)) == "the plan gives no target_level_m"


# ---------------------------------------------------------------- layers

LAYERS = replace(LIMITS, hardware=Range(50, 650), optimiser=Range(100, 500))


@pytest.mark.parametrize(
    ("requested", "within", "text"),
    [
        (100, "optimiser", None),
        (500, "optimiser", None),
        (99, "optimiser", "99 counts is outside the optimiser's 100 to 500"),
        (500.01, "optimiser", "500.01 counts is outside the optimiser's 100 to 500"),
        (80, "station", None),
        (580, "station", None),
        (79, "station", "79 counts is outside the station's 80 to 580"),
        (79, "optimiser", "79 counts is outside the station's 80 to 580"),
        (650, "station", "650 counts is outside the station's 80 to 580"),
        (651, "station", "651 counts is outside the hardware's 50 to 650"),
        (651, "optimiser", "651 counts is outside the hardware's 50 to 650"),
        (49, "optimiser", "49 counts is outside the hardware's 50 to 650"),
        (nan, "station", "nan counts is outside the hardware's 50 to 650"),
    ],
)
def test_a_plan_keeps_the_optimisers_limits_a_person_the_stations_and_nothing_passes_the_hardwares(
    requested: float, within: Layer, text: str | None
) -> None:
    situation = replace(SITUATION, plan=replace(PLAN, requested=requested, within=within))
    if text is None:
        assert isinstance(decide(LAYERS, situation, NOW), Write)
    else:
        assert violation(situation, LAYERS) == text


def test_a_plan_is_held_against_the_optimisers_limits_unless_it_says_otherwise() -> None:
    assert PLAN.within == "optimiser"


@pytest.mark.parametrize(
    "layers",
    [
        {"hardware": Range(80, 580)},
        {"optimiser": Range(80, 580)},
        {"hardware": Range(0, 65535)},
        {"optimiser": Range(80, 81)},
    ],
)
def test_layers_may_be_the_same(layers: dict[str, Range]) -> None:
    assert replace(LIMITS, **layers)  # type: ignore[arg-type]  # both are layers


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (
            {"hardware": Range(81, 650)},
            "hardware=81 to 650 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        (
            {"hardware": Range(50, 579)},
            "hardware=50 to 579 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        (
            {"hardware": Range(-1, 650)},
            "hardware=-1 to 650 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        ({"hardware": Range(0, 65536)}, "hardware=0 to 65536 counts must be at most 65535"),
        (
            {"optimiser": Range(79, 500)},
            "optimiser=79 to 500 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
        (
            {"optimiser": Range(100, 581)},
            "optimiser=100 to 581 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
        (
            {"optimiser": Range(100, 100)},
            "optimiser=100 to 100 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
    ],
)
def test_layers_that_do_not_nest_cannot_be_made(layers: dict[str, Range], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        replace(LIMITS, **layers)  # type: ignore[arg-type]  # both are layers


def test_a_ramp_may_lead_through_what_no_plan_may_ask() -> None:
    """After an override the way back begins outside the optimiser's limits, but within the station's."""
    assert decide(LAYERS, asked(300, 90), NOW) == Write(100, complete=False)
    assert decide(LAYERS, asked(300, 580), NOW) == Write(570, complete=False)


# ---------------------------------------------------------------- the change within a window

WINDOW = replace(LIMITS, max_change=MaxChange(counts=15, within_s=600))


def held_from(*held: int) -> tuple[Held, ...]:
    return tuple(Held(counts, counts, NOW - 20 * SECOND, NOW) for counts in held)


@pytest.mark.parametrize(
    ("target", "held", "counts"),
    [
        (300, (200,), 210),  # the rate binds
        (300, (195, 200), 210),
        (300, (194, 200), 209),  # the window binds
        (300, (186, 200), 201),
        (100, (214, 200), 199),
        (100, (206, 200), 191),
        (100, (205, 200), 190),
        (203, (186, 200), 201),
        (300, (215, 200), 210),  # it could not go further the other way, and may come back
        (100, (185, 200), 190),
    ],
)
def test_a_step_keeps_to_the_change_within_the_window(target: int, held: tuple[int, ...], counts: int) -> None:
    situation = replace(asked(target), held=held_from(*held), ramping=True)
    assert decide(WINDOW, situation, NOW) == Write(counts, complete=False)
    assert decide(LIMITS, situation, NOW) == Write(210 if target > 203 else 190 if target < 200 else 203, target == 203)


@pytest.mark.parametrize(
    ("target", "held"), [(300, (185, 200)), (100, (215, 200)), (300, (100, 200)), (100, (100, 200))]
)
def test_where_the_window_allows_nothing_nothing_is_written(target: int, held: tuple[int, ...]) -> None:
    decision = decide(WINDOW, replace(asked(target), held=held_from(*held)), NOW)
    assert decision == Hold("the change within the window allows no step yet")
    assert isinstance(decision, Hold)
    assert decision.spare_s == 2.0


def test_without_anything_remembered_the_rate_alone_binds() -> None:
    assert decide(WINDOW, asked(300), NOW) == Write(210, complete=False)


def test_a_restarted_plc_is_given_where_the_machine_is_whatever_the_window_allows() -> None:
    restarted = replace(asked(300, read_back=0, actual=200), held=held_from(100, 200))
    assert decide(WINDOW, restarted, NOW) == Write(200, complete=False)


# ---------------------------------------------------------------- whether the machine is believed

BELIEVED = replace(LIMITS, plausible=PlausibleLimits(2, 30, 4, 60, 20, 120))
SEEN = Watched(actual=200, at=NOW, held_at_change=200)


def test_a_measured_value_that_jumped_is_refused_of_a_machine_that_turns() -> None:
    jumped = replace(asked(300), watched=replace(SEEN, jumped_at=NOW))
    text = "the measured value jumped to 200 counts, faster than the machine can change"
    assert violation(jumped, BELIEVED) == text
    assert isinstance(decide(LIMITS, jumped, NOW), Write)
    assert isinstance(decide(BELIEVED, replace(asked(300), watched=SEEN), NOW), Write)
    assert isinstance(decide(BELIEVED, asked(300), NOW), Write)
    assert isinstance(decide(BELIEVED, replace(jumped, standing=True), NOW), Write)


@pytest.mark.parametrize(
    ("target", "read_back", "actual", "counts"),
    [
        (300, 260, 230, None),  # away from what it gives
        (255, 260, 230, 255),
        (100, 260, 230, 250),  # toward it, at the rate
        (100, 235, 230, 230),  # and no further than to it
        (100, 230, 230, None),
        (300, 200, 230, 210),
        (300, 225, 230, 230),
        (100, 200, 230, None),
        (300, 230, 230, None),
    ],
)
def test_a_machine_that_does_not_follow_is_only_led_toward_what_it_gives(
    target: int, read_back: int, actual: int, counts: int | None
) -> None:
    seen = Watched(actual, NOW, read_back, apart_since=NOW - 120 * SECOND)
    situation = replace(asked(target, read_back, actual), watched=seen)
    if counts is None:
        assert violation(situation, BELIEVED) == (f"the machine gives {actual} counts, far from its setpoint for 120 s")
    else:
        assert decide(BELIEVED, situation, NOW) == Write(counts, complete=counts == target)
    assert isinstance(decide(BELIEVED, replace(situation, watched=replace(seen, apart_since=NOW)), NOW), Write)
    assert isinstance(decide(LIMITS, situation, NOW), Write)


def test_where_it_is_as_planned_nothing_is_doubted() -> None:
    seen = replace(SEEN, still_since=NOW - 60 * SECOND)
    assert decide(BELIEVED, replace(asked(200), watched=seen), NOW) == Hold("at the plan's setpoint")
    assert violation(replace(asked(300), watched=seen), BELIEVED).startswith("the measured value stands still")


# ---------------------------------------------------------------- over time, with restarts


@given(
    rate_per_s=st.floats(0.05, 20),
    change=st.integers(1, 120),
    steps=st.lists(
        st.tuples(st.floats(0.5, 400), st.integers(80, 580), st.sampled_from(["plan", "restart", "away", "manual"])),
        min_size=2,
        max_size=50,
    ),
)
def test_over_time_with_restarts_and_outages_a_register_keeps_all_layers_and_both_rates(
    rate_per_s: float, change: int, steps: list[tuple[float, int, str]]
) -> None:
    """A restart forgets all but what the journal gives back: what was held within the window."""
    limit = MaxChange(change, 600)
    limits = replace(LAYERS, rate_per_s=rate_per_s, max_change=limit)
    now, register, ramped_until, ramping = NOW, 330, NOW, False
    held: tuple[Held, ...] = ()
    track, stretches = [(now, register)], [(now, register)]
    for wait_s, requested, what in steps:
        now += timedelta(seconds=wait_s)
        if what in {"restart", "away"}:
            ramped_until, ramping = now, False
        if what == "away":
            continue
        stretches.append((now, register))  # it was held up to here
        held = with_seen(limit, held, register, now)
        mode: Mode = "manual" if what == "manual" else "auto"
        plan = DuePlan(requested, now, now, now + SECOND)
        situation = Situation(mode, False, True, plan, Feedback(register, 0, now), ramped_until, ramping, held=held)
        decision = decide(limits, situation, now)
        assert isinstance(decision, Write | Hold | Refused)
        if isinstance(decision, Write):
            assert limits.station.holds(decision.counts)
            assert 100 <= requested <= 500
            register, ramping = decision.counts, not decision.complete
            stretches.append((now, register))
        track.append((now, register))
        ramped_until = now - timedelta(seconds=0 if isinstance(decision, Refused) else decision.spare_s)
    for i, (begin, before) in enumerate(track):
        for end, after in track[i:]:
            assert abs(after - before) <= rate_per_s * (end - begin).total_seconds() + 1 + 1e-3
    for i, (begin, before) in enumerate(stretches):
        for end, after in stretches[i:]:
            assert (end - begin).total_seconds() > limit.within_s or abs(after - before) <= change


# ---------------------------------------------------------------- what an interlock says, and why there is no plan


@pytest.mark.parametrize("barred", [Hold("interlock low: x"), Refused(("interlock low: x",))])
def test_what_an_interlock_says_stands_over_any_plan_and_under_mode_and_journal(barred: Hold | Refused) -> None:
    situation = replace(SITUATION, barred=barred)
    assert decide(LIMITS, situation, NOW) == barred
    assert decide(LIMITS, replace(situation, plan=None, feedback=None), NOW) == barred
    assert decide(LIMITS, replace(situation, mode="maintenance"), NOW) == Hold("mode is maintenance")
    assert violation(replace(situation, recordable=False)) == "the journal cannot be written"


def test_why_there_is_no_plan_to_follow_is_told() -> None:
    silent = replace(SITUATION, plan=None, lacking="no plan update for 1200 s")
    assert decide(LIMITS, silent, NOW) == FailSafe("no plan update for 1200 s")

"""Whatever is allowed is within range, rate and window, whatever is asked, seen and restarted."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safety_rig import FEEDBACK, LAYERS, LIMITS, PLAN, asked
from time_rig import NOW, SECOND

from headworks.control_gateway.movement import Held, MaxChange, with_seen
from headworks.control_gateway.safety import (
    Decision,
    DuePlan,
    Feedback,
    Hold,
    Limits,
    Mode,
    Refused,
    Situation,
    Write,
    decide,
)

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

"""The safety decision: each rule at its edge, one inside, one outside."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from math import inf, nan

import pytest
from safety_rig import FEEDBACK, LIMITS, PLAN, SITUATION, asked, violation
from time_rig import NOW, SECOND, TICK

from headworks.control_gateway.safety import (
    DuePlan,
    FailSafe,
    Hold,
    Mode,
    Refused,
    Situation,
    Write,
    decide,
)

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

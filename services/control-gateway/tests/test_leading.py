"""Who leads an actuator: each above the next, and what is due from each."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest
from time_rig import NOW

from headworks.control_gateway.expressions import Comparison
from headworks.control_gateway.leading import Lead, Leader, Wishes, at_once, leading, speed_led
from headworks.control_gateway.safety import DuePlan, Hold, Refused
from headworks.control_gateway.trips import Action, Interlock

PLAN = DuePlan(300, NOW, NOW, NOW + timedelta(hours=1))
BY_HAND, SAFE = at_once(400, NOW), at_once(100, NOW)
LOW = Interlock(
    "low", Comparison("level", "<", 1), "level < 1 m", None, "hold", frozenset({"A", "B"}), {"A": 90, "B": 95}
)
ALL = Wishes(PLAN, "no plan update for 1200 s", SAFE, True, "the plant", BY_HAND, "ann", LOW, "level < 1 m", "other")


def led(**changes: object) -> Lead:
    return leading("A", replace(Wishes(plan=PLAN), **changes), NOW)  # type: ignore[arg-type]  # fields of any type


def test_the_plan_leads_where_nobody_stands_above_it() -> None:
    assert led() == Lead(Leader.PLAN, PLAN, "", PLAN)
    assert led(fail_safe=SAFE, hands_to_local=True) == Lead(Leader.PLAN, PLAN, "", PLAN)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"plan": None}, "no plan is in force"),
        ({"silent": "no plan update for 1200 s"}, "no plan update for 1200 s"),
        ({"plan": None, "silent": "no plan update for 1200 s"}, "no plan update for 1200 s"),
    ],
)
def test_without_a_plan_or_in_silence_the_fail_safe_leads_and_starts_no_pump(
    changes: dict[str, object], why: str
) -> None:
    assert led(**changes) == Lead(Leader.FAIL_SAFE, None, why)
    assert led(**changes, fail_safe=SAFE) == Lead(Leader.FAIL_SAFE, SAFE, why)
    handed = f"handed to local control: {why}"
    assert led(**changes, hands_to_local=True) == Lead(Leader.LOCAL, None, handed, barred=Hold(handed))


def test_an_override_leads_with_or_without_a_plan() -> None:
    expected = Lead(Leader.OVERRIDE, BY_HAND, "override by ann", BY_HAND)
    assert led(override=BY_HAND, override_by="ann") == expected
    assert led(override=BY_HAND, override_by="ann", plan=None, silent="x", hands_to_local=True) == expected


def test_until_an_interlocks_points_are_read_nothing_is_written_and_nothing_told() -> None:
    why = "interlock low: its points have not been read yet"
    expected = Lead(Leader.INTERLOCK, None, why, barred=Hold(why), news=False)
    assert led(undetermined="low", override=BY_HAND) == expected


@pytest.mark.parametrize(
    ("action", "barred", "stops"),
    [
        ("hold", Hold("interlock low: level < 1 m"), False),
        ("stop", Hold("interlock low: level < 1 m"), True),
        ("refuse", Refused(("interlock low: level < 1 m",)), False),
    ],
)
def test_an_interlock_stands_over_override_and_plan(action: Action, barred: Hold | Refused, stops: bool) -> None:
    wishes = replace(ALL, local=None, interlock=replace(LOW, action=action))
    expected = Lead(Leader.INTERLOCK, None, "interlock low: level < 1 m", barred=barred, stops=stops)
    assert leading("A", wishes, NOW) == expected


def test_an_interlock_that_asks_a_value_leaves_to_others_whether_a_pump_runs() -> None:
    wishes = Wishes(plan=PLAN, interlock=replace(LOW, action="value"), interlock_why="level < 1 m")
    why = "interlock low: level < 1 m"
    assert leading("A", wishes, NOW) == Lead(Leader.INTERLOCK, at_once(90, NOW), why, PLAN)
    assert leading("B", wishes, NOW).due == at_once(95, NOW)
    assert leading("A", replace(wishes, override=BY_HAND), NOW).run == BY_HAND
    assert leading("A", replace(wishes, plan=None), NOW).run is None


def test_where_somebody_at_the_plant_leads_nothing_is_written() -> None:
    assert leading("A", ALL, NOW) == Lead(Leader.PLANT, None, "the plant", barred=Hold("the plant"))


@pytest.mark.parametrize("by", Leader)
@pytest.mark.parametrize("stops", [True, False])
def test_the_level_leads_a_pumps_speed_but_under_the_plcs_own_control_and_what_lets_it_not_run(
    by: Leader, stops: bool
) -> None:
    lead, level = (
        Lead(by, PLAN, "as planned", PLAN, stops=stops),
        Lead(Leader.INTERLOCK, SAFE, "the level is high-high"),
    )
    assert speed_led(lead, None) is lead, "the level asks nothing"
    under = by in {Leader.LOCAL, Leader.PLANT} or stops
    assert speed_led(lead, level) is (lead if under else level)


@pytest.mark.parametrize("barred", [Hold("interlock wet: x"), Refused(("interlock wet: x",)), None])
def test_what_only_bars_wishes_bars_not_the_speed_that_the_level_asks(barred: Hold | Refused | None) -> None:
    level = Lead(Leader.INTERLOCK, SAFE, "the level is high-high")
    assert speed_led(Lead(Leader.INTERLOCK, None, "interlock wet: x", barred=barred), level) is level


@pytest.mark.parametrize(("by", "its"), [(by, by in {Leader.LOCAL, Leader.PLANT}) for by in Leader])
def test_the_plcs_own_control_leads_where_it_was_handed_to_or_taken_by_the_plant(by: Leader, its: bool) -> None:
    assert Lead(by, None).by_the_plc is its


def test_what_is_asked_at_once_is_for_now_only_and_held_against_the_stations_limits() -> None:
    assert at_once(7, NOW) == DuePlan(7, NOW, NOW, NOW + timedelta(seconds=1), within="station")


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (ALL, led()):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), None)
    assert Wishes() == Wishes(None, None, None, False, None, None, "", None, "", None)
    assert led().news
    assert not led().stops

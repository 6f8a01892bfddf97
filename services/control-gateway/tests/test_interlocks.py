"""The interlocks: each level at its edge, who is called in which order, and when a pump is needed."""

import re
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlocks_rig import LIMITS
from time_rig import NOW, TICK, ago

from headworks.control_gateway.interlocks import (
    LevelReading,
    Order,
    PumpSeen,
    Tripped,
    called,
    is_needed,
    is_plausible,
    level_of,
    tripped,
)

STANDS = PumpSeen("A", running=False, commanded=False, seen_at=NOW, reachable=True, rested=True)
RUNS = replace(STANDS, running=True, commanded=True, rested=False)
NORMAL, LOW, HIGH = Tripped(), Tripped(low_low=True), Tripped(high_high=True)


def pumps(**seen: PumpSeen) -> list[PumpSeen]:
    """The three pumps; those not given stand."""
    return [replace(seen.get(name, STANDS), resource=name) for name in ("A", "B", "C")]


# ---------------------------------------------------------------- limits


def test_limits_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        LIMITS.low_low = 0  # type: ignore[misc]  # that it is refused is what is shown


@pytest.mark.parametrize(
    "changes",
    [
        {"lowest": 201},
        {"low_low": 400},
        {"low_low_released": 7000},
        {"high_high_released": 7400},
        {"high_high": 14100},
        {"highest": 7400},
    ],
)
def test_levels_must_be_in_order(changes: dict[str, int]) -> None:
    expected = re.escape(
        "level.minimum <= low_low.stop_below < low_low.release_above < high_high.release_below < "
        "high_high.start_above < level.maximum must hold; got "
    )
    with pytest.raises(ValueError, match=f"^{expected}"):
        replace(LIMITS, **changes)  # type: ignore[arg-type]


def test_the_order_of_levels_is_told() -> None:
    with pytest.raises(ValueError, match=r"got 10, 500, 400, 7000, 7400, 14100 counts$"):
        replace(LIMITS, low_low=500)


def test_levels_may_be_next_to_one_another() -> None:
    replace(LIMITS, lowest=200, low_low_released=201, high_high_released=202, high_high=203, highest=204)


@pytest.mark.parametrize("changes", [{"high_high_pumps": 4}, {"minimum_pumps_on": 3}])
def test_no_more_pumps_can_be_called_than_there_are(changes: dict[str, int]) -> None:
    number, least = changes.get("high_high_pumps", 2), changes.get("minimum_pumps_on", 1)
    text = f"high_high.pumps={number} must be {least} (minimum_pumps_on) to 3, the pumps of start_order"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        replace(LIMITS, **changes)  # type: ignore[arg-type]


def test_all_pumps_may_be_called_and_all_be_the_minimum() -> None:
    replace(LIMITS, high_high_pumps=3, minimum_pumps_on=3)


# ---------------------------------------------------------------- the level


@pytest.mark.parametrize(("counts", "plausible"), [(9, False), (10, True), (14100, True), (14101, False)])
def test_a_reading_outside_the_range_is_none(counts: int, plausible: bool) -> None:
    assert is_plausible(LIMITS, counts) is plausible


def test_the_highest_of_the_fresh_readings_is_the_level() -> None:
    low, high = LevelReading(100, NOW), LevelReading(2000, ago(600))
    assert level_of(LIMITS, [low, high], NOW) == 2000
    assert level_of(LIMITS, [high, low], NOW) == 2000
    assert level_of(LIMITS, [low, high], NOW + TICK) == 100
    assert level_of(LIMITS, [], NOW) is None
    assert level_of(LIMITS, [high], NOW + TICK) is None


def test_a_reading_further_in_the_future_than_clocks_may_differ_is_not_fresh() -> None:
    assert level_of(LIMITS, [LevelReading(100, ago(-60))], NOW) == 100
    assert level_of(LIMITS, [LevelReading(100, ago(-60) + TICK)], NOW) is None


@pytest.mark.parametrize(
    ("before", "level", "after"),
    [
        (NORMAL, 200, NORMAL),
        (NORMAL, 199, LOW),
        (LOW, 400, LOW),
        (LOW, 401, NORMAL),
        (NORMAL, 400, NORMAL),
        (NORMAL, 7400, NORMAL),
        (NORMAL, 7401, HIGH),
        (HIGH, 7000, HIGH),
        (HIGH, 6999, NORMAL),
        (NORMAL, 7000, NORMAL),
        (LOW, None, NORMAL),
        (HIGH, None, HIGH),
        (NORMAL, None, NORMAL),
        (HIGH, 100, LOW),
        (LOW, 7500, HIGH),
    ],
)
def test_an_interlock_is_in_force_from_its_limit_to_its_release(
    before: Tripped, level: int | None, after: Tripped
) -> None:
    assert tripped(LIMITS, before, level) == after


@given(st.lists(st.none() | st.integers(0, 15000)))
def test_both_interlocks_are_never_in_force_at_once(levels: list[int | None]) -> None:
    now_tripped = Tripped()
    for level in levels:
        now_tripped = tripped(LIMITS, now_tripped, level)
        assert not (now_tripped.low_low and now_tripped.high_high)
        assert level is None or now_tripped.low_low or level >= LIMITS.low_low
        assert level is None or now_tripped.high_high or level <= LIMITS.high_high


# ---------------------------------------------------------------- who is called


def test_while_enough_run_nobody_is_called() -> None:
    assert called(LIMITS, NORMAL, pumps(A=RUNS), NOW) is None
    assert called(LIMITS, HIGH, pumps(A=RUNS, C=RUNS), NOW) is None


def test_the_first_of_the_order_is_called_and_at_high_high_the_next() -> None:
    assert called(LIMITS, NORMAL, pumps(), NOW) == "B"
    assert called(LIMITS, HIGH, pumps(B=RUNS), NOW) == "A"
    assert called(LIMITS, HIGH, pumps(A=RUNS, B=RUNS), NOW) is None


def test_at_low_low_nobody_is_called() -> None:
    assert called(LIMITS, LOW, pumps(), NOW) is None


def test_a_station_without_a_minimum_may_stand_still() -> None:
    assert called(replace(LIMITS, minimum_pumps_on=0), NORMAL, pumps(), NOW) is None


def test_one_that_has_rested_is_called_before_one_that_has_not() -> None:
    tired = replace(STANDS, rested=False)
    assert called(LIMITS, NORMAL, pumps(B=tired), NOW) == "A"
    assert called(LIMITS, NORMAL, pumps(A=tired, B=tired, C=tired), NOW) == "B", "the tunnel cannot wait for rest"


def test_one_that_was_told_to_run_and_stands_is_called_last() -> None:
    failed = replace(STANDS, ordered=Order(True, ago(60.001)))
    tired = replace(STANDS, rested=False)
    assert called(LIMITS, NORMAL, pumps(B=failed, A=tired, C=tired), NOW) == "A"
    assert called(LIMITS, NORMAL, pumps(A=failed, B=failed, C=failed), NOW) == "B"
    stopped = replace(STANDS, ordered=Order(False, ago(60.001)))
    assert called(LIMITS, NORMAL, pumps(B=stopped), NOW) == "B"


@pytest.mark.parametrize(
    "changes",
    [{"reachable": False}, {"commanded": True}, {"running": None, "seen_at": ago(601)}],
)
def test_one_that_cannot_be_started_is_passed_over(changes: dict[str, object]) -> None:
    cannot = replace(STANDS, **changes)  # type: ignore[arg-type]
    assert called(LIMITS, NORMAL, pumps(B=cannot), NOW) == "A"
    assert called(LIMITS, NORMAL, pumps(A=cannot, B=cannot, C=cannot), NOW) is None


def test_one_that_was_just_told_to_run_counts_as_on() -> None:
    told = replace(STANDS, ordered=Order(True, ago(60)))
    assert called(LIMITS, NORMAL, pumps(B=told), NOW) is None
    assert called(LIMITS, HIGH, pumps(B=told), NOW) == "A"
    assert called(LIMITS, NORMAL, pumps(B=told), NOW + TICK) == "A"


def test_one_that_was_just_told_to_stop_does_not() -> None:
    told = replace(RUNS, ordered=Order(False, ago(60)))
    assert called(LIMITS, NORMAL, pumps(B=told), NOW) == "A"
    assert called(LIMITS, NORMAL, pumps(B=told), NOW + TICK) is None, "it runs on"


def test_one_that_is_just_told_to_stop_is_not_called_in_the_same_moment() -> None:
    told = replace(STANDS, ordered=Order(False, ago(60)))
    assert called(LIMITS, NORMAL, pumps(B=told), NOW) == "B"


@pytest.mark.parametrize("running", [True, None])
def test_one_that_is_away_counts_as_it_was_for_a_while(running: bool | None) -> None:
    away = replace(RUNS, running=running, reachable=False, seen_at=ago(600))
    assert called(LIMITS, NORMAL, pumps(B=away), NOW) is None
    assert called(LIMITS, NORMAL, pumps(B=away), NOW + TICK) == "A"


# ---------------------------------------------------------------- who is needed


def test_the_last_one_that_is_seen_to_run_is_needed() -> None:
    assert is_needed(LIMITS, "A", pumps(A=RUNS), NOW)
    assert not is_needed(LIMITS, "A", pumps(A=RUNS, B=RUNS), NOW)
    two = replace(LIMITS, minimum_pumps_on=2)
    assert is_needed(two, "A", pumps(A=RUNS, B=RUNS), NOW)
    assert not is_needed(two, "A", pumps(A=RUNS, B=RUNS, C=RUNS), NOW)
    assert not is_needed(replace(LIMITS, minimum_pumps_on=0), "A", pumps(A=RUNS), NOW)


@pytest.mark.parametrize(
    "changes",
    [{"reachable": False}, {"running": None}, {"running": False}, {"ordered": Order(False, ago(60))}],
)
def test_another_that_may_not_run_makes_a_pump_needed(changes: dict[str, object]) -> None:
    other = replace(RUNS, **changes)  # type: ignore[arg-type]
    assert is_needed(LIMITS, "A", pumps(A=RUNS, B=other), NOW)


@pytest.mark.parametrize("order", [Order(True, NOW), Order(False, ago(60.001))])
def test_another_that_runs_on_makes_it_not_needed(order: Order) -> None:
    assert not is_needed(LIMITS, "A", pumps(A=RUNS, B=replace(RUNS, ordered=order)), NOW)


def test_one_that_is_not_available_is_not_called_and_the_next_one_is() -> None:
    away = replace(STANDS, available=False)
    assert called(LIMITS, HIGH, pumps(B=away), NOW) == "A"
    assert called(LIMITS, HIGH, pumps(A=away, B=away), NOW) == "C"
    assert called(LIMITS, HIGH, pumps(A=away, B=away, C=away), NOW) is None
    assert STANDS.available

"""What is believed of a measured value: each doubt at its edge, and how it ends."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta
from math import inf, nan

import pytest
from time_rig import NOW

from headworks.control_gateway.plausibility import PlausibleLimits, Watched, does_not_follow, jumped, watched

LIMITS = PlausibleLimits(fastest_per_s=2, doubted_for_s=30, still=4, frozen_after_s=60, apart=20, apart_for_s=120)
SEEN = Watched(actual=200, at=NOW, held_at_change=200)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_first_reading_is_believed() -> None:
    seen = watched(LIMITS, None, 200, 200, NOW)
    assert seen == SEEN
    assert jumped(LIMITS, seen, NOW) is None
    assert does_not_follow(LIMITS, seen, at(9999)) is None
    assert watched(LIMITS, None, 200, 221, NOW) == Watched(221, NOW, 200, apart_since=NOW)


@pytest.mark.parametrize(
    ("actual", "elapsed_s", "doubted"),
    [(221, 10, False), (222, 10, True), (179, 10, False), (178, 10, True), (201, 0, False), (202, 0, True)],
)
@pytest.mark.parametrize("held", [200, 230])
def test_a_jump_faster_than_the_machine_can_change_is_doubted(
    actual: int, elapsed_s: float, doubted: bool, held: int
) -> None:
    seen = watched(LIMITS, SEEN, held, actual, at(elapsed_s))
    assert seen.jumped_at == (at(elapsed_s) if doubted else None)
    text = f"the measured value jumped to {actual} counts, faster than the machine can change"
    assert jumped(LIMITS, seen, at(elapsed_s)) == (text if doubted else None)


def test_a_reading_of_the_past_is_held_against_no_time_at_all() -> None:
    assert watched(LIMITS, SEEN, 200, 201, at(-100)).jumped_at is None
    assert watched(LIMITS, SEEN, 200, 202, at(-100)).jumped_at == at(-100)


def test_a_doubt_lasts_for_its_time_after_the_last_jump() -> None:
    seen = watched(LIMITS, SEEN, 200, 300, at(1))
    assert jumped(LIMITS, seen, at(30.999))
    assert jumped(LIMITS, seen, at(31)) is None
    seen = watched(LIMITS, seen, 200, 300, at(2))
    assert seen.jumped_at == at(1)
    seen = watched(LIMITS, seen, 200, 200, at(3))
    assert jumped(LIMITS, seen, at(32.999))
    assert jumped(LIMITS, seen, at(33)) is None


def test_a_value_that_stands_still_while_the_setpoint_moves_is_frozen() -> None:
    seen = watched(LIMITS, SEEN, 204, 200, at(10))
    assert seen.still_since is None
    seen = watched(LIMITS, seen, 205, 200, at(20))
    seen = watched(LIMITS, seen, 206, 200, at(30))
    assert seen.still_since == at(20)
    assert seen.held_at_change == 200
    assert does_not_follow(LIMITS, seen, at(79.999)) is None
    assert (
        does_not_follow(LIMITS, seen, at(80))
        == "the measured value stands still at 200 counts while the setpoint has moved"
    )


def test_it_is_believed_again_when_it_moves_or_the_setpoint_is_back() -> None:
    frozen = Watched(200, at(30), 200, still_since=at(20))
    moved = watched(LIMITS, frozen, 206, 201, at(31))
    assert moved == Watched(201, at(31), held_at_change=206)
    back = watched(LIMITS, frozen, 196, 200, at(31))
    assert back == Watched(200, at(31), 200)
    assert watched(LIMITS, frozen, 195, 200, at(31)).still_since == at(20)


def test_a_value_that_stands_still_with_its_setpoint_is_believed() -> None:
    seen = SEEN
    for second in range(1, 300, 10):
        seen = watched(LIMITS, seen, 204, 200, at(second))
    assert does_not_follow(LIMITS, seen, at(9999)) is None


def test_a_machine_far_from_its_setpoint_for_long_does_not_follow() -> None:
    seen = watched(LIMITS, SEEN, 225, 205, at(10))
    assert seen.apart_since is None
    seen = watched(LIMITS, seen, 226, 205, at(20))
    seen = watched(LIMITS, seen, 227, 206, at(30))
    assert seen.apart_since == at(20)
    assert does_not_follow(LIMITS, seen, at(139.999)) is None
    assert does_not_follow(LIMITS, seen, at(140)) == "the machine gives 206 counts, far from its setpoint for 120 s"
    assert watched(LIMITS, seen, 226, 206, at(31)).apart_since is None
    assert watched(LIMITS, seen, 185, 206, at(31)).apart_since == at(20)


@pytest.mark.parametrize("name", ["fastest_per_s", "doubted_for_s", "frozen_after_s", "apart_for_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
def test_limits_that_doubt_all_or_nothing_cannot_be_made(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'plausible.{name}={value:g} must be above zero')}$"):
        replace(LIMITS, **{name: value})  # type: ignore[arg-type]  # all of these are numbers
    assert replace(LIMITS, **{name: 1e-3})  # type: ignore[arg-type]


def test_far_apart_is_further_than_the_deadband() -> None:
    with pytest.raises(ValueError, match=r"^plausible\.apart=4 counts must be above the deadband, 4$"):
        replace(LIMITS, apart=4)
    assert replace(LIMITS, apart=5)


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LIMITS, SEEN):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), 1)

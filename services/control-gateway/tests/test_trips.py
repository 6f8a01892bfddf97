"""Interlocks by condition: when each trips and is released, and which acts."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest
from time_rig import NOW

from headworks.control_gateway.expressions import Since, parse
from headworks.control_gateway.trips import Action, Interlock, TripState, acting, next_state

WHEN = "level < 0.3 m"
LOW = Interlock(
    name="low_suction",
    when=parse(WHEN, {"level": "m"}),
    when_text=WHEN,
    release=parse("level > 0.6 m", {"level": "m"}),
    action="stop",
    applies_to=frozenset({"P1_1"}),
)


def after(interlock: Interlock, *levels: float | None) -> list[bool]:
    """Whether it is tripped after each reading, one a second."""
    state, found = TripState(), []
    for second, level in enumerate(levels):
        state = next_state(interlock, state, {"level": level}, NOW + timedelta(seconds=second))
        found.append(state.tripped)
    return found


def test_it_is_tripped_from_its_condition_to_its_release() -> None:
    assert after(LOW, 0.3, 0.29, 0.3, 0.6, 0.61, 0.6, 0.3, 0.2) == [False, True, True, True, False, False, False, True]


def test_without_a_release_it_is_over_when_its_condition_is_false() -> None:
    assert after(replace(LOW, release=None), 0.3, 0.29, 0.3, 0.29) == [False, True, False, True]


def test_what_is_not_known_trips_it_and_does_not_release_it() -> None:
    assert after(LOW, 0.5, None, 0.5, 0.61) == [False, True, True, False]
    assert after(replace(LOW, release=None), 0.5, None, 0.5) == [False, True, False]


def test_where_the_site_says_so_what_is_not_known_neither_trips_nor_releases() -> None:
    ignoring = replace(LOW, trips_when_unknown=False)
    assert after(ignoring, None, 0.5, 0.2, None, 0.5, 0.7) == [False, False, True, True, True, False]
    assert after(replace(ignoring, release=None), None, 0.2, None, 0.5) == [False, True, True, False]


def test_why_and_since_when_is_told_and_does_not_change_with_each_reading() -> None:
    tripped = next_state(LOW, TripState(), {"level": 0.2}, NOW)
    assert tripped == TripState(True, NOW, WHEN)
    later = next_state(LOW, tripped, {"level": 0.25}, NOW + timedelta(seconds=5))
    assert later == tripped
    between = next_state(LOW, later, {"level": 0.5}, NOW + timedelta(seconds=6))
    assert between == tripped
    unknown = next_state(LOW, TripState(), {}, NOW)
    assert unknown == TripState(True, NOW, f"it is not known whether {WHEN}")
    assert next_state(LOW, tripped, {"level": 0.7}, NOW) == TripState()


def test_what_must_last_is_remembered_of_condition_and_release() -> None:
    units = {"level": "m"}
    slow = replace(LOW, when=parse("level < 0.3 m for 2 s", units), release=parse("level > 0.6 m for 2 s", units))
    assert after(slow, 0.2, 0.2, 0.2, 0.7, 0.7, 0.7) == [False, False, True, True, True, False]
    assert after(slow, None, None, None, 0.7, 0.7, 0.7) == [False, False, True, True, True, False]
    state = next_state(slow, TripState(), {"level": 0.2}, NOW)
    assert state == TripState(when_memory={14: Since(NOW, NOW)}, release_memory={14: Since()})
    state = next_state(slow, TripState(True, NOW, WHEN), {"level": 0.2}, NOW + timedelta(seconds=2))
    assert state.when_memory != state.release_memory


def test_what_each_condition_remembers_goes_on_while_it_is_tripped() -> None:
    units = {"level": "m", "door": "1"}
    both = replace(
        LOW,
        when=parse("level < 0.3 m for 2 s", units),
        release=parse("door > 0 for 3 s", units),
        trips_when_unknown=False,
    )

    def tripped(*readings: tuple[float, float]) -> list[bool]:
        state, found = TripState(), []
        for second, (level, door) in enumerate(readings):
            state = next_state(both, state, {"level": level, "door": door}, NOW + timedelta(seconds=second))
            found.append(state.tripped)
        return found

    low, high, shut, opened = 0.2, 0.5, 0.0, 1.0
    # The door's seconds count from when it was opened, though the level was still low then.
    assert tripped(*[(low, shut)] * 3, *[(low, opened)] * 3, (high, opened)) == [False, False, *[True] * 4, False]
    # And a level that is low again has to last again.
    again = [(low, shut)] * 3 + [(high, opened)] * 3 + [(low, opened)]
    assert tripped(*again) == [False, False, *[True] * 4, False]


@pytest.mark.parametrize(
    ("actions", "strongest"),
    [
        (("value", "hold", "refuse", "stop"), 3),
        (("value", "hold", "refuse"), 2),
        (("hold", "refuse", "hold"), 1),
        (("value", "hold"), 1),
        (("value", "value"), 0),
        (("stop", "stop"), 0),
    ],
)
def test_the_strongest_acts_and_of_equal_ones_the_first(actions: tuple[Action, ...], strongest: int) -> None:
    interlocks = [replace(LOW, name=str(k), action=action) for k, action in enumerate(actions)]
    names = [interlock.name for interlock in interlocks]
    assert acting(interlocks, names, "P1_1") is interlocks[strongest]
    assert acting(interlocks, names, "P1_2") is None
    assert acting(interlocks, [], "P1_1") is None
    assert acting(interlocks, names[:1], "P1_1") is interlocks[0]


def test_by_default_what_is_not_known_trips_and_nothing_is_tripped() -> None:
    assert LOW.trips_when_unknown
    assert TripState().tripped is False
    assert (TripState().why, LOW.counts) == ("", {})


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LOW, TripState()):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), None)

"""How far a setpoint may move within a window: each edge, and over any window whatever is done."""

import re
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from time_rig import NOW

from headworks.control_gateway.movement import Held, MaxChange, reach, with_seen, with_unseen

LIMIT = MaxChange(counts=50, within_s=600)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_is_seen_first_is_all_that_is_known() -> None:
    assert with_seen(LIMIT, (), 200, NOW) == (Held(200, 200, NOW, NOW),)


def test_what_was_seen_last_counts_until_now_however_long_nobody_looked() -> None:
    held = with_seen(LIMIT, (Held(200, 200, NOW, NOW),), 230, at(7200))
    assert held == (Held(200, 200, NOW, at(7200)), Held(230, 230, at(7200), at(7200)))


def test_within_a_sixtieth_of_the_window_the_lowest_and_the_highest_are_kept_together() -> None:
    one = (Held(200, 210, NOW, at(1)),)
    assert with_seen(LIMIT, one, 220, at(9.999)) == (Held(200, 220, NOW, at(9.999)),)
    assert with_seen(LIMIT, one, 190, at(9.999)) == (Held(190, 210, NOW, at(9.999)),)
    assert with_seen(LIMIT, one, 190, at(10)) == (Held(200, 210, NOW, at(10)), Held(190, 190, at(10), at(10)))


@pytest.mark.parametrize(("seconds", "counts"), [(600, True), (600.001, False)])
def test_what_is_older_than_the_window_is_forgotten(seconds: float, counts: bool) -> None:
    old, last = Held(100, 100, at(-9), NOW), Held(140, 140, at(1), at(2))
    assert (old in with_seen(LIMIT, (old, last), 140, at(seconds))) is counts
    assert (old in with_seen(LIMIT, (old, Held(140, 140, at(595), at(599))), 140, at(seconds))) is counts
    assert reach(LIMIT, (old, Held(140, 140, at(1), at(seconds))), at(seconds)) == (90, 150 if counts else 190)


def test_a_setpoint_lies_within_the_change_of_all_that_was_held() -> None:
    held = (Held(200, 205, NOW, at(1)), Held(210, 220, at(10), at(11)))
    assert reach(LIMIT, held, at(11)) == (170, 250)
    by_hand = (Held(200, 200, NOW, at(1)), Held(260, 260, at(10), at(11)))
    lowest, highest = reach(LIMIT, by_hand, at(11))
    assert (lowest, highest) == (210, 250)
    far = (Held(100, 100, NOW, at(1)), Held(260, 260, at(10), at(11)))
    lowest, highest = reach(LIMIT, far, at(11))
    assert lowest > highest


@pytest.mark.parametrize(
    ("held", "counts", "seconds", "lowest", "highest"),
    [
        ((), 200, 0, 150, 250),
        ((Held(200, 200, at(-9), NOW),), 200, 0, 199, 201),
        ((Held(200, 200, at(-9), NOW),), 200, 10, 198, 202),
        ((Held(200, 200, at(-9), NOW),), 200, 10.1, 197, 203),
        ((Held(200, 200, at(-9), NOW),), 230, 600, 180, 250),
        ((Held(190, 210, at(-9), NOW),), 230, 600, 180, 260),
        ((Held(230, 230, at(-9), NOW),), 200, 600, 180, 250),
        ((Held(230, 230, at(-9), NOW),), 200, 600.1, 150, 250),
        ((Held(200, 200, at(-9), NOW),), 260, 600, 210, 260),
        ((Held(260, 260, at(-9), NOW),), 200, 600, 200, 250),
        ((Held(100, 100, at(-99), at(-90)), Held(200, 200, at(-9), NOW)), 205, 0, 200, 205),
    ],
)
def test_what_another_may_have_held_unseen_is_as_far_as_rate_and_window_let_it_go(
    held: tuple[Held, ...], counts: int, seconds: float, lowest: int, highest: int
) -> None:
    found = with_unseen(LIMIT, 0.1, held, counts, at(seconds))
    assert (found[-1].lowest, found[-1].highest, found[-1].until) == (lowest, highest, at(seconds))


@pytest.mark.parametrize(
    ("counts", "within_s", "text"),
    [
        (0, 600, "max_change.at_most=0 counts must be at least 1"),
        (5, 0, "max_change.within=0 s must be above zero"),
        (5, -1, "max_change.within=-1 s must be above zero"),
        (5, nan, "max_change.within=nan s must be above zero"),
        (5, inf, "max_change.within=inf s must be above zero"),
    ],
)
def test_what_bounds_nothing_cannot_be_made(counts: int, within_s: float, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        MaxChange(counts, within_s)
    assert MaxChange(1, 1e-3)


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LIMIT, Held(1, 1, NOW, NOW)):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), 1)


@given(st.lists(st.tuples(st.floats(0.01, 700), st.integers(-90, 90)), max_size=80))
def test_over_any_window_it_moves_at_most_the_change(steps: list[tuple[float, int]]) -> None:
    now, register, held = NOW, 300, with_seen(LIMIT, (), 300, NOW)
    track = [(now, register)]
    for wait_s, wish in steps:
        now += timedelta(seconds=wait_s)
        held = with_seen(LIMIT, held, register, now)
        assert len(held) <= 63
        lowest, highest = reach(LIMIT, held, now)
        assert lowest <= register <= highest
        track.append((now, register))  # it was held up to here
        register = max(lowest, min(highest, register + wish))
        track.append((now, register))
    for i, (begin, before) in enumerate(track):
        for end, after in track[i:]:
            if (end - begin).total_seconds() <= LIMIT.within_s:
                assert abs(after - before) <= LIMIT.counts


RATE_PER_S = 0.5


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.floats(0.01, 400), st.integers(-90, 90)), min_size=1, max_size=60
    )
)
def test_whoever_leads_and_whoever_looks_over_any_window_it_moves_at_most_the_change(
    steps: list[tuple[bool, bool, float, int]],
) -> None:
    now, register, held = NOW, 300, {True: with_unseen(LIMIT, RATE_PER_S, (), 300, NOW), False: ()}
    led_before, track = True, [(NOW, 300)]
    for leads, other_looks, wait_s, wish in steps:
        now += timedelta(seconds=wait_s)
        for gateway in (leads, not leads):
            if gateway != leads and not other_looks:
                continue
            if not (gateway == leads == led_before):
                held[gateway] = with_unseen(LIMIT, RATE_PER_S, held[gateway], register, now)
            held[gateway] = with_seen(LIMIT, held[gateway], register, now)
            assert len(held[gateway]) <= 63
        lowest, highest = reach(LIMIT, held[leads], now)
        step = int(RATE_PER_S * wait_s)
        track.append((now, register))  # it was held up to here
        if lowest <= register <= highest:
            register = max(lowest, register - step, min(highest, register + step, register + wish))
        track.append((now, register))
        led_before = leads
    for i, (begin, before) in enumerate(track):
        for end, after in track[i:]:
            if (end - begin).total_seconds() <= LIMIT.within_s:
                assert abs(after - before) <= LIMIT.counts

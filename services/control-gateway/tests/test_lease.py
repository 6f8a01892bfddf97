"""A lease at its edges: until when it is somebody's, which epoch comes after which, and by what clock."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.messages import Lease
from headworks.control_gateway.lease import EPOCHS, Seen, Unread, is_free, is_newer, next_epoch, seconds

HALF = 32767
"""Half of a round: so many epochs after another are newer than it."""
epochs = st.integers(1, EPOCHS)


def lease(**changes: object) -> Lease:
    return Lease.model_validate({"site": "abay", "gateway": "a", "epoch": 7, "valid_s": 3.0, "orders": 1, **changes})


@pytest.mark.parametrize(
    ("seen", "now_s", "free"),
    [
        (None, 0.0, True),
        (Seen(lease(), 1, 10.0), 10.0, False),
        (Seen(lease(), 1, 10.0), 13.0, False),
        (Seen(lease(), 1, 10.0), 13.001, True),
        (Seen(lease(released=True), 1, 10.0), 10.0, True),
        (Seen(lease(valid_s=60.0), 1, 10.0), 69.9, False),
        (Unread(lease(), 1, 10.0, 3.0), 13.0, False),
        (Unread(lease(), 1, 10.0, 3.0), 13.001, True),
        (Unread(None, 1, 10.0, 3.0), 10.0, False),
        (Unread(lease(released=True), 1, 10.0, 3.0), 10.0, False),
    ],
)
def test_a_lease_is_free_once_its_holder_is_silent_for_as_long_as_the_holder_said(
    seen: Seen | Unread | None, now_s: float, free: bool
) -> None:
    assert is_free(seen, now_s) is free


@pytest.mark.parametrize(
    ("known", "following"),
    [
        ((), 1),
        ((0,), 1),
        ((1,), 2),
        ((EPOCHS - 1,), EPOCHS),
        ((EPOCHS,), 1),
        ((5, 9, 7), 10),
        ((0, 4), 5),
        ((4, 0), 5),
        ((1, EPOCHS), 2),
        ((EPOCHS, 1), 2),
        ((EPOCHS - 1, 2), 3),
    ],
)
def test_an_epoch_comes_after_all_that_are_known_and_goes_round(known: tuple[int, ...], following: int) -> None:
    assert next_epoch(*known) == following


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        (0, 0, False),
        (1, 0, True),
        (0, 1, False),
        (0, HALF + 10, False),
        (EPOCHS, 0, True),
        (5, 5, False),
        (6, 5, True),
        (5, 6, False),
        (1, EPOCHS, True),
        (EPOCHS, 1, False),
        (1 + HALF, 1, True),
        (2 + HALF, 1, False),
        (1, 2 + HALF, True),
        (1, 1 + HALF, False),
    ],
)
def test_an_epoch_is_newer_than_those_of_half_a_round_before_it_and_than_none(
    one: int, other: int, newer: bool
) -> None:
    assert is_newer(one, other) is newer


@given(epochs, epochs)
def test_of_two_epochs_at_most_one_is_newer(one: int, other: int) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))
    assert is_newer(next_epoch(one), one)
    assert is_newer(one, 0)
    assert not is_newer(0, one)


def test_what_was_heard_last_says_the_epoch_and_what_could_be_read() -> None:
    seen = Seen(lease(), 1, 10.0)
    assert (seen.readable, seen.epoch) == (lease(), 7)
    assert (Unread(lease(), 2, 10.0, 3.0).epoch, Unread(None, 2, 10.0, 3.0).epoch) == (8, 0)
    assert Unread(lease(epoch=EPOCHS), 2, 10.0, 3.0).epoch == 1


def test_the_clock_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """CLOCK_MONOTONIC stands still then; this one counts the sleep. Where there is none the other one serves."""
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 4000.0, time.CLOCK_MONOTONIC: 400.0}.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 400.0)
    monkeypatch.setattr(sys, "platform", "linux")
    assert seconds() == 4000.0
    monkeypatch.setattr(sys, "platform", "darwin")
    assert seconds() == 400.0

"""Silence: each limit at its edge."""

import re
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from headworks.control_gateway.watchdog import Heard, WatchLimits, silence

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
LIMITS = WatchLimits(1200, 600)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("plan_s", "measured_s", "text"),
    [
        (0, 0, None),
        (1200, 600, None),
        (1200.001, 600, "no plan update for 1200 s"),
        (1200, 600.001, "no measurement for 600 s"),
        (1201, 601, "no plan update for 1200 s and no measurement for 600 s"),
        (None, 0, None),
        (None, 601, "no measurement for 600 s"),
        (-60, -60, None),
        (-60.001, -60, "no plan update for 1200 s"),
        (-60, -60.001, "no measurement for 600 s"),
    ],
)
def test_who_is_silent_for_longer_than_set_is_named(plan_s: float | None, measured_s: float, text: str | None) -> None:
    assert silence(LIMITS, Heard(None if plan_s is None else ago(plan_s), ago(measured_s)), NOW) == text


def test_measurements_are_watched_where_the_site_says_so() -> None:
    assert silence(WatchLimits(1200), Heard(NOW, ago(1e8)), NOW) is None


@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
def test_silence_that_is_always_or_never_too_long_cannot_be_set(value: float) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'plan_updates_silent_after_s={value:g} must be above zero')}$"):
        WatchLimits(value)
    with pytest.raises(ValueError, match=f"^{re.escape(f'measurements_silent_after_s={value:g} must be above zero')}$"):
        WatchLimits(1, value)
    assert WatchLimits(1e-3, 1e-3)


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LIMITS, Heard(None, NOW)):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), 1)

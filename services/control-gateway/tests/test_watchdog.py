"""Silence: each limit at its edge."""

import re
from dataclasses import FrozenInstanceError, replace
from math import inf, nan

import pytest
from time_rig import NOW, ago

from headworks.common.messages import Basis, Measurements, Quality, Sample
from headworks.control_gateway.watchdog import Heard, Measured, WatchLimits, measured_until, silence

LEVEL, FLOW = Measured("pi", "tunnel_level_m"), Measured("scada", "tunnel_inflow_m3s")
LIMITS = WatchLimits(1200, 600, (LEVEL,))
BOTH = replace(LIMITS, rests_on=(LEVEL, FLOW))


@pytest.mark.parametrize(
    ("plan_s", "measured_s", "text"),
    [
        (0, 0, None),
        (1200, 600, None),
        (1200.001, 600, "no plan update for 1200 s"),
        (1200, 600.001, "no measurement of tunnel_level_m by pi for 600 s"),
        (1201, 601, "no plan update for 1200 s and no measurement of tunnel_level_m by pi for 600 s"),
        (None, 0, None),
        (None, 601, "no measurement of tunnel_level_m by pi for 600 s"),
        (-60, -60, None),
        (-60.001, -60, "no plan update for 1200 s"),
        (-60, -60.001, "no measurement of tunnel_level_m by pi for 600 s"),
    ],
)
def test_who_is_silent_for_longer_than_set_is_named(plan_s: float | None, measured_s: float, text: str | None) -> None:
    heard = Heard(None if plan_s is None else ago(plan_s), {LEVEL: ago(measured_s)})
    assert silence(LIMITS, heard, NOW) == text


def test_measurements_are_watched_where_the_site_says_so() -> None:
    assert silence(WatchLimits(1200), Heard(NOW, {}), NOW) is None


@pytest.mark.parametrize(
    ("level_s", "flow_s", "text"),
    [
        (0, 0, None),
        (0, 601, "no measurement of tunnel_inflow_m3s by scada for 600 s"),
        (601, 0, "no measurement of tunnel_level_m by pi for 600 s"),
        (
            601,
            601,
            "no measurement of tunnel_level_m by pi for 600 s and no measurement of tunnel_inflow_m3s by scada for 600 s",
        ),
    ],
)
def test_each_series_that_control_rests_on_must_come(level_s: float, flow_s: float, text: str | None) -> None:
    assert silence(BOTH, Heard(NOW, {LEVEL: ago(level_s), FLOW: ago(flow_s)}), NOW) == text


# ---------------------------------------------------------------- what counts as a measurement

BEFORE = {LEVEL: ago(300), FLOW: ago(400)}
SAMPLE = Sample(series="tunnel_level_m", valid_at=NOW, value=2.0, quality=Quality.GOOD)


def came(*samples: Sample, source: str = "pi") -> dict[Measured, float]:
    """How long ago each series was measured, once a source gave these samples [s]."""
    message = Measurements(site="blominmaki", source=source, known_at=NOW, samples=samples)
    return {series: (NOW - at).total_seconds() for series, at in measured_until(BEFORE, message, NOW).items()}


def level(seconds: float, **changes: object) -> Sample:
    """A sample of the level of so long ago, with something else about it."""
    return SAMPLE.model_copy(update={"valid_at": ago(seconds)} | changes)


def test_a_good_sample_of_the_series_by_its_source_counts_from_when_it_was_measured() -> None:
    assert came(level(0)) == {LEVEL: 0, FLOW: 400}
    assert came(level(299.9)) == {LEVEL: 299.9, FLOW: 400}
    assert came(level(60), level(20), level(40)) == {LEVEL: 20, FLOW: 400}


def test_what_comes_late_or_again_is_as_old_as_it_is() -> None:
    assert came(level(300)) == came(level(300.1)) == came(level(86400)) == {LEVEL: 300, FLOW: 400}


@pytest.mark.parametrize(
    "sample",
    [
        level(0, series="day_ahead_price_eur_per_mwh"),
        level(0, series="tunnel_inflow_m3s"),
        level(0, quality=Quality.SUSPECT),
        level(0, quality=Quality.BAD, value=None),
        level(0, quality=Quality.MISSING, value=None),
        level(0, substituted="a person or a program put it into PI"),
        level(-60.001),
    ],
)
def test_nothing_else_is_a_sign_of_life(sample: Sample) -> None:
    assert came(sample) == {LEVEL: 300, FLOW: 400}
    assert came(sample, level(1)) == came(level(1), sample) == {LEVEL: 1, FLOW: 400}, "and it hides none"


def test_the_same_series_of_another_source_is_no_sign_of_life() -> None:
    assert came(level(0), source="vendor") == {LEVEL: 300, FLOW: 400}


def test_a_mean_was_measured_until_its_span_ends_and_nothing_after_now() -> None:
    assert came(level(900 + 120, basis=Basis.QUARTER_HOUR_MEAN)) == {LEVEL: 120, FLOW: 400}
    assert came(level(120, basis=Basis.QUARTER_HOUR_MEAN)) == {LEVEL: 0, FLOW: 400}
    assert came(level(-60)) == {LEVEL: 0, FLOW: 400}, "clocks may differ by so much"


def test_what_was_known_before_is_left_as_it_was() -> None:
    came(level(0))
    assert {LEVEL: ago(300), FLOW: ago(400)} == BEFORE


# ---------------------------------------------------------------- what can be set


@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
def test_silence_that_is_always_or_never_too_long_cannot_be_set(value: float) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'plan_updates_silent_after_s={value:g} must be above zero')}$"):
        WatchLimits(value)
    with pytest.raises(ValueError, match=f"^{re.escape(f'measurements_silent_after_s={value:g} must be above zero')}$"):
        WatchLimits(1, value, (LEVEL,))
    assert WatchLimits(1e-3, 1e-3, (LEVEL,))


def test_how_long_and_which_series_go_together() -> None:
    why = (
        "measurements_silent_after and measurements must both be there or neither: how long which series may be silent"
    )
    with pytest.raises(ValueError, match=f"^{why}$"):
        WatchLimits(1200, 600)
    with pytest.raises(ValueError, match=f"^{why}$"):
        WatchLimits(1200, None, (LEVEL,))


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LIMITS, Heard(None, {})):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), 1)

"""Forecasts of inflow and prices: each method on records whose future is known, and what is said where a record is too short."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.optimizer.station.forecasting import (
    InflowMethod,
    band_about,
    forecast_inflow,
    forecast_prices,
    record_of,
)

STEP_S = 900.0
DAY = 96


def usual(t: int) -> float:
    """A day like every other."""
    return 1.5 + 0.6 * math.sin(2 * math.pi * (t % DAY) / DAY)


def record(days: float, storm_at: int | None = None, until: int | None = None) -> list[float]:
    """Usual days, and after a storm an excess that halves every six hours."""
    flows = [usual(t) for t in range(round(days * DAY))]
    for t in range(len(flows)):
        if storm_at is not None and t >= storm_at:
            flows[t] += 2.0 * 0.5 ** ((t - storm_at) / 24)
    return flows[:until]


def test_persistence_begins_at_the_last_value_and_holds_the_last_hour() -> None:
    known = record_of([1.0, 1.0, 2.0, 2.0, 4.0, 4.0], STEP_S)
    assert known is not None
    forecast = forecast_inflow(known, 40, InflowMethod.PERSISTENCE)
    assert forecast.flow_m3s[0] == pytest.approx(3 + math.exp(-0.25))
    assert forecast.flow_m3s[3] == pytest.approx(3 + math.exp(-1))
    assert forecast.flow_m3s[-1] == pytest.approx(3.0, abs=1e-4)
    assert forecast.source == "persistence"


def test_the_daily_pattern_begins_where_the_inflow_stands() -> None:
    """A dip that the usual day does not know is not over within a step; near the empty tunnel that water would be missed."""
    known = record_of([2.0] * DAY + [2.0, 1.0], STEP_S)
    assert known is not None
    forecast = forecast_inflow(known, 96, InflowMethod.DAILY_PATTERN)
    assert forecast.source.startswith("daily_pattern")
    assert 1.0 < forecast.flow_m3s[0] < 1.4
    assert forecast.flow_m3s[16] > 1.7


def test_a_usual_day_comes_again() -> None:
    known = record_of(record(5.5), STEP_S)
    assert known is not None
    for method in (InflowMethod.DAILY_PATTERN, InflowMethod.STORM_AWARE):
        forecast = forecast_inflow(known, DAY, method)
        wanted = [usual(t) for t in range(528, 528 + DAY)]
        assert forecast.flow_m3s == pytest.approx(wanted, rel=0.03), method


def test_a_storm_that_recedes_as_storms_did_is_expected_to() -> None:
    flows = [a + b - usual(t) for t, (a, b) in enumerate(zip(record(12, 3 * DAY), record(12, 10 * DAY), strict=True))]
    now = 10 * DAY + 12
    known = record_of(flows[:now], STEP_S)
    assert known is not None
    came = np.array(flows[now : now + 48])
    errors = {
        method: float(np.abs(np.array(forecast_inflow(known, 48, method).flow_m3s) / came - 1).mean())
        for method in InflowMethod
    }
    assert errors[InflowMethod.STORM_AWARE] < 0.5 * min(
        errors[InflowMethod.PERSISTENCE], errors[InflowMethod.DAILY_PATTERN]
    )


def test_a_short_record_gets_the_simpler_method_and_says_so() -> None:
    for days, source in (
        (0.5, "persistence: the record is too short for storm_aware"),
        (1.5, "daily_pattern: the record is too short for storm_aware"),
        (3.0, "storm_aware"),
    ):
        known = record_of(record(days), STEP_S)
        assert known is not None
        assert forecast_inflow(known, 4, InflowMethod.STORM_AWARE).source == source


def test_gaps_are_bridged_for_the_method_alone_and_nothing_known_is_nothing() -> None:
    known = record_of([None, 1.0, None, 3.0, None], STEP_S)
    assert known is not None
    assert known.flow_m3s.tolist() == [1.0, 2.0, 3.0, 3.0]
    assert record_of([None, None], STEP_S) is None


@settings(max_examples=20, deadline=None)
@given(
    flows=st.lists(st.floats(0.05, 20), min_size=1, max_size=400),
    method=st.sampled_from(list(InflowMethod)),
    steps=st.integers(1, 200),
)
def test_no_forecast_is_below_nothing_or_outside_its_band(flows: list[float], method: InflowMethod, steps: int) -> None:
    known = record_of(flows, STEP_S)
    assert known is not None
    forecast = forecast_inflow(known, steps, method)
    for low, flow, high in zip(forecast.low_m3s, forecast.flow_m3s, forecast.high_m3s, strict=True):
        assert 0 <= low <= flow <= high
        assert math.isfinite(high)


def test_an_outside_forecast_has_a_band_as_wide_as_the_record_was_wrong() -> None:
    flows = np.array(record(6)) * np.exp(np.random.default_rng(1).normal(0, 0.1, 6 * DAY))
    known = record_of(flows.tolist(), STEP_S)
    assert known is not None
    low, high = band_about([2.0] * 8, known, (0.1, 0.9))
    assert all(1.0 < below < 2.0 for below in low)
    assert all(2.0 < above < 3.0 for above in high)


def test_known_prices_stay_and_later_ones_are_those_of_the_days_before() -> None:
    yesterday = [float(t) for t in range(DAY)]
    assert forecast_prices([5.0, 6.0], yesterday, 4, STEP_S) == (5.0, 6.0, 2.0, 3.0)
    two_days = [10.0] * DAY + [20.0] * DAY
    [first] = forecast_prices([], two_days, 1, STEP_S)
    assert 15 < first < 20
    assert forecast_prices([7.0], [], 3, STEP_S) == (7.0, 7.0, 7.0)

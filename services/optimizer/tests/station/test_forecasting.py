"""Forecasts of inflow and prices: each method on records whose future is known, and what is said where a record is too short."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.optimizer.station.case import OutsideInflow
from headworks.optimizer.station.forecasting import (
    InflowMethod,
    forecast_inflow,
    forecast_prices,
    held_on,
    record_of,
    with_band,
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


def outside(flow_m3s: list[float], low_m3s: list[float] | None = None, above_m3s: float = 0.5) -> OutsideInflow:
    """A forecast of somebody else; its band, where it has one, from `low_m3s` to as much above the flow."""
    low = tuple(low_m3s or ())
    return OutsideInflow(
        source="outside", issued_at=datetime(2026, 3, 10, tzinfo=UTC), flow_m3s=tuple(flow_m3s), low_m3s=low,
        high_m3s=tuple(flow + above_m3s for flow in flow_m3s[: len(low)]), quantiles=(0.05, 0.9) if low else None,
    )  # fmt: skip


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
    forecast = with_band(outside([2.0] * 8), 96, known, (0.1, 0.9))
    assert all(1.0 < below < 2.0 for below in forecast.low_m3s)
    assert all(2.0 < above < 3.0 for above in forecast.high_m3s)
    assert (forecast.measured, forecast.source) == (8, "outside")


def test_an_outside_forecasts_own_band_goes_before_our_errors_for_as_long_as_it_is() -> None:
    flows = np.array(record(6)) * np.exp(np.random.default_rng(1).normal(0, 0.1, 6 * DAY))
    known = record_of(flows.tolist(), STEP_S)
    assert known is not None
    forecast = with_band(outside([2.0] * 8, [1.9, 1.8, 1.7]), 6, known, (0.1, 0.9))
    by_errors = with_band(outside([2.0] * 8), 6, known, (0.1, 0.9))
    assert forecast.low_m3s == (1.9, 1.8, 1.7, *by_errors.low_m3s[3:])
    assert forecast.high_m3s == (2.5, 2.5, 2.5, *by_errors.high_m3s[3:])
    assert (len(forecast.flow_m3s), forecast.source) == (6, "outside, quantiles 0.05 and 0.9")


def test_a_band_from_outside_is_known_and_no_guess_even_where_no_record_is() -> None:
    forecast = held_on(outside([2.0] * 4, [1.5, 1.6]), 6)
    assert (forecast.low_m3s, forecast.high_m3s) == ((1.5, 1.6, *[1.0] * 4), (2.5, 2.5, *[3.0] * 4))
    assert forecast.measured == 2
    assert forecast.low_taking(0.0) == (1.5, 1.6, *[2.0] * 4)
    assert forecast.source == (
        "outside, quantiles 0.05 and 0.9, its last value held; no record says how wrong it may be: ± 50%"
    )
    whole = held_on(outside([2.0] * 4, [1.5] * 4), 4)
    assert (whole.measured, whole.source) == (4, "outside, quantiles 0.05 and 0.9")
    short = record_of([2.0] * 4, STEP_S)
    assert short is not None
    assert with_band(outside([2.0] * 4, [1.5, 1.6]), 4, short, (0.1, 0.9)).measured == 2


def test_a_mean_beyond_its_own_quantile_widens_the_band_to_itself() -> None:
    """As after a downpour that may or may not come: the mean lies above nine in ten."""
    forecast = held_on(outside([2.0, 2.0], [2.1, 1.0], above_m3s=-0.5), 2)
    assert (forecast.low_m3s, forecast.high_m3s) == ((2.0, 1.0), (2.0, 2.0))


@pytest.mark.parametrize(("days", "hours_measured"), [(0.5, 0), (4.0, 0), (6.2, 4), (6.5, 12), (12.0, 48)])
def test_a_band_is_measured_for_as_long_ahead_as_the_record_has_errors(days: float, hours_measured: int) -> None:
    """Eight forecasts a day from the third on: 24 errors at a lead make its quantile."""
    known = record_of(record(days), STEP_S)
    assert known is not None
    forecast = forecast_inflow(known, 2 * DAY, InflowMethod.STORM_AWARE)
    assert forecast.measured == 4 * hours_measured
    assert all(low < 0.51 * flow for low, flow in zip(forecast.low_m3s[-1:], forecast.flow_m3s[-1:], strict=True)) == (
        hours_measured < 48
    )


def test_the_low_end_takes_a_share_of_what_is_a_guess() -> None:
    known = record_of(record(6.2), STEP_S)
    assert known is not None
    forecast = forecast_inflow(known, 2 * DAY, InflowMethod.STORM_AWARE)
    low = forecast.low_taking(0.2)
    assert low[:16] == forecast.low_m3s[:16]
    assert low[-1] == pytest.approx(0.9 * forecast.flow_m3s[-1])
    joined = with_band(outside([2.0] * 4), 96, known, (0.1, 0.9)).gone_on_with(forecast)
    assert joined.measured == 16
    assert joined.at(range(2, 40)).measured == 14
    assert held_on(outside([2.0]), 8).gone_on_with(forecast).measured == 0


def test_known_prices_stay_and_later_ones_are_those_of_the_days_before() -> None:
    yesterday = [float(t) for t in range(DAY)]
    assert forecast_prices([5.0, 6.0], yesterday, 4, STEP_S) == (5.0, 6.0, 2.0, 3.0)
    two_days = [10.0] * DAY + [20.0] * DAY
    [first] = forecast_prices([], two_days, 1, STEP_S)
    assert 15 < first < 20
    assert forecast_prices([7.0], [], 3, STEP_S) == (7.0, 7.0, 7.0)

"""Tuning: quality, risk, emergency and strategy, each from what is stated, each with its reason."""

from datetime import UTC, datetime, timedelta

import pytest
from station_rig import station_with

from headworks.optimizer.station.case import (
    ForecastQuality,
    PumpState,
    Risk,
    StationInputs,
    Strategy,
    StrategyPeriod,
    Tuning,
)
from headworks.optimizer.station.forecasting import InflowForecast
from headworks.optimizer.station.settings import PlanningSection, planning_of
from headworks.optimizer.station.tuning import quality_of, tune, urgency
from headworks.waterway.station_site import StationSite

NOW = datetime(2024, 11, 20, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def planning(station_site: StationSite) -> PlanningSection:
    return planning_of(station_site)


def tuned(site: StationSite, level_m: float = 3.0, spread: float = 0.1, **changes: object) -> Tuning:
    inputs = StationInputs(
        site="blominmaki",
        start=NOW,
        step_s=900.0,
        level_m=level_m,
        pumps=tuple(PumpState(resource=p.resource, on=False, steps=9) for p in site.pumping_station.pumps),
        past_inflow_m3s=(1.5,) * 20,
        price_eur_per_mwh=(50.0,),
    ).model_copy(update=changes)
    forecast = InflowForecast("test", (1.0,) * 8, (1.0 - spread / 2,) * 8, (1.0 + spread / 2,) * 8)
    limits, tunnel = site.pumping_station.limits(900.0), site.pumping_station.station.tunnel
    return tune(planning_of(site), limits, tunnel, inputs, forecast)


@pytest.mark.parametrize(
    ("errors", "quality", "error"),
    [
        ((0.01, -0.02, 0.01), ForecastQuality.UNKNOWN, None),
        ((0.05, -0.05, 0.05, 0.05), ForecastQuality.GOOD, 0.05),
        ((0.1, -0.1, 0.1, -0.1), ForecastQuality.FAIR, 0.1),
        ((0.3, -0.3, 0.3, 0.3), ForecastQuality.POOR, 0.3),
    ],
)
def test_quality_is_the_size_of_the_errors_of_late(
    planning: PlanningSection, errors: tuple[float, ...], quality: ForecastQuality, error: float | None
) -> None:
    assert quality_of(errors, planning.quality) == (quality, pytest.approx(error) if error else None)


def test_poor_forecasts_narrow_the_band_and_say_so(station_site: StationSite, planning: PlanningSection) -> None:
    good, fair, poor = (tuned(station_site, past_inflow_error=(e,) * 8) for e in (0.02, 0.12, 0.22))
    assert good.maximum_level_m == planning.margin_level
    assert fair.maximum_level_m == pytest.approx(planning.margin_level - 0.36)
    assert fair.minimum_level_m == pytest.approx(0.2)
    assert poor.maximum_level_m == pytest.approx(planning.margin_level - 0.88)
    assert "forecasts were poor, 22% off: maximum lowered by 0.88 m, minimum raised by 0.30 m" in poor.reasons


def test_however_wrong_forecasts_were_the_maximum_comes_down_by_a_metre_at_most(
    station_site: StationSite, planning: PlanningSection
) -> None:
    assert tuned(station_site, past_inflow_error=(0.6,) * 8).maximum_level_m == planning.margin_level - 1.0


def test_whatever_narrows_the_band_one_is_left() -> None:
    """From 1.5 m to 2.5 m: above the level that counts as empty there is room to go down, and to fill."""
    narrow = station_with(emergency={"lowers_maximum": "6 m", "raises_minimum": "3 m"})
    tight = tuned(narrow, diverged_m3=9999.0)
    assert (tight.minimum_level_m, tight.maximum_level_m) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("level_m", "risk"), [(1.0, Risk.LOW), (5.0, Risk.NORMAL), (7.2, Risk.HIGH), (7.6, Risk.CRITICAL)]
)
def test_risk_grows_as_room_goes(station_site: StationSite, level_m: float, risk: Risk) -> None:
    assert tuned(station_site, level_m=level_m).risk is risk


def test_a_rise_and_a_wide_band_raise_the_risk_a_level_each(station_site: StationSite) -> None:
    rising = (1.0,) * 10 + (2.0,)
    assert tuned(station_site, level_m=5.0, past_inflow_m3s=rising).risk is Risk.HIGH
    both = tuned(station_site, level_m=5.0, spread=1.0, past_inflow_m3s=rising)
    assert both.risk is Risk.CRITICAL
    assert both.safety_factor == 2
    assert any("inflow rose by 100% in two hours" in reason for reason in both.reasons)


def test_when_measured_and_predicted_diverge_safety_comes_first(
    station_site: StationSite, planning: PlanningSection
) -> None:
    calm = tuned(station_site, level_m=5.0, diverged_m3=-2500.0)
    assert not calm.emergency
    emergency = tuned(station_site, level_m=5.0, diverged_m3=-2501.0)
    assert emergency.emergency
    assert emergency.maximum_level_m == pytest.approx(planning.margin_level - 1.5)
    assert emergency.minimum_level_m == pytest.approx(calm.minimum_level_m + 0.3)
    assert (emergency.cost_factor, emergency.safety_factor) == (0.3, 2 * calm.safety_factor)


def test_the_strategy_of_the_period_counts_and_the_last_stated_wins(station_site: StationSite) -> None:
    def period(strategy: Strategy, from_h: float, to_h: float) -> StrategyPeriod:
        return StrategyPeriod(
            start=NOW + from_h * HOUR, end=NOW + to_h * HOUR, strategy=strategy, reason="storm warning"
        )

    assert tuned(station_site).strategy is Strategy.BALANCED
    later = period(Strategy.AGGRESSIVE, 1, 2)
    assert tuned(station_site, strategies=(later,)).strategy is Strategy.BALANCED
    both = (period(Strategy.AGGRESSIVE, -1, 1), period(Strategy.KEEP_BUFFER, 0, 1), later)
    kept = tuned(station_site, strategies=both)
    assert kept.strategy is Strategy.KEEP_BUFFER
    assert kept.maximum_level_m == pytest.approx(tuned(station_site).maximum_level_m - 1.0)
    assert "strategy keep_buffer: storm warning" in kept.reasons
    minimal = tuned(station_site, strategies=(period(Strategy.MINIMAL, 0, 1),))
    assert (tuned(station_site).smooth_eur_per_dam3, minimal.smooth_eur_per_dam3) == (0.0, 2.0)


def test_an_emptying_grows_urgent_from_20_to_24_hours(planning: PlanningSection) -> None:
    assert [urgency(planning, NOW - h * HOUR, NOW) for h in (10, 20, 22, 24, 40)] == [0, 0, 0.5, 1, 1]
    assert urgency(planning, None, NOW) == 1


def test_the_tuning_says_how_long_ago_the_tunnel_was_emptied_and_how_urgent_that_is(station_site: StationSite) -> None:
    due = tuned(station_site, emptied_at=NOW - 23 * HOUR)
    assert (due.hours_since_emptied, due.emptying_urgency) == (23, 0.75)
    never = tuned(station_site)
    assert (never.hours_since_emptied, never.emptying_urgency) == (None, 1)

"""Which days count as dry: by what came and comes, and a wet one is not flushed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from station_rig import MIDNIGHT, inputs, quick_station, station_with

from headworks.optimizer.station.dry_days import dry_days, dry_steps
from headworks.optimizer.station.forecasting import InflowForecast
from headworks.optimizer.station.planning import plan_problem, solve_inputs
from headworks.optimizer.values import Status


def test_a_day_that_was_wet_is_not_flushed_although_it_could_be() -> None:
    """In the afternoon the rain is over, the tunnel low, and the same hours empty it where the morning was dry."""
    site = station_with(
        schedule={"horizon": "12 h", "time_limit": "60 s", "mip_gap": 0.1}, solve={"tail": "0 h", "rounds": 4}
    )
    noon = MIDNIGHT + timedelta(hours=12)

    def emptied(came_m3s: float) -> tuple[datetime, ...]:
        asked = inputs(
            site,
            flow_m3s=1.0,
            level_m=1.6,
            start=noon,
            past_inflow_m3s=(came_m3s,) * 48,
            price_eur_per_mwh=(60.0,) * 48,
            emptied_at=noon - timedelta(hours=30),
        )
        solution = solve_inputs(site, asked)
        assert (solution.status, solution.relaxations) == (Status.SOLVED, ())
        return solution.emptied_at

    assert emptied(1.0) != ()
    assert emptied(3.0) == ()


def test_the_last_quarter_of_an_hour_counts_for_the_day() -> None:
    """Of 144,000 m³ that a dry day may have, 48 steps from noon bring what it takes, or 47 of them."""
    noon = MIDNIGHT + timedelta(hours=12)
    asked = inputs(quick_station(), flow_m3s=1.0, start=noon, past_inflow_m3s=(1.0,) * 48)
    most_m3s = (144_000 / 900 - 48) / 48
    for flow_m3s, days in ((most_m3s - 0.001, (range(47),)), (most_m3s + 0.001, ())):
        assert dry_days(quick_station(), asked, InflowForecast("test", *((flow_m3s,) * 48,) * 3)) == days


def test_a_day_counts_as_dry_by_what_came_and_comes() -> None:
    noon = MIDNIGHT + timedelta(hours=12)

    def days(came_m3s: float, comes_m3s: float, **changes: Any) -> tuple[range, ...]:
        asked = inputs(quick_station(), flow_m3s=1.0, start=noon, past_inflow_m3s=(came_m3s,) * 60, **changes)
        return dry_days(quick_station(), asked, InflowForecast("test", *((comes_m3s,) * 96,) * 3))

    assert days(1.6, 1.6) == (range(47),)
    assert days(1.6, 1.8) == ()
    assert days(1.6, 1.6, emptied_at=noon - timedelta(hours=3)) == ()
    assert days(1.6, 1.6, emptied_at=noon - timedelta(hours=13)) == (range(47),)


def test_a_day_near_the_limit_is_kept_for_an_emptying_and_not_for_a_flush() -> None:
    """Of 144,000 m³ the day is expected to bring 150,000; it may bring 130,000."""
    flow_m3s, low_m3s = (150_000 / 86_400,) * 96, (130_000 / 86_400,) * 96
    asked = inputs(quick_station(), flow_m3s=1.0, past_inflow_m3s=(1.7,) * 60)
    forecast = InflowForecast("test", flow_m3s, low_m3s, flow_m3s, measured=96)
    assert dry_days(quick_station(), asked, forecast) == (range(95),)
    assert dry_steps(quick_station(), asked, forecast) == [False] * 96
    assert dry_steps(quick_station(), asked, InflowForecast("test", low_m3s, low_m3s, low_m3s)) == [True] * 96


@pytest.mark.parametrize(("now_m3s", "dry"), [(1.29, True), (1.31, False)])
def test_while_the_inflow_surges_today_is_no_day_for_a_flush(now_m3s: float, dry: bool) -> None:
    """By 30 % in two hours, as for the risk; tomorrow may be one."""
    site = station_with(schedule={"horizon": "24 h"}, solve={"alike": "1 m", "tail": "24 h"})
    asked = inputs(site, flow_m3s=1.0, past_inflow_m3s=(1.0,) * 20 + (now_m3s,))
    found = dry_steps(site, asked, InflowForecast("test", *((1.0,) * 192,) * 3))
    assert found == [dry] * 96 + [True] * 96


def test_what_is_not_known_of_today_is_bridged_and_said() -> None:
    """A wet morning that nobody measured: 0, or the mean of two dry steps, would make the day a dry one."""
    noon = MIDNIGHT + timedelta(hours=12)

    def day(past: tuple[float | None, ...], **changes: Any) -> tuple[bool, list[str]]:
        asked = inputs(quick_station(), flow_m3s=1.0, start=noon, past_inflow_m3s=past, **changes)
        problem = plan_problem(quick_station(), asked)
        assert not isinstance(problem, str)
        return bool(problem.case.dry_days), [reason for reason in problem.tuning.reasons if "today" in reason]

    wet_night: tuple[float | None, ...] = (4.0,) * 48
    assert day((*wet_night, *(4.0,) * 48)) == (False, [])
    dry, [reason] = day((*wet_night, *(None,) * 46, 1.0, 1.0))
    assert not dry
    assert reason == "the inflow of 46 of today's 48 steps is not known, and taken as those about them"
    assert day((4.0,) * 4)[0] is False, "a record that begins this morning"
    dry, [reason] = day((None,))
    assert dry
    assert reason == "the inflow of 48 of today's 48 steps is not known, and taken as what is forecast"


@pytest.mark.parametrize(
    ("share", "expected_m3", "dry"),
    [(0.2, 159_000, True), (0.2, 161_000, False), (0.0, 143_000, True), (0.0, 145_000, False)],
)
def test_a_day_is_given_up_as_wet_only_beyond_what_the_forecast_may_err_by(
    share: float, expected_m3: float, dry: bool
) -> None:
    """The band lies a half about the forecast: with a fifth of it 160,000 m³ may yet be the 144,000 of a dry day; where the
    record says so, 288,000 m³ may."""
    site = station_with(flush={"allow_for": share})
    flow_m3s = expected_m3 / 86_400
    asked, band = inputs(site, flow_m3s=flow_m3s), ((flow_m3s,) * 96, (flow_m3s / 2,) * 96, (flow_m3s * 1.5,) * 96)
    assert bool(dry_days(site, asked, InflowForecast("test", *band))) is dry
    assert dry_days(site, asked, InflowForecast("test", *band, measured=96))

"""Past forecasts are judged by what came, whole or not at all."""

from datetime import UTC, datetime, timedelta

from headworks.optimizer.station.skill import PastForecast, inflow_errors

START = datetime(2026, 3, 10, 11, tzinfo=UTC)
STEP = timedelta(minutes=15)


def came(*flows: float) -> dict[datetime, float]:
    return {START + t * STEP: flow for t, flow in enumerate(flows)}


def test_the_error_is_the_mean_distance_as_a_part_of_what_came() -> None:
    forecast = PastForecast(START, STEP, [1.0] * 4 + [3.0] * 4 + [99.0])
    assert inflow_errors([forecast], came(*[2.0] * 8)) == (0.5,)


def test_a_forecast_that_came_true_has_none() -> None:
    assert inflow_errors([PastForecast(START, STEP, [2.0, 1.0] * 4)], came(*[2.0, 1.0] * 4)) == (0.0,)


def test_errors_come_oldest_first() -> None:
    forecasts = [PastForecast(START + t * STEP, STEP, [3.0 - t] * 8) for t in (1, 0)]
    assert inflow_errors(forecasts, came(*[2.0] * 9)) == (0.5, 0.0)


def test_what_has_not_come_whole_is_left_out() -> None:
    forecast = PastForecast(START, STEP, [1.0] * 8)
    record = came(*[2.0] * 8)
    del record[START + 3 * STEP]
    assert inflow_errors([forecast], record) == ()
    assert inflow_errors([PastForecast(START, STEP, [1.0] * 7)], came(*[2.0] * 8)) == ()
    assert inflow_errors([forecast], came(*[0.0] * 8)) == ()

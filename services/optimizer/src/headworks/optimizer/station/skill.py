"""How well inflow was forecast: the forecasts of past runs against what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

JUDGED = timedelta(hours=2)
"""The next hours, which a plan is acted on for."""
SKILL = timedelta(hours=24)
"""Forecasts of so long count for how well inflow is forecast of late."""


@dataclass(frozen=True, slots=True)
class PastForecast:
    """What a run expected of the inflow [m³/s], step by step from `start`."""

    start: datetime
    step: timedelta
    flow_m3s: Sequence[float]


def inflow_errors(forecasts: Sequence[PastForecast], record: Mapping[datetime, float]) -> tuple[float, ...]:
    """The relative error of each forecast's next hours, oldest first; those that have not come true whole are left out.

    An error is the mean distance of a step from what came, as a part of what came.
    """
    errors = (_error(forecast, record) for forecast in sorted(forecasts, key=lambda f: f.start))
    return tuple(error for error in errors if error is not None)


def _error(forecast: PastForecast, record: Mapping[datetime, float]) -> float | None:
    steps = JUDGED // forecast.step
    came = [record.get(forecast.start + t * forecast.step) for t in range(steps)]
    known = [value for value in came if value is not None]
    if len(forecast.flow_m3s) < steps or len(known) < steps or fmean(known) <= 0:
        return None
    expected = forecast.flow_m3s[:steps]
    return fmean(abs(a - b) for a, b in zip(expected, known, strict=True)) / fmean(known)

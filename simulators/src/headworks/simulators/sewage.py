"""What flows into the tunnel: the record of a real autumn where there is one, otherwise days with rain, from a seed. In m³/h."""

import functools
import math
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from headworks.simulators.station_record import LOCAL, QUARTER, StationRecord

MEAN_M3H, SMALLEST_M3H = 4100.0, 500.0
RAIN = {"calm": (30.0, 1500.0), "storm": (3.0, 7000.0), "mixed": (8.0, 4000.0)}
"""Days between rains on average, and their mean crest [m³/h]."""
BEFORE, AFTER = timedelta(days=20), timedelta(days=120)


def recorded(record: StationRecord) -> Callable[[datetime], float]:
    """The inflow of the record."""
    return lambda at: record.inflow_m3h[record.row(at)]


def generated(seed: int, scenario: str, start: datetime) -> Callable[[datetime], float]:
    """A city's day with a low in the night and two crests, and rain that runs off within hours; steady for a quarter hour."""
    if scenario not in RAIN:
        raise ValueError(f"scenario={scenario!r} must be one of {sorted(RAIN)}")
    every_days, mean_crest = RAIN[scenario]
    rng, first, length_days = np.random.default_rng(seed + 2), start - BEFORE, (BEFORE + AFTER).days
    rains = [
        (first + timedelta(days=float(rng.uniform(0, length_days))), float(rng.exponential(mean_crest)))
        for _ in range(round(length_days / every_days))
    ]

    @functools.cache
    def of_quarter(quarter: int) -> float:
        at = first + quarter * QUARTER
        rain = sum(crest * _run_off((at - begins) / timedelta(hours=1)) for begins, crest in rains)
        return max(SMALLEST_M3H, MEAN_M3H * _of_the_day(at) + rain)

    return lambda at: of_quarter((at - first) // QUARTER)


def _of_the_day(at: datetime) -> float:
    local = at.astimezone(LOCAL)
    hour = local.hour + local.minute / 60
    return 1 + 0.3 * math.sin(2 * math.pi * (hour - 9) / 24) + 0.12 * math.sin(4 * math.pi * (hour - 7) / 24)


def _run_off(hours: float) -> float:
    """What a rain's crest brings after so many hours: a two-hour rise, then a recession."""
    if hours < 0:
        return 0.0
    return hours / 2 if hours < 2 else math.exp(-(hours - 2) / 9)

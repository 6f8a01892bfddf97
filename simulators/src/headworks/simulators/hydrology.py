"""Streams with storms and calm spells, from a seed: the truth that gauges measure and forecasts try to guess. In cfs."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)
BASE_CFS = {"R30": 90.0, "R4": 45.0, "R20": 30.0, "R5L": 20.0, "R26": 10.0, "R11": 120.0}
STORM_SHARE = {"R30": 0.5, "R4": 0.3, "R20": 0.2, "R5L": 0.02, "R26": 0.01, "R11": 0.6}
SCENARIOS = {"calm": (30.0, 150.0), "storm": (4.0, 1200.0), "mixed": (10.0, 400.0)}
"""Days between storms on average, and their mean crest in cfs."""


@dataclass(frozen=True, slots=True)
class Storm:
    """A crest [cfs] at an hour since ORIGIN; it rises fast and recedes slowly."""

    hour: float
    crest_cfs: float
    recession_h: float


class Hydrology:
    """Flow of every gauge at any instant; the same seed gives the same years."""

    def __init__(self, seed: int, scenario: str, first: datetime, days: int = 120) -> None:
        if scenario not in SCENARIOS:
            raise ValueError(f"scenario={scenario!r} must be one of {sorted(SCENARIOS)}")
        interval_days, crest = SCENARIOS[scenario]
        rng = np.random.default_rng(seed)
        start_h = _hours(first) - 30 * 24
        count = int((days + 30) / interval_days) + 1
        self._storms = [
            Storm(
                start_h + float(rng.uniform(0, (days + 30) * 24)),
                float(rng.exponential(crest)),
                float(rng.uniform(14, 40)),
            )
            for _ in range(count)
        ]
        self._phase = float(rng.uniform(0, 6.28))

    def flow_cfs(self, gauge: str, at: datetime) -> float:
        """The true flow of a gauge."""
        hour = _hours(at)
        storm = sum(_shape(hour - s.hour, s.recession_h) * s.crest_cfs for s in self._storms)
        daily = 1 + 0.06 * math.sin(2 * math.pi * hour / 24 + self._phase)
        return BASE_CFS[gauge] * daily + STORM_SHARE[gauge] * storm


def _hours(at: datetime) -> float:
    return (at - ORIGIN).total_seconds() / 3600


def _shape(hours_after: float, recession_h: float) -> float:
    """A storm's hydrograph: a six-hour rise to 1, then an exponential recession."""
    if hours_after < -6:
        return 0.0
    return (hours_after + 6) / 6 if hours_after < 0 else math.exp(-hours_after / recession_h)

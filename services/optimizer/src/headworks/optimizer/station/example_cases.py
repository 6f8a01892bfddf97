"""Two days of a station, dry and stormy, for tests and `headworks solve`: made from formulas, not from records.

The site is blominmaki's: its pumps, and inflow and prices of its size.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from headworks.optimizer.station.case import PumpState, StationInputs

STEP = timedelta(minutes=15)
RECORD_DAYS = 14
START = datetime(2026, 3, 9, 22, tzinfo=UTC)
"""Midnight in Helsinki, where Tuesday begins; its prices are known."""
KNOWN_PRICES = 96
DRY_M3_PER_DAY = 110_000.0
RUNNING = {"P1_4": 30}
RESTING = {"P1_1": 12, "P1_2": 20, "P1_3": 96, "P2_1": 40, "P2_2": 25, "P2_3": 16, "P2_4": 60}


def dry_day() -> StationInputs:
    """No rain for a week, and the last emptying is a day ago: the tunnel is to be emptied in the cheap hours of the night."""
    return _inputs(_dry_m3s, level_m=2.6)


def storm_day() -> StationInputs:
    """Rain since the evening: inflow has doubled and still rises, and the tunnel fills."""
    began = START - timedelta(hours=5)

    def inflow_m3s(at: datetime) -> float:
        rain = max(0.0, (at - began) / timedelta(hours=5))
        return _dry_m3s(at) * (1 + rain)

    return _inputs(inflow_m3s, level_m=4.8)


def _dry_m3s(at: datetime) -> float:
    """Least before dawn, most in the evening, no two days the same; and what was left of a rain eight days ago."""
    days = (at - START) / timedelta(days=1)
    usual = DRY_M3_PER_DAY / 86_400 * (1 + 0.35 * math.sin(2 * math.pi * (_hour(at) - 11) / 24))
    since_rain_days = days + 8
    rain = 1.5 * (since_rain_days / 0.2) * math.exp(1 - since_rain_days / 0.2) if since_rain_days > 0 else 0.0
    return usual * (1 + 0.04 * math.sin(2 * math.pi * days / 3.3) + rain)


def _price_eur_per_mwh(at: datetime) -> float:
    """Cheapest before dawn, dearest in the late afternoon."""
    return 55 + 35 * math.sin(2 * math.pi * (_hour(at) - 8) / 24)


def _hour(at: datetime) -> float:
    return at.hour + at.minute / 60


def _inputs(inflow_m3s: Callable[[datetime], float], level_m: float) -> StationInputs:
    past = [START - t * STEP for t in range(RECORD_DAYS * 96, 0, -1)]
    return StationInputs(
        site="blominmaki",
        start=START,
        step_s=STEP.total_seconds(),
        level_m=level_m,
        pumps=tuple(
            PumpState(resource=resource, on=resource in RUNNING, steps=steps)
            for resource, steps in sorted((RUNNING | RESTING).items())
        ),
        past_inflow_m3s=tuple(inflow_m3s(at) for at in past),
        past_price_eur_per_mwh=tuple(map(_price_eur_per_mwh, past)),
        price_eur_per_mwh=tuple(_price_eur_per_mwh(START + t * STEP) for t in range(KNOWN_PRICES)),
        emptied_at=START - timedelta(hours=20),
    )


EXAMPLES: dict[str, Callable[[], StationInputs]] = {"dry-day": dry_day, "storm-day": storm_day}

"""Five weeks of the afterbay that between them touch every limit; the tests, the benchmark and `headworks solve` share them.

They are made from formulas, not from records: the numbers are stated here, in the operators' units.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from headworks.optimizer.afterbay.case import Case, Forcing, Options
from headworks.waterway.afterbay import Mode

FT, CFS = 0.3048, 0.3048**3
FLOAT_FT = 1173.0


def _case(
    start: datetime,
    hours: int,
    elevation_ft: float,
    power_mw: float,
    hour: Callable[[int, int], tuple[float, float, float, float]],
    options: Options,
) -> Case:
    """`hour(t, hour of day)` gives R30, R4 and R20 [cfs] and MFRA [MW]."""
    forcing = []
    for t in range(hours):
        r30, r4, r20, mfra = hour(t, (start + timedelta(hours=t)).hour)
        forcing.append(
            Forcing(
                r30_flow_m3s=r30 * CFS,
                r4_flow_m3s=r4 * CFS,
                r20_flow_m3s=r20 * CFS,
                r5l_flow_m3s=20 * CFS,
                r26_flow_m3s=10 * CFS,
                mfra_power_mw=mfra,
                mode=Mode.GEN,
                price_per_mwh=45 + 25 * math.sin(2 * math.pi * (t - 5) / 24),
            )
        )
    return Case(
        site="abay",
        start=start,
        initial_elevation_m=elevation_ft * FT,
        initial_power_mw=power_mw,
        float_elevation_m=FLOAT_FT * FT,
        forcing=tuple(forcing),
        options=options,
    )


def _peaking(hour_of_day: int, base_mw: float, peak_mw: float) -> float:
    """MFRA follows the evening's demand, in UTC hours."""
    return peak_mw if hour_of_day in {0, 1, 2, 3, 4} else base_mw


def calm_winter(hours: int = 168, options: Options | None = None) -> Case:
    """Steady small streams, the powerhouses run evenly with an evening peak."""
    start = datetime(2026, 1, 20, 8, tzinfo=UTC)
    return _case(start, hours, 1170.5, 2.0, lambda _t, h: (90, 40, 30, _peaking(h, 50, 90)), options or Options())


def summer_rafting(hours: int = 168, options: Options | None = None) -> Case:
    """A full rafting week with an early-release Saturday (2025-06-28)."""
    start = datetime(2025, 6, 23, 7, tzinfo=UTC)
    return _case(start, hours, 1171.0, 2.5, lambda _t, h: (60, 25, 15, _peaking(h, 70, 140)), options or Options())


def spilling_storm(hours: int = 168, options: Options | None = None) -> Case:
    """A storm crest far above what the unit can pass: spill cannot be avoided, draining below minimum must be."""

    def hour(t: int, h: int) -> tuple[float, float, float, float]:
        crest = 1800 * math.exp(-(((t - 70) / 18) ** 2))
        return 90 + 0.5 * crest, 60 + 0.3 * crest, 40 + 0.2 * crest, _peaking(h, 60, 120)

    start = datetime(2026, 2, 14, 8, tzinfo=UTC)
    return _case(start, hours, 1170.0, 3.0, hour, options or Options())


def start_below_minimum(hours: int = 168, options: Options | None = None) -> Case:
    """The reservoir starts half a foot under its minimum."""
    start = datetime(2026, 1, 20, 8, tzinfo=UTC)
    return _case(start, hours, 1167.5, 1.0, lambda _t, h: (90, 40, 30, _peaking(h, 50, 90)), options or Options())


def start_above_head_limit(hours: int = 168, options: Options | None = None) -> Case:
    """The unit is reported at 5.8 MW, more than the head at the start allows."""
    start = datetime(2026, 1, 20, 8, tzinfo=UTC)
    return _case(start, hours, 1169.0, 5.8, lambda _t, h: (120, 60, 40, _peaking(h, 60, 110)), options or Options())


EXAMPLES: dict[str, Callable[..., Case]] = {
    "calm-winter": calm_winter,
    "summer-rafting": summer_rafting,
    "spilling-storm": spilling_storm,
    "start-below-minimum": start_below_minimum,
    "start-above-head-limit": start_above_head_limit,
}

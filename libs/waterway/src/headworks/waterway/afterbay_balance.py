"""What flowed into an afterbay over an hour, as measured: by the reservoir's own balance, or by the gauges' formula."""

from collections.abc import Mapping
from dataclasses import dataclass

from headworks.waterway import series as names
from headworks.waterway.afterbay import Conditions, Mode, inflow_m3s, unit_flow_m3s
from headworks.waterway.afterbay_site import AfterbaySite

NEAR_FLOAT_M = 0.02
"""So near to float the reservoir may spill, and what spills nobody measures."""


@dataclass(frozen=True, slots=True)
class MeasuredHour:
    """An hour's elevations at its two ends and means of its series, by name; what is not known is not there."""

    before_m: float | None
    after_m: float | None
    means: Mapping[str, float]
    mode: Mode


def formula_m3s(site: AfterbaySite, hour: MeasuredHour) -> float | None:
    """The gauges' formula, or None without all of them."""
    means = hour.means
    if any(name not in means for name in (names.MFRA_POWER, *names.GAUGES)):
        return None
    conditions = Conditions(
        r30_m3s=means[names.R30_FLOW],
        r4_m3s=means[names.R4_FLOW],
        r20_m3s=means[names.R20_FLOW],
        r5l_m3s=means[names.R5L_FLOW],
        r26_m3s=means[names.R26_FLOW],
        mfra_mw=means[names.MFRA_POWER],
        mode=hour.mode,
    )
    return inflow_m3s(site.afterbay.upstream, site.afterbay.inflow, conditions)


def balance_m3s(site: AfterbaySite, hour: MeasuredHour, float_m: float) -> float | None:
    """The change of storage and the unit's water, or None where they are not known, or some of the water may have spilled."""
    power_mw = hour.means.get(names.OXPH_POWER)
    if hour.before_m is None or hour.after_m is None or power_mw is None:
        return None
    if max(hour.before_m, hour.after_m) > float_m - NEAR_FLOAT_M:
        return None
    curve = site.afterbay.reservoir.stage_storage.curve
    return (curve.storage_at(hour.after_m) - curve.storage_at(hour.before_m)) / 3600 + unit_flow_m3s(
        site.afterbay.unit, power_mw
    )

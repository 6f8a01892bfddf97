"""The afterbay's physics, exactly as measured: shares, water of power, net inflow in both modes, head limit and bias.

Sources: the operators' formulas of the site (see docs/models/afterbay.md). Flows in m³/s, power in MW.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from headworks.waterway.afterbay_site import Inflow, Unit, Upstream


class Mode(StrEnum):
    """How the upstream conveyance runs: through the powerhouses, or spilling."""

    GEN = "GEN"
    SPILL = "SPILL"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What flows in over one step: gauges [m³/s], upstream power [MW], mode, and the bias correction [m³/s]."""

    r30_m3s: float
    r4_m3s: float
    r20_m3s: float
    r5l_m3s: float
    r26_m3s: float
    mfra_mw: float
    mode: Mode
    bias_m3s: float = 0.0


def mf12_share_mw(upstream: Upstream, conditions: Conditions) -> float:
    """MF 1-2's share of MFRA [MW]; in GEN the part that the river's own diversion makes is taken off first."""
    if conditions.mode is Mode.SPILL:
        return upstream.share * conditions.mfra_mw
    diverted_m3s = conditions.r4_m3s - conditions.r5l_m3s
    reduction_mw = min(
        upstream.generation_reduction_cap, max(0.0, diverted_m3s * upstream.generation_reduction_per_flow)
    )
    return upstream.share * max(0.0, conditions.mfra_mw - reduction_mw)


def mf12_flow_m3s(upstream: Upstream, conditions: Conditions) -> float:
    """The water of MF 1-2 [m³/s]."""
    share_mw, water = mf12_share_mw(upstream, conditions), upstream.water
    return (water.a * share_mw + water.b) * share_mw + water.c


def inflow_m3s(upstream: Upstream, inflow: Inflow, conditions: Conditions) -> float:
    """All that enters less what is diverted, before the unit's own water [m³/s]."""
    c = conditions
    mf_m3s = mf12_flow_m3s(upstream, c)
    river_m3s = c.r30_m3s + c.r20_m3s - c.r5l_m3s - c.r26_m3s + c.bias_m3s
    if c.mode is Mode.SPILL:
        return river_m3s + c.r4_m3s + mf_m3s
    diverted_m3s = c.r4_m3s - c.r5l_m3s
    summed_r4_m3s = c.r4_m3s if inflow.r4_counted_in_sum else 0.0
    return river_m3s + summed_r4_m3s + max(min(upstream.flow_cap, mf_m3s + diverted_m3s), max(0.0, diverted_m3s))


def unit_flow_m3s(unit: Unit, power_mw: float) -> float:
    """The unit's water at a power [m³/s]."""
    return unit.water_per_power * power_mw + unit.water_at_zero


def head_limit_mw(unit: Unit, elevation_m: float) -> float:
    """The greatest power that the head allows [MW]."""
    return unit.head_limit_slope * elevation_m + unit.head_limit_intercept


def bias_m3s(actual_m3s: Sequence[float], expected_m3s: Sequence[float], clip_m3s: float) -> float | None:
    """The mean of clip(actual − expected net inflow, ±clip) [m³/s]; None without a single pair."""
    residuals = [
        min(clip_m3s, max(-clip_m3s, actual - expected))
        for actual, expected in zip(actual_m3s, expected_m3s, strict=True)
    ]
    return sum(residuals) / len(residuals) if residuals else None

"""Forward simulation of a schedule with the true curves: the judge of every plan, apart from any solver.

Spill is the water that leaves over the spillway once storage reaches float; below float there is none. The generation
follows the setpoint as far as the ramp, and then the head, allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headworks.waterway.afterbay import head_limit_mw, unit_flow_m3s
from headworks.waterway.afterbay_site import Unit
from headworks.waterway.curves import StageStorage

TOLERANCE_MW = 1e-10
MAX_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a schedule leads to; every tuple has one entry per step, elevations and storages at the step's end."""

    power_mw: tuple[float, ...]
    elevation_m: tuple[float, ...]
    storage_m3: tuple[float, ...]
    spill_m3s: tuple[float, ...]
    inflow_m3s: tuple[float, ...]
    outflow_m3s: tuple[float, ...]


def simulate(
    curve: StageStorage,
    unit: Unit,
    *,
    initial_elevation_m: float,
    initial_power_mw: float | None,
    setpoint_mw: Sequence[float],
    inflow_m3s: Sequence[float],
    float_elevation_m: float,
    step_s: float,
) -> Trajectory:
    """Run hourly setpoints through the reservoir, shape (steps,).

    From step to step the generation moves by no more than the ramp (from the initial power, brought into the unit's
    range; None: the first step is free), and it stays within what the head allows at the lower of the step's two ends,
    but not below the unit's minimum. A start above float spills down to it at once. Raises OutOfRange when the
    reservoir leaves its surveyed range, ValueError when the lengths differ.
    """
    if len(setpoint_mw) != len(inflow_m3s):
        raise ValueError(f"setpoint_mw has {len(setpoint_mw)} steps and inflow_m3s {len(inflow_m3s)}; they must agree")
    full_m3 = curve.storage_at(float_elevation_m)
    storage_m3 = curve.storage_at(initial_elevation_m)
    ramp_mw = unit.ramp_rate * step_s / 60
    before_mw = None if initial_power_mw is None else min(unit.max_power, max(unit.min_power, initial_power_mw))
    powers, elevations, storages, spills, outflows = [], [], [], [], []
    for asked_mw, entering_m3s in zip(setpoint_mw, inflow_m3s, strict=True):
        ramped_mw = asked_mw if before_mw is None else min(before_mw + ramp_mw, max(before_mw - ramp_mw, asked_mw))
        power_mw = before_mw = _power_under_head(curve, unit, ramped_mw, storage_m3, entering_m3s, full_m3, step_s)
        outflow_m3s = unit_flow_m3s(unit, power_mw)
        storage_m3 += (entering_m3s - outflow_m3s) * step_s
        spill_m3s = max(0.0, storage_m3 - full_m3) / step_s
        storage_m3 = min(storage_m3, full_m3)
        powers.append(power_mw)
        elevations.append(curve.elevation_at(storage_m3))
        storages.append(storage_m3)
        spills.append(spill_m3s)
        outflows.append(outflow_m3s)
    return Trajectory(
        tuple(powers), tuple(elevations), tuple(storages), tuple(spills), tuple(inflow_m3s), tuple(outflows)
    )


def _power_under_head(
    curve: StageStorage,
    unit: Unit,
    asked_mw: float,
    storage_m3: float,
    entering_m3s: float,
    full_m3: float,
    step_s: float,
) -> float:
    """The power [MW] that the head bears over a step, which itself draws the head down."""

    def excess_mw(power_mw: float) -> float:
        end_m3 = min(full_m3, storage_m3 + (entering_m3s - unit_flow_m3s(unit, power_mw)) * step_s)
        lowest_m = curve.elevation_at(min(storage_m3, end_m3, full_m3))
        return power_mw - head_limit_mw(unit, lowest_m)

    if excess_mw(asked_mw) <= 0:
        return asked_mw
    low_mw, high_mw = unit.min_power, asked_mw
    if low_mw >= high_mw or excess_mw(low_mw) > 0:
        return min(unit.min_power, asked_mw)
    low_excess, high_excess = excess_mw(low_mw), excess_mw(high_mw)
    for _ in range(MAX_ROUNDS):
        # False position: the excess is nearly straight in power, so two or three rounds do.
        guess_mw = low_mw - low_excess * (high_mw - low_mw) / (high_excess - low_excess)
        excess = excess_mw(guess_mw)
        if abs(excess) <= TOLERANCE_MW:
            return guess_mw
        if excess < 0:
            low_mw, low_excess = guess_mw, excess
        else:
            high_mw, high_excess = guess_mw, excess
    return low_mw

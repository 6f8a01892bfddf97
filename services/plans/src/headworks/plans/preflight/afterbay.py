"""What an afterbay's plan leads to, hour by hour: elevation within its limits, a power that ramp and head can follow.

A limit that no plan could keep (at the unit's least or greatest power throughout it breaks too) is a note, not a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headworks.common.messages import Refusal
from headworks.plans.preflight.flight import Flown, Piece, interval_at, on_steps
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.simulate import simulate
from headworks.waterway.timegrid import TimeGrid

FOLLOWED_MW = 0.01
ELEVATION_M = 1e-4


@dataclass(frozen=True, slots=True)
class AfterbayState:
    """Where the site stands at the grid's start, and what will flow in over each step [m³/s], with what that rests on."""

    grid: TimeGrid
    elevation_m: float
    power_mw: float
    float_m: float
    inflow_m3s: tuple[float, ...]
    notes: tuple[str, ...] = ()


def fly_afterbay(site: AfterbaySite, state: AfterbayState, own: Sequence[Piece]) -> Flown:
    """Simulate the unit's pieces from the present state."""
    asked_mw = on_steps(own, state.grid, state.power_mw)
    try:
        elevation_m, power_mw = _run(site, state, asked_mw)
    except OutOfRange as error:
        return Flown((_leaves(error),), state.notes)
    found: list[Refusal] = []
    notes = list(state.notes)
    unit, reservoir = site.afterbay.unit, site.afterbay.reservoir
    highest_m = state.float_m - reservoir.float_buffer
    for t, (asked, given) in enumerate(zip(asked_mw, power_mw, strict=True)):
        index = interval_at(own, state.grid, t)
        if index is not None and abs(asked - given) > FOLLOWED_MW:
            expected = f"{given:.2f} MW: what ramp and head allow in the hour from {state.grid.starts[t]:%FT%TZ}"
            found.append(Refusal(field=f"intervals.{index}.targets.target_value", value=asked, expected=expected))
            break
    for least, limit_m, bound_mw in (
        (True, reservoir.minimum_elevation, unit.min_power),
        (False, highest_m, unit.max_power),
    ):
        broken = [
            t for t, at_m in enumerate(elevation_m) if (limit_m - at_m if least else at_m - limit_m) > ELEVATION_M
        ]
        own_steps = [t for t in broken if interval_at(own, state.grid, t) is not None]
        if not own_steps:
            continue
        t = own_steps[0]
        said = f"{elevation_m[t]:.3f} m at {state.grid.ends[t]:%FT%TZ}"
        best_m = _best(site, state, bound_mw, t)
        if best_m is None or (limit_m - best_m if least else best_m - limit_m) > ELEVATION_M:
            notes.append(f"elevation {said} is {'below' if least else 'above'} {limit_m:.3f} m; no plan could keep it")
            continue
        index = interval_at(own, state.grid, t)
        expected = f"a plan that keeps the elevation {'at or above' if least else 'at or below'} {limit_m:.3f} m; "
        expected += f"simulated {said}"
        found.append(Refusal(field=f"intervals.{index}.targets.target_value", value=asked_mw[t], expected=expected))
    return Flown(tuple(found), tuple(notes))


def _run(
    site: AfterbaySite, state: AfterbayState, asked_mw: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    trajectory = simulate(
        site.afterbay.reservoir.stage_storage.curve,
        site.afterbay.unit,
        initial_elevation_m=state.elevation_m,
        initial_power_mw=state.power_mw,
        setpoint_mw=asked_mw,
        inflow_m3s=state.inflow_m3s,
        float_elevation_m=state.float_m,
        step_s=state.grid.step_s,
    )
    return trajectory.elevation_m, trajectory.power_mw


def _best(site: AfterbaySite, state: AfterbayState, power_mw: float, step: int) -> float | None:
    """The elevation at a step's end with one power throughout; None where even that leaves the surveyed range."""
    try:
        return _run(site, state, [power_mw] * state.grid.count)[0][step]
    except OutOfRange:
        return None


def _leaves(error: OutOfRange) -> Refusal:
    return Refusal(field="intervals", value=None, expected=f"a plan that keeps the reservoir in its range: {error}")

"""What a schedule means to a person: which limits could not hold, which shape it, and what to do next.

Everything is read off the replayed trajectory, not off the solver.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from headworks.optimizer.case import Binding, Case, Relaxation
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.quantities import from_si
from headworks.waterway.simulate import Trajectory
from headworks.waterway.site import Site

TOLERANCE_M = 0.0005
TOLERANCE_MW = 0.002
TOLERANCE_M3S = 1e-4


def _spans(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The [first, last] steps of every unbroken run of True."""
    for flag, group in groupby(enumerate(flags), key=lambda pair: pair[1]):
        if flag:
            steps = [t for t, _ in group]
            yield steps[0], steps[-1]


def relaxations(site: Site, case: Case, trajectory: Trajectory) -> tuple[Relaxation, ...]:
    """Each limit that the schedule breaks: from when to when, and the worst of it in the site's display units."""
    minimum_m = site.afterbay.reservoir.minimum_elevation
    maximum_m = case.float_elevation_m - site.afterbay.reservoir.float_buffer
    below = [max(0.0, minimum_m - h) for h in trajectory.elevation_m]
    above = [max(0.0, h - maximum_m) for h in trajectory.elevation_m]
    units = site.display_units
    return (
        *_broken(case, "minimum elevation", below, TOLERANCE_M, "m", units.elevation),
        *_broken(case, "maximum elevation", above, TOLERANCE_M, "m", units.elevation),
        *_broken(case, "no spill", trajectory.spill_m3s, TOLERANCE_M3S, "m**3/s", units.flow),
    )


def _broken(
    case: Case, limit: str, excess: Sequence[float], tolerance: float, si_unit: str, unit: str
) -> Iterator[Relaxation]:
    for first, last in _spans([e > tolerance for e in excess]):
        worst = from_si(max(excess[first : last + 1]), si_unit, unit)
        start, end = case.grid.starts[first], case.grid.ends[last]
        text = f"{limit} cannot hold from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, by up to {worst:.2f} {unit}"
        yield Relaxation(limit=limit, start=start, end=end, worst=worst, unit=unit, text=text)


def bindings(site: Site, case: Case, trajectory: Trajectory) -> tuple[Binding, ...]:
    """The limits that the schedule touches, with when."""
    abay, unit = site.afterbay, site.afterbay.unit
    minimum_m = abay.reservoir.minimum_elevation
    maximum_m = case.float_elevation_m - abay.reservoir.float_buffer
    starts_m = (min(case.initial_elevation_m, case.float_elevation_m), *trajectory.elevation_m[:-1])
    lows_m = [min(pair) for pair in zip(starts_m, trajectory.elevation_m, strict=True)]
    touched = {
        "minimum elevation": [h <= minimum_m + TOLERANCE_M for h in trajectory.elevation_m],
        "maximum elevation": [h >= maximum_m - TOLERANCE_M for h in trajectory.elevation_m],
        "unit minimum": [p <= unit.min_power + TOLERANCE_MW for p in trajectory.power_mw],
        "head limit": [
            p >= head_limit_mw(unit, low) - TOLERANCE_MW for p, low in zip(trajectory.power_mw, lows_m, strict=True)
        ],
    }
    return tuple(
        Binding(limit=limit, start=case.grid.starts[first], end=case.grid.ends[last])
        for limit, flags in touched.items()
        for first, last in _spans(flags)
    )


def next_action(site: Site, case: Case, setpoint_mw: Sequence[float]) -> str:
    """The next change of setpoint in words: "raise to 4.20 MW at 06:40" local time."""
    now_mw = case.initial_power_mw
    for start, setpoint in zip(case.grid.starts, setpoint_mw, strict=True):
        if abs(setpoint - now_mw) > 0.02:
            verb = "raise" if setpoint > now_mw else "lower"
            return f"{verb} to {setpoint:.2f} MW at {start.astimezone(site.zone):%a %H:%M}"
    return f"hold {now_mw:.2f} MW"

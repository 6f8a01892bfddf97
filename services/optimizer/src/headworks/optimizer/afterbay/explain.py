"""What a schedule means to a person: which limits could not hold, which shape it, and what to do next.

Everything is read off the replayed trajectory, not off the solver.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from headworks.optimizer.afterbay.case import Binding, Case, Relaxation
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si
from headworks.waterway.rafting import ramp_start, windows
from headworks.waterway.simulate import Trajectory

TOLERANCE_M = 0.0005
TOLERANCE_MW = 0.002
TOLERANCE_M3S = 1e-4
DEADBAND_MW = 0.02


def _spans(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The [first, last] steps of every unbroken run of True."""
    for flag, group in groupby(enumerate(flags), key=lambda pair: pair[1]):
        if flag:
            steps = [t for t, _ in group]
            yield steps[0], steps[-1]


def _hour(case: Case, t: int) -> datetime:
    """When hour t begins."""
    return case.start + timedelta(hours=t)


def dry_text(site: AfterbaySite, case: Case, hour: int, short_dam3: float) -> str:
    """What to say when the water itself runs out: what cannot hold, when, by how much."""
    unit, units = site.afterbay.unit, site.display_units
    lowest_m = site.afterbay.reservoir.stage_storage.lowest
    lowest = from_si(lowest_m, "m", units.elevation)
    short = from_si(short_dam3 * 1000, "m**3", units.volume)
    return (
        f"the lowest surveyed elevation of {lowest:.2f} {units.elevation} cannot hold from "
        f"{_hour(case, hour):%Y-%m-%d %H:%M}Z: even at the unit's minimum of {unit.min_power} MW "
        f"{short:.1f} {units.volume} of water are missing"
    )


def relaxations(
    site: AfterbaySite, case: Case, trajectory: Trajectory, setpoint_mw: Sequence[float]
) -> tuple[Relaxation, ...]:
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
        *_broken_options(site, case, trajectory, setpoint_mw),
    )


def _broken_options(
    site: AfterbaySite, case: Case, trajectory: Trajectory, setpoint_mw: Sequence[float]
) -> Iterator[Relaxation]:
    """The integer options that the schedule does not keep."""
    options, needed_mw = case.options.integer_options, site.afterbay.spill.preferable_above_power
    if options.spill_above_power_only:
        lacking = [
            max(0.0, needed_mw - power) if spill > TOLERANCE_M3S else 0.0
            for power, spill in zip(trajectory.power_mw, trajectory.spill_m3s, strict=True)
        ]
        yield from _broken(case, f"spill only above {needed_mw} MW", lacking, TOLERANCE_MW, "MW", "MW")
    before = [case.initial_power_mw, *setpoint_mw[:-1]]
    changed = [t for t, (a, b) in enumerate(zip(before, setpoint_mw, strict=True)) if abs(a - b) > TOLERANCE_MW]
    most, apart = options.max_setpoint_changes, options.min_hours_between_changes
    if most is not None and len(changed) > most:
        yield _option_relaxation(case, f"at most {most} setpoint changes", changed, len(changed) - most, "changes")
    close = [b for a, b in pairwise(changed) if apart is not None and b - a < apart]
    if close:
        least = min(b - a for a, b in pairwise(changed))
        yield _option_relaxation(case, f"{apart} h between changes", close, (apart or 0) - least, "h")


def _option_relaxation(case: Case, limit: str, hours: Sequence[int], worst: float, unit: str) -> Relaxation:
    start, end = _hour(case, hours[0]), _hour(case, hours[-1] + 1)
    text = f"{limit} cannot hold from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, by {worst:g} {unit}"
    return Relaxation(limit=limit, start=start, end=end, worst=worst, unit=unit, text=text)


def _broken(
    case: Case, limit: str, excess: Sequence[float], tolerance: float, si_unit: str, unit: str
) -> Iterator[Relaxation]:
    for first, last in _spans([e > tolerance for e in excess]):
        worst = from_si(max(excess[first : last + 1]), si_unit, unit)
        start, end = _hour(case, first), _hour(case, last + 1)
        text = f"{limit} cannot hold from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, by up to {worst:.2f} {unit}"
        yield Relaxation(limit=limit, start=start, end=end, worst=worst, unit=unit, text=text)


def bindings(site: AfterbaySite, case: Case, trajectory: Trajectory) -> tuple[Binding, ...]:
    """The limits that the schedule touches, with when."""
    abay, unit = site.afterbay, site.afterbay.unit
    minimum_m = abay.reservoir.minimum_elevation
    maximum_m = case.float_elevation_m - abay.reservoir.float_buffer
    starts_m = (min(case.initial_elevation_m, case.float_elevation_m), *trajectory.elevation_m[:-1])
    lows_m = [min(pair) for pair in zip(starts_m, trajectory.elevation_m, strict=True)]
    before = (min(unit.max_power, max(unit.min_power, case.initial_power_mw)), *trajectory.power_mw[:-1])
    ramp_mw = unit.ramp_rate * case.grid.step_s / 60
    touched = {
        "minimum elevation": [h <= minimum_m + TOLERANCE_M for h in trajectory.elevation_m],
        "maximum elevation": [h >= maximum_m - TOLERANCE_M for h in trajectory.elevation_m],
        "spillway": [spill > TOLERANCE_M3S for spill in trajectory.spill_m3s],
        "ramp rate": [abs(p - b) >= ramp_mw - TOLERANCE_MW for p, b in zip(trajectory.power_mw, before, strict=True)],
        "unit minimum": [p <= unit.min_power + TOLERANCE_MW for p in trajectory.power_mw],
        "head limit": [
            p >= head_limit_mw(unit, low) - TOLERANCE_MW for p, low in zip(trajectory.power_mw, lows_m, strict=True)
        ],
    }
    return tuple(
        Binding(limit=limit, start=_hour(case, first), end=_hour(case, last + 1))
        for limit, flags in touched.items()
        for first, last in _spans(flags)
    )


def next_action(site: AfterbaySite, case: Case, setpoint_mw: Sequence[float]) -> str:
    """The next change of setpoint in words, local time: "raise to 4.20 MW at Tue 06:40".

    A rise for a rafting release is due a ramp earlier, so that the unit is there when the window begins.
    """
    now_mw = case.initial_power_mw
    releases = {window.start: window for window in windows(site.afterbay.rafting, site.zone, case.start, case.grid.end)}
    for start, setpoint in zip(case.grid.starts, setpoint_mw, strict=True):
        if abs(setpoint - now_mw) > DEADBAND_MW:
            at = start
            if start in releases and setpoint > now_mw:
                at = max(case.start, ramp_start(site.afterbay.unit, releases[start], now_mw))
            verb = "raise" if setpoint > now_mw else "lower"
            return f"{verb} to {setpoint:.2f} MW at {at.astimezone(site.zone):%a %H:%M}"
    return f"hold {now_mw:.2f} MW"

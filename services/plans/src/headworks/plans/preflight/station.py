"""What a pumping station's plan leads to, quarter hour by quarter hour, beside what is in force for its other pumps.

What is broken in the submission's own time, and would not be broken by what is in force without it, is a reason to refuse.
A level above its maximum that all pumps together could not keep is a note, and so is a level at which the gateway starts or
stops pumps by itself: from there on the station would not do as it was simulated.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from headworks.common.messages import Refusal
from headworks.plans.preflight.flight import Flown, Piece, at_starts, interval_at
from headworks.waterway.station import StationTrajectory, simulate_station
from headworks.waterway.station_rules import Before, Breach, breaches
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid

MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class StationState:
    """Where the site stands at the grid's start, how each pump runs [Hz] and since when, and the inflow [m³/s] to come."""

    grid: TimeGrid
    volume_m3: float
    frequency_hz: tuple[float, ...]
    before: tuple[Before, ...]
    inflow_m3s: tuple[float, ...]
    notes: tuple[str, ...] = ()


def fly_station(
    site: StationSite,
    state: StationState,
    planned: Mapping[str, Sequence[Piece]],
    without: Mapping[str, Sequence[Piece]],
) -> Flown:
    """Simulate the pieces of all pumps, and those that would hold without the submission."""
    resources = [pump.resource for pump in site.pumping_station.pumps]
    asked = _frequencies(state, [planned.get(name, ()) for name in resources])
    trajectory = _simulated(site, state, asked)
    known = _broken(site, state, _frequencies(state, [without.get(name, ()) for name in resources]))
    highest = site.pumping_station.rules.maximum_frequency
    hardest = _broken(site, state, [[highest] * len(resources)] * state.grid.count)
    own = [piece for pieces in planned.values() for piece in pieces]
    found: list[Refusal] = []
    notes = [*state.notes, *_interlocked(site, state, trajectory)]
    for breach in _breaches(site, state, asked, trajectory):
        index = interval_at(own, state.grid, breach.step)
        if index is None or (breach.rule, breach.step) in known:
            continue
        if breach.rule == "maximum_level" and (breach.rule, breach.step) in hardest:
            notes.append(f"{_said(state, breach)}; all pumps together could not keep it")
            continue
        field = f"intervals.{index}.targets.suggested_speed_hz"
        value = next(piece.value for piece in own if piece.index == index)
        found.append(
            Refusal(field=field, value=value, expected=f"a plan that keeps {breach.rule}: {_said(state, breach)}")
        )
    return Flown(tuple(found[:MOST_TOLD]), tuple(notes[:MOST_TOLD]))


def _said(state: StationState, breach: Breach) -> str:
    return f"simulated from {state.grid.starts[breach.step]:%FT%TZ}: {breach.text}"


def _frequencies(state: StationState, by_pump: Sequence[Sequence[Piece]]) -> list[list[float]]:
    columns = [at_starts(own, state.grid, hz) for own, hz in zip(by_pump, state.frequency_hz, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _simulated(site: StationSite, state: StationState, asked: Sequence[Sequence[float]]) -> StationTrajectory:
    return simulate_station(
        site.pumping_station.station,
        initial_volume_m3=state.volume_m3,
        frequency_hz=asked,
        inflow_m3=[flow * state.grid.step_s for flow in state.inflow_m3s],
        step_s=state.grid.step_s,
    )


def _breaches(
    site: StationSite, state: StationState, asked: Sequence[Sequence[float]], trajectory: StationTrajectory
) -> list[Breach]:
    kind = site.pumping_station
    names = [pump.resource for pump in kind.pumps]
    return breaches(kind.limits(state.grid.step_s), asked, trajectory, state.before, names=names)


def _broken(site: StationSite, state: StationState, asked: Sequence[Sequence[float]]) -> set[tuple[str, int]]:
    """Which rule is broken in which step."""
    return {(b.rule, b.step) for b in _breaches(site, state, asked, _simulated(site, state, asked))}


def _interlocked(site: StationSite, state: StationState, trajectory: StationTrajectory) -> Iterator[str]:
    """A note on the first instant at which the level is beyond each of the gateway's interlocks, the start among them."""
    start_m = site.pumping_station.station.tunnel.level_at(state.volume_m3)
    levels = [*zip((state.grid.start, *state.grid.ends), (start_m, *trajectory.level_m), strict=True)]
    highest_m, lowest_m = site.high_high_level_m, site.low_low_level_m
    above = next(((at, m) for at, m in levels if highest_m is not None and m > highest_m), None)
    below = next(((at, m) for at, m in levels if lowest_m is not None and m < lowest_m), None)
    if above is not None:
        yield _does_otherwise(
            *above, f"above {highest_m:g} m (control.pumps.high_high), where the gateway starts pumps"
        )
    if below is not None:
        yield _does_otherwise(
            *below, f"below {lowest_m:g} m (control.pumps.low_low), where the gateway stops all pumps"
        )


def _does_otherwise(at: datetime, level_m: float, where: str) -> str:
    return f"{level_m:.3f} m at {at:%FT%TZ} is {where} whatever the plan says; from there the station does not do as simulated"

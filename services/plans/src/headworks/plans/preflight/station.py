"""What a pumping station's plan leads to, quarter hour by quarter hour, beside what is in force for its other pumps.

What is broken in the submission's own time, and would not be broken by what is in force without it, is a reason to refuse.
A level above its maximum that all pumps together could not keep is a note.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headworks.common.messages import Refusal
from headworks.plans.preflight.flight import Flown, Piece, at_starts, interval_at
from headworks.waterway.station import simulate_station
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
    known = {(breach.rule, breach.step) for breach in _breaches(site, state, asked=_frequencies(
        state, [without.get(name, ()) for name in resources]))}  # fmt: skip
    highest = site.pumping_station.rules.maximum_frequency
    hardest = {(b.rule, b.step) for b in _breaches(site, state, asked=[[highest] * len(resources)] * state.grid.count)}
    own = [piece for pieces in planned.values() for piece in pieces]
    found: list[Refusal] = []
    notes = list(state.notes)
    for breach in _breaches(site, state, asked=asked):
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


def _breaches(site: StationSite, state: StationState, *, asked: Sequence[Sequence[float]]) -> list[Breach]:
    kind, step_s = site.pumping_station, state.grid.step_s
    trajectory = simulate_station(
        kind.station,
        initial_volume_m3=state.volume_m3,
        frequency_hz=asked,
        inflow_m3=[flow * step_s for flow in state.inflow_m3s],
        step_s=step_s,
    )
    names = [pump.resource for pump in kind.pumps]
    return breaches(kind.limits(step_s), asked, trajectory, state.before, names=names)

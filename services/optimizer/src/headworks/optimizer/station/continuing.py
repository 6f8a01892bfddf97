"""The last plan, or the first, gone on with: what it leads to, what it breaks, and how the program begins with it."""

from collections.abc import Sequence
from dataclasses import replace

from headworks.optimizer.models.pumping_data import (
    Group,
    PumpingData,
    Reference,
    StationCase,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
)
from headworks.optimizer.station.answered import StationSchedule, StationStatus
from headworks.optimizer.station.costing import cost_alone, energy_cost, given_way, scheduled_days, starts_of
from headworks.optimizer.station.following import outflow_limits
from headworks.waterway.station import Station, StationTrajectory, simulate_station
from headworks.waterway.station_rules import Breach, StationRules, breaches

NEVER = frozenset({"minimum_run", "minimum_rest", "frequency", "no_flow"})
"""The rules that have no price: pumps are spared, whatever the water does."""


def or_begun_with(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    found: StationSchedule,
    begun_hz: Sequence[Sequence[float]],
    begun_flush: range = range(0),
    name: str = "the last plan",
) -> StationSchedule:
    """What was found, or what the solve began with where that costs less: one that ran out of time loses nothing.

    Runs, rests and speeds break before all; the rest is compared at what it costs, giving way among it, for a step of flood is
    not as bad as a step of a litre too much, and many small breaches are not worse than one great one.
    """
    begun = begun_with(station, rules, case, found, begun_hz, begun_flush)
    if not begun.gone_on:
        return found
    groups = group_pumps(station.pumps, 0.0, case.not_planned)
    about = flat_reference(case, groups, case.initial_volume_m3)
    data = prepare_station(station, rules, case, weights, groups, about)
    if _cost(data, begun) >= _cost(data, found):
        return found
    reason = (
        f"{name} is gone on with: what it breaks costs {_given_way(data, begun):.2f} EUR ({len(begun.broken)} breaches), "
        f"what was found {_given_way(data, found):.2f} EUR ({len(found.broken)})"
    )
    return replace(begun, reason=reason)


def _cost(data: PumpingData, schedule: StationSchedule) -> tuple[int, float]:
    """How many breaches a schedule has of what never gives way, and what it costs, all others at their prices [EUR]."""
    assert schedule.trajectory is not None
    never = sum(breach.rule in NEVER for breach in schedule.broken)
    return never, cost_alone(data, schedule.frequency_hz, schedule.trajectory, schedule.flush)


def _given_way(data: PumpingData, schedule: StationSchedule) -> float:
    assert schedule.trajectory is not None
    return given_way(data, schedule.frequency_hz, schedule.trajectory, schedule.flush)


def begun_with(
    station: Station,
    rules: StationRules,
    case: StationCase,
    found: StationSchedule,
    begun_hz: Sequence[Sequence[float]],
    flush: range = range(0),
) -> StationSchedule:
    """The plan that the solve began with, as its answer; what was found where there is none."""
    continued = continue_plan(station, case, begun_hz)
    if continued is None:
        return found
    frequency_hz, trajectory = continued
    return replace(
        found,
        status=StationStatus.SOLVED,
        reason="nothing better was found in time than what the solve began with",
        frequency_hz=frequency_hz,
        trajectory=trajectory,
        cost_eur=None,
        energy_cost_eur=energy_cost(case, trajectory),
        gap=None,
        broken=broken_rules(station, rules, case, frequency_hz, trajectory, flush),
        reference=None,
        terms={},
        starts=starts_of(frequency_hz, case.before),
        flush=flush,
        gone_on=True,
    )


def continue_plan(
    station: Station, case: StationCase, last_hz: Sequence[Sequence[float]]
) -> tuple[tuple[tuple[float, ...], ...], StationTrajectory] | None:
    """A plan's frequencies over the schedule, the last ones held to its end, and what they lead to; None without a plan."""
    if not last_hz:
        return None
    held = [last_hz[-1]] * max(0, case.scheduled - len(last_hz))
    frequency_hz = tuple(tuple(asked_hz) for asked_hz in (*last_hz[: case.scheduled], *held))
    trajectory = simulate_station(
        station,
        initial_volume_m3=case.initial_volume_m3,
        frequency_hz=frequency_hz,
        inflow_m3=case.inflow_m3[: case.scheduled],
        step_s=case.step_s,
    )
    return frequency_hz, trajectory


def broken_rules(
    station: Station,
    rules: StationRules,
    case: StationCase,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    flush: range = range(0),
) -> tuple[Breach, ...]:
    """What a simulated plan breaks; `flush` are the steps of its window."""
    names, limits_m3s = [pump.name for pump in station.pumps], outflow_limits(rules, case, flush)
    return tuple(breaches(rules, frequency_hz, trajectory, case.before, scheduled_days(case), names, limits_m3s))


def reference_of(
    station: Station,
    rules: StationRules,
    case: StationCase,
    groups: Sequence[Group],
    last_hz: Sequence[Sequence[float]],
) -> Reference | None:
    """What a plan's frequencies lead to in a case, as a reference; after its end its last step is held. None without a plan."""
    continued = continue_plan(station, case, last_hz)
    if continued is None:
        return None
    asked_hz, trajectory = continued
    after = case.tail_steps
    span_hz = max(1e-9, rules.maximum_hz - rules.minimum_hz)

    def fast(hz: float) -> float:
        return min(1.0, max(0.0, (hz - rules.minimum_hz) / span_hz)) if hz > 0 else 0.0

    return Reference(
        (case.initial_volume_m3, *trajectory.volume_m3, *(trajectory.volume_m3[-1],) * after)[: case.scheduled + after],
        tuple((*(float(sum(s[p] > 0 for p in group.members)) for s in asked_hz), *(0.0,) * after) for group in groups),
        tuple((*(sum(fast(s[p]) for p in group.members) for s in asked_hz), *(0.0,) * after) for group in groups),
    )

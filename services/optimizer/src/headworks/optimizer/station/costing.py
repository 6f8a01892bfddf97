"""What a simulated schedule costs by the model's own terms, on the true curves: to compare rounds, and to tell.

What pumps that must run on may lack is as the program has it: by their flows at the reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from headworks.optimizer.models.pumping import WANTED
from headworks.optimizer.models.pumping_commitment import short_dam3
from headworks.optimizer.models.pumping_data import DAM3, LAST, PumpingData, StationCase
from headworks.optimizer.models.pumping_problem import PumpingProblem
from headworks.optimizer.station.following import outflow_limits
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_rules import Before

DRY_EUR_PER_M3 = 100.0
"""What a plan that pumps more than there is loses in the comparison of rounds: more than any energy."""


def true_cost(
    data: PumpingData,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    flush: range = range(0),
) -> float:
    """All terms of the schedule together [EUR]; `flush` are the steps of its window."""
    case, weights = data.case, data.weights
    energy = energy_cost(case, trajectory) + weights.energy_eur_per_mwh * trajectory.energy_mwh(case.step_s)
    left = 0.0 if case.tail_steps else case.water_value_eur_per_m3 * trajectory.volume_m3[-1]
    starts = starts_of(frequency_hz, case.before) * weights.start_eur
    return (
        energy
        + left
        + starts
        + given_way(data, frequency_hz, trajectory, flush)
        + sum(_levels(data, trajectory))
        + sum(_flows(data, trajectory))
        + sum(_worn(data, frequency_hz))
        + _flushed(data, flush)
        + _committed(data, frequency_hz, trajectory)
    )


def cost_alone(
    data: PumpingData,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    flush: range = range(0),
) -> float:
    """The same of a schedule that no tail was planned for: water that it leaves costs what it takes later [EUR]."""
    case = data.case
    left = case.water_value_eur_per_m3 * trajectory.volume_m3[-1] if case.tail_steps else 0.0
    return true_cost(data, frequency_hz, trajectory, flush) + left


def given_way(
    data: PumpingData,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    flush: range = range(0),
) -> float:
    """What a schedule breaks of the rules, each at its price, which says what gives way before what [EUR]."""
    case, weights, rules = data.case, data.weights, data.rules
    last_eur, step_dam3 = LAST * weights.violation_eur, case.step_s / DAM3
    volumes = [volume / DAM3 for volume in trajectory.volume_m3]
    cost = sum(trajectory.short_m3) * DRY_EUR_PER_M3
    for volume in volumes:
        cost += max(0.0, volume - data.maximum_dam3) * weights.violation_eur
        cost += max(0.0, data.minimum_dam3 - volume) * last_eur
    if case.wanted is not None and case.wanted[0] < case.scheduled:
        cost += max(0.0, volumes[case.wanted[0]] - case.wanted[1] / DAM3) * WANTED * weights.violation_eur
    for flow_m3s, limit_m3s in zip(trajectory.outflow_m3s, outflow_limits(rules, case, flush), strict=True):
        cost += max(0.0, flow_m3s - limit_m3s) * step_dam3 * last_eur
    for asked_hz in frequency_hz:
        cost += max(0, rules.minimum_pumps_on - sum(hz > 0 for hz in asked_hz)) * last_eur
    return cost + sum(
        weights.not_emptied_eur for day in scheduled_days(case) if _emptied_by(data, trajectory, day) is None
    )


def _levels(data: PumpingData, trajectory: StationTrajectory) -> Iterator[float]:
    """What lies beyond the levels that are aimed at, and an emptying that is put off, or at risk."""
    weights = data.weights
    for volume_m3 in trajectory.volume_m3:
        yield max(0.0, volume_m3 / DAM3 - data.margin_dam3) * weights.margin_eur
        yield max(0.0, data.floor_dam3 - volume_m3 / DAM3) * weights.floor_eur
        yield max(0.0, data.lowest_dam3 - volume_m3 / DAM3) * LAST * weights.violation_eur
    for d, day in enumerate(data.case.dry_days):
        by = _emptied_by(data, trajectory, day) if day.stop <= data.case.scheduled else None
        yield 0.0 if by is None else data.put_off_eur(d, by) + _at_risk(data, trajectory, day, by)


def _at_risk(data: PumpingData, trajectory: StationTrajectory, day: range, by: int) -> float:
    """What it costs that a day's emptying would fail if more flowed in than expected [EUR]."""
    rooms = ((t, room) for t in range(by) if (room := data.room_dam3(day, t)) is not None)
    worst_dam3 = max((trajectory.volume_m3[t] / DAM3 - room for t, room in rooms), default=0.0)
    return max(0.0, worst_dam3) * data.weights.at_risk_eur


def _emptied_by(data: PumpingData, trajectory: StationTrajectory, day: range) -> int | None:
    """The step of a day that empties the tunnel."""
    empty_m3 = data.emptied_dam3 * DAM3 + data.weights.empty_reserve_m3
    return next((t for t in day if trajectory.volume_m3[t] <= empty_m3), None)


def _flows(data: PumpingData, trajectory: StationTrajectory) -> Iterator[float]:
    """Uneven outflow, its changes, and energy beyond the target."""
    case, weights = data.case, data.weights
    outflows = [flow * case.step_s / DAM3 for flow in trajectory.outflow_m3s]
    least, most = data.even_dam3(0)
    for flow, power_mw in zip(outflows, trajectory.power_mw, strict=True):
        yield max(0.0, least - flow, flow - most) * weights.uneven_eur
        excess_mwh = power_mw * case.step_s / 3600 - weights.specific_energy_mwh_per_dam3 * flow
        yield max(0.0, excess_mwh) * weights.specific_energy_eur_per_mwh
    for before, after in pairwise(outflows):
        yield abs(after - before) * weights.smooth_eur


def _worn(data: PumpingData, frequency_hz: Sequence[Sequence[float]]) -> Iterator[float]:
    """Wear of the pumps that ran most."""
    for asked_hz in frequency_hz:
        for group, wear_eur in zip(data.groups, data.wear_eur, strict=True):
            yield wear_eur * sum(asked_hz[place] > 0 for place in group.members)


def _committed(data: PumpingData, frequency_hz: Sequence[Sequence[float]], trajectory: StationTrajectory) -> float:
    """What it costs that pumps which must run on may lack water [EUR]."""
    on = [[was.on for was in data.case.before], *([hz > 0 for hz in asked_hz] for asked_hz in frequency_hz)]
    started = [
        [sum(now[place] and not was[place] for place in group.members) for was, now in pairwise(on)]
        for group in data.groups
    ]
    return short_dam3(data, trajectory.volume_m3, started) * data.weights.committed_eur


def _flushed(data: PumpingData, flush: range) -> float:
    asked = data.case.flush
    return 0.0 if asked is None else dict(asked.begins).get(flush.start, 0.0) if flush else data.weights.not_flushed_eur


def starts_of(frequency_hz: Sequence[Sequence[float]], before: Sequence[Before]) -> int:
    """How many pumps a schedule starts."""
    starts, were = 0, [was.on for was in before]
    for asked_hz in frequency_hz:
        running = [hz > 0 for hz in asked_hz]
        starts += sum(now and not was for now, was in zip(running, were, strict=True))
        were = running
    return starts


def scheduled_days(case: StationCase) -> list[range]:
    """The dry days that the schedule itself can judge: those that end in it."""
    return [day for day in case.dry_days if day.stop <= case.scheduled]


def energy_cost(case: StationCase, trajectory: StationTrajectory) -> float:
    """What the energy of a simulated schedule costs [EUR]."""
    hours = case.step_s / 3600
    prices = case.price_eur_per_mwh[: case.scheduled]
    return sum(p * power * hours for p, power in zip(prices, trajectory.power_mw, strict=True))


GIVEN = ("above_margin", "above_maximum_level", "below_floor", "below_lowest", "above_outflow", "idle")
"""The terms of what gives way: one variable a step, in order."""


def tail_cost(problem: PumpingProblem, values: Mapping[str, float]) -> float:
    """What the program expects of the time after the schedule [EUR]: energy, what gives way, what is left, days not emptied."""
    data, case = problem.data, problem.data.case
    if not case.tail_steps:
        return 0.0
    cost = case.water_value_eur_per_m3 * values[problem.volume[-1].name] * DAM3
    for t in range(case.scheduled, data.horizon):
        off_dam3 = values[problem.volume[t - 1].name] - data.reference_dam3[t]
        for g, of_group in enumerate(data.steps):
            step, on, fast = of_group[t], values[problem.on[g][t].name], values[problem.fast[g][t].name]
            energy = step.energy_low * on + (step.energy_high - step.energy_low) * fast + step.energy_slope * off_dam3
            cost += (case.price_eur_per_mwh[t] + data.weights.energy_eur_per_mwh) * energy
    for kind in GIVEN:
        by_step = list(problem.terms[kind].items()) if kind in problem.terms else []
        cost += sum(price * values[given.name] for given, price in by_step[case.scheduled :])
    if case.wanted is not None and case.wanted[0] >= case.scheduled:
        cost += sum(price * values[variable.name] for variable, price in problem.terms["too_much"].items())
    for d in (d for d, day in enumerate(case.dry_days) if day.stop > case.scheduled):
        cost += values[f"kept_{d}"] * data.weights.not_emptied_eur
        cost += sum(values[binary.name] * data.put_off_eur(d, s) for s, binary in problem.empty[d].items())
        cost += values.get(f"at_risk_{d}", 0.0) * data.weights.at_risk_eur
    return cost

"""A built pumping problem: what PuLP holds, and how its rows and flows are written and read back."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulp

from headworks.optimizer.models.pumping_data import DAM3, GroupStep, PumpingData

LE, EQ, GE = pulp.LpConstraintLE, pulp.LpConstraintEQ, pulp.LpConstraintGE
Columns = list[pulp.LpVariable]
Terms = dict[pulp.LpVariable, float]


@dataclass(frozen=True, slots=True)
class PumpingProblem:
    """A built problem: PuLP's, its data, and the variables that make the schedule, by group and step."""

    lp: pulp.LpProblem
    data: PumpingData
    on: tuple[Columns, ...]
    fast: tuple[Columns, ...]
    start: tuple[Columns, ...]
    stop: tuple[Columns, ...]
    volume: Columns
    empty: list[dict[int, pulp.LpVariable]]
    window: dict[int, pulp.LpVariable]
    terms: dict[str, pulp.LpAffineExpression]


def row(problem: PumpingProblem, name: str, terms: Terms, sense: int, right: float) -> None:
    """Add one row."""
    problem.lp.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, name, right))


def flow(problem: PumpingProblem, t: int) -> Terms:
    """The outflow of step t at the reference volume [dam³]."""
    terms: Terms = {}
    for g, of_group in enumerate(problem.data.steps):
        step: GroupStep = of_group[t]
        terms[problem.on[g][t]] = step.flow_low
        terms[problem.fast[g][t]] = step.flow_high - step.flow_low
    return terms


def flow_slope(data: PumpingData, t: int) -> float:
    """How the outflow changes with the volume at the start of step t."""
    return sum(of_group[t].flow_slope for of_group in data.steps)


def counts(columns: Sequence[Columns], values: dict[str, float]) -> tuple[tuple[float, ...], ...]:
    """The values of variables by group and step."""
    return tuple(tuple(values[variable.name] for variable in of_group) for of_group in columns)


def group_flows(problem: PumpingProblem, values: dict[str, float]) -> tuple[tuple[float, ...], ...]:
    """The outflow that the program plans for each group and step [m³]."""
    data = problem.data
    flows = []
    for g, of_group in enumerate(data.steps):
        planned = []
        for t, step in enumerate(of_group):
            on, fast = values[problem.on[g][t].name], values[problem.fast[g][t].name]
            off_dam3 = values[problem.volume[t - 1].name] - data.reference_dam3[t] if t else 0.0
            flow_dam3 = step.flow_low * on + (step.flow_high - step.flow_low) * fast + step.flow_slope * off_dam3
            planned.append(flow_dam3 * DAM3)
        flows.append(tuple(planned))
    return tuple(flows)

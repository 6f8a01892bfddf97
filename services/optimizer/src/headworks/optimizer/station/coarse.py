"""A first plan within a fraction of a second, for the program to begin with: steps as long as a minimum run, pumps alike.

In such steps every count keeps the minimum runs and rests by itself, and the program is small. What it plans is followed on
the real steps and curves by single pumps.
"""

from collections.abc import Sequence
from dataclasses import replace

from headworks.optimizer import solver
from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_data import (
    DAM3,
    Reference,
    StationCase,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
)
from headworks.optimizer.models.pumping_problem import PumpingProblem, counts, group_flows
from headworks.optimizer.station.following import Wish, follow
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules

ALIKE_M = 1000.0
"""All pumps of a make are alike here."""
ROUNDS = 2
"""The first is linear about a guess of the level, the second about what the first leads to."""
MIP_GAP = 0.02
LONGEST_S = 1.0
"""For each round; it mostly takes a tenth."""


def first_plan(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    first_volume_m3: float,
    time_limit_s: float,
    on_progress: solver.Progress | None = None,
) -> tuple[tuple[float, ...], ...]:
    """Frequencies by step and pump to begin with; none where no such plan is found."""
    joined = max(rules.minimum_run_steps, rules.minimum_rest_steps, 1)
    if case.scheduled % joined:
        return ()
    groups = group_pumps(station.pumps, ALIKE_M, case.not_planned)
    long_rules = replace(rules, minimum_run_steps=1, minimum_rest_steps=1)
    long_case, long_weights = _joined(rules, case, joined), _of_longer(weights, joined)
    about = flat_reference(long_case, groups, max(case.initial_volume_m3, first_volume_m3))
    wish: Wish | None = None
    for _ in range(ROUNDS):
        problem = build_pumping(prepare_station(station, long_rules, long_case, long_weights, groups, about))
        result = solver.solve_with_highs(problem.lp, solver.SolverOptions(time_limit_s, MIP_GAP), on_progress)
        found = result.best if isinstance(result, solver.TimedOut) else result
        if not isinstance(found, solver.Solved):
            break
        wish = _wish(problem, found, case, joined)
        about = _about(problem, found)
    if wish is None:
        return ()
    flat = flat_reference(case, groups, case.initial_volume_m3)
    return follow(station, prepare_station(station, rules, case, weights, groups, flat), wish)


def _joined(rules: StationRules, case: StationCase, joined: int) -> StationCase:
    """The case in longer steps; the tail's stay as they are. A run or rest under way that must go on holds for the first one.

    A flush window is left to the program: it fits no longer step.
    """
    steps, least = range(0, case.scheduled, joined), (rules.minimum_rest_steps, rules.minimum_run_steps)
    inflow, price, above = case.inflow_m3, case.price_eur_per_mwh, case.inflow_above_m3

    def place(t: int) -> int:
        return t // joined if t < case.scheduled else len(steps) + t - case.scheduled

    def after(t: int) -> int:
        return -(-t // joined) if t < case.scheduled else place(t)

    return replace(
        case,
        before=tuple(Before(was.on, int(was.steps >= least[was.on])) for was in case.before),
        inflow_m3=(*(sum(inflow[t : t + joined]) for t in steps), *inflow[case.scheduled :]),
        price_eur_per_mwh=(*(sum(price[t : t + joined]) / joined for t in steps), *price[case.scheduled :]),
        inflow_above_m3=(*(sum(above[t : t + joined]) for t in steps), *above[case.scheduled :]) if above else (),
        missing_by_lead=(),
        urgency=(*(sum(case.urgency[t : t + joined]) / joined for t in steps), *case.urgency[case.scheduled :])
        if case.urgency
        else (),
        step_s=case.step_s * joined,
        dry_days=tuple(day for day in (range(after(d.start), place(d.stop)) for d in case.dry_days) if day),
        flush=None,
        wanted=None if case.wanted is None else (after(case.wanted[0] + 1) - 1, case.wanted[1]),
    )


def _of_longer(weights: StationWeights, joined: int) -> StationWeights:
    """What is paid for each step, paid for the longer ones; a change between two of them is of so much more water."""
    return replace(
        weights,
        margin_eur=weights.margin_eur * joined,
        floor_eur=weights.floor_eur * joined,
        violation_eur=weights.violation_eur * joined,
        smooth_eur=weights.smooth_eur / joined,
        wear_eur=weights.wear_eur * joined,
    )


def _wish(problem: PumpingProblem, found: solver.Solved, case: StationCase, joined: int) -> Wish:
    """What was planned, in the case's own steps: counts and flows alike over each longer one, the volume on a straight line."""
    data = problem.data
    ends_m3 = [found.values[variable.name] * DAM3 for variable in problem.volume]
    begins_m3 = [data.case.initial_volume_m3, *ends_m3]
    steps = [divmod(t, joined) for t in range(case.scheduled)]
    return Wish(
        on=tuple(tuple(float(round(of[b])) for b, _ in steps) for of in counts(problem.on, found.values)),
        flow_m3=tuple(tuple(of[b] / joined for b, _ in steps) for of in group_flows(problem, found.values)),
        volume_m3=tuple(begins_m3[b] + (ends_m3[b] - begins_m3[b]) * (k + 1) / joined for b, k in steps),
    )


def _about(problem: PumpingProblem, found: solver.Solved) -> Reference:
    ends_m3: Sequence[float] = [found.values[variable.name] * DAM3 for variable in problem.volume]
    return Reference(
        (problem.data.case.initial_volume_m3, *ends_m3[:-1]),
        counts(problem.on, found.values),
        counts(problem.fast, found.values),
    )

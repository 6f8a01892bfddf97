"""What is started must run on: whether its water comes even where less flows in than expected.

A later plan may stop pumps that have run their time and start none, but not the pumps that were started a little while ago.
What they take at their slowest must be there, whenever one begins to see that less comes. That one pump at least runs on is
left out, and so are the moments between those that are looked at.
"""

from collections.abc import Iterator, Sequence

import pulp

from headworks.optimizer.models.pumping_data import DAM3, PumpingData
from headworks.optimizer.models.pumping_problem import GE, PumpingProblem, Terms, row

PARTS = (0.5, 1.0)
"""After these parts of a minimum run the water must still be there. The last is exact for what is started in the step itself;
between them runs of pumps started earlier end, and the water may be lower than at either. A row for each step would be exact,
and is three and a half times as many."""


def add_commitment(problem: PumpingProblem) -> None:
    """committed_ht: volume_t + inflow_(t+1)..(t+h) − what may be missing of it and of inflow_t − Σ_g low_g·(pumps started until t
    that must still run) ≥ keep − short_t.
    """
    data, costs = problem.data, Terms()
    for t, bounds in _ahead(data):
        short = problem.lp.add_variable(f"short_{t:03d}", 0)
        costs[short] = data.weights.committed_eur
        for h, comes_dam3, taken_dam3 in bounds:
            terms: Terms = {problem.volume[t]: 1.0, short: 1.0}
            for g, s, of_one_dam3 in taken_dam3:
                terms[problem.start[g][s]] = -of_one_dam3
            row(problem, f"committed_{h}_{t:03d}", terms, GE, keep_dam3(data) - comes_dam3)
    problem.terms["committed"] = pulp.LpAffineExpression(costs)


def short_dam3(data: PumpingData, volume_m3: Sequence[float], started: Sequence[Sequence[int]]) -> float:
    """By how much the water of a schedule may fall short, over all its steps, with so many pumps started by group and step."""
    return sum(
        max(
            0.0,
            *(
                keep_dam3(data) - volume_m3[t] / DAM3 - comes_dam3 + sum(started[g][s] * of for g, s, of in taken_dam3)
                for _, comes_dam3, taken_dam3 in bounds
            ),
        )
        for t, bounds in _ahead(data)
    )


def keep_dam3(data: PumpingData) -> float:
    """What shall be left even then."""
    return data.lowest_dam3 - data.weights.inflow_reserve_m3 / DAM3


_Bound = tuple[int, float, list[tuple[int, int, float]]]


def _ahead(data: PumpingData) -> Iterator[tuple[int, list[_Bound]]]:
    """For each step its bounds: how far ahead; what will have come until then at least, less what the pumps from before the first
    step must have taken; and what a pump of a group that was started in a step must have.
    """
    case, run, missing = data.case, data.rules.minimum_run_steps, data.case.missing_by_lead
    if not any(missing[:run]) or data.weights.committed_eur <= 0:
        return
    spans = sorted({round(part * run) - 1 for part in PARTS} - {0, -1})
    for t in range(case.scheduled - spans[0] if spans else 0):
        yield t, [_bound(data, t, h) for h in spans if t + h < case.scheduled]


def _bound(data: PumpingData, t: int, h: int) -> _Bound:
    case, run = data.case, data.rules.minimum_run_steps
    comes_dam3 = -case.missing_by_lead[0] * case.inflow_m3[t] / DAM3
    taken: dict[tuple[int, int], float] = {}
    for lead, later in enumerate(range(t + 1, t + h + 1), 1):
        comes_dam3 += (1 - case.missing_by_lead[lead]) * case.inflow_m3[later] / DAM3
        for g, of_group in enumerate(data.steps):
            low_dam3 = of_group[later].flow_low
            comes_dam3 -= data.held(g, later) * low_dam3
            for s in range(max(0, later - run + 1), t + 1):
                taken[g, s] = taken.get((g, s), 0.0) + low_dam3
    return h, comes_dam3, [(g, s, of_one_dam3) for (g, s), of_one_dam3 in taken.items()]

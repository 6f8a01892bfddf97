"""The rows that flush the tunnel: emptied once on each dry day, and, where it is asked, a window with all pumps at speed."""

import pulp

from headworks.optimizer.models.pumping_problem import EQ, LE, PumpingProblem, Terms, row


def add_emptying(problem: PumpingProblem) -> None:
    """emptied_d: one step of a dry day ends empty, or the water is kept at a price;
    emptied_by_dt: volume_t ≤ Σ_s reach_st·empty_s + most_t·kept, what it can be at t if it is empty at s.
    """
    data = problem.data
    costs: Terms = {}
    for d, day in enumerate(data.case.dry_days):
        in_reach = [t for t in day if data.least_dam3(t) <= data.emptied_dam3]
        empty = {
            s: problem.lp.add_variable(
                f"empty_{s:03d}", 0, 1, pulp.LpInteger if s < data.case.scheduled else pulp.LpContinuous
            )
            for s in in_reach
        }
        kept = problem.lp.add_variable(f"kept_{d}", 0, 1)
        row(problem, f"emptied_{d}", {**dict.fromkeys(empty.values(), 1.0), kept: 1.0}, EQ, 1.0)
        for t in range(day.stop) if empty else ():
            terms: Terms = {problem.volume[t]: 1.0, kept: -data.most_dam3(t)}
            for s, binary in empty.items():
                terms[binary] = -data.reach_dam3(s, t)
            row(problem, f"emptied_by_{d}_{t:03d}", terms, LE, 0.0)
        problem.empty.append(empty)
        costs[kept] = data.weights.not_emptied_eur
    problem.terms["emptying"] = pulp.LpAffineExpression(costs)

"""The rows that flush the tunnel: emptied once on each dry day, and, where it is asked, a window with all pumps at speed."""

from collections.abc import Mapping

import pulp

from headworks.optimizer.models.pumping_data import DAM3, LAST
from headworks.optimizer.models.pumping_problem import EQ, GE, LE, Columns, PumpingProblem, Terms, row


def add_emptying(problem: PumpingProblem) -> None:
    """emptied_d: one step of a dry day ends empty, the later the dearer once it is urgent, or the water is kept at a price;
    emptied_by_dt: volume_t ≤ Σ_s reach_st·empty_s + most_t·kept, what it can be at t if it is empty at s;
    in_time_dt: until then volume_t ≤ room_dt + at_risk_d, what leaves time to empty it should more flow in than expected.
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
        costs |= _add_in_time(problem, d, kept)
        costs[kept] = data.weights.not_emptied_eur
        costs |= {binary: late_eur for s, binary in empty.items() if (late_eur := data.put_off_eur(d, s)) > 0}
    problem.terms["emptying"] = pulp.LpAffineExpression(costs)


def _add_in_time(problem: PumpingProblem, d: int, kept: pulp.LpVariable) -> Terms:
    """The rows of one day, and what is at risk at its price: the worst of its steps counts."""
    data, day, empty = problem.data, problem.data.case.dry_days[d], problem.empty[d]
    rooms = {t: room for t in range(day.stop) if empty and (room := data.room_dam3(day, t)) is not None}
    if not rooms:
        return {}
    at_risk = problem.lp.add_variable(f"at_risk_{d}", 0)
    for t, room_dam3 in rooms.items():
        terms: Terms = {problem.volume[t]: 1.0, kept: -data.most_dam3(t), at_risk: -1.0}
        for s, binary in empty.items():
            terms[binary] = -(room_dam3 if t < s else data.most_dam3(t))
        row(problem, f"in_time_{d}_{t:03d}", terms, LE, 0.0)
    return {at_risk: data.weights.at_risk_eur}


def add_flush_window(problem: PumpingProblem) -> None:
    """flushed: one window begins, or none does at a price; flush_on_gt, flush_fast_gt: within it all pumps run, and as fast as
    is asked; flush_from_s: there is water enough to begin.
    """
    data, asked = problem.data, problem.data.case.flush
    if asked is None:
        return
    missed = problem.lp.add_variable("unflushed", 0, 1)
    under_way = any(s < 0 for s, _ in asked.begins)
    costs: Terms = {missed: LAST * data.weights.violation_eur if under_way else data.weights.not_flushed_eur}
    for s, price in asked.begins:
        name = f"{s:03d}" if s >= 0 else f"before_{-s:03d}"
        problem.window[s] = problem.lp.add_variable(f"window_{name}", 0, 1, pulp.LpInteger)
        costs[problem.window[s]] = price
        if s > 0:
            terms: Terms = {problem.volume[s - 1]: 1.0, problem.window[s]: -asked.least_volume_m3 / DAM3}
            row(problem, f"flush_from_{name}", terms, GE, 0.0)
    row(problem, "flushed", {**dict.fromkeys(problem.window.values(), 1.0), missed: 1.0}, EQ, 1.0)
    for t in range(data.case.scheduled):
        _add_all_pumps(problem, t, flushing(problem, t))
    problem.terms["flush"] = pulp.LpAffineExpression(costs)


def _add_all_pumps(problem: PumpingProblem, t: int, windows: Columns) -> None:
    asked = problem.data.case.flush
    missing = set() if asked is None else set(asked.missing)
    for g, group in enumerate(problem.data.groups) if windows else ():
        pumps = len(set(group.members) - missing)
        on: Terms = {problem.on[g][t]: 1.0, **dict.fromkeys(windows, -float(pumps))}
        row(problem, f"flush_on_{group.name}_{t:03d}", on, GE, 0.0)
        share = pumps * problem.data.steps[g][t].flush_share
        fast: Terms = {problem.fast[g][t]: 1.0, **dict.fromkeys(windows, -share)}
        row(problem, f"flush_fast_{group.name}_{t:03d}", fast, GE, 0.0)


def flushing(problem: PumpingProblem, t: int) -> Columns:
    """The windows that hold step t: at most one of them is planned."""
    asked = problem.data.case.flush
    return [] if asked is None else [window for s, window in problem.window.items() if s <= t < s + asked.steps]


def flush_of(problem: PumpingProblem, values: Mapping[str, float]) -> range:
    """The steps of the window that is planned; none of them where none is."""
    asked = problem.data.case.flush
    planned = [s for s, window in problem.window.items() if values[window.name] > 0.5]
    return range(planned[0], planned[0] + asked.steps) if asked is not None and planned else range(0)

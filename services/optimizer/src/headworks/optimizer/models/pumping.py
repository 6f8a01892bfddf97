"""The pumping station's schedule as a mixed-integer program with the volume as the state, linear about a reference.

Sets        t ∈ T, steps of the horizon, the last a tail of longer ones without integers; g ∈ G, groups of pumps planned
            alike; d ∈ D, dry days still to be emptied
Data        flow and energy of a group's pump at least and full speed, and their change with the volume; inflow, price,
            volumes of the limits (pumping_data.py)
Variables   on_gt, the pumps on (integer); fast_gt ≤ on_gt, how many of them at full speed, in parts; start_gt, stop_gt;
            volume_t [dam³]; above_margin_t, above_maximum_level_t, below_floor_t, below_lowest_t, above_outflow_t [dam³] and
            idle_t [pumps], what gives way, each at its price; rise_t, fall_t [dam³] of the outflow;
            excess_t [MWh] beyond the target of specific energy; empty_s (binary), the step that ends empty, and kept_d, a
            dry day that is not emptied; at_risk_d [dam³], what more inflow than expected would leave in it;
            short_t [dam³], what less inflow than expected would want for the pumps that must run on;
            window_s (binary), the flush that begins with s, and unflushed
Equations   water_balance, count, minimum_run, minimum_rest, fast, pumps_on, outflow, margin, maximum_level, floor, lowest,
            wanted, smooth, less_even, more_even, specific_energy;
            committed (pumping_commitment.py);
            emptied, emptied_by, in_time, flushed, flush_on, flush_fast, flush_from
            (pumping_flush.py)

Minimum runs and rests are the aggregated inequalities: the starts of the last n steps are among those on, the stops of the
last n among those off. For pumps alike these are exact, with no product of variables and no big number.
"""

import pulp

from headworks.optimizer.models.pumping_commitment import add_commitment
from headworks.optimizer.models.pumping_data import DAM3, LAST, PumpingData
from headworks.optimizer.models.pumping_flush import add_emptying, add_flush_window, flushing
from headworks.optimizer.models.pumping_problem import EQ, GE, LE, Columns, PumpingProblem, Terms, flow, flow_slope, row

WANTED = 4.0


def build_pumping(data: PumpingData, name: str = "station") -> PumpingProblem:
    """The problem of a prepared case. The same data give the same problem, name by name and number by number."""
    problem = _variables(data, name)
    _add_water_balance(problem)
    _add_counts(problem)
    _add_minimum_runs(problem)
    add_commitment(problem)
    _add_speed(problem)
    _add_pumps_on(problem)
    add_flush_window(problem)
    _add_outflow(problem)
    _add_levels(problem)
    _add_wanted_volume(problem)
    _add_smoothness(problem)
    _add_evenness(problem)
    add_emptying(problem)
    _add_specific_energy(problem)
    _add_energy(problem)
    problem.lp.setObjective(pulp.lpSum(problem.terms.values()))
    return problem


def _variables(data: PumpingData, name: str) -> PumpingProblem:
    lp, steps = pulp.LpProblem(name, pulp.LpMinimize), range(data.horizon)

    def columns(kind: str, category: str) -> tuple[Columns, ...]:
        return tuple(
            [
                lp.add_variable(
                    f"{kind}_{group.name}_{t:03d}",
                    0,
                    len(group.members),
                    category if t < data.case.scheduled else pulp.LpContinuous,
                )
                for t in steps
            ]
            for group in data.groups
        )

    return PumpingProblem(
        lp=lp,
        data=data,
        on=columns("on", pulp.LpInteger),
        fast=columns("fast", pulp.LpContinuous),
        start=columns("start", pulp.LpContinuous),
        stop=columns("stop", pulp.LpContinuous),
        volume=[lp.add_variable(f"volume_{t:03d}", 0) for t in steps],
        empty=[],
        window={},
        terms={},
    )


def _add_water_balance(problem: PumpingProblem) -> None:
    """water_balance_t: volume_t = volume_(t-1) + inflow_t − flow_t − slope_t·(volume_(t-1) − reference_t)."""
    data = problem.data
    for t in range(data.horizon):
        slope, right = flow_slope(data, t), data.case.inflow_m3[t] / DAM3
        terms: Terms = {problem.volume[t]: 1.0, **flow(problem, t)}
        if t:
            terms[problem.volume[t - 1]] = slope - 1.0
            right += slope * data.reference_dam3[t]
        else:
            right += data.case.initial_volume_m3 / DAM3
        row(problem, f"water_balance_{t:03d}", terms, EQ, right)


def _add_counts(problem: PumpingProblem) -> None:
    """count_gt: on_gt − on_g(t-1) = start_gt − stop_gt; every start has a price."""
    costs: Terms = {}
    for g, group in enumerate(problem.data.groups):
        running = sum(problem.data.case.before[place].on for place in group.members)
        for t in range(problem.data.horizon):
            terms: Terms = {problem.on[g][t]: 1.0, problem.start[g][t]: -1.0, problem.stop[g][t]: 1.0}
            if t:
                terms[problem.on[g][t - 1]] = -1.0
            row(problem, f"count_{group.name}_{t:03d}", terms, EQ, 0.0 if t else running)
            costs[problem.start[g][t]] = problem.data.weights.start_eur
    problem.terms["starts"] = pulp.LpAffineExpression(costs)


def _add_minimum_runs(problem: PumpingProblem) -> None:
    """minimum_run_gt: starts of the last n steps ≤ on_gt − those that must still run from before;
    minimum_rest_gt: stops of the last n steps ≤ pumps − on_gt − those that must still rest.
    """
    data = problem.data
    for g, group in enumerate(data.groups):
        was = [data.case.before[place] for place in group.members]
        for t in range(data.case.scheduled):
            run, rest = data.rules.minimum_run_steps, data.rules.minimum_rest_steps
            kept = sum(not b.on and t < rest - b.steps for b in was)
            starts: Terms = {problem.start[g][s]: -1.0 for s in range(max(0, t - run + 1), t + 1)}
            stops: Terms = {problem.stop[g][s]: 1.0 for s in range(max(0, t - rest + 1), t + 1)}
            row(problem, f"minimum_run_{group.name}_{t:03d}", {problem.on[g][t]: 1.0, **starts}, GE, data.held(g, t))
            most = len(group.members) - kept
            row(problem, f"minimum_rest_{group.name}_{t:03d}", {problem.on[g][t]: 1.0, **stops}, LE, most)


def _add_speed(problem: PumpingProblem) -> None:
    """fast_gt: only a pump that is on can be at full speed."""
    for g, group in enumerate(problem.data.groups):
        for t in range(problem.data.horizon):
            terms: Terms = {problem.fast[g][t]: 1.0, problem.on[g][t]: -1.0}
            row(problem, f"fast_{group.name}_{t:03d}", terms, LE, 0.0)


def _give(problem: PumpingProblem, kind: str, price: float) -> Columns:
    """What lets a limit give way in each step, at a price."""
    given = [problem.lp.add_variable(f"{kind}_{t:03d}", 0) for t in range(problem.data.horizon)]
    problem.terms[kind] = pulp.LpAffineExpression(dict.fromkeys(given, price))
    return given


def _add_pumps_on(problem: PumpingProblem) -> None:
    """pumps_on_t: at least so many pumps are on."""
    idle = _give(problem, "idle", LAST * problem.data.weights.violation_eur)
    for t in range(problem.data.horizon):
        terms: Terms = dict.fromkeys([of_group[t] for of_group in problem.on], 1.0)
        row(problem, f"pumps_on_{t:03d}", {**terms, idle[t]: 1.0}, GE, problem.data.rules.minimum_pumps_on)


def _add_outflow(problem: PumpingProblem) -> None:
    """outflow_t: the plant takes at most so much."""
    data = problem.data
    above = _give(problem, "above_outflow", LAST * data.weights.violation_eur)
    for t in range(data.horizon):
        terms, slope, right = flow(problem, t), flow_slope(data, t), data.outflow_dam3[t]
        terms[above[t]] = -1.0
        terms |= dict.fromkeys(flushing(problem, t), right - data.most_out_dam3(t))
        if t:
            terms[problem.volume[t - 1]] = slope
            right += slope * data.reference_dam3[t]
        row(problem, f"outflow_{t:03d}", terms, LE, right)


def _add_levels(problem: PumpingProblem) -> None:
    """margin_t, maximum_level_t: volume_t ≤ limit + what is above; floor_t, lowest_t: volume_t ≥ limit − what is below.

    Where the maximum is hard nothing may be above it.
    """
    data, weights = problem.data, problem.data.weights
    for kind, limit_dam3, price, sign in (
        ("margin", data.margin_dam3, weights.margin_eur, 1.0),
        ("maximum_level", data.maximum_dam3, weights.violation_eur, 1.0),
        ("floor", data.floor_dam3, weights.floor_eur, -1.0),
        ("lowest", data.lowest_dam3, LAST * weights.violation_eur, -1.0),
    ):
        if price <= 0:
            continue
        gives_way = not (weights.hard_maximum and kind == "maximum_level")
        given = _give(problem, f"{'above' if sign > 0 else 'below'}_{kind}", price) if gives_way else []
        for t in range(data.horizon):
            terms: Terms = {problem.volume[t]: sign}
            if given:
                terms[given[t]] = -1.0
            row(problem, f"{kind}_{t:03d}", terms, LE, sign * limit_dam3)


def _add_wanted_volume(problem: PumpingProblem) -> None:
    """wanted_t: volume_t ≤ what is wanted + what is too much, at the price of a level above its maximum for an hour."""
    data = problem.data
    if data.case.wanted is None:
        return
    t, at_most_m3 = data.case.wanted
    too_much = problem.lp.add_variable("too_much", 0)
    row(problem, f"wanted_{t:03d}", {problem.volume[t]: 1.0, too_much: -1.0}, LE, at_most_m3 / DAM3)
    problem.terms["too_much"] = pulp.LpAffineExpression({too_much: WANTED * data.weights.violation_eur})


def _add_smoothness(problem: PumpingProblem) -> None:
    """smooth_t: flow_t − flow_(t-1) = rise_t − fall_t, both at a price."""
    data = problem.data
    if data.weights.smooth_eur <= 0:
        return
    costs: Terms = {}
    for t in range(1, data.case.scheduled):
        rise, fall = (problem.lp.add_variable(f"{kind}_{t:03d}", 0) for kind in ("rise", "fall"))
        terms = flow(problem, t)
        for variable, coefficient in flow(problem, t - 1).items():
            terms[variable] = -coefficient
        row(problem, f"smooth_{t:03d}", {**terms, rise: -1.0, fall: 1.0}, EQ, 0.0)
        costs[rise] = costs[fall] = data.weights.smooth_eur
    problem.terms["smoothness"] = pulp.LpAffineExpression(costs)


def _add_evenness(problem: PumpingProblem) -> None:
    """less_even_t, more_even_t: even − uneven_t ≤ flow_t ≤ even + uneven_t, about the mean inflow, beyond it at a price."""
    data = problem.data
    if data.weights.uneven_eur <= 0:
        return
    costs: Terms = {}
    for t in range(data.case.scheduled):
        uneven = problem.lp.add_variable(f"uneven_{t:03d}", 0)
        least_dam3, most_dam3 = data.even_dam3(t)
        row(problem, f"less_even_{t:03d}", {**flow(problem, t), uneven: 1.0}, GE, least_dam3)
        row(problem, f"more_even_{t:03d}", {**flow(problem, t), uneven: -1.0}, LE, most_dam3)
        costs[uneven] = data.weights.uneven_eur
    problem.terms["evenness"] = pulp.LpAffineExpression(costs)


def _add_specific_energy(problem: PumpingProblem) -> None:
    """specific_energy_t: energy_t ≤ target·flow_t + excess_t, the excess at a price."""
    data, weights = problem.data, problem.data.weights
    if weights.specific_energy_eur_per_mwh <= 0:
        return
    costs: Terms = {}
    target = weights.specific_energy_mwh_per_dam3
    for t in range(data.case.scheduled):
        excess = problem.lp.add_variable(f"excess_{t:03d}", 0)
        terms: Terms = {excess: -1.0}
        for variable, flow_dam3 in flow(problem, t).items():
            terms[variable] = -target * flow_dam3
        for g, of_group in enumerate(data.steps):
            step = of_group[t]
            terms[problem.on[g][t]] += step.energy_low
            terms[problem.fast[g][t]] += step.energy_high - step.energy_low
        slope = sum(of_group[t].energy_slope - target * of_group[t].flow_slope for of_group in data.steps)
        if t:
            terms[problem.volume[t - 1]] = slope
        row(problem, f"specific_energy_{t:03d}", terms, LE, slope * data.reference_dam3[t] if t else 0.0)
        costs[excess] = weights.specific_energy_eur_per_mwh
    problem.terms["specific_energy"] = pulp.LpAffineExpression(costs)


def _add_energy(problem: PumpingProblem) -> None:
    """Price × energy, which changes with the volume too; wear of the pumps that ran most; and what the water left costs later."""
    data = problem.data
    costs: Terms = {}
    constant = 0.0
    for t, market_price in enumerate(data.case.price_eur_per_mwh):
        price = market_price + data.weights.energy_eur_per_mwh
        for g, of_group in enumerate(data.steps):
            step = of_group[t]
            costs[problem.on[g][t]] = price * step.energy_low
            costs[problem.fast[g][t]] = price * (step.energy_high - step.energy_low)
        slope = price * sum(of_group[t].energy_slope for of_group in data.steps)
        if t:
            costs[problem.volume[t - 1]] = slope
            constant -= slope * data.reference_dam3[t]
    problem.terms["energy"] = pulp.LpAffineExpression(costs, constant)
    problem.terms["wear"] = pulp.LpAffineExpression(
        {on: wear for of_group, wear in zip(problem.on, data.wear_eur, strict=True) if wear > 0 for on in of_group}
    )
    last = problem.volume[-1]
    problem.terms["water_left"] = pulp.LpAffineExpression({last: data.case.water_value_eur_per_m3 * DAM3})

"""The afterbay's schedule as a linear program with storage as the state. docs/models/afterbay.md holds it in full.

Sets        t ∈ T, the hours of the horizon
Data        inflow_t, the water of a MW and of none, storages of the limits, ramp, head curve, prices per unit (data.py)
Variables   power_t, head_t [MW]; storage_t [dam³ = 1000 m³] from the minimum elevation; rise_t, fall_t [MW];
            over_t, under_t [dam³] from the midpoint, no further than the limits; short_t [MW] below the unit's maximum in
            a rafting window; in the soft form spill_t, and above_t, below_t [dam³] beyond the elevation limits
Equations   water_balance, elevation, head_limit, head_start, head_end, change, rafting, and with integers spill_gate,
            spill_full, spill_power, change_made, change_count, change_spacing
"""

from dataclasses import dataclass

import pulp

from headworks.optimizer.afterbay.case import Form, IntegerOptions
from headworks.optimizer.models.data import RANK_PRICE, Data

LE, EQ, GE = pulp.LpConstraintLE, pulp.LpConstraintEQ, pulp.LpConstraintGE
Columns = list[pulp.LpVariable]


@dataclass(frozen=True, slots=True)
class Problem:
    """A built problem: PuLP's, its data, and the variables of which others ask; `spill` is by hour, where there can be any."""

    lp: pulp.LpProblem
    form: Form
    data: Data
    power: Columns
    storage: Columns
    spill: dict[int, pulp.LpVariable]
    terms: dict[str, pulp.LpAffineExpression]


def build(
    data: Data,
    form: Form,
    *,
    integers: IntegerOptions | None = None,
    gate_spill: bool = False,
    counted: frozenset[int] = frozenset(),
) -> Problem:
    """The problem of a prepared case. The same arguments give the same problem, name by name and number by number.

    `integers` None leaves the model linear. `gate_spill` allows spill only in hours that end at float, by a binary each:
    for the rare case in which the prices alone do not keep the linear form to it. `counted` are hours within a rafting
    window in which a change counts all the same, because a solve has shown a partial release there.
    """
    problem = _variables(data, form)
    _add_water_balance(problem)
    _add_elevation(problem)
    _add_head_limit(problem)
    rise, fall = _add_change(problem)
    _add_rafting(problem)
    _add_spill(problem)
    _add_revenue(problem)
    above_power = integers is not None and integers.spill_above_power_only
    is_open = _add_spill_gates(problem) if gate_spill or above_power else {}
    if gate_spill:
        _add_spill_at_float(problem, is_open)
    if above_power:
        _add_spill_above_power(problem, is_open)
    if integers is not None:
        _add_change_counts(problem, rise, fall, integers, counted)
    problem.lp.setObjective(pulp.lpSum(problem.terms.values()))
    return problem


def _columns(lp: pulp.LpProblem, name: str, hours: int, low: float | None, high: float | None) -> Columns:
    return [lp.add_variable(f"{name}_{t:03d}", low, high) for t in range(hours)]


def _variables(data: Data, form: Form) -> Problem:
    """Power between the unit's limits; storage within the elevation limits, or when soft within what nature allows."""
    lp, strict = pulp.LpProblem(f"{data.site}_{form.value}", pulp.LpMinimize), form is Form.MILP
    low, high = (0.0, data.maximum_dam3) if strict else (data.lowest_dam3, data.float_dam3)
    spilling = [] if strict else [t for t, most in enumerate(data.most_spill_dam3) if most > 0]
    return Problem(
        lp=lp,
        form=form,
        data=data,
        power=_columns(lp, "power", data.hours, data.min_power_mw, data.highest_mw),
        storage=_columns(lp, "storage", data.hours, low, high),
        spill={t: lp.add_variable(f"spill_{t:03d}", 0, data.most_spill_dam3[t]) for t in spilling},
        terms={},
    )


def _row(problem: Problem, name: str, terms: dict[pulp.LpVariable, float], sense: int, right: float) -> None:
    problem.lp.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, name, right))


def _add_water_balance(problem: Problem) -> None:
    """water_balance_t: storage_t = storage_(t-1) + inflow_t − (k·power_t + k0) − spill_t."""
    data = problem.data
    for t in range(data.hours):
        terms = {problem.storage[t]: 1.0, problem.power[t]: data.water_per_mw_dam3}
        right = data.inflow_dam3[t] - data.water_at_zero_dam3
        if t in problem.spill:
            terms[problem.spill[t]] = 1.0
        if t:
            terms[problem.storage[t - 1]] = -1.0
        else:
            right += data.initial_dam3
        _row(problem, f"water_balance_abay_{t:03d}", terms, EQ, right)


def _add_elevation(problem: Problem) -> None:
    """elevation_t: storage_t = midpoint + over_t − under_t (+ above_t − below_t); over and under end at the limits.

    So the limits are bounds in the strict form; in the soft one what goes beyond them has its own, higher price.
    """
    data, prices = problem.data, problem.data.prices
    over = _columns(problem.lp, "over", data.hours, 0, data.maximum_dam3 - data.midpoint_dam3)
    under = _columns(problem.lp, "under", data.hours, 0, data.midpoint_dam3)
    problem.terms["midpoint_elevation"] = pulp.LpAffineExpression(dict.fromkeys([*over, *under], prices.midpoint))
    above: Columns = []
    below: Columns = []
    if problem.form is Form.MPC:
        above = _columns(problem.lp, "above", data.hours, 0, data.float_dam3 - data.maximum_dam3)
        below = _columns(problem.lp, "below", data.hours, 0, -data.lowest_dam3)
        problem.terms["minimum_elevation"] = pulp.LpAffineExpression(dict.fromkeys(below, prices.below))
        problem.terms["maximum_elevation"] = pulp.LpAffineExpression(dict.fromkeys(above, prices.above))
    for t in range(data.hours):
        terms = {problem.storage[t]: 1.0, over[t]: -1.0, under[t]: 1.0}
        if above:
            terms[above[t]], terms[below[t]] = -1.0, 1.0
        _row(problem, f"elevation_abay_{t:03d}", terms, EQ, data.midpoint_dam3)


def _add_head_limit(problem: Problem) -> None:
    """head_limit_t_k: head_t ≤ a_k·storage_t + b_k; head_start_t, head_end_t: power_t ≤ the head at both ends of the hour."""
    data, power, storage = problem.data, problem.power, problem.storage
    lowest = [] if problem.form is Form.MILP else [data.head_lines.below]
    releases = (*data.rafting_hours, False)
    head = _columns(problem.lp, "head", data.hours, None, data.highest_mw)
    for t in range(data.hours):
        lines = data.head_lines.fine if releases[t] or releases[t + 1] else data.head_lines.coarse
        for k, (slope, intercept) in enumerate([*lowest, *lines]):
            _row(problem, f"head_limit_abay_{t:03d}_{k}", {head[t]: 1.0, storage[t]: -slope}, LE, intercept)
        _row(problem, f"head_end_{t:03d}", {power[t]: 1.0, head[t]: -1.0}, LE, 0.0)
        if t:
            _row(problem, f"head_start_{t:03d}", {power[t]: 1.0, head[t - 1]: -1.0}, LE, 0.0)
        else:
            _row(problem, "head_start_000", {power[0]: 1.0}, LE, data.initial_head_mw)


def _add_change(problem: Problem) -> tuple[Columns, Columns]:
    """change_t: power_t − power_(t-1) = rise_t − fall_t, each at most the ramp; the price is higher by night."""
    data, power = problem.data, problem.power
    rise = _columns(problem.lp, "rise", data.hours, 0, data.ramp_mw)
    fall = _columns(problem.lp, "fall", data.hours, 0, data.ramp_mw)
    costs: dict[pulp.LpVariable, float] = {}
    for t, cost in enumerate(data.prices.change):
        terms = {power[t]: 1.0, rise[t]: -1.0, fall[t]: 1.0}
        if t:
            terms[power[t - 1]] = -1.0
        _row(problem, f"change_{t:03d}", terms, EQ, 0.0 if t else data.initial_mw)
        costs[rise[t]] = costs[fall[t]] = cost
    problem.terms["smooth_operation"] = pulp.LpAffineExpression(costs)
    return rise, fall


def _add_rafting(problem: Problem) -> None:
    """rafting_t: in a window power_t + short_t ≥ the unit's maximum; what head and ramp withhold is paid for."""
    data = problem.data
    costs: dict[pulp.LpVariable, float] = {}
    for t, in_window in enumerate(data.rafting_hours):
        if in_window:
            short = problem.lp.add_variable(f"short_{t:03d}", 0)
            terms = {problem.power[t]: 1.0, short: 1.0}
            _row(problem, f"rafting_{t:03d}", terms, GE, data.max_power_mw)
            costs[short] = data.prices.rafting
    problem.terms["summer_rafting"] = pulp.LpAffineExpression(costs)


def _add_spill(problem: Problem) -> None:
    """Every dam³ over the spillway has its price, see Prices."""
    prices = problem.data.prices.spill
    costs = {spill: prices[t] for t, spill in problem.spill.items()}
    problem.terms["avoid_spill"] = pulp.LpAffineExpression(costs)


def _add_revenue(problem: Problem) -> None:
    """Price × MW, where prices are known."""
    data = problem.data
    costs = {
        problem.power[t]: -data.prices.revenue * price
        for t, price in enumerate(data.prices_per_mwh)
        if price is not None
    }
    problem.terms["revenue"] = pulp.LpAffineExpression(costs)


def _add_spill_gates(problem: Problem) -> dict[int, pulp.LpVariable]:
    """spill_gate_t: spill_t ≤ M_t·open_t; where every schedule spills the gate is open from the first."""
    forced = [least > 0 for least in problem.data.least_spill_dam3]
    is_open = {t: problem.lp.add_variable(f"open_{t:03d}", int(forced[t]), 1, pulp.LpInteger) for t in problem.spill}
    for t, spill in problem.spill.items():
        # M: all that is over float when the unit passes its least; no more can spill in the hour.
        most_dam3 = problem.data.most_spill_dam3[t]
        _row(problem, f"spill_gate_{t:03d}", {spill: 1.0, is_open[t]: -most_dam3}, LE, 0.0)
    return is_open


def _add_spill_at_float(problem: Problem, is_open: dict[int, pulp.LpVariable]) -> None:
    """spill_full_t: storage_t ≥ float − M·(1 − open_t)."""
    # M: from float down to the lowest surveyed elevation, where storage ends.
    span_dam3 = problem.data.float_dam3 - problem.data.lowest_dam3
    for t, gate in is_open.items():
        terms = {problem.storage[t]: 1.0, gate: -span_dam3}
        _row(problem, f"spill_full_{t:03d}", terms, GE, problem.data.float_dam3 - span_dam3)


def _add_spill_above_power(problem: Problem, is_open: dict[int, pulp.LpVariable]) -> None:
    """spill_power_t: power_t + lacking_t ≥ P·open_t, P the power above which spill is borne.

    Only the soft form spills at all; there power may lack at a price of the highest rank: nature does not ask.
    """
    power_mw = problem.data.spill_power_mw
    costs: dict[pulp.LpVariable, float] = {}
    for t, gate in is_open.items():
        lacking = problem.lp.add_variable(f"lacking_{t:03d}", 0, power_mw)
        terms = {problem.power[t]: 1.0, gate: -power_mw, lacking: 1.0}
        _row(problem, f"spill_power_{t:03d}", terms, GE, 0.0)
        costs[lacking] = RANK_PRICE[1]
    problem.terms["spill_above_power"] = pulp.LpAffineExpression(costs)


def inside_release(data: Data) -> tuple[bool, ...]:
    """Whether each hour follows another of the same rafting window."""
    before = (False, *data.rafting_hours[:-1])
    return tuple(here and earlier for here, earlier in zip(data.rafting_hours, before, strict=True))


def _add_change_counts(
    problem: Problem, rise: Columns, fall: Columns, integers: IntegerOptions, counted: frozenset[int]
) -> None:
    """change_made_t: rise_t + fall_t ≤ M·changed_t; change_count: at most N; change_spacing_t: one in any n hours.

    Within a rafting window the setpoint stays at the unit's maximum while the generation follows the head: no change.
    """
    most, spacing = integers.max_setpoint_changes, integers.min_hours_between_changes
    if most is None and spacing is None:
        return
    data = problem.data
    inside = inside_release(data)
    counting = [t for t in range(data.hours) if not inside[t] or t in counted]
    changed = {t: problem.lp.add_variable(f"changed_{t:03d}", 0, 1, pulp.LpInteger) for t in counting}
    # M: the ramp, or the whole range of the unit where that is less.
    big_mw = min(data.ramp_mw, data.highest_mw - data.min_power_mw)
    for t in counting:
        _row(problem, f"change_made_{t:03d}", {rise[t]: 1.0, fall[t]: 1.0, changed[t]: -big_mw}, LE, 0.0)
    if most is not None:
        excess = problem.lp.add_variable("change_excess", 0, data.hours if problem.form is Form.MPC else 0)
        _row(problem, "change_count", {**dict.fromkeys(changed.values(), 1.0), excess: -1.0}, LE, most)
        problem.terms["change_count"] = pulp.LpAffineExpression({excess: RANK_PRICE[1]})
    for t in range(data.hours - spacing + 1 if spacing else 0):
        near = [changed[u] for u in range(t, t + (spacing or 0)) if u in changed]
        if len(near) > 1:
            _row(problem, f"change_spacing_{t:03d}", dict.fromkeys(near, 1.0), LE, 1.0)

"""The afterbay's schedule as a linear program with storage as the state. docs/models/afterbay.md holds it in full.

Sets        t ∈ T, the hours of the horizon
Data        inflow_t, the water of a MW and of none, storages of the limits, ramp, head curve, prices per unit (Prices)
Variables   power_t [MW]; storage_t, spill_t [dam³ = 1000 m³], storage counted from the minimum elevation; rise_t, fall_t
            [MW]; short_t [MW] below the unit's maximum in a rafting window; over_t, under_t [dam³] from the midpoint;
            in the soft form above_t, below_t [dam³] beyond the elevation limits
Equations   water_balance, head_limit, head_start, head_end, change, ramp_up, ramp_down, rafting, midpoint, and with
            integers spill_gate, spill_power, change_up, change_down, change_count, change_spacing
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pulp

from headworks.optimizer.case import Case, Form
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.rafting import Window, windows
from headworks.waterway.site import Site

DAM3 = 1000.0
RANK_PRICE = {1: 1000.0, 2: 100.0, 3: 10.0, 4: 1.0, 5: 0.1}
SPILL_PRICE, RAFTING_PRICE, CHANGE_PRICE, MIDPOINT_PRICE, REVENUE_PRICE = 1.0, 10.0, 1.0, 0.02, 0.1
ABOVE_PRICE = 50.0
BELOW_OVER_SPILL = 10.0
HEAD_SEGMENTS = 4


@dataclass(frozen=True, slots=True)
class Prices:
    """What one unit of each term costs. spill_t falls over the horizon by more than an hour of being full costs.

    So water is never spilled early to leave the upper limit sooner: the linear form spills at float alone, as nature does.
    """

    spill: tuple[float, ...]
    above: float
    below: float
    rafting: float
    change: tuple[float, ...]
    midpoint: float
    revenue: float


@dataclass(frozen=True, slots=True)
class Problem:
    """A built problem: PuLP's, and the variables by family, each of shape (hours,)."""

    lp: pulp.LpProblem
    form: Form
    power: list[pulp.LpVariable]
    storage: list[pulp.LpVariable]
    spill: list[pulp.LpVariable]
    terms: dict[str, pulp.LpAffineExpression]
    rafting_hours: tuple[bool, ...]
    origin_m3: float


@dataclass(frozen=True, slots=True)
class Data:
    """The case in the model's units."""

    hours: int
    inflow_dam3: tuple[float, ...]
    water_per_mw_dam3: float
    water_at_zero_dam3: float
    origin_m3: float
    initial_dam3: float
    lowest_dam3: float
    maximum_dam3: float
    float_dam3: float
    midpoint_dam3: float
    ramp_mw: float
    rafting_hours: tuple[bool, ...]
    prices: Prices


def build(site: Site, case: Case, form: Form) -> Problem:
    """The problem of a case. The same case gives the same problem, name by name and number by number."""
    data = prepare(site, case)
    problem = _variables(site, case, data, form)
    _add_water_balance(problem, data)
    _add_head_limit(problem, site, case, data)
    _add_change(problem, site, case, data)
    _add_rafting(problem, site, data)
    _add_midpoint(problem, data)
    _add_elevation_limits(problem, data)
    _add_spill(problem, data)
    _add_revenue(problem, case, data)
    _add_spill_above_power(problem, site, case, data)
    _add_change_counts(problem, case, data)
    problem.lp.setObjective(pulp.lpSum(problem.terms.values()))
    return problem


def prepare(site: Site, case: Case) -> Data:
    """The case in the model's units: dam³ counted from the minimum elevation, MW, hours."""
    abay, step_s = site.afterbay, case.grid.step_s
    curve = abay.reservoir.stage_storage.curve
    origin_m3 = curve.storage_at(abay.reservoir.minimum_elevation)

    def dam3(elevation_m: float) -> float:
        return (curve.storage_at(elevation_m) - origin_m3) / DAM3

    releases = windows(abay.rafting, site.zone, case.grid.start, case.grid.end)
    return Data(
        hours=case.grid.count,
        inflow_dam3=tuple(flow * step_s / DAM3 for flow in case.net_inflow_m3s(abay)),
        water_per_mw_dam3=abay.unit.water_per_power * step_s / DAM3,
        water_at_zero_dam3=abay.unit.water_at_zero * step_s / DAM3,
        origin_m3=origin_m3,
        initial_dam3=dam3(case.initial_elevation_m),
        lowest_dam3=dam3(curve.lowest_m),
        maximum_dam3=dam3(case.float_elevation_m - abay.reservoir.float_buffer),
        float_dam3=dam3(case.float_elevation_m),
        midpoint_dam3=dam3(abay.reservoir.midpoint_elevation),
        ramp_mw=abay.unit.ramp_rate * step_s / 60,
        rafting_hours=tuple(_in_window(start, releases) for start in case.grid.starts),
        prices=_prices(site, case),
    )


def limits_cannot_hold(site: Site, data: Data) -> bool:
    """Whether no schedule at all keeps the elevation limits: shown by the reachable storages without ramps and head."""
    unit = site.afterbay.unit
    least = data.water_at_zero_dam3 + data.water_per_mw_dam3 * unit.min_power
    most = data.water_at_zero_dam3 + data.water_per_mw_dam3 * unit.max_power
    low = high = data.initial_dam3
    for inflow in data.inflow_dam3:
        low, high = max(0.0, low + inflow - most), min(data.maximum_dam3, high + inflow - least)
        if low > high:
            return True
    return False


def _in_window(start: datetime, releases: tuple[Window, ...]) -> bool:
    return any(window.start <= start < window.end for window in releases)


def _prices(site: Site, case: Case) -> Prices:
    """The ranks as prices: a rank is a factor of ten; below minimum costs more than any spill it could save."""
    ranks, night = case.options.ranks, case.options.night
    midpoint = RANK_PRICE[ranks.midpoint_elevation] * MIDPOINT_PRICE
    full_hour = (ABOVE_PRICE + midpoint) * 1.01
    locals_ = [start.astimezone(site.zone) for start in case.grid.starts]
    summer = site.afterbay.spill.summer
    bases = [
        RANK_PRICE[ranks.avoid_summer_spill if summer.from_ <= f"{at:%m-%d}" <= summer.to else ranks.avoid_spill]
        for at in locals_
    ]
    spill = tuple(SPILL_PRICE * base + (len(bases) - t) * full_hour for t, base in enumerate(bases))
    is_night = [at.hour >= night.from_hour or at.hour < night.to_hour for at in locals_]
    change = RANK_PRICE[ranks.smooth_operation] * CHANGE_PRICE
    return Prices(
        spill=spill,
        above=ABOVE_PRICE,
        below=BELOW_OVER_SPILL * max(spill),
        rafting=RANK_PRICE[ranks.summer_rafting] * RAFTING_PRICE,
        change=tuple(change * (night.change_cost_factor if dark else 1.0) for dark in is_night),
        midpoint=midpoint,
        revenue=RANK_PRICE[ranks.revenue] * REVENUE_PRICE,
    )


def _columns(name: str, hours: int, low: float | None, high: float | None) -> list[pulp.LpVariable]:
    return [pulp.LpVariable(f"{name}_{t:03d}", low, high) for t in range(hours)]


def _variables(site: Site, case: Case, data: Data, form: Form) -> Problem:
    """Power between the unit's limits; storage within the elevation limits when strict, within physics when soft."""
    unit = site.afterbay.unit
    low, high = (0.0, data.maximum_dam3) if form is Form.MILP else (data.lowest_dam3, data.float_dam3)
    return Problem(
        lp=pulp.LpProblem(f"{case.site}_{form.value}", pulp.LpMinimize),
        form=form,
        power=_columns("power", data.hours, unit.min_power, unit.max_power),
        storage=_columns("storage", data.hours, low, high),
        spill=_columns("spill", data.hours, 0, 0 if form is Form.MILP else None),
        terms={},
        rafting_hours=data.rafting_hours,
        origin_m3=data.origin_m3,
    )


def _row(problem: Problem, name: str, terms: dict[pulp.LpVariable, float], sense: int, right: float) -> None:
    problem.lp.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, name, right))


def _before(variables: list[pulp.LpVariable], t: int) -> pulp.LpVariable | None:
    return variables[t - 1] if t else None


def _add_water_balance(problem: Problem, data: Data) -> None:
    """water_balance_t: storage_t = storage_(t-1) + inflow_t − (k·power_t + k0) − spill_t."""
    for t in range(data.hours):
        terms = {problem.storage[t]: 1.0, problem.power[t]: data.water_per_mw_dam3, problem.spill[t]: 1.0}
        right = data.inflow_dam3[t] - data.water_at_zero_dam3
        before = _before(problem.storage, t)
        if before is None:
            right += data.initial_dam3
        else:
            terms[before] = -1.0
        _row(problem, f"water_balance_abay_{t:03d}", terms, pulp.LpConstraintEQ, right)


def _head_lines(site: Site, case: Case, data: Data, form: Form) -> list[tuple[float, float]]:
    """Chords (slope, intercept) of the head limit over storage: concave, so all of them together lie just under it.

    Strict storage stays between the limits; soft storage may fall to the lowest surveyed elevation, by one chord more.
    """
    abay = site.afterbay
    curve = abay.reservoir.stage_storage.curve
    low_m, high_m = abay.reservoir.minimum_elevation, case.float_elevation_m
    points = [low_m + (high_m - low_m) * i / HEAD_SEGMENTS for i in range(HEAD_SEGMENTS + 1)]
    if form is Form.MPC:
        points = [curve.lowest_m, max(curve.lowest_m, min(low_m, case.initial_elevation_m) - 0.3), *points]
    known = [((curve.storage_at(h) - data.origin_m3) / DAM3, head_limit_mw(abay.unit, h)) for h in points]
    lines = []
    for (v0, p0), (v1, p1) in pairwise(known):
        slope = (p1 - p0) / (v1 - v0)
        lines.append((slope, p0 - slope * v0))
    return lines


def _add_head_limit(problem: Problem, site: Site, case: Case, data: Data) -> None:
    """head_limit_t_k: head_t ≤ a_k·storage_t + b_k; head_start/end_t: power_t ≤ head at both ends, ≥ the unit's minimum."""
    unit = site.afterbay.unit
    lines = _head_lines(site, case, data, problem.form)
    head = _columns("head", data.hours, None, unit.max_power)
    initial_m = min(case.initial_elevation_m, site.afterbay.reservoir.stage_storage.curve.highest_m)
    for t in range(data.hours):
        for k, (slope, intercept) in enumerate(lines):
            terms = {head[t]: 1.0, problem.storage[t]: -slope}
            _row(problem, f"head_limit_abay_{t:03d}_{k}", terms, pulp.LpConstraintLE, intercept)
        _row(problem, f"head_end_{t:03d}", {problem.power[t]: 1.0, head[t]: -1.0}, pulp.LpConstraintLE, 0.0)
        if t:
            _row(problem, f"head_start_{t:03d}", {problem.power[t]: 1.0, head[t - 1]: -1.0}, pulp.LpConstraintLE, 0.0)
        else:
            limit = max(unit.min_power, head_limit_mw(unit, min(initial_m, case.float_elevation_m)))
            _row(problem, "head_start_000", {problem.power[0]: 1.0}, pulp.LpConstraintLE, limit)


def _add_change(problem: Problem, site: Site, case: Case, data: Data) -> None:
    """change_t: power_t − power_(t-1) = rise_t − fall_t, each at most the ramp; the price is higher by night.

    The first hour starts from the measured power, brought into the unit's range: what the unit does now is no limit.
    """
    unit = site.afterbay.unit
    initial_mw = min(unit.max_power, max(unit.min_power, case.initial_power_mw))
    rise = _columns("rise", data.hours, 0, data.ramp_mw)
    fall = _columns("fall", data.hours, 0, data.ramp_mw)
    for t in range(data.hours):
        terms = {problem.power[t]: 1.0, rise[t]: -1.0, fall[t]: 1.0}
        before = _before(problem.power, t)
        if before is not None:
            terms[before] = -1.0
        _row(problem, f"change_{t:03d}", terms, pulp.LpConstraintEQ, 0.0 if before is not None else initial_mw)
    costs = data.prices.change
    problem.terms["smooth_operation"] = pulp.LpAffineExpression(
        {v[t]: costs[t] for t in range(data.hours) for v in (rise, fall)}
    )


def _add_rafting(problem: Problem, site: Site, data: Data) -> None:
    """rafting_t: in a window power_t + short_t ≥ the unit's maximum; what head and ramp withhold is paid for."""
    costs: dict[pulp.LpVariable, float] = {}
    for t in range(data.hours):
        if data.rafting_hours[t]:
            short = pulp.LpVariable(f"short_{t:03d}", 0)
            terms = {problem.power[t]: 1.0, short: 1.0}
            _row(problem, f"rafting_{t:03d}", terms, pulp.LpConstraintGE, site.afterbay.unit.max_power)
            costs[short] = data.prices.rafting
    problem.terms["summer_rafting"] = pulp.LpAffineExpression(costs)


def _add_midpoint(problem: Problem, data: Data) -> None:
    """midpoint_t: storage_t − over_t + under_t = the midpoint's storage."""
    over = _columns("over", data.hours, 0, None)
    under = _columns("under", data.hours, 0, None)
    for t in range(data.hours):
        terms = {problem.storage[t]: 1.0, over[t]: -1.0, under[t]: 1.0}
        _row(problem, f"midpoint_{t:03d}", terms, pulp.LpConstraintEQ, data.midpoint_dam3)
    problem.terms["midpoint_elevation"] = pulp.LpAffineExpression(dict.fromkeys([*over, *under], data.prices.midpoint))


def _add_elevation_limits(problem: Problem, data: Data) -> None:
    """below_minimum_t, above_maximum_t: in the soft form the limits give way at their price; strict ones are bounds."""
    if problem.form is Form.MILP:
        return
    below = _columns("below", data.hours, 0, None)
    above = _columns("above", data.hours, 0, None)
    for t in range(data.hours):
        _row(problem, f"below_minimum_{t:03d}", {problem.storage[t]: 1.0, below[t]: 1.0}, pulp.LpConstraintGE, 0.0)
        terms = {problem.storage[t]: 1.0, above[t]: -1.0}
        _row(problem, f"above_maximum_{t:03d}", terms, pulp.LpConstraintLE, data.maximum_dam3)
    problem.terms["minimum_elevation"] = pulp.LpAffineExpression(dict.fromkeys(below, data.prices.below))
    problem.terms["maximum_elevation"] = pulp.LpAffineExpression(dict.fromkeys(above, data.prices.above))


def _add_spill(problem: Problem, data: Data) -> None:
    """Every dam³ over the spillway has its price, see Prices."""
    problem.terms["avoid_spill"] = pulp.LpAffineExpression(dict(zip(problem.spill, data.prices.spill, strict=True)))


def _add_revenue(problem: Problem, case: Case, data: Data) -> None:
    """Price × MW, where prices are known."""
    costs = {
        problem.power[t]: -data.prices.revenue * price
        for t, price in enumerate(f.price_per_mwh for f in case.forcing)
        if price is not None
    }
    problem.terms["revenue"] = pulp.LpAffineExpression(costs)


def _add_spill_above_power(problem: Problem, site: Site, case: Case, data: Data) -> None:
    """spill_gate_t, spill_power_t: spill_t ≤ M_t·open_t and power_t ≥ P·open_t, P the power above which spill is borne.

    In the soft form power may stay under P at the price of a change of the highest rank: nature does not ask.
    """
    if not case.options.integer_options.spill_above_power_only:
        return
    power_mw = site.afterbay.spill.preferable_above_power
    carried_dam3 = max(0.0, data.initial_dam3 - data.float_dam3)
    costs: dict[pulp.LpVariable, float] = {}
    for t in range(data.hours):
        # No more can spill in an hour than enters it, and what stood above float at the start.
        most_dam3 = max(0.0, data.inflow_dam3[t]) + (carried_dam3 if t == 0 else 0.0)
        is_open = pulp.LpVariable(f"open_{t:03d}", 0, 1, pulp.LpInteger)
        lacking = pulp.LpVariable(f"lacking_{t:03d}", 0, power_mw if problem.form is Form.MPC else 0)
        _row(problem, f"spill_gate_{t:03d}", {problem.spill[t]: 1.0, is_open: -most_dam3}, pulp.LpConstraintLE, 0.0)
        terms = {problem.power[t]: 1.0, is_open: -power_mw, lacking: 1.0}
        _row(problem, f"spill_power_{t:03d}", terms, pulp.LpConstraintGE, 0.0)
        costs[lacking] = RANK_PRICE[1]
    problem.terms["spill_above_power"] = pulp.LpAffineExpression(costs)


def _add_change_counts(problem: Problem, case: Case, data: Data) -> None:
    """change_up/down_t: a change needs changed_t; change_count: at most N; change_spacing_t: one in any n hours."""
    integer = case.options.integer_options
    if integer.max_setpoint_changes is None and integer.min_hours_between_changes is None:
        return
    changed = [pulp.LpVariable(f"changed_{t:03d}", 0, 1, pulp.LpInteger) for t in range(data.hours)]
    columns = problem.lp.variablesDict()
    for t in range(data.hours):
        for name in ("rise", "fall"):
            terms = {columns[f"{name}_{t:03d}"]: 1.0, changed[t]: -data.ramp_mw}
            _row(problem, f"change_{name}_{t:03d}", terms, pulp.LpConstraintLE, 0.0)
    excess = pulp.LpVariable("change_excess", 0, data.hours if problem.form is Form.MPC else 0)
    problem.terms["change_count"] = pulp.LpAffineExpression({excess: RANK_PRICE[1]})
    if integer.max_setpoint_changes is not None:
        terms = {**dict.fromkeys(changed, 1.0), excess: -1.0}
        _row(problem, "change_count", terms, pulp.LpConstraintLE, integer.max_setpoint_changes)
    spacing = integer.min_hours_between_changes
    for t in range(data.hours - spacing + 1 if spacing else 0):
        terms = dict.fromkeys(changed[t : t + (spacing or 0)], 1.0)
        _row(problem, f"change_spacing_{t:03d}", terms, pulp.LpConstraintLE, 1.0)

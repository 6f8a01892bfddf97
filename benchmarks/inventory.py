"""The predecessor's formulation of the pumping station, family by family as its inventory lists them: what ours is held against.

For 2 pumps and 8 steps the inventory has 536 to 568 rows. How it comes to them is our reading of its counts: minimum pumps on
(8); frequency when on (32); flow within a band about (f / fmax)·Qmax (32); power between pieces of the cube law ± 15 % (64);
level balance (8); level bounds (8 as walls, 16 soft with violation variables); continuity of the first steps (32); minimum on
and off (176 + 176), each start or stop a product of two binaries in three rows, and each step a row for every one of the eight
starts or stops that hold it. The objectives take 24 more: changes of the outflow, energy beyond its target, distance from the
bounds.
"""

import pulp

from headworks.optimizer.station.case import StationInputs
from headworks.waterway.pumps import operate
from headworks.waterway.station_site import StationSite

AREA_M2 = 50_000.0
"""As that system has it; a tunnel that is so wide overflows in a replay."""
FLOW_BAND, POWER_BAND = 0.1, 0.15
PIECES_HZ = (47.8, 48.9, 50.0)
LEAST_STEPS = 8
FIRST_STEPS = 8
MOST_CHANGE_HZ = 1.1
"""Of a pump that runs on, in one of the first steps: half of its range."""
VIOLATION, SMOOTH, SAFETY, SPECIFIC = 1000.0, 0.1, 0.5, 0.1
"""Weights within the inventory's ranges; the energy's own is 1."""
TARGET_MWH_PER_M3 = 0.11 / 1000
BOUNDS_M = (0.5, 7.0)
"""Soft level bounds, and where the distance from them begins to count."""


def inventory_problem(
    site: StationSite, inputs: StationInputs, pumps: int, steps: int, *, soft: bool
) -> pulp.LpProblem:
    """The problem of the first `pumps` pumps over the first `steps` steps; its share of the inflow goes with them.

    With `soft` the level's bounds give way, and all objectives count; without, they are walls, and energy alone does.
    """
    lp = pulp.LpProblem("inventory", pulp.LpMinimize)
    on = [[lp.add_variable(f"on_{p}_{t}", 0, 1, pulp.LpInteger) for t in range(steps)] for p in range(pumps)]
    hz = [[lp.add_variable(f"hz_{p}_{t}", 0, 50) for t in range(steps)] for p in range(pumps)]
    flow = [[lp.add_variable(f"flow_{p}_{t}", 0) for t in range(steps)] for p in range(pumps)]
    power = [[lp.add_variable(f"power_{p}_{t}", 0) for t in range(steps)] for p in range(pumps)]
    level = [lp.add_variable(f"level_{t}") for t in range(steps)]
    _tie(lp, site, inputs, on, hz, flow, power)
    _balance(lp, site, inputs, flow, level)
    for t in range(steps):
        lp.addConstraint(pulp.lpSum(on[p][t] for p in range(pumps)) >= 1, f"minimum_pumps_{t}")
    for p in range(pumps):
        changes = _hold(lp, f"{p}", on[p], was_on=inputs.pumps[p].on)
        _continue(lp, f"{p}", hz[p], changes, was_hz=50.0 if inputs.pumps[p].on else 0.0)
    prices = inputs.price_eur_per_mwh
    cost = pulp.lpSum(prices[t] * power[p][t] / 4 for p in range(pumps) for t in range(steps))
    if soft:
        out = [pulp.lpSum(flow[p][t] for p in range(pumps)) for t in range(steps)]
        drawn = [pulp.lpSum(power[p][t] for p in range(pumps)) for t in range(steps)]
        cost += _violations(lp, level) + _objectives(lp, out, drawn, level, inputs.step_s)
    else:
        for t, of_step in enumerate(level):
            lp.addConstraint(of_step <= site.pumping_station.rules.maximum_level, f"level_most_{t}")
            of_step.lowBound = site.pumping_station.rules.minimum_level
    lp.setObjective(cost)
    return lp


def _violations(lp: pulp.LpProblem, level: list[pulp.LpVariable]) -> pulp.LpAffineExpression:
    """The level between its bounds, or beyond them at a price."""
    beyond = []
    for t, of_step in enumerate(level):
        above, below = lp.add_variable(f"above_{t}", 0), lp.add_variable(f"below_{t}", 0)
        lp.addConstraint(of_step <= BOUNDS_M[1] + above, f"level_most_{t}")
        lp.addConstraint(of_step >= BOUNDS_M[0] - below, f"level_least_{t}")
        beyond += [above, below]
    return pulp.lpSum(VIOLATION * variable for variable in beyond)


def _objectives(
    lp: pulp.LpProblem,
    out: list[pulp.LpAffineExpression],
    drawn: list[pulp.LpAffineExpression],
    level: list[pulp.LpVariable],
    step_s: float,
) -> pulp.LpAffineExpression:
    """Changes of the outflow, energy beyond its target, and levels away from the middle of their bounds, each in its row."""
    middle_m, terms = sum(BOUNDS_M) / 2, []
    for t, of_step in enumerate(out):
        rise, fall, excess, over, under = (
            lp.add_variable(f"{name}_{t}", 0) for name in ("rise", "fall", "excess", "over", "under")
        )
        before = out[t - 1] if t else of_step
        lp.addConstraint(of_step - before == rise - fall, f"smooth_{t}")
        lp.addConstraint(excess >= drawn[t] - TARGET_MWH_PER_M3 * 3600 * of_step, f"specific_{t}")
        lp.addConstraint(level[t] - middle_m == over - under, f"safety_{t}")
        terms.append(SMOOTH * (rise + fall) + SPECIFIC * excess * step_s / 3600 + SAFETY * (over + under))
    return pulp.lpSum(terms)


Columns = list[list[pulp.LpVariable]]


def _tie(
    lp: pulp.LpProblem,
    site: StationSite,
    inputs: StationInputs,
    on: Columns,
    hz: Columns,
    flow: Columns,
    power: Columns,
) -> None:
    """Frequency when on; flow within a band about (f / fmax)·Qmax; power above pieces of the cube law and below them."""
    station, rules = site.pumping_station.station, site.pumping_station.rules
    lift_m = station.outlet_m - inputs.level_m
    for p, pump in enumerate(station.pumps[: len(on)]):
        full = operate(pump, rules.maximum_frequency, lift_m)
        for t in range(len(on[p])):
            lp.addConstraint(hz[p][t] <= rules.maximum_frequency * on[p][t], f"hz_most_{p}_{t}")
            lp.addConstraint(hz[p][t] >= rules.minimum_frequency * on[p][t], f"hz_least_{p}_{t}")
            share = hz[p][t] * (full.flow_m3s / rules.maximum_frequency)
            lp.addConstraint(flow[p][t] <= (1 + FLOW_BAND) * share, f"flow_most_{p}_{t}")
            lp.addConstraint(flow[p][t] >= (1 - FLOW_BAND) * share, f"flow_least_{p}_{t}")
            for i, at_hz in enumerate(PIECES_HZ):
                ratio = at_hz / rules.maximum_frequency
                slope = 3 * full.power_mw * ratio**2 / rules.maximum_frequency
                piece = full.power_mw * ratio**3 * on[p][t] + slope * (hz[p][t] - at_hz * on[p][t])
                lp.addConstraint(power[p][t] >= (1 - POWER_BAND) * piece, f"power_least_{p}_{t}_{i}")
            lp.addConstraint(power[p][t] <= (1 + POWER_BAND) * full.power_mw * on[p][t], f"power_most_{p}_{t}")


def _balance(
    lp: pulp.LpProblem, site: StationSite, inputs: StationInputs, flow: Columns, level: list[pulp.LpVariable]
) -> None:
    """The level over a fixed area; the inflow is the pumps' share of the station's."""
    outside = inputs.outside_inflow
    assert outside is not None, "the benchmark gives the inflow that came"
    share = len(flow) / len(site.pumping_station.pumps)
    for t in range(len(level)):
        before: pulp.LpVariable | float = level[t - 1] if t else inputs.level_m
        entering_m = outside.flow_m3s[t] * share * inputs.step_s / AREA_M2
        leaving = pulp.lpSum(flow[p][t] * (inputs.step_s / AREA_M2) for p in range(len(flow)))
        lp.addConstraint(level[t] == before + entering_m - leaving, f"level_balance_{t}")


def _hold(
    lp: pulp.LpProblem, name: str, on: list[pulp.LpVariable], *, was_on: bool
) -> list[tuple[pulp.LpVariable, pulp.LpVariable]]:
    """turns_on = was off ∧ on, turns_off = was on ∧ off, each by three rows; and for each step a row for each of the eight
    starts, and of the eight stops, that hold it: those before the first step are known, and none.
    """
    changes: list[tuple[pulp.LpVariable, pulp.LpVariable]] = []
    for t, now in enumerate(on):
        before: pulp.LpVariable | float = on[t - 1] if t else float(was_on)
        turns_on, turns_off = (lp.add_variable(f"{kind}_{name}_{t}", 0, 1, pulp.LpInteger) for kind in ("up", "down"))
        lp.addConstraint(turns_on <= now, f"up_now_{name}_{t}")
        lp.addConstraint(turns_on + before <= 1, f"up_before_{name}_{t}")
        lp.addConstraint(turns_on >= now - before, f"up_both_{name}_{t}")
        lp.addConstraint(turns_off + now <= 1, f"down_now_{name}_{t}")
        lp.addConstraint(turns_off <= before, f"down_before_{name}_{t}")
        lp.addConstraint(turns_off >= before - now, f"down_both_{name}_{t}")
        changes.append((turns_on, turns_off))
        for back in range(LEAST_STEPS):
            up, down = changes[t - back] if back <= t else (0.0, 0.0)
            lp.addConstraint(now >= up, f"run_{name}_{t}_{back}")
            lp.addConstraint(now + down <= 1, f"rest_{name}_{t}_{back}")
    return changes


def _continue(
    lp: pulp.LpProblem,
    name: str,
    hz: list[pulp.LpVariable],
    changes: list[tuple[pulp.LpVariable, pulp.LpVariable]],
    *,
    was_hz: float,
) -> None:
    """In the first steps a pump that runs on changes its frequency by little."""
    for t, now in enumerate(hz[:FIRST_STEPS]):
        before: pulp.LpVariable | float = hz[t - 1] if t else was_hz
        switched = 50.0 * (changes[t][0] + changes[t][1])
        lp.addConstraint(now - before <= MOST_CHANGE_HZ + switched, f"faster_{name}_{t}")
        lp.addConstraint(before - now <= MOST_CHANGE_HZ + switched, f"slower_{name}_{t}")

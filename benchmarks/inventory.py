"""The predecessor's formulation of the pumping station, family by family as its inventory lists them: what ours is held against.

One binary a pump and step; starts and stops as products of two binaries, each spelled out by three rows; minimum on and off
times as a row for every step after every start and stop; frequency, flow and power as variables of their own, tied by bands
about the affinity laws; the level over a fixed area.
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


def inventory_problem(site: StationSite, inputs: StationInputs, pumps: int, steps: int) -> pulp.LpProblem:
    """The problem of the first `pumps` pumps over the first `steps` steps; its share of the inflow goes with them."""
    lp = pulp.LpProblem("inventory", pulp.LpMinimize)
    on = [[lp.add_variable(f"on_{p}_{t}", 0, 1, pulp.LpInteger) for t in range(steps)] for p in range(pumps)]
    hz = [[lp.add_variable(f"hz_{p}_{t}", 0, 50) for t in range(steps)] for p in range(pumps)]
    flow = [[lp.add_variable(f"flow_{p}_{t}", 0) for t in range(steps)] for p in range(pumps)]
    power = [[lp.add_variable(f"power_{p}_{t}", 0) for t in range(steps)] for p in range(pumps)]
    level = [lp.add_variable(f"level_{t}", 0, site.pumping_station.rules.maximum_level) for t in range(steps)]
    _tie(lp, site, inputs, on, hz, flow, power)
    _balance(lp, site, inputs, flow, level)
    for t in range(steps):
        lp.addConstraint(pulp.lpSum(on[p][t] for p in range(pumps)) >= 1, f"minimum_pumps_{t}")
    for p in range(pumps):
        _hold(lp, f"{p}", on[p], was_on=inputs.pumps[p].on)
    prices = inputs.price_eur_per_mwh
    cost = pulp.lpSum(prices[t] * power[p][t] / 4 for p in range(pumps) for t in range(steps))
    margin = pulp.lpSum(0.1 * level[t] for t in range(steps))
    lp.setObjective(cost + margin)
    return lp


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


def _hold(lp: pulp.LpProblem, name: str, on: list[pulp.LpVariable], *, was_on: bool) -> None:
    """turns_on = was off ∧ on, turns_off = was on ∧ off, each by three rows; then a row for every step that must follow."""
    for t, now in enumerate(on):
        before: pulp.LpVariable | float = on[t - 1] if t else float(was_on)
        turns_on, turns_off = (lp.add_variable(f"{kind}_{name}_{t}", 0, 1, pulp.LpInteger) for kind in ("up", "down"))
        lp.addConstraint(turns_on <= now, f"up_now_{name}_{t}")
        lp.addConstraint(turns_on + before <= 1, f"up_before_{name}_{t}")
        lp.addConstraint(turns_on >= now - before, f"up_both_{name}_{t}")
        lp.addConstraint(turns_off + now <= 1, f"down_now_{name}_{t}")
        lp.addConstraint(turns_off <= before, f"down_before_{name}_{t}")
        lp.addConstraint(turns_off >= before - now, f"down_both_{name}_{t}")
        for later in range(t + 1, min(t + LEAST_STEPS, len(on))):
            lp.addConstraint(on[later] >= turns_on, f"run_{name}_{t}_{later}")
            lp.addConstraint(on[later] + turns_off <= 1, f"rest_{name}_{t}_{later}")

"""A plan that empties the tunnel as soon as can be: all that the plant takes until it is empty, then the least that may run.

On a tight day the program may find no emptying in its time where there is one. Such a plan is there at once: a solve begins with
it where the last plan would leave a dry day's water, and goes on with it where nothing better was found.
"""

from collections.abc import Sequence
from dataclasses import replace

from headworks.optimizer.models.pumping_data import (
    DAM3,
    PumpingData,
    StationCase,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
    slowest_hz,
)
from headworks.optimizer.station.continuing import NEVER, broken_rules, continue_plan
from headworks.optimizer.station.costing import given_way
from headworks.optimizer.station.following import Wish, follow
from headworks.waterway.pumps import operate
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules

Frequencies = Sequence[Sequence[float]]
REFILLED = 0.5
"""At so much of the margin's volume a tunnel that was emptied is pumped again."""


def drained_instead(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    begun_hz: Frequencies,
    flush: range,
) -> tuple[tuple[float, ...], ...]:
    """The plan that empties as soon as can be, where another would leave a dry day's water and breaks more; else nothing."""
    begun = continue_plan(station, case, begun_hz)
    if begun is None or case.flush is not None:
        return ()
    if all(breach.rule != "emptying" for breach in broken_rules(station, rules, case, *begun, flush)):
        return ()
    groups = group_pumps(station.pumps, 0.0, case.not_planned)
    about = flat_reference(case, groups, case.initial_volume_m3)
    data = prepare_station(station, rules, case, weights, groups, about)
    drained = continue_plan(station, case, drain_plan(station, data))
    if drained is None or any(breach.rule in NEVER for breach in broken_rules(station, rules, case, *drained)):
        return ()
    return drained[0] if given_way(data, *drained) < given_way(data, *begun, flush) else ()


def drain_plan(station: Station, data: PumpingData) -> tuple[tuple[float, ...], ...]:
    """Frequencies of a case whose every pump is a group of its own, shape (steps, pumps)."""
    case, on = data.case, _running(station, data)
    most_m3s = data.rules.maximum_outflow_m3s * (1 - data.weights.outflow_reserve)
    kept = replace(data, rules=replace(data.rules, maximum_outflow_m3s=most_m3s))
    full = tuple(tuple(step.flow_high * DAM3 for step in of_group[: case.scheduled]) for of_group in data.steps)
    counts = tuple(tuple(float(group.members[0] in now) for now in on) for group in data.groups)
    return follow(station, kept, Wish(counts, full, (data.lowest_dam3 * DAM3,) * case.scheduled))


def _running(station: Station, data: PumpingData) -> list[set[int]]:
    """Which pumps run in each step."""
    case, rules = data.case, data.rules
    now, volume_m3, draining = dict(enumerate(case.before)), case.initial_volume_m3, True
    schedule = []
    for t in range(case.scheduled):
        lift_m = station.outlet_m - station.tunnel.level_at(min(station.tunnel.full_m3, max(0.0, volume_m3)))
        flows = {place: _flows_m3(station, rules, case, place, lift_m) for g in data.groups for place in g.members}
        most_m3, inflow_m3 = data.outflow_dam3[t] * DAM3, case.inflow_m3[t]
        on = {place for place in flows if now[place].on}
        if draining:
            emptied_in = volume_m3 / max(1.0, most_m3 - inflow_m3)
            on |= _started(flows, now, on, rules, most_m3) if emptied_in > rules.minimum_run_steps else set()
            on = _with_water(flows, now, on, rules, volume_m3 + inflow_m3 - data.lowest_dam3 * DAM3)
        else:
            on = _kept(flows, now, on, rules)
        out_m3 = min(most_m3, sum(flows[place][1] for place in on)) if draining else sum(flows[p][0] for p in on)
        volume_m3 = max(data.lowest_dam3 * DAM3, volume_m3 + inflow_m3 - out_m3)
        draining = volume_m3 > (data.emptied_dam3 if draining else REFILLED * data.margin_dam3) * DAM3
        now = {
            place: Before(was.on, was.steps + 1) if was.on == (place in on) else Before(place in on, 1)
            for place, was in now.items()
        }
        schedule.append(on)
    return schedule


def _flows_m3(
    station: Station, rules: StationRules, case: StationCase, place: int, lift_m: float
) -> tuple[float, float, float]:
    """A pump's flow of a step at least and at full speed [m³], and what a m³ takes at full speed [MWh]."""
    pump = station.pumps[place]
    low, high = (operate(pump, hz, lift_m) for hz in (slowest_hz(rules, pump, lift_m), rules.maximum_hz))
    high_m3 = high.flow_m3s * case.step_s
    return low.flow_m3s * case.step_s, high_m3, high.power_mw * case.step_s / 3600 / max(1e-9, high_m3)


def _started(
    flows: dict[int, tuple[float, float, float]],
    now: dict[int, Before],
    on: set[int],
    rules: StationRules,
    most_m3: float,
) -> set[int]:
    """The pumps to be started, those first that take least, until all that the plant takes is pumped."""
    started: set[int] = set()
    rested = [place for place in flows if place not in on and now[place].steps >= rules.minimum_rest_steps]
    for place in sorted(rested, key=lambda p: flows[p][2]):
        least_m3, full_m3 = (sum(flows[p][of] for p in on | started) for of in (0, 1))
        if full_m3 >= most_m3 or least_m3 + flows[place][0] > most_m3:
            break
        started.add(place)
    return started


def _with_water(
    flows: dict[int, tuple[float, float, float]],
    now: dict[int, Before],
    on: set[int],
    rules: StationRules,
    there_m3: float,
) -> set[int]:
    """The pumps that run, less those that would take what is not there, the largest first: as the tunnel comes to its end."""
    kept = set(on)
    for place in sorted(on, key=lambda p: -flows[p][0]):
        takes_m3 = sum(flows[p][0] for p in kept)
        if takes_m3 > there_m3 and now[place].steps >= rules.minimum_run_steps and len(kept) > rules.minimum_pumps_on:
            kept.remove(place)
    return kept


def _kept(
    flows: dict[int, tuple[float, float, float]], now: dict[int, Before], on: set[int], rules: StationRules
) -> set[int]:
    """The pumps that must run on, and as many more, the smallest first, as must run at least."""
    held = {place for place in on if now[place].steps < rules.minimum_run_steps}
    others = sorted(on - held, key=lambda place: flows[place][0])
    return held | set(others[: max(0, rules.minimum_pumps_on - len(held))])

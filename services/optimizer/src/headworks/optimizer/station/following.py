"""From what the program plans, in groups and linear, to frequencies of single pumps that do it on the true curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headworks.optimizer.models.pumping_data import DAM3, Group, PumpingData, StationCase, slowest_hz
from headworks.waterway.pumps import Pump, frequency_for, operate
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules

SHIFT_HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What the program plans: pumps on and outflow [m³] by group and step, and the volume [m³] at each step's end."""

    on: tuple[tuple[float, ...], ...]
    flow_m3: tuple[tuple[float, ...], ...]
    volume_m3: tuple[float, ...]
    flush: range = range(0)
    """The steps of a flush: all pumps at its speed or more, and the plant takes what it then does."""


def follow(station: Station, data: PumpingData, wish: Wish) -> tuple[tuple[float, ...], ...]:
    """Frequencies of single pumps that give the planned counts and follow the planned volumes, shape (steps, pumps).

    The pump that rested longest starts, the one that ran longest stops: runs and rests are as long as they can be, and
    running hours even out. Speeds make up for what the linear flows get wrong, as far as speeds, outflow and water allow.
    """
    case, tunnel = data.case, station.tunnel
    now, volume_m3 = list(case.before), case.initial_volume_m3
    limits_m3s = outflow_limits(data.rules, case, wish.flush)
    schedule = []
    for t in range(case.scheduled):
        lift_m = station.outlet_m - tunnel.level_at(min(tunnel.full_m3, max(0.0, volume_m3)))
        there_m3 = volume_m3 + case.inflow_m3[t]
        wanted_m3 = min(there_m3 - wish.volume_m3[t], there_m3 - data.lowest_dam3 * DAM3)
        planned_hz = _planned_hz(station, data, wish, t, now, lift_m)
        least_hz = case.flush.least_hz if case.flush is not None and t in wish.flush else data.rules.minimum_hz
        rules = replace(data.rules, minimum_hz=least_hz)
        asked_hz, out_m3s = _shifted(station, rules, planned_hz, min(wanted_m3 / case.step_s, limits_m3s[t]), lift_m)
        now = [_after(was, hz > 0) for was, hz in zip(now, asked_hz, strict=True)]
        volume_m3 = there_m3 - out_m3s * case.step_s
        schedule.append(asked_hz)
    return tuple(schedule)


def outflow_limits(rules: StationRules, case: StationCase, flush: range) -> tuple[float, ...]:
    """The outflow's limit in each step of the schedule [m³/s]: another one in a flush."""
    usual_m3s = rules.maximum_outflow_m3s
    flush_m3s = usual_m3s if case.flush is None else max(usual_m3s, case.flush.maximum_outflow_m3s)
    return tuple(flush_m3s if t in flush else usual_m3s for t in range(case.scheduled))


def _planned_hz(
    station: Station, data: PumpingData, wish: Wish, t: int, now: Sequence[Before], lift_m: float
) -> dict[int, float]:
    """The frequency of each running pump that gives the planned flow of its group, within what is allowed."""
    planned: dict[int, float] = {}
    for g, group in enumerate(data.groups):
        running = _running(group, now, round(wish.on[g][t]))
        for place in running:
            flow_m3s = wish.flow_m3[g][t] / data.case.step_s / len(running)
            planned[place] = _within(data.rules, station.pumps[place], flow_m3s, lift_m)
    return planned


def _shifted(
    station: Station, rules: StationRules, planned_hz: Mapping[int, float], wanted_m3s: float, lift_m: float
) -> tuple[tuple[float, ...], float]:
    """All frequencies shifted alike until they give what is wanted, as near as they can; and the outflow [m³/s]."""

    slowest = {place: slowest_hz(rules, station.pumps[place], lift_m) for place in planned_hz}

    def at(shift_hz: float) -> tuple[tuple[float, ...], float]:
        asked_hz = [0.0] * len(station.pumps)
        for place, hz in planned_hz.items():
            asked_hz[place] = min(rules.maximum_hz, max(slowest[place], hz + shift_hz))
        return tuple(asked_hz), sum(
            operate(p, hz, lift_m).flow_m3s for p, hz in zip(station.pumps, asked_hz, strict=True)
        )

    low_hz, high_hz = -rules.maximum_hz, rules.maximum_hz
    if at(low_hz)[1] >= wanted_m3s:
        return at(low_hz)
    if at(high_hz)[1] <= wanted_m3s:
        return at(high_hz)
    for _ in range(SHIFT_HALVINGS):
        middle_hz = (low_hz + high_hz) / 2
        if at(middle_hz)[1] > wanted_m3s:
            high_hz = middle_hz
        else:
            low_hz = middle_hz
    return at(low_hz)


def _running(group: Group, now: Sequence[Before], count: int) -> list[int]:
    """Which pumps of a group run: those that do, less those that ran longest, or more of those that rested longest."""
    running = sorted((p for p in group.members if now[p].on), key=lambda p: (now[p].steps, p))
    resting = sorted((p for p in group.members if not now[p].on), key=lambda p: (-now[p].steps, p))
    return running[:count] if count <= len(running) else running + resting[: count - len(running)]


def _after(was: Before, on: bool) -> Before:
    return replace(was, steps=was.steps + 1) if was.on == on else Before(on=on, steps=1)


def _within(rules: StationRules, pump: Pump, flow_m3s: float, lift_m: float) -> float:
    """The frequency of a flow, within the speeds that are allowed."""
    if flow_m3s <= 0:
        return slowest_hz(rules, pump, lift_m)
    return min(rules.maximum_hz, max(slowest_hz(rules, pump, lift_m), frequency_for(pump, flow_m3s, lift_m)))

"""A plan that empties the tunnel as soon as can be: all that the plant takes until it is empty, then the least that may run.

On a tight day the program may find no emptying in its time where there is one, and in a storm no pumps that move just what the
plant takes: they are large, and move more the fuller the tunnel is. Such a plan is there at once: where the last plan would
leave a dry day's water, rise above the maximum or send the plant too much, it is what remains when nothing better was found.
Where a dry day is ahead no search begins with it but the last: linear about an early emptying, it finds no other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

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
from headworks.optimizer.station.costing import cost_alone
from headworks.optimizer.station.following import Wish, follow
from headworks.waterway.pumps import Pump, operate
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules

Frequencies = Sequence[Sequence[float]]
MENDED = frozenset({"emptying", "maximum_outflow", "maximum_level"})
"""The rules that such a plan is likely to keep where another does not."""
ENOUGH = 0.99
"""Pumps that take so much of what the plant does are not changed for others that take more."""
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
    """The plan that empties as soon as can be, where another breaks what it may keep, and costs more for it; else nothing."""
    begun = continue_plan(station, case, begun_hz)
    if begun is None or case.flush is not None:
        return ()
    if MENDED.isdisjoint(breach.rule for breach in broken_rules(station, rules, case, *begun, flush)):
        return ()
    groups = group_pumps(station.pumps, 0.0, case.not_planned)
    about = flat_reference(case, groups, case.initial_volume_m3)
    data = prepare_station(station, rules, case, weights, groups, about)
    drained = continue_plan(station, case, drain_plan(station, data))
    if drained is None or any(breach.rule in NEVER for breach in broken_rules(station, rules, case, *drained)):
        return ()
    return drained[0] if cost_alone(data, *drained) < cost_alone(data, *begun, flush) else ()


def goes_first(case: StationCase) -> bool:
    """Whether a search begins about such a plan, where there is one: not with a dry day ahead."""
    return not case.dry_days


def drain_plan(station: Station, data: PumpingData) -> tuple[tuple[float, ...], ...]:
    """Frequencies of a case whose every pump is a group of its own, shape (steps, pumps)."""
    case, on = data.case, _running(station, data)
    most_m3s = data.rules.maximum_outflow_m3s * (1 - data.weights.outflow_reserve)
    kept = replace(data, rules=replace(data.rules, maximum_outflow_m3s=most_m3s))
    full = tuple(tuple(step.flow_high * DAM3 for step in of_group[: case.scheduled]) for of_group in data.steps)
    counts = tuple(tuple(float(group.members[0] in now) for now in on) for group in data.groups)
    return follow(station, kept, Wish(counts, full, (data.lowest_dam3 * DAM3,) * case.scheduled))


@dataclass(frozen=True, slots=True)
class _Works:
    """A pump in a step: its flow at least and at full speed [m³], and what a m³ takes at full speed [MWh]."""

    least_m3: float
    full_m3: float
    mwh_per_m3: float


@dataclass(frozen=True, slots=True)
class _Pumps:
    """The pumps that are planned, as a step begins: by place what each would do, and how it stands."""

    rules: StationRules
    works: Mapping[int, _Works]
    was: Mapping[int, Before]

    @property
    def on(self) -> set[int]:
        """Those that run."""
        return {place for place in self.works if self.was[place].on}

    def least_m3(self, on: Iterable[int]) -> float:
        """What these take at least."""
        return sum(self.works[place].least_m3 for place in on)

    def full_m3(self, on: Iterable[int]) -> float:
        """What these take at full speed."""
        return sum(self.works[place].full_m3 for place in on)

    def fullest(self, most_m3: float, later: "_Pumps") -> set[int]:
        """Those that take most of what the plant does, and also later do not send it more however slow; those on now where that
        is enough, and of sets that take as much the one with the fewest changes.
        """
        for least in (later.least_m3, self.least_m3):
            if least(self.on) <= most_m3 and self.full_m3(self.on) >= ENOUGH * most_m3:
                return self.on
            fit = [on for on in self._sets() if least(on) <= most_m3]
            if fit:
                return min(fit, key=lambda on: self._rank(on, most_m3))
        return self.within(most_m3)

    def _sets(self) -> Iterator[set[int]]:
        """All that may run in the step."""
        held = {place for place in self.on if not self._may_stop(place)}
        free = [place for place in self.works if place not in held and (place in self.on or self._may_start(place))]
        for many in range(max(0, self.rules.minimum_pumps_on - len(held)), len(free) + 1):
            yield from (held.union(added) for added in combinations(free, many))

    def _rank(self, on: set[int], most_m3: float) -> tuple[float, int, float]:
        """How much less than the plant takes, in hundredths; how many changes; how much energy at full speed."""
        short = 1 - min(1.0, self.full_m3(on) / most_m3)
        energy_mwh = sum(self.works[place].mwh_per_m3 * self.works[place].full_m3 for place in on)
        return round(short, 2), len(on ^ self.on), energy_mwh

    def within(self, most_m3: float) -> set[int]:
        """Those on, less one that sends the plant more than it takes however slow, the one that takes least of those that do."""
        over_m3 = self.least_m3(self.on) - most_m3
        may_stop = [place for place in self.on if self._may_stop(place)]
        if over_m3 <= 0 or not may_stop:
            return self.on
        enough = [place for place in may_stop if self.works[place].least_m3 >= over_m3] or may_stop
        return self.on - {min(enough, key=lambda place: (self.works[place].least_m3, place))}

    def with_water(self, on: set[int], there_m3: float) -> set[int]:
        """Less those that would take what is not there, the largest first: as the tunnel comes to its end."""
        kept = set(on)
        for place in sorted(on, key=lambda p: -self.works[p].least_m3):
            if self.least_m3(kept) > there_m3 and self._may_stop(place) and len(kept) > self.rules.minimum_pumps_on:
                kept.remove(place)
        return kept

    def fewest(self, on: set[int]) -> set[int]:
        """Those that must run on, and as many more, the smallest first, as must run at least."""
        held = {place for place in on if not self._may_stop(place)}
        others = sorted(on - held, key=lambda place: self.works[place].least_m3)
        return held | set(others[: max(0, self.rules.minimum_pumps_on - len(held))])

    def _may_stop(self, place: int) -> bool:
        return self.was[place].steps >= self.rules.minimum_run_steps

    def _may_start(self, place: int) -> bool:
        return self.was[place].steps >= self.rules.minimum_rest_steps


def _running(station: Station, data: PumpingData) -> list[set[int]]:
    """Which pumps run in each step."""
    case, lowest_m3 = data.case, data.lowest_dam3 * DAM3
    was, volume_m3, draining = dict(enumerate(case.before)), case.initial_volume_m3, True
    schedule = []
    for t in range(case.scheduled):
        pumps = _pumps(station, data, was, volume_m3)
        most_m3, inflow_m3 = data.outflow_dam3[t] * DAM3, case.inflow_m3[t]
        rises_m3 = max(0.0, inflow_m3 - most_m3) * data.rules.minimum_run_steps
        later = _pumps(station, data, was, volume_m3 + rises_m3)
        on = _drains(pumps, later, volume_m3, inflow_m3, most_m3, lowest_m3) if draining else pumps.fewest(pumps.on)
        out_m3 = min(most_m3, pumps.full_m3(on)) if draining else pumps.least_m3(on)
        volume_m3 = max(lowest_m3, volume_m3 + inflow_m3 - out_m3)
        draining = volume_m3 > (data.emptied_dam3 if draining else REFILLED * data.margin_dam3) * DAM3
        was = {place: _after(before, on=place in on) for place, before in was.items()}
        schedule.append(on)
    return schedule


def _drains(
    pumps: _Pumps, later: _Pumps, volume_m3: float, inflow_m3: float, most_m3: float, lowest_m3: float
) -> set[int]:
    """The pumps that empty the tunnel: none is started that could not stop when it is empty."""
    emptied_in = volume_m3 / max(1.0, most_m3 - inflow_m3)
    far = emptied_in > pumps.rules.minimum_run_steps
    on = pumps.fullest(most_m3, later) if far else pumps.within(most_m3)
    return pumps.with_water(on, volume_m3 + inflow_m3 - lowest_m3)


def _pumps(station: Station, data: PumpingData, was: Mapping[int, Before], volume_m3: float) -> _Pumps:
    lift_m = station.outlet_m - station.tunnel.level_at(min(station.tunnel.full_m3, max(0.0, volume_m3)))
    places = (place for group in data.groups for place in group.members)
    works = {place: _works(station.pumps[place], data.rules, data.case.step_s, lift_m) for place in places}
    return _Pumps(data.rules, works, was)


def _works(pump: Pump, rules: StationRules, step_s: float, lift_m: float) -> _Works:
    low, high = (operate(pump, hz, lift_m) for hz in (slowest_hz(rules, pump, lift_m), rules.maximum_hz))
    full_m3 = high.flow_m3s * step_s
    return _Works(low.flow_m3s * step_s, full_m3, high.power_mw * step_s / 3600 / max(1e-9, full_m3))


def _after(was: Before, *, on: bool) -> Before:
    return Before(on, was.steps + 1) if was.on == on else Before(on, 1)

"""What the pumping model is made of: pumps in groups, and their flow and energy per step about a reference plan.

Volumes are in dam³ (1000 m³), energies in MWh of a step, money in EUR. A group's flow at step t is linear about the
reference:  low_t·on + (high_t − low_t)·fast + slope_t·(volume_(t-1) − reference volume),  and its energy likewise.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from headworks.waterway.pumps import Pump, least_frequency, operate
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules
from headworks.waterway.tunnel import TunnelVolume

DAM3 = 1000.0
LAST = 1000.0
"""What gives way last costs so many times a level above its maximum: more than that would over a whole schedule."""
STEP_UP = 0.01
"""By how much of itself the reference volume is moved to see how flow and energy change with it."""
LEAST_STEP_UP_M3 = 50.0


@dataclass(frozen=True, slots=True)
class FlushWindow:
    """A window of all pumps at speed that is asked: where it may begin, each with what that costs beside its energy [EUR].

    A window under way began before the first step: at a negative one; `missing` are the pumps, by their places, that did not
    come and are not waited for. It needs the volume to begin with, and while it lasts the plant takes more.
    """

    begins: tuple[tuple[int, float], ...]
    steps: int
    least_hz: float
    least_volume_m3: float
    maximum_outflow_m3s: float
    missing: tuple[int, ...] = ()

    def may_cover(self, t: int) -> bool:
        """Whether some window holds step t."""
        return any(s <= t < s + self.steps for s, _ in self.begins)


@dataclass(frozen=True, slots=True)
class StationCase:
    """One horizon: the steps of the schedule, then a tail of longer ones without integers, so that the end is not blind.

    `inflow_m3` and `price_eur_per_mwh` have shape (steps,), the tail's included; `before` has one entry per pump, in order.

    `dry_days` are the steps of each dry day that must still see the tunnel empty; `water_value_eur_per_m3` is what a
    cubic metre left at the end costs later; `urgency`, 0 to 1 by step, is of the first of these days' emptying;
    `hours_run` of each pump, where running hours shall even out;
    `inflow_above_m3` is by how much each step's inflow may exceed the expected one where an emptying must still succeed;
    `missing_by_lead` what share of the expected inflow may be missing, by steps ahead, where pumps that were started must still
    have water for their minimum run;
    `wanted` is a step and the volume [m³] that its end shall not exceed; `flush` a window of all pumps that is asked;
    `not_planned` are the places of pumps that no plan leads: they stand.
    """

    initial_volume_m3: float
    before: tuple[Before, ...]
    inflow_m3: tuple[float, ...]
    price_eur_per_mwh: tuple[float, ...]
    step_s: float
    dry_days: tuple[range, ...] = ()
    water_value_eur_per_m3: float = 0.0
    urgency: tuple[float, ...] = ()
    inflow_above_m3: tuple[float, ...] = ()
    missing_by_lead: tuple[float, ...] = ()
    hours_run: tuple[float, ...] = ()
    wanted: tuple[int, float] | None = None
    flush: FlushWindow | None = None
    not_planned: tuple[int, ...] = ()
    tail_steps: int = 0
    tail_step_s: float = 3600.0

    @property
    def scheduled(self) -> int:
        """How many steps the schedule has, without the tail."""
        return len(self.inflow_m3) - self.tail_steps

    def length_s(self, t: int) -> float:
        """How long step t is."""
        return self.step_s if t < self.scheduled else self.tail_step_s


@dataclass(frozen=True, slots=True)
class StationWeights:
    """What the soft terms cost.

    `margin` and `floor` are paid for each dam³ and step above or below their levels, `violation` above the maximum;
    `not_emptied` for a dry day; `put_off` for each hour that an emptying is put off, times its urgency then; `at_risk` for
    each dam³ that more inflow than expected would leave in the tunnel as the day ends; `committed` for each dam³ and
    step that less inflow than expected would want for the pumps that must run on; `start` for a start; `smooth` for each
    dam³ by which the outflow of a step differs from the last one's; `uneven` for each dam³ by which it lies further from the
    schedule's mean inflow than `even_within`; `energy` for each MWh beside its price, so that it counts when that is low;
    `specific_energy` for each MWh beyond what the step's outflow would take at its target; `not_flushed` for a window that is
    asked and not planned; `wear` for each step of a pump that has run twice the others' mean, and for one below the mean
    nothing.

    The plan keeps a reserve below the outflow's limit and empties by a reserve more than it must, for its flow is linear and
    nature's is not; going below the lowest volume is among what gives way last. With `hard_maximum` the maximum level does not
    give way at all, and there may be no plan.
    """

    margin_eur: float = 0.0
    floor_eur: float = 0.0
    violation_eur: float = 100.0
    not_emptied_eur: float = 1000.0
    put_off_eur_per_h: float = 0.0
    at_risk_eur: float = 0.0
    committed_eur: float = 0.0
    start_eur: float = 0.02
    smooth_eur: float = 0.0
    uneven_eur: float = 0.0
    even_within_m3s: float = 0.0
    energy_eur_per_mwh: float = 0.0
    specific_energy_eur_per_mwh: float = 0.0
    specific_energy_mwh_per_dam3: float = 0.0
    not_flushed_eur: float = 0.0
    wear_eur: float = 0.0
    margin_level_m: float = 7.0
    floor_level_m: float = 0.0
    outflow_reserve: float = 0.003
    lowest_volume_m3: float = 200.0
    inflow_reserve_m3: float = 0.0
    empty_reserve_m3: float = 75.0
    hard_maximum: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Pumps that are planned alike, by their places in the station, and one pump that stands for them."""

    name: str
    members: tuple[int, ...]
    typical: Pump


@dataclass(frozen=True, slots=True)
class Reference:
    """About what plan the model is linear: volumes [m³] at each step's start, counts by group and step."""

    volume_m3: tuple[float, ...]
    on: tuple[tuple[float, ...], ...]
    fast: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class GroupStep:
    """A group's pump at one step: flow [dam³] and energy [MWh] at least and full speed, and the group's change of both
    with the volume [per dam³]; `flush_share` is how far from least to full speed a flush asks."""

    flow_low: float
    flow_high: float
    energy_low: float
    energy_high: float
    flow_slope: float
    energy_slope: float
    flush_share: float = 0.0


@dataclass(frozen=True, slots=True)
class PumpingData:
    """A prepared case."""

    case: StationCase
    rules: StationRules
    weights: StationWeights
    groups: tuple[Group, ...]
    reference_dam3: tuple[float, ...]
    steps: tuple[tuple[GroupStep, ...], ...]
    wear_eur: tuple[float, ...]
    lowest_dam3: float
    floor_dam3: float
    emptied_dam3: float
    margin_dam3: float
    maximum_dam3: float
    minimum_dam3: float
    outflow_dam3: tuple[float, ...]
    entered_dam3: tuple[float, ...]
    taken_dam3: tuple[float, ...]
    above_dam3: tuple[float, ...]

    def even_dam3(self, t: int) -> tuple[float, float]:
        """The outflow of step t that counts as even: about the schedule's mean inflow, as far as the plant takes it."""
        case, within_m3s = self.case, self.weights.even_within_m3s
        mean_m3s = sum(case.inflow_m3[: case.scheduled]) / (case.scheduled * case.step_s)
        middle_m3s = min(mean_m3s, self.rules.maximum_outflow_m3s)
        length = case.length_s(t) / DAM3
        return max(0.0, middle_m3s - within_m3s) * length, (middle_m3s + within_m3s) * length

    @property
    def horizon(self) -> int:
        """How many steps, the tail's included."""
        return len(self.case.inflow_m3)

    def held(self, g: int, t: int) -> int:
        """How many of a group's pumps must still run in step t, started before the first."""
        was = [self.case.before[place] for place in self.groups[g].members]
        return sum(before.on and t < self.rules.minimum_run_steps - before.steps for before in was)

    def put_off_eur(self, d: int, s: int) -> float:
        """What it costs that dry day d is emptied by step s and not at once; the days after the first have no age yet."""
        if d or not self.case.urgency or self.weights.put_off_eur_per_h <= 0:
            return 0.0
        return self.weights.put_off_eur_per_h * sum(
            self.case.urgency[t] * self.case.length_s(t) / 3600 for t in range(s + 1)
        )

    def most_out_dam3(self, t: int) -> float:
        """The most that the plant takes in step t, in a flush where one may be."""
        return self.taken_dam3[t + 1] - self.taken_dam3[t]

    def most_dam3(self, t: int) -> float:
        """The volume at the end of step t if no pump ran: no plan has more."""
        return self.entered_dam3[t + 1]

    def least_dam3(self, t: int) -> float:
        """The volume at the end of step t if the plant took all that it may: no plan has less."""
        return self.entered_dam3[t + 1] - self.taken_dam3[t + 1]

    def room_dam3(self, day: range, t: int) -> float | None:
        """The most that may be planned for the end of step t if a dry day shall still be emptied, by all that the plant takes,
        should the inflow from now on be more than expected; None as the day ends, and where that cannot bind.
        """
        later = range(max(day.start, t + 1), day.stop)
        if not self.above_dam3 or not later:
            return None
        at_best_dam3 = min(self.least_dam3(s) + self.above_dam3[s + 1] for s in later)
        room_dam3 = self.emptied_dam3 + self.least_dam3(t) - at_best_dam3
        return room_dam3 if room_dam3 < self.most_dam3(t) else None

    def reach_dam3(self, s: int, t: int) -> float:
        """The most that can be there at the end of step t if the tunnel is empty at the end of step s.

        After s it can only have filled again; before s no more than the plant can take until then.
        """
        filled_dam3 = self.entered_dam3[t + 1] - self.entered_dam3[s + 1]
        taken_dam3 = 0.0 if t >= s else self.taken_dam3[s + 1] - self.taken_dam3[t + 1]
        return min(self.most_dam3(t), self.emptied_dam3 + filled_dam3 + taken_dam3)


def group_pumps(pumps: Sequence[Pump], alike_m: float, without: Collection[int] = ()) -> tuple[Group, ...]:
    """Groups of pumps of one make whose losses lie within `alike_m`; 0 plans each pump alone. Those `without` are in none."""
    groups: list[list[int]] = []
    planned = set(range(len(pumps))) - set(without)
    for place in sorted(planned, key=lambda p: (-pumps[p].make.head_m.c0, pumps[p].losses_m, p)):
        first = pumps[groups[-1][0]] if groups else None
        near = first is not None and first.make == pumps[place].make
        if alike_m > 0 and near and first is not None and pumps[place].losses_m - first.losses_m <= alike_m:
            groups[-1].append(place)
        else:
            groups.append([place])
    return tuple(_group(pumps, sorted(members)) for members in groups)


def _group(pumps: Sequence[Pump], members: Sequence[int]) -> Group:
    own = [pumps[place] for place in members]
    name = "p" + "_".join(pump.name.replace(".", "") for pump in own)
    typical = Pump(
        name,
        own[0].make,
        sum(pump.losses_m for pump in own) / len(own),
        sum(pump.power_factor for pump in own) / len(own),
    )
    return Group(name, tuple(members), typical)


def flat_reference(case: StationCase, groups: Sequence[Group], volume_m3: float) -> Reference:
    """A first reference: the volume stays, and no group's change with it is known."""
    steps = len(case.inflow_m3)
    nothing = tuple((0.0,) * steps for _ in groups)
    return Reference((case.initial_volume_m3, *(volume_m3,) * (steps - 1)), nothing, nothing)


def prepare_station(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    groups: tuple[Group, ...],
    reference: Reference,
) -> PumpingData:
    """The data of a case about a reference. Raises OutOfRange when a limit lies outside the tunnel."""
    tunnel = station.tunnel
    steps = tuple(
        tuple(_group_step(station, rules, case, group.typical, reference, g, t) for t in range(len(case.inflow_m3)))
        for g, group in enumerate(groups)
    )
    most_m3s = rules.maximum_outflow_m3s * (1 - weights.outflow_reserve)
    outflow_dam3 = tuple(most_m3s * case.length_s(t) / DAM3 for t in range(len(case.inflow_m3)))
    return PumpingData(
        case=case,
        rules=rules,
        weights=weights,
        groups=groups,
        reference_dam3=tuple(volume / DAM3 for volume in reference.volume_m3),
        steps=steps,
        wear_eur=tuple(_wear_eur(group, case, weights) for group in groups),
        lowest_dam3=weights.lowest_volume_m3 / DAM3,
        floor_dam3=tunnel.water_at(weights.floor_level_m) / DAM3,
        emptied_dam3=(tunnel.volume_at(rules.emptied_level_m) - weights.empty_reserve_m3) / DAM3,
        margin_dam3=tunnel.volume_at(weights.margin_level_m) / DAM3,
        maximum_dam3=tunnel.volume_at(rules.maximum_level_m) / DAM3,
        minimum_dam3=tunnel.water_at(rules.minimum_level_m) / DAM3,
        outflow_dam3=outflow_dam3,
        entered_dam3=tuple(
            accumulate((volume / DAM3 for volume in case.inflow_m3), initial=case.initial_volume_m3 / DAM3)
        ),
        taken_dam3=tuple(
            accumulate((_most_taken_dam3(case, t, limit) for t, limit in enumerate(outflow_dam3)), initial=0.0)
        ),
        above_dam3=tuple(accumulate((volume / DAM3 for volume in case.inflow_above_m3), initial=0.0))
        if any(case.inflow_above_m3) and weights.at_risk_eur > 0
        else (),
    )


def _most_taken_dam3(case: StationCase, t: int, limit_dam3: float) -> float:
    """The most that the plant takes in step t; more where a flush may be."""
    if case.flush is None or not case.flush.may_cover(t):
        return limit_dam3
    return max(limit_dam3, case.flush.maximum_outflow_m3s * case.length_s(t) / DAM3)


def _wear_eur(group: Group, case: StationCase, weights: StationWeights) -> float:
    """What a step of a group's pump costs for having run more than the others."""
    mean_h = sum(case.hours_run) / len(case.hours_run) if case.hours_run else 0.0
    if mean_h <= 0 or weights.wear_eur <= 0:
        return 0.0
    own_h = sum(case.hours_run[place] for place in group.members) / len(group.members)
    return weights.wear_eur * max(0.0, own_h / mean_h - 1)


def _group_step(
    station: Station, rules: StationRules, case: StationCase, pump: Pump, reference: Reference, g: int, t: int
) -> GroupStep:
    volume_m3, on, fast = reference.volume_m3[t], reference.on[g][t], reference.fast[g][t]
    step_up_m3 = max(LEAST_STEP_UP_M3, STEP_UP * volume_m3)
    here = _at(station, rules, pump, volume_m3, case.length_s(t))
    up = _at(station, rules, pump, min(station.tunnel.full_m3, volume_m3 + step_up_m3), case.length_s(t))
    slopes = [
        ((up[i] - here[i]) * (on - fast) + (up[i + 1] - here[i + 1]) * fast) / (step_up_m3 / DAM3) for i in (0, 2)
    ]
    # The step's own start is known, not planned: nothing changes with it.
    flow_slope, energy_slope = slopes if t else (0.0, 0.0)
    share = 0.0 if case.flush is None else _flush_share(station, rules, pump, volume_m3, case.flush.least_hz)
    return GroupStep(*here, flow_slope=flow_slope, energy_slope=energy_slope, flush_share=share)


def _flush_share(station: Station, rules: StationRules, pump: Pump, volume_m3: float, asked_hz: float) -> float:
    """How far a speed's flow lies from that of the least to that of full speed, 0 to 1."""
    lift_m = station.outlet_m - _level(station.tunnel, volume_m3)
    low, asked, high = (
        operate(pump, hz, lift_m).flow_m3s for hz in (slowest_hz(rules, pump, lift_m), asked_hz, rules.maximum_hz)
    )
    return min(1.0, max(0.0, (asked - low) / (high - low))) if high > low else 1.0


def _at(
    station: Station, rules: StationRules, pump: Pump, volume_m3: float, step_s: float
) -> tuple[float, float, float, float]:
    """Flow at least and full speed [dam³], energy at both [MWh], of one pump over a step."""
    lift_m = station.outlet_m - _level(station.tunnel, volume_m3)
    low, high = (operate(pump, hz, lift_m) for hz in (slowest_hz(rules, pump, lift_m), rules.maximum_hz))
    hours = step_s / 3600
    return (
        low.flow_m3s * step_s / DAM3,
        high.flow_m3s * step_s / DAM3,
        low.power_mw * hours,
        high.power_mw * hours,
    )


def slowest_hz(rules: StationRules, pump: Pump, lift_m: float) -> float:
    """The least frequency that is allowed and moves the pump's minimum flow, as far as its full speed does."""
    return min(rules.maximum_hz, max(rules.minimum_hz, least_frequency(pump, lift_m)))


def _level(tunnel: TunnelVolume, volume_m3: float) -> float:
    return tunnel.level_at(min(tunnel.full_m3, max(0.0, volume_m3)))

"""Which of the station's rules an executed schedule breaks: checked on what was simulated, apart from any optimizer.

The rules: level within its limits, never all pumps off, frequency within its range when on, no pump that runs without moving
water, outflow at most its limit,
every run and every rest at least so long (those under way at the start count from when they began, the one cut by the
end is not judged), and the tunnel emptied once on every dry day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from headworks.waterway.station import StationTrajectory

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class StationRules:
    """The limits; runs and rests in steps."""

    minimum_level_m: float
    maximum_level_m: float
    minimum_hz: float
    maximum_hz: float
    maximum_outflow_m3s: float
    minimum_run_steps: int
    minimum_rest_steps: int
    emptied_level_m: float
    minimum_pumps_on: int = 1


@dataclass(frozen=True, slots=True)
class Before:
    """How a pump stood before the first step: on or off, and for how many steps."""

    on: bool
    steps: int


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: which, in which step, and by what."""

    rule: str
    step: int
    text: str


def breaches(
    rules: StationRules,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    before: Sequence[Before],
    dry_days: Sequence[range] = (),
    names: Sequence[str] = (),
    outflow_m3s: Sequence[float] = (),
) -> list[Breach]:
    """Every breach, by rule and time. `dry_days` are the steps of each dry day; pumps without `names` are told by their place.

    `outflow_m3s` is the outflow's limit of each step, where it is not the rules' own.
    """
    return [
        *_levels(rules, trajectory),
        *_speeds(rules, frequency_hz),
        *_churning(frequency_hz, trajectory, names),
        *_outflows(outflow_m3s or (rules.maximum_outflow_m3s,) * len(trajectory.outflow_m3s), trajectory),
        *_stretches(rules, frequency_hz, before, names),
        *_days(rules, trajectory, dry_days),
    ]


def _levels(rules: StationRules, trajectory: StationTrajectory) -> Iterator[Breach]:
    for t, level_m in enumerate(trajectory.level_m):
        if level_m > rules.maximum_level_m + TOLERANCE:
            yield Breach("maximum_level", t, f"{level_m:.3f} m is above {rules.maximum_level_m} m")
        if level_m < rules.minimum_level_m - TOLERANCE:
            yield Breach("minimum_level", t, f"{level_m:.3f} m is below {rules.minimum_level_m} m")
        if trajectory.overflow_m3[t] > 0:
            yield Breach("maximum_level", t, f"{trajectory.overflow_m3[t]:.0f} m³ overflow")
        if trajectory.short_m3[t] > TOLERANCE:
            yield Breach("minimum_level", t, f"the pumps would take {trajectory.short_m3[t]:.1f} m³ more than there is")


def _speeds(rules: StationRules, frequency_hz: Sequence[Sequence[float]]) -> Iterator[Breach]:
    for t, asked_hz in enumerate(frequency_hz):
        on = [hz for hz in asked_hz if hz > 0]
        if len(on) < rules.minimum_pumps_on:
            yield Breach("minimum_pumps_on", t, f"{len(on)} pumps on; at least {rules.minimum_pumps_on} must be")
        for hz in on:
            if not rules.minimum_hz - TOLERANCE <= hz <= rules.maximum_hz + TOLERANCE:
                yield Breach("frequency", t, f"{hz:.2f} Hz is outside {rules.minimum_hz} to {rules.maximum_hz} Hz")


def _churning(
    frequency_hz: Sequence[Sequence[float]], trajectory: StationTrajectory, names: Sequence[str]
) -> Iterator[Breach]:
    for t, asked_hz in enumerate(frequency_hz):
        for pump, hz in enumerate(asked_hz):
            if hz > 0 and trajectory.pump_flow_m3s[t][pump] <= 0:
                yield Breach(
                    "no_flow", t, f"pump {names[pump] if names else pump} runs and moves no water at {hz:.2f} Hz"
                )


def _outflows(limits_m3s: Sequence[float], trajectory: StationTrajectory) -> Iterator[Breach]:
    for t, (limit_m3s, outflow_m3s) in enumerate(zip(limits_m3s, trajectory.outflow_m3s, strict=True)):
        if outflow_m3s > limit_m3s + TOLERANCE:
            text = f"{outflow_m3s * 3600:.0f} m³/h is above {limit_m3s * 3600:.0f} m³/h"
            yield Breach("maximum_outflow", t, text)


def _stretches(
    rules: StationRules, frequency_hz: Sequence[Sequence[float]], before: Sequence[Before], names: Sequence[str]
) -> Iterator[Breach]:
    for pump, was in enumerate(before):
        name = names[pump] if names else str(pump)
        t, last = 0, len(frequency_hz)
        for on, steps in groupby(asked_hz[pump] > 0 for asked_hz in frequency_hz):
            length = sum(1 for _ in steps)
            lasted = length + (was.steps if t == 0 and on == was.on else 0)
            least = rules.minimum_run_steps if on else rules.minimum_rest_steps
            if t == 0 and on != was.on:
                yield from _short(rules, name, 0, was.on, was.steps)
            if t + length < last and lasted < least:
                yield from _short(rules, name, t, on, lasted)
            t += length


def _short(rules: StationRules, pump: str, step: int, on: bool, lasted: int) -> Iterator[Breach]:
    least = rules.minimum_run_steps if on else rules.minimum_rest_steps
    if lasted < least:
        kind = "run" if on else "rest"
        yield Breach(f"minimum_{kind}", step, f"pump {pump}: a {kind} of {lasted} steps; at least {least} are right")


def _days(rules: StationRules, trajectory: StationTrajectory, dry_days: Sequence[range]) -> Iterator[Breach]:
    for day in dry_days:
        lowest_m = min(trajectory.level_m[t] for t in day)
        if lowest_m > rules.emptied_level_m + TOLERANCE:
            yield Breach(
                "emptying", day.start, f"a dry day's lowest level is {lowest_m:.2f} m, above {rules.emptied_level_m} m"
            )

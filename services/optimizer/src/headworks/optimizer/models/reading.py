"""What a solved problem says beyond its values: where nature withholds power, where spill is false, what to try first."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from headworks.optimizer.afterbay.case import IntegerOptions
from headworks.optimizer.models.afterbay import Problem, inside_release
from headworks.optimizer.models.data import Data

TOLERANCE_DAM3 = 1e-4
TOLERANCE_MW = 0.001

Values = dict[str, float]


def withheld(problem: Problem, values: Values) -> tuple[bool, ...]:
    """Whether each hour's power is as much as head and ramp allow, shape (hours,)."""
    data = problem.data
    lines = (data.head_lines.below, *data.head_lines.fine)

    def head_mw(storage_dam3: float) -> float:
        return min(data.highest_mw, *(slope * storage_dam3 + intercept for slope, intercept in lines))

    found, before_mw, start_head_mw = [], data.initial_mw, data.initial_head_mw
    for power, storage in zip(problem.power, problem.storage, strict=True):
        end_head_mw, power_mw = head_mw(values[storage.name]), values[power.name]
        most_mw = min(start_head_mw, end_head_mw, before_mw + data.ramp_mw)
        found.append(power_mw >= most_mw - TOLERANCE_MW)
        start_head_mw, before_mw = end_head_mw, power_mw
    return tuple(found)


def whole_releases(problem: Problem, values: Values) -> frozenset[int]:
    """The hours of those rafting windows that are met as far as head and ramp allow: the setpoint is the unit's maximum."""
    at_most, hours = withheld(problem, values), enumerate(problem.data.rafting_hours)
    windows = ([t for t, _ in group] for release, group in groupby(hours, key=lambda pair: pair[1]) if release)
    return frozenset(t for window in windows if all(at_most[t] for t in window) for t in window)


def partial_releases(problem: Problem, values: Values) -> frozenset[int]:
    """The hours within the other rafting windows: there the setpoint follows the generation, and its changes count."""
    whole = whole_releases(problem, values)
    return frozenset(t for t, inside in enumerate(inside_release(problem.data)) if inside and t not in whole)


def spills_below_float(problem: Problem, values: Values) -> bool:
    """Whether the model spills in an hour that ends below float: water that nature would keep."""
    return any(
        values[spill.name] > TOLERANCE_DAM3
        and values[problem.storage[t].name] < problem.data.float_dam3 - TOLERANCE_DAM3
        for t, spill in problem.spill.items()
    )


def change_hints(data: Data, schedule_mw: Sequence[float], integers: IntegerOptions) -> dict[str, float]:
    """Which hours may change in a first integer answer: a schedule's greatest changes that the options bear."""
    power_mw = [data.initial_mw, *schedule_mw]
    changes = [abs(after - before) for before, after in pairwise(power_mw)]
    most = integers.max_setpoint_changes if integers.max_setpoint_changes is not None else len(changes)
    apart = integers.min_hours_between_changes or 1
    chosen: list[int] = []
    for t in sorted(range(len(changes)), key=lambda t: -changes[t]):
        if len(chosen) < most and changes[t] > TOLERANCE_MW and all(abs(t - u) >= apart for u in chosen):
            chosen.append(t)
    return {f"changed_{t:03d}": float(t in chosen) for t in range(len(changes))}

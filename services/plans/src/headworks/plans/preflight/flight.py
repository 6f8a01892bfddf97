"""What all kinds of sites share in preflight: the schedule a plan makes with what is in force beside it, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from headworks.common.messages import GenericTargets, PlanInterval, PumpTargets, Refusal
from headworks.plans.effective import EffectiveSpan
from headworks.waterway.timegrid import TimeGrid

LONGEST_H = 168


@dataclass(frozen=True, slots=True)
class Flown:
    """A simulation was made: why the plan is refused, if it is, and what was assumed."""

    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotFlown:
    """No simulation could be made, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What one resource shall do over [start, end): a value, and the place of its interval in the submission."""

    start: datetime
    end: datetime
    value: float
    index: int | None = None


def value_of(targets: PumpTargets | GenericTargets) -> float | None:
    """A pump's speed [Hz], 0 for off; any other's target in its own unit. None for a pump that is told no speed."""
    return targets.suggested_speed_hz if isinstance(targets, PumpTargets) else targets.target_value


def asked(intervals: Sequence[PlanInterval]) -> dict[str, list[Piece]] | str:
    """By resource what a submission asks for; or why that says nothing."""
    found: dict[str, list[Piece]] = {}
    for i, interval in enumerate(intervals):
        value = value_of(interval.targets)
        if value is None:
            return f"intervals.{i}.targets names no suggested_speed_hz; flow, power and level alone are not simulated"
        found.setdefault(interval.resource, []).append(Piece(interval.interval_start, interval.interval_end, value, i))
    return found


def beside(own: Mapping[str, Sequence[Piece]], in_force: Sequence[EffectiveSpan]) -> dict[str, list[Piece]]:
    """By resource its own pieces, and what is in force before and after them."""
    found = {resource: list(pieces) for resource, pieces in own.items()}
    for span in in_force:
        value = value_of(span.plan.targets)
        if value is not None:
            found.setdefault(span.resource, []).extend(Piece(start, end, value) for start, end in _left(span, own))
    return {resource: sorted(pieces, key=lambda piece: piece.start) for resource, pieces in found.items()}


def without_a_value(own: Mapping[str, Sequence[Piece]], in_force: Sequence[EffectiveSpan]) -> tuple[str, ...]:
    """A note for each resource that is led by a plan without a speed: what it did before stands in for that."""
    names = sorted({span.resource for span in in_force if value_of(span.plan.targets) is None and _left(span, own)})
    return tuple(f"{name}: its plan in force names no suggested_speed_hz; what it did before goes on" for name in names)


def _left(span: EffectiveSpan, own: Mapping[str, Sequence[Piece]]) -> list[tuple[datetime, datetime]]:
    """What its own pieces leave of what is in force for a resource."""
    pieces = own.get(span.resource)
    first, last = (pieces[0].start, pieces[-1].end) if pieces else (span.end, span.end)
    parts = [(span.start, min(span.end, first)), (max(span.start, last), span.end)]
    return [(start, end) for start, end in parts if start < end]


def on_steps(own: Sequence[Piece], grid: TimeGrid, before: float) -> list[float]:
    """The mean over each step, by time; where nothing is planned the value before it goes on."""
    values = []
    for start, end in zip(grid.starts, grid.ends, strict=True):
        parts = [(max(p.start, start), min(p.end, end), p.value) for p in own if p.start < end and p.end > start]
        covered_s = sum((until - since).total_seconds() for since, until, _ in parts)
        total = sum((until - since).total_seconds() * value for since, until, value in parts)
        mean = (total + (grid.step_s - covered_s) * before) / grid.step_s
        values.append(mean)
        before = parts[-1][2] if parts else before
    return values


def at_starts(own: Sequence[Piece], grid: TimeGrid, before: float) -> list[float]:
    """What is planned as each step begins, for pumps: one that runs for half a step does not run at half its speed."""
    values = []
    for start in grid.starts:
        before = next((p.value for p in own if p.start <= start < p.end), before)
        values.append(before)
    return values


def interval_at(own: Sequence[Piece], grid: TimeGrid, step: int) -> int | None:
    """The submission's interval that a step belongs to; None where another's plan or nothing leads."""
    start, end = grid.starts[step], grid.ends[step]
    return next((p.index for p in own if p.index is not None and p.start < end and p.end > start), None)


def horizon(intervals: Sequence[PlanInterval], now: datetime, step_s: float) -> int:
    """How many steps from now on reach the end of a plan, at most LONGEST_H."""
    hours = (max(interval.interval_end for interval in intervals) - now).total_seconds() / 3600
    steps_per_h = 3600 / step_s
    return max(1, int(min(hours, LONGEST_H) * steps_per_h) + 1)


def off_the_grid(by_resource: Mapping[str, Sequence[Piece]], step_s: float) -> Refusal | None:
    """The first interval of the submission that does not begin and end with a step."""
    own = [piece for of_resource in by_resource.values() for piece in of_resource if piece.index is not None]
    for piece in sorted(own, key=lambda p: p.index or 0):
        for field, instant in (("interval_start", piece.start), ("interval_end", piece.end)):
            if instant.timestamp() % step_s:
                expected = f"a whole multiple of {step_s / 60:g} minutes, the steps that the site is simulated in"
                return Refusal(field=f"intervals.{piece.index}.{field}", value=instant.isoformat(), expected=expected)
    return None

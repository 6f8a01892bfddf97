"""Whether a setpoint may be written, and which: a pure function in wire counts that denies by default.

Unknown, stale, late, unlisted or out of limits means refused; nothing is clamped into range. What is allowed moves toward the
plan no faster than the rate, from what the PLC holds now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Literal

Mode = Literal["auto", "manual", "off"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an actuator is allowed, in counts and seconds."""

    minimum: int
    maximum: int
    rate_per_s: float
    rate_window_s: float
    deadband: int
    plan_stale_after_s: float
    feedback_stale_after_s: float


@dataclass(frozen=True, slots=True)
class DuePlan:
    """What the plan in force asks [counts, may be fractional], and when that plan was made."""

    requested: float
    created_at: datetime
    interval_start: datetime
    interval_end: datetime


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the PLC holds as its setpoint and what the machine does [counts], read at an instant."""

    read_back: int
    actual: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision is made from. `ramped_until` is the instant up to which the rate has been used."""

    mode: Mode
    e_stop: bool
    recordable: bool
    plan: DuePlan | None
    feedback: Feedback | None
    ramped_until: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """Write this setpoint [counts]; `complete` when it is the plan's own."""

    counts: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to write: the PLC holds what it shall, or somebody else leads."""

    reason: str


@dataclass(frozen=True, slots=True)
class FailSafe:
    """There is no plan to follow; the configured safe action (hold) is in force."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The plan asks what is not allowed, or too little is known to act; each violation is named."""

    violations: tuple[str, ...]


Decision = Write | Hold | FailSafe | Refused


def decide(limits: Limits, situation: Situation, now: datetime) -> Decision:
    """The decision for one actuator at `now`."""
    if situation.e_stop:
        return Hold("e-stop is active")
    if situation.mode != "auto":
        return Hold(f"mode is {situation.mode}")
    if not situation.recordable:
        return Refused(("the journal cannot be written",))
    plan, feedback = situation.plan, situation.feedback
    if plan is None:
        return FailSafe("no plan is in force")
    violations = (*_plan_violations(limits, plan, now), *_feedback_violations(limits, feedback, now))
    if feedback is None or violations:
        return Refused(violations)
    return _toward(limits, round(plan.requested), feedback, situation.ramped_until, now)


def _plan_violations(limits: Limits, plan: DuePlan, now: datetime) -> tuple[str, ...]:
    found: list[str] = []
    if not plan.interval_start <= now < plan.interval_end:
        found.append("the plan is not for now")
    if now - plan.created_at > timedelta(seconds=limits.plan_stale_after_s):
        found.append(f"the plan is older than {limits.plan_stale_after_s:.0f} s")
    if not limits.minimum <= plan.requested <= limits.maximum:
        found.append(f"{plan.requested:g} counts is outside {limits.minimum} to {limits.maximum}")
    return tuple(found)


def _feedback_violations(limits: Limits, feedback: Feedback | None, now: datetime) -> tuple[str, ...]:
    if feedback is None:
        return ("the PLC has not answered yet",)
    age_s = (now - feedback.at).total_seconds()
    if not 0 <= age_s <= limits.feedback_stale_after_s:
        return (f"the PLC's feedback is {age_s:.0f} s old",)
    return ()


def _toward(limits: Limits, target: int, feedback: Feedback, ramped_until: datetime, now: datetime) -> Decision:
    """A step toward the target within the rate; a restarted PLC holds 0, then the step starts from the machine's output."""
    known = feedback.read_back
    base = known if limits.minimum <= known <= limits.maximum else feedback.actual
    base = min(limits.maximum, max(limits.minimum, base))
    if known == base and abs(target - base) < limits.deadband:
        return Hold("at the plan's setpoint")
    elapsed_s = min(limits.rate_window_s, max(0.0, (now - ramped_until).total_seconds()))
    step = floor(limits.rate_per_s * elapsed_s)
    if step < 1 and known == base:
        return Hold("the rate allows no step yet")
    counts = max(base - step, min(base + step, target))
    return Write(counts, complete=counts == target)

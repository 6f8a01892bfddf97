"""Whether a setpoint may be written, and which: a pure function in wire counts that denies by default.

Unknown, stale, late, unlisted, unrecorded, implausible or out of limits means refused; no plan is clamped into range. What is
allowed moves toward the plan no faster than the rate, from what the PLC holds now. Over any stretch of time the register moves
at most rate x time + 1 count: what the rate gives and a step does not use is kept, up to one count; and over a longer window no
further than `max_change`. Only the setpoint of a machine that stands is set at once: nothing turns, so nothing jumps.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import floor, isfinite
from typing import Literal

from headworks.control_gateway.movement import Held, MaxChange, reach
from headworks.control_gateway.plausibility import PlausibleLimits, Watched, does_not_follow, jumped

Mode = Literal["auto", "manual", "off", "maintenance"]

HIGHEST_COUNT = 65535
RESTARTED = 0
"""What the registers of a PLC hold after its restart (measured; see docs/safety.md)."""
CLOCKS_DIFFER_S = 60.0
"""A plan made further in the future than this means that somebody's clock is wrong, so what is due is not known."""


Layer = Literal["hardware", "station", "optimiser"]
"""Whose limits: the PLC's own, the station's for whoever asks, and the narrower ones for plans."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the lowest to the highest that is allowed [counts]."""

    minimum: int
    maximum: int

    def holds(self, counts: float) -> bool:
        """Whether it is within; what is no number is not."""
        return self.minimum <= counts <= self.maximum

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.minimum} to {self.maximum}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an actuator is allowed, in counts and seconds. Raises ValueError naming the field that cannot be right.

    `minimum` and `maximum` are the station's. The PLC's own range and the optimiser's are the same where none is given.
    """

    minimum: int
    maximum: int
    rate_per_s: float
    rate_window_s: float
    deadband: int
    plan_stale_after_s: float
    feedback_stale_after_s: float
    hardware: Range | None = None
    optimiser: Range | None = None
    max_change: MaxChange | None = None
    plausible: PlausibleLimits | None = None

    def __post_init__(self) -> None:
        """Refuse limits that limit nothing, or do not lie one within the other."""
        if not 0 <= self.minimum < self.maximum <= HIGHEST_COUNT:
            raise ValueError(
                f"minimum={self.minimum} and maximum={self.maximum} counts must be in order, 0 to {HIGHEST_COUNT}"
            )
        if not 0 <= self.deadband <= self.maximum - self.minimum:
            raise ValueError(f"deadband={self.deadband} counts must be 0 to {self.maximum - self.minimum}, the range")
        for name in ("rate_per_s", "rate_window_s", "plan_stale_after_s", "feedback_stale_after_s"):
            value: float = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name}={value:g} must be above zero")
        if self.rate_per_s * self.rate_window_s < 1:
            earned = self.rate_per_s * self.rate_window_s
            raise ValueError(f"rate_window_s={self.rate_window_s:g} earns {earned:g} counts; it must earn at least 1")
        self._check_layers()

    def _check_layers(self) -> None:
        station, hardware, optimiser = self.station, self.hardware, self.optimiser
        if hardware and not (0 <= hardware.minimum <= station.minimum and self.maximum <= hardware.maximum):
            raise ValueError(f"hardware={hardware} counts must hold the station's minimum and maximum, {station}")
        if hardware and hardware.maximum > HIGHEST_COUNT:
            raise ValueError(f"hardware={hardware} counts must be at most {HIGHEST_COUNT}")
        if optimiser and not (station.minimum <= optimiser.minimum < optimiser.maximum <= station.maximum):
            raise ValueError(
                f"optimiser={optimiser} counts must lie within the station's minimum and maximum, {station}"
            )

    @property
    def station(self) -> Range:
        """The station's limits."""
        return Range(self.minimum, self.maximum)

    def refusal(self, counts: float, asked_within: Layer) -> str | None:
        """Which limits do not hold what is asked, the outermost first; None when all do that it is held against."""
        layers: tuple[tuple[Layer, Range | None], ...] = (
            ("hardware", self.hardware),
            ("station", self.station),
            ("optimiser", self.optimiser if asked_within == "optimiser" else None),
        )
        for layer, allowed in layers:
            if allowed is not None and not allowed.holds(counts):
                return f"{counts:g} counts is outside the {layer}'s {allowed}"
        return None


@dataclass(frozen=True, slots=True)
class DuePlan:
    """What the plan in force asks [counts, may be fractional; None: nothing, and `lacking` says why], and when it was made.

    `within` is whose limits it is held against: a plan the optimiser's; what a person, an interlock, a calculator or a fail-safe
    asks the station's.
    """

    requested: float | None
    created_at: datetime
    interval_start: datetime
    interval_end: datetime
    lacking: str = "the plan asks nothing that this actuator can do"
    within: Layer = "optimiser"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the PLC holds as its setpoint and what the machine does [counts], read at an instant."""

    read_back: int
    actual: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """Write this setpoint [counts]; `complete` when it is the plan's own. `spare_s` of the rate are left for the next step."""

    counts: int
    complete: bool
    spare_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to write: the PLC holds what it shall, the rate allows no step yet, or somebody else leads."""

    reason: str
    spare_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class FailSafe:
    """There is no plan to follow; the configured safe action (hold) is in force."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The plan asks what is not allowed, or too little is known to act; each violation is named."""

    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision is made from.

    `ramped_until` is the instant up to which the rate has been used; `ramping` says that the last write was on its way;
    `standing` that the machine is known to stand. `held` is what the PLC held within the window of `max_change`, the present
    included, and `watched` what was seen of the machine. `barred` is what an interlock says instead of any write; `lacking` why
    there is no plan to follow.
    """

    mode: Mode
    e_stop: bool
    recordable: bool
    plan: DuePlan | None
    feedback: Feedback | None
    ramped_until: datetime
    ramping: bool = False
    standing: bool = False
    held: tuple[Held, ...] = ()
    watched: Watched | None = None
    barred: Hold | Refused | None = None
    lacking: str = "no plan is in force"


Decision = Write | Hold | FailSafe | Refused


def decide(limits: Limits, situation: Situation, now: datetime) -> Decision:
    """The decision for one actuator at `now`."""
    if situation.e_stop:
        return Hold("e-stop is active")
    if situation.mode != "auto":
        return Hold(f"mode is {situation.mode}")
    if not situation.recordable:
        return Refused(("the journal cannot be written",))
    if situation.barred is not None:
        return situation.barred
    plan, feedback = situation.plan, situation.feedback
    if plan is None:
        return FailSafe(situation.lacking)
    violations = (
        *plan_violations(limits, plan, now),
        *_feedback_violations(limits, feedback, situation, now),
    )
    if violations or plan.requested is None or feedback is None:
        return Refused(violations)
    if situation.standing:
        return _preset(round(plan.requested), feedback)
    return _toward(limits, round(plan.requested), feedback, situation, now)


def plan_violations(limits: Limits, plan: DuePlan, now: datetime) -> tuple[str, ...]:
    """Why a plan may not be followed."""
    found = list(timing_violations(limits, plan, now))
    if plan.requested is None:
        found.append(plan.lacking)
    elif refusal := limits.refusal(plan.requested, plan.within):
        found.append(refusal)
    return tuple(found)


def timing_violations(limits: Limits, plan: DuePlan, now: datetime) -> tuple[str, ...]:
    """Why a plan may not be followed now, whatever it asks."""
    found: list[str] = []
    age_s = (now - plan.created_at).total_seconds()
    if not plan.interval_start <= now < plan.interval_end:
        found.append("the plan is not for now")
    if age_s > limits.plan_stale_after_s:
        found.append(f"the plan is older than {limits.plan_stale_after_s:g} s")
    if age_s < -CLOCKS_DIFFER_S:
        found.append("the plan was made in the future: a clock is wrong")
    return tuple(found)


def _feedback_violations(
    limits: Limits, feedback: Feedback | None, situation: Situation, now: datetime
) -> tuple[str, ...]:
    if feedback is None:
        return ("the PLC has not answered yet",)
    age_s = (now - feedback.at).total_seconds()
    if not 0 <= age_s <= limits.feedback_stale_after_s:
        return (f"the PLC's feedback is not of the last {limits.feedback_stale_after_s:g} s",)
    if situation.standing:
        return ()
    if limits.plausible and situation.watched and (doubt := jumped(limits.plausible, situation.watched, now)):
        return (doubt,)
    if start_of(limits, feedback) is None:
        held = f"the PLC holds {feedback.read_back} counts, outside {limits.station}"
        return (f"{held}, while the machine gives {feedback.actual}: from where to start is not known",)
    return ()


def start_of(limits: Limits, feedback: Feedback) -> int | None:
    """Where a step starts [counts]: what the PLC holds, or, where it restarted, what the machine gives; None if unknown."""
    if limits.station.holds(feedback.read_back):
        return feedback.read_back
    runs = limits.minimum - limits.deadband <= feedback.actual <= limits.maximum + limits.deadband
    if feedback.read_back == RESTARTED and runs:
        return min(limits.maximum, max(limits.minimum, feedback.actual))
    return None


def _preset(target: int, feedback: Feedback) -> Decision:
    """The setpoint that a machine which stands shall begin at."""
    return Hold("at the plan's setpoint") if feedback.read_back == target else Write(target, complete=True)


def _toward(limits: Limits, target: int, feedback: Feedback, situation: Situation, now: datetime) -> Decision:
    """A step toward the target within the rate. A ramp once begun goes all the way; the deadband only keeps one from starting."""
    start = start_of(limits, feedback)
    assert start is not None, "refused before"
    elapsed_s = (now - situation.ramped_until).total_seconds()
    earned = limits.rate_per_s * min(limits.rate_window_s, max(0.0, elapsed_s))
    away = abs(target - start)
    if feedback.read_back == start:
        if away == 0 or (away < limits.deadband and not situation.ramping):
            return Hold("at the plan's setpoint", _spare_s(limits, earned))
        if earned < 1:
            return Hold("the rate allows no step yet", _spare_s(limits, earned))
    nearer = _believed(limits, target, start, situation, now)
    if isinstance(nearer, str):
        return Refused((nearer,))
    counts = _step(limits, nearer, start, floor(earned), situation, now)
    if feedback.read_back == counts:
        return Hold("the change within the window allows no step yet", _spare_s(limits, earned))
    return Write(counts, counts == target, _spare_s(limits, earned - abs(counts - start)))


def _believed(limits: Limits, target: int, start: int, situation: Situation, now: datetime) -> int | str:
    """How far to go: where the machine is not believed to follow, no further than to what it gives; or why no step is taken."""
    plausible, seen = limits.plausible, situation.watched
    if plausible is None or seen is None:
        return target
    doubt = does_not_follow(plausible, seen, now)
    if doubt is None:
        return target
    nearer = max(min(start, seen.actual), min(max(start, seen.actual), target))
    return doubt if nearer == start else nearer


def _step(limits: Limits, target: int, start: int, step: int, situation: Situation, now: datetime) -> int:
    """As near to the target as the rate and the window allow; where the window allows nothing, the start."""
    lowest, highest = start - step, start + step
    if limits.max_change and situation.held:
        low, high = reach(limits.max_change, situation.held, now)
        lowest, highest = max(lowest, low), min(highest, high)
    return max(lowest, min(highest, target)) if lowest <= start <= highest else start


def _spare_s(limits: Limits, unused: float) -> float:
    """How much of the time up to now the next step may still count: that of the unused counts, at most one's."""
    return min(1.0, unused) / limits.rate_per_s

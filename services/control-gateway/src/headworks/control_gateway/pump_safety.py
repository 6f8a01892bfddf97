"""Whether a pump may be started or stopped: a pure function that denies by default.

First who stands above the plan: e-stop, a person in the lead, the PLC's own control, low-low, the site's interlocks that stop
it, high-high, the minimum of pumps. Then the plan, or a person's override, which is a wish: it needs a record, a known level,
the minimum run and rest times, and its turn among the starts of the station. What protects does not wait for these: a record
that cannot be made keeps no pump running dry and no tunnel filling.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

from headworks.control_gateway.interlocks import Order
from headworks.control_gateway.safety import DuePlan, Limits, Mode, Refused, plan_violations, timing_violations

OFF = 0
"""What a plan asks of a pump that shall stand."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What starts and stops are allowed [s]. Raises ValueError naming the field that cannot be right."""

    minimum_run_s: float
    minimum_rest_s: float
    start_every_s: float
    start_takes_s: float
    feedback_stale_after_s: float

    def __post_init__(self) -> None:
        """Refuse limits that limit nothing."""
        for name in self.__slots__:
            value: float = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name}={value:g} must be above zero")


@dataclass(frozen=True, slots=True)
class RunFeedback:
    """Whether the pump runs, since when so far as was seen, and the run command that the PLC holds; read at an instant."""

    running: bool
    since: datetime
    commanded: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """What the site asks of this pump whatever the plan says (see interlocks.py)."""

    low_low: bool = False
    high_high: bool = False
    called: bool = False
    needed: bool = False
    level_known: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """Command the pump to run. A forced start does not wait for rest or record."""

    reason: str
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Command the pump to stand. A forced stop does not wait for the minimum run or a record."""

    reason: str
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """No command: the pump does what it shall, must wait, or somebody else leads."""

    reason: str


@dataclass(frozen=True, slots=True)
class RunSituation:
    """All that a decision is made from. `started_at` is the last start of any pump of the site.

    `local` says that the PLC's own control leads, `stops` that an interlock lets the pump not run, `barred` what one says to any
    wish; `lacking` why there is no plan to follow; `doubt` why it is not believed to stand, though its run feedback says so.
    """

    mode: Mode
    e_stop: bool
    recordable: bool
    plan: DuePlan | None
    feedback: RunFeedback | None
    duty: Duty
    ordered: Order | None
    started_at: datetime | None
    local: str | None = None
    stops: str | None = None
    barred: Keep | Refused | None = None
    lacking: str = "no plan is in force"
    doubt: str | None = None


RunDecision = Start | Stop | Keep | Refused
LOW_LOW = "the level is low-low: no pump may run"
STANDS_BELOW_KW = 2.0
"""What a drive and a heater may take while the machine stands."""


def doubt_of_standing(speeds: Limits, running: bool, actual: int, power_kw: float | None) -> str | None:
    """Why a pump whose run feedback says that it stands is not believed to: its contact may be broken.

    Below half of the lowest speed it may run down still; above, what is measured says that it turns.
    """
    if running:
        return None
    if 2 * actual > speeds.minimum:
        return (
            f"the run feedback says that it stands, but it gives {actual} counts of speed: which is wrong is not known"
        )
    if power_kw is not None and power_kw > STANDS_BELOW_KW:
        return f"the run feedback says that it stands, but it takes {power_kw:g} kW: which is wrong is not known"
    return None


def decide_run(limits: RunLimits, speeds: Limits, situation: RunSituation, now: datetime) -> RunDecision:
    """The decision for one pump at `now`; `speeds` are the limits of its setpoint."""
    feedback, duty = situation.feedback, situation.duty
    if feedback is None:
        return Refused(("the PLC has not answered yet",))
    if not 0 <= (now - feedback.at).total_seconds() <= limits.feedback_stale_after_s:
        return Refused((f"the PLC's feedback is not of the last {limits.feedback_stale_after_s:g} s",))
    may_run = feedback if situation.doubt is None else replace(feedback, running=True)
    if situation.e_stop:
        return _forced_stop(limits, "e-stop is active", may_run, situation.ordered, now)
    if situation.mode != "auto":
        return Keep(f"mode is {situation.mode}")
    if situation.local is not None:
        return Keep(situation.local)
    stops = LOW_LOW if duty.low_low else situation.stops
    if stops is not None:
        return _forced_stop(limits, stops, may_run, situation.ordered, now)
    if situation.doubt is not None:
        runs_down = (now - feedback.since).total_seconds() < limits.start_takes_s
        return Keep(situation.doubt) if runs_down else Refused((situation.doubt,))
    return _led(limits, speeds, situation, feedback, now)


def _led(
    limits: RunLimits, speeds: Limits, situation: RunSituation, feedback: RunFeedback, now: datetime
) -> RunDecision:
    """Where nothing stops it: high-high and the minimum, then what interlocks leave of any wish."""
    duty = situation.duty
    if duty.called:
        why = "the level is high-high" if duty.high_high else "too few pumps run"
        return _in_turn(limits, Start(why, forced=True), situation, now)
    if duty.high_high and (feedback.running or feedback.commanded):
        return _held_on(feedback)
    if not situation.recordable:
        return Refused(("the journal cannot be written",))
    if situation.barred is not None:
        return situation.barred
    return _as_planned(limits, speeds, situation, feedback, now)


def _forced_stop(
    limits: RunLimits, reason: str, feedback: RunFeedback, ordered: Order | None, now: datetime
) -> RunDecision:
    """Stop what runs or may; a stop that was just ordered is given the time it takes before it is ordered again."""
    if not (feedback.running or feedback.commanded):
        return Keep(reason)
    if not feedback.commanded and ordered is not None and not ordered.on and _takes_effect(limits, ordered, now):
        return Keep(reason)
    return Stop(reason, forced=True)


def _held_on(feedback: RunFeedback) -> RunDecision:
    """At high-high nothing stops, and the command of a pump that runs without one is given again."""
    if feedback.running and not feedback.commanded:
        return Start("it runs without its command", forced=True)
    return Keep("the level is high-high: no pump is stopped")


def _as_planned(
    limits: RunLimits, speeds: Limits, situation: RunSituation, feedback: RunFeedback, now: datetime
) -> RunDecision:
    plan = situation.plan
    if plan is None:
        return Keep(f"{situation.lacking}: what runs is held")
    wanted = plan.requested != OFF
    violations = plan_violations(speeds, plan, now) if wanted else timing_violations(speeds, plan, now)
    if violations:
        return Refused(violations)
    if feedback.running == feedback.commanded == wanted:
        return Keep("it runs as planned" if wanted else "it stands as planned")
    if situation.ordered is not None and _takes_effect(limits, situation.ordered, now):
        return Keep("the last command takes effect")
    if not situation.duty.level_known:
        return Refused(("the tunnel's level is not known: what runs is held",))
    return _wished_on(limits, situation, feedback, now) if wanted else _wished_off(limits, situation, feedback, now)


def _wished_on(limits: RunLimits, situation: RunSituation, feedback: RunFeedback, now: datetime) -> RunDecision:
    if feedback.commanded:
        return Refused(("it stands although it is commanded to run",))
    if feedback.running:
        return Start("it runs without its command")
    if (now - feedback.since).total_seconds() < limits.minimum_rest_s:
        return Keep(f"it has not stood for {limits.minimum_rest_s:g} s yet")
    return _in_turn(limits, Start("the plan"), situation, now)


def _wished_off(limits: RunLimits, situation: RunSituation, feedback: RunFeedback, now: datetime) -> RunDecision:
    if feedback.running and situation.duty.needed:
        return Keep("too few others run for it to stop")
    if feedback.running and (now - feedback.since).total_seconds() < limits.minimum_run_s:
        return Keep(f"it has not run for {limits.minimum_run_s:g} s yet")
    return Stop("the plan")


def _in_turn(limits: RunLimits, start: Start, situation: RunSituation, now: datetime) -> RunDecision:
    """One start of the station at a time."""
    last = situation.started_at
    if last is not None and (now - last).total_seconds() < limits.start_every_s:
        return Keep("it waits for its turn: another pump has just been started")
    return start


def _takes_effect(limits: RunLimits, ordered: Order, now: datetime) -> bool:
    return (now - ordered.at).total_seconds() < limits.start_takes_s

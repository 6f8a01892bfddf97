"""What the gateway remembers of an actuator between ticks, and what a snapshot of its PLC says of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from headworks.common.messages import ControlMode, Plan, SetpointOverride
from headworks.control_gateway.due import LevelMemory
from headworks.control_gateway.leading import Lead, Leader
from headworks.control_gateway.limits import Actuator, RunPoints
from headworks.control_gateway.movement import Held
from headworks.control_gateway.plausibility import Watched
from headworks.control_gateway.plc import LinkFault, Snapshot
from headworks.control_gateway.points import Point
from headworks.control_gateway.pump_safety import RunDecision, RunFeedback
from headworks.control_gateway.safety import Decision, Feedback

ALONE = 0
"""In the place of an epoch, where no other gateway could ever lead."""


class Stood(NamedTuple):
    """What led an actuator over its plan when it was judged who leads, and when that was, in seconds of the lease's clock."""

    override: SetpointOverride | None
    interlock: str | None
    at_s: float


class Known(NamedTuple):
    """What is remembered of an actuator. Made anew several times a tick, so a named tuple: a dataclass takes four times as long.

    `link_up` is None before the first answer or fault. `lead` is who leads now, judged as things `stood`, `told` who was last
    recorded to; `local` whether the PLC says that its own control leads. `leads_under` is the epoch under which no other gateway
    can write now, None where one may; `held_under` what it was when `held` was last seen to. `led` is the epoch with which this
    gateway led when it last looked, None where it did not.
    """

    feedback: Feedback | None = None
    link_up: bool | None = None
    ramped_until: datetime | None = None
    ramping: bool = False
    held: tuple[Held, ...] = ()
    held_under: int | None = ALONE
    leads_under: int | None = ALONE
    led: int | None = None
    watched: Watched | None = None
    decision: Decision | None = None
    plan: Plan | None = None
    run: RunFeedback | None = None
    run_decision: RunDecision | None = None
    power_kw: float | None = None
    level_memory: LevelMemory | None = None
    mode: ControlMode = ControlMode.AUTO
    lead: Lead | None = None
    stood: Stood | None = None
    told: tuple[Leader, str] | None = None
    local: bool | None = None
    local_told_at: datetime | None = None


def earned_since(before: Known, known: Known, leads: int | None) -> bool:
    """Whether the rate goes on from `before`: what the PLC holds was seen to stand since, and nobody else could move it.

    It does not where the link was away, where this gateway did not lead with the same epoch all the time, nor where the PLC holds
    another setpoint than was seen last: it took over late what was written, or somebody else wrote.
    """
    if not before.link_up or before.led != leads or before.feedback is None or known.feedback is None:
        return False
    return before.feedback.read_back == known.feedback.read_back


@dataclass(frozen=True, slots=True)
class Running:
    """What a pump's PLC says of it. `in_state_s`: how long it has run or stood, by the PLC's own count."""

    running: bool
    commanded: bool
    power_kw: float | None
    in_state_s: float | None = None


def seen_setpoint(snapshot: Snapshot, actuator: Actuator, at: datetime) -> Feedback | LinkFault:
    """What the PLC holds as its setpoint, and what the machine does."""
    held = snapshot.counts(actuator.readback)
    if isinstance(held, LinkFault):
        return held
    actual = snapshot.counts(actuator.actual)
    return actual if isinstance(actual, LinkFault) else Feedback(held, actual, at)


def seen_local(snapshot: Snapshot, actuator: Actuator) -> bool | LinkFault | None:
    """Whether the PLC's own control leads; None where it cannot be told to. What is neither 0 nor 1 is a fault."""
    if actuator.local is None:
        return None
    counts = snapshot.counts(actuator.local.readback)
    if not isinstance(counts, LinkFault) and counts not in {0, 1}:
        return LinkFault(f"local or remote reads {counts}, which is neither 0 nor 1")
    return counts if isinstance(counts, LinkFault) else bool(counts)


def seen_running(snapshot: Snapshot, points: RunPoints) -> Running | LinkFault:
    """Whether the pump runs and is commanded to; a register that says neither 0 nor 1 is a fault."""
    commanded = snapshot.counts(points.readback)
    if isinstance(commanded, LinkFault):
        return commanded
    running = snapshot.counts(points.feedback)
    if isinstance(running, LinkFault):
        return running
    for name, counts in (("run command", commanded), ("run feedback", running)):
        if counts not in {0, 1}:
            return LinkFault(f"the {name} reads {counts}, which is neither 0 nor 1")
    power_kw = _seen_measured(snapshot, points.power, points.power_scale_kw)
    if isinstance(power_kw, LinkFault):
        return power_kw
    in_state_s = _seen_measured(snapshot, points.in_state, points.in_state_scale_s)
    if isinstance(in_state_s, LinkFault):
        return in_state_s
    return Running(bool(running), bool(commanded), power_kw, in_state_s)


def _seen_measured(snapshot: Snapshot, point: Point | None, scale: float) -> float | LinkFault | None:
    """A point that need not be there; `scale`: what one of its number is."""
    if point is None:
        return None
    number = snapshot.number(point)
    return number if isinstance(number, LinkFault) else round(number * scale, 6)

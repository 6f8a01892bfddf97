"""What the gateway remembers of an actuator between ticks, and how it is read from its PLC."""

from dataclasses import dataclass
from datetime import datetime

from headworks.common.clock import Clock
from headworks.common.messages import Plan
from headworks.control_gateway.due import LevelMemory
from headworks.control_gateway.limits import Actuator, RunPoints
from headworks.control_gateway.movement import Held
from headworks.control_gateway.plausibility import Watched
from headworks.control_gateway.plc import LinkFault, Plc
from headworks.control_gateway.pump_safety import RunDecision, RunFeedback
from headworks.control_gateway.safety import Decision, Feedback


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an actuator. `link_up` is None before the first answer or fault."""

    feedback: Feedback | None = None
    link_up: bool | None = None
    ramped_until: datetime | None = None
    ramping: bool = False
    held: tuple[Held, ...] = ()
    watched: Watched | None = None
    decision: Decision | None = None
    plan: Plan | None = None
    run: RunFeedback | None = None
    run_decision: RunDecision | None = None
    power_kw: float | None = None
    level_memory: LevelMemory | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What a pump's PLC says of it. `in_state_s`: how long it has run or stood, by the PLC's own count."""

    running: bool
    commanded: bool
    power_kw: float | None
    in_state_s: float | None = None


async def read_setpoint(plc: Plc, actuator: Actuator, clock: Clock) -> Feedback | LinkFault:
    """What the PLC holds as its setpoint, and what the machine does."""
    held = await plc.read_holding(actuator.readback_address)
    if isinstance(held, LinkFault):
        return held
    actual = await plc.read_input(actuator.actual_address)
    if isinstance(actual, LinkFault):
        return actual
    return Feedback(held[0], actual[0], clock.now())


async def read_running(plc: Plc, points: RunPoints) -> Running | LinkFault:
    """Whether the pump runs and is commanded to; a register that says neither 0 nor 1 is a fault."""
    commanded = await plc.read_holding(points.readback_address)
    if isinstance(commanded, LinkFault):
        return commanded
    running = await plc.read_input(points.feedback_address)
    if isinstance(running, LinkFault):
        return running
    for name, counts in (("run command", commanded[0]), ("run feedback", running[0])):
        if counts not in {0, 1}:
            return LinkFault(f"the {name} reads {counts}, which is neither 0 nor 1")
    power_kw = await _read_measured(plc, points.power_address, points.power_scale_kw)
    if isinstance(power_kw, LinkFault):
        return power_kw
    in_state_s = await _read_measured(plc, points.in_state_address, points.in_state_scale_s)
    if isinstance(in_state_s, LinkFault):
        return in_state_s
    return Running(bool(running[0]), bool(commanded[0]), power_kw, in_state_s)


async def _read_measured(plc: Plc, address: int | None, scale: float) -> float | LinkFault | None:
    """A register that need not be there."""
    if address is None:
        return None
    counts = await plc.read_input(address)
    return counts if isinstance(counts, LinkFault) else round(counts[0] * scale, 6)

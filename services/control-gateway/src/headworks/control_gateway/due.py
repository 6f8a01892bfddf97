"""What the plan in force asks of an actuator now, in its counts: the plan's own value, or a pump's calculator's."""

from dataclasses import dataclass, replace
from datetime import datetime

from headworks.common.messages import GenericTargets, Plan, PumpTargets, TargetType
from headworks.control_gateway.calculators import (
    LevelControl,
    SpeedRange,
    Unknown,
    bumpless_integral,
    direct_speed,
    level_speed,
    power_speed,
)
from headworks.control_gateway.leading import at_once
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.pump_safety import OFF
from headworks.control_gateway.safety import DuePlan


@dataclass(frozen=True, slots=True)
class LevelMemory:
    """Where the level calculator goes on from."""

    integral_hz: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Present:
    """What a pump gives now [Hz, kW], and the tunnel's level [m]."""

    speed_hz: float | None
    power_kw: float | None
    level_m: float | None


@dataclass(frozen=True, slots=True)
class Due:
    """What is due, and what the level calculator must remember."""

    plan: DuePlan | None
    memory: LevelMemory | None = None


def target_of(plan: Plan | None) -> float | None:
    """The value that a plan gives for its actuator, in the actuator's unit."""
    if plan is None:
        return None
    return plan.targets.target_value if isinstance(plan.targets, GenericTargets) else plan.targets.suggested_speed_hz


def due_plan(plan: Plan | None, actuator: Actuator) -> DuePlan | None:
    """What the plan asks of this actuator; a target of another kind is nothing that it can do."""
    if plan is None:
        return None
    targets = plan.targets
    kind = targets.target_type if isinstance(targets, GenericTargets) else TargetType.SPEED
    target = target_of(plan) if kind is actuator.target_type else None
    requested = None if target is None else actuator.counts(target)
    return DuePlan(requested, plan.plan_created_at, plan.interval_start, plan.interval_end)


def due_speed(
    plan: Plan | None,
    actuator: Actuator,
    present: Present,
    control: LevelControl | None,
    memory: LevelMemory | None,
    now: datetime,
) -> Due:
    """What the plan asks of a pump, by the calculator that the site file names. Off stays off, whatever calculates."""
    direct = due_plan(plan, actuator)
    if plan is None or direct is None or direct.requested == OFF or not isinstance(plan.targets, PumpTargets):
        return Due(direct)
    targets, speeds, calculated = plan.targets, speed_range(actuator), replace(direct, within="station")
    match actuator.setpoint_from:
        case "direct":
            return Due(_asked(direct, actuator, direct_speed(targets.suggested_speed_hz)))
        case "power":
            speed = power_speed(speeds, present.speed_hz, present.power_kw, targets.target_power_kw)
            return Due(_asked(calculated, actuator, speed))
        case "level":
            assert control is not None, "the site file's reader asks for it"
            level_hz, memory = _by_level(control, speeds, present, targets.target_level_m, memory, now)
            return Due(_asked(calculated, actuator, level_hz), memory)


def fail_safe_speed(
    actuator: Actuator,
    present: Present,
    control: LevelControl,
    target_m: float,
    memory: LevelMemory | None,
    now: datetime,
) -> Due:
    """Without a plan: the level calculator's speed toward the fail-safe level."""
    speed, memory = _by_level(control, speed_range(actuator), present, target_m, memory, now)
    return Due(_asked(at_once(0, now), actuator, speed), memory)


def speed_range(actuator: Actuator) -> SpeedRange:
    """The speeds between the actuator's limits."""
    return SpeedRange(actuator.limits.minimum * actuator.scale, actuator.limits.maximum * actuator.scale)


def _by_level(
    control: LevelControl,
    speeds: SpeedRange,
    present: Present,
    target_m: float | None,
    memory: LevelMemory | None,
    now: datetime,
) -> tuple[float | Unknown, LevelMemory | None]:
    if memory is None and present.level_m is not None and target_m is not None:
        start_hz = speeds.nearest(present.speed_hz or 0.0)
        memory = LevelMemory(bumpless_integral(control, start_hz, present.level_m, target_m), now)
    integral_hz, at = (memory.integral_hz, memory.at) if memory else (0.0, now)
    result = level_speed(
        control,
        speeds,
        present.level_m,
        target_m,
        integral_hz=integral_hz,
        elapsed_s=max(0.0, (now - at).total_seconds()),
    )
    if isinstance(result, Unknown):
        return result, None
    return result.speed_hz, LevelMemory(result.integral_hz, now)


def _asked(plan: DuePlan, actuator: Actuator, speed: float | Unknown) -> DuePlan:
    if isinstance(speed, Unknown):
        return replace(plan, requested=None, lacking=speed.reason)
    return replace(plan, requested=actuator.counts(speed))

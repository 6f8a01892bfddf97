"""The gateway's own limits, from the `control` section of the site file, in the counts that go on the wire.

They are never taken from a plan. A section that cannot be read whole stops the gateway at its start.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headworks.common.messages import TargetType
from headworks.control_gateway.movement import MaxChange
from headworks.control_gateway.plausibility import PlausibleLimits
from headworks.control_gateway.points import Point, WritablePoint
from headworks.control_gateway.safety import Limits, Range
from headworks.control_gateway.section import (
    ActuatorSection,
    ControlSection,
    MaxChangeSection,
    PlcSection,
    PointSection,
    RangeSection,
    Role,
    quantity,
)
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.waterway.quantities import check_unit
from headworks.waterway.site import Site

SI_UNITS = {
    TargetType.POWER: "MW",
    TargetType.SPEED: "Hz",
    TargetType.FLOW: "m**3/s",
    TargetType.LEVEL: "m",
    TargetType.PRESSURE: "Pa",
    TargetType.POSITION: "percent",
}
"""What each kind of target is measured in."""
SETPOINT_ROLES: tuple[Role, ...] = ("setpoint", "readback", "actual")
RUN_ROLES: tuple[Role, ...] = ("run", "run_readback", "run_feedback")
LOCAL_ROLES: tuple[Role, ...] = ("local", "local_readback")
"""The points that must be there."""


class RunPoints(BaseModel):
    """Where a pump's run command is written and read back, and where it says that it runs.

    Besides, where they are there: its power, and the PLC's own count of how long it has run or stood.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    command: WritablePoint
    readback: Point
    feedback: Point
    power: Point | None
    power_scale_kw: float = Field(description="kW one of its number")
    in_state: Point | None = None
    in_state_scale_s: float = Field(default=60.0, description="s one of its number")

    @property
    def read(self) -> tuple[Point, ...]:
        """The points that a turn reads."""
        return tuple(p for p in (self.readback, self.feedback, self.power, self.in_state) if p is not None)


class LocalPoints(BaseModel):
    """Where the PLC is told whether its own control leads (1) or the gateway (0), and where it says so."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    command: WritablePoint
    readback: Point


class Actuator(BaseModel):
    """An actuator ready to be controlled: where its points are and what is allowed. `run` is there for pumps alone."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    site: str
    resource: str
    plc: str
    unit: str
    target_type: TargetType
    scale: float = Field(description="`unit` a count")
    setpoint: WritablePoint
    readback: Point
    actual: Point
    limits: Limits
    run: RunPoints | None = None
    local: LocalPoints | None = None
    setpoint_from: Literal["direct", "level", "power"] = "direct"
    fail_safe: Literal["hold", "level", "value", "hand_to_local"] = "hold"
    fail_safe_counts: int | None = None

    @property
    def read(self) -> tuple[Point, ...]:
        """The points that a turn reads."""
        local = (self.local.readback,) if self.local else ()
        return (self.readback, self.actual, *(self.run.read if self.run else ()), *local)

    def value(self, counts: int | None) -> float | None:
        """Counts as a number of `unit`."""
        return None if counts is None else round(counts * self.scale, 6)

    def counts(self, value: float) -> float:
        """A number of `unit` in counts, which may be fractional; freed of what floating point adds."""
        return round(value / self.scale, 6)


def actuators_of(site: Site, section: ControlSection) -> tuple[Actuator, ...]:
    """The site's actuators with their points. Raises ValueError naming the field."""
    target_types = {name: _target_type(site.site, name, section) for name in section.actuators}
    points = plc_points(site.site, section)
    return tuple(_actuator(site.site, name, section, target_types[name], points) for name in section.actuators)


def _actuator(
    site: str, name: str, section: ControlSection, target_type: TargetType, points: Mapping[str, PlcPoints]
) -> Actuator:
    entry = section.actuators[name]
    where, at = f"site {site}: control.actuators.{name}", f"site {site}: control.plcs.{entry.plc}.points.{name}"
    plc, known = section.plcs[entry.plc], points[entry.plc]
    _check_roles(at, name, plc, SETPOINT_ROLES)
    _check_scales(at, plc.points[name], entry.unit)
    setpoint = known.writable[f"{name}.setpoint"]
    scale = setpoint.point.scale * setpoint.point.step
    limits = _limits(where, entry, scale, plc.points[name]["setpoint"].deadband)
    if limits.minimum < setpoint.lowest or limits.maximum > setpoint.highest:
        raise ValueError(
            f"{where}: minimum={entry.minimum!r} and maximum={entry.maximum!r} must be within what {at}.setpoint holds: "
            f"{setpoint.lowest * scale:g} to {setpoint.highest * scale:g} {entry.unit}"
        )
    return Actuator(
        site=site,
        resource=name,
        plc=entry.plc,
        unit=entry.unit,
        target_type=target_type,
        scale=scale,
        setpoint=setpoint,
        readback=known.points[f"{name}.readback"],
        actual=known.points[f"{name}.actual"],
        limits=limits,
        run=_run_points(where, at, name, entry, plc, known, target_type),
        local=_local_points(where, at, name, entry, plc, known),
        setpoint_from=entry.setpoint_from,
        fail_safe=_fail_safe(entry),
        fail_safe_counts=_fail_safe_counts(where, entry, limits, scale),
    )


def _fail_safe(entry: ActuatorSection) -> Literal["hold", "level", "value", "hand_to_local"]:
    match entry.fail_safe:
        case "hold" | "level" | "hand_to_local" as action:
            return action
        case _:
            return "value"


def _fail_safe_counts(where: str, entry: ActuatorSection, limits: Limits, scale: float) -> int | None:
    """What `value` asks."""
    if _fail_safe(entry) != "value":
        return None
    return allowed_counts(f"{where}.fail_safe", entry.fail_safe.removeprefix("value "), entry.unit, limits, scale)


def allowed_counts(where: str, text: str, unit: str, limits: Limits, scale: float) -> int:
    """A quantity in counts, within the station's limits. Raises ValueError naming the field."""
    counts = round(quantity(where, text, unit) / scale)
    if not limits.station.holds(counts):
        lowest, highest = (round(bound * scale, 6) for bound in (limits.minimum, limits.maximum))
        raise ValueError(f"{where}={text!r} must be within minimum and maximum, {lowest:g} to {highest:g} {unit}")
    return counts


def _local_points(
    where: str, at: str, name: str, entry: ActuatorSection, plc: PlcSection, known: PlcPoints
) -> LocalPoints | None:
    if entry.fail_safe != "hand_to_local" and "local" not in plc.points[name]:
        return None
    if "local" not in plc.points[name]:
        raise ValueError(f"{at}.local is missing; {where}.fail_safe: hand_to_local needs it")
    _check_roles(at, name, plc, LOCAL_ROLES)
    return LocalPoints(command=known.writable[f"{name}.local"], readback=known.points[f"{name}.local_readback"])


def _run_points(
    where: str,
    at: str,
    name: str,
    entry: ActuatorSection,
    plc: PlcSection,
    known: PlcPoints,
    target_type: TargetType,
) -> RunPoints | None:
    """A pump's run registers; what only a pump can have is refused elsewhere."""
    if entry.kind != "pump":
        if entry.setpoint_from != "direct":
            raise ValueError(f"{where}.setpoint_from={entry.setpoint_from!r} must be 'direct': only pumps have another")
        if entry.fail_safe == "level":
            raise ValueError(f"{where}.fail_safe='level' must be hold, value or hand_to_local: only pumps have a level")
        return None
    if target_type is not TargetType.SPEED:
        raise ValueError(f"{where}.unit={entry.unit!r} must measure SPEED, such as 'Hz': it is a pump")
    _check_roles(at, name, plc, RUN_ROLES)
    power, in_state = _measured(at, name, plc, "power", "0.1 kW"), _measured(at, name, plc, "time_in_state", "1 min")
    if power is None and entry.setpoint_from == "power":
        raise ValueError(f"{at}.power is missing; setpoint_from: power needs it")
    return RunPoints(
        command=known.writable[f"{name}.run"],
        readback=known.points[f"{name}.run_readback"],
        feedback=known.points[f"{name}.run_feedback"],
        power=known.points.get(f"{name}.power"),
        power_scale_kw=1.0 if power is None else quantity(f"{at}.power.scale", power.scale or "", "kW"),
        in_state=known.points.get(f"{name}.time_in_state"),
        in_state_scale_s=60.0 if in_state is None else quantity(f"{at}.time_in_state.scale", in_state.scale or "", "s"),
    )


def _measured(at: str, name: str, plc: PlcSection, role: Role, such_as: str) -> PointSection | None:
    """A point that need not be there."""
    point = plc.points[name].get(role)
    if point is not None and (point.scale is None or point.offset is not None):
        raise ValueError(f"{at}.{role} must have a scale such as {such_as!r} and no offset")
    return point


def _target_type(site: str, name: str, section: ControlSection) -> TargetType:
    """What kind of target the actuator's unit measures."""
    where, entry = f"site {site}: control.actuators.{name}", section.actuators[name]
    if entry.plc not in section.plcs:
        raise ValueError(f"{where}.plc={entry.plc!r} must be one of {sorted(section.plcs)}")
    for target_type, si_unit in SI_UNITS.items():
        if _measures(entry.unit, si_unit):
            return target_type
    kinds = ", ".join(t.value for t in SI_UNITS)
    raise ValueError(f"{where}.unit={entry.unit!r} must measure one of {kinds}, such as 'MW'")


def _measures(unit: str, si_unit: str) -> bool:
    try:
        check_unit(unit, si_unit)
    except ValueError:
        return False
    return True


def _check_roles(at: str, resource: str, plc: PlcSection, roles: tuple[Role, ...]) -> None:
    """The actuator has points of these roles: the first is written, the second says what the PLC took over."""
    points = plc.points.get(resource, {})
    for role in roles:
        if role not in points:
            raise ValueError(f"{at}.{role} is missing")
    if not points[roles[0]].writable:
        raise ValueError(f"{at}.{roles[0]}.writable=False must be true: the gateway writes it")
    for role in roles[1:]:
        if points[role].writable:
            raise ValueError(f"{at}.{role}.writable=True must be false: it comes from the PLC, not from the gateway")


def _check_scales(at: str, points: Mapping[Role, PointSection], unit: str) -> None:
    """One scale for whole-numbered registers: they are compared as counts."""
    setpoint = points["setpoint"]
    scale = quantity(f"{at}.setpoint.scale", setpoint.scale or f"1 {unit}", unit)
    for role in SETPOINT_ROLES:
        point = points[role]
        own = quantity(f"{at}.{role}.scale", point.scale or f"1 {unit}", unit)
        if own <= 0:
            raise ValueError(f"{at}.{role}.scale={point.scale!r} must be above zero")
        if not math.isclose(own, scale) and "float" not in f"{point.type} {setpoint.type}":
            raise ValueError(f"{at}.{role}.scale={point.scale!r} must be the setpoint's, {setpoint.scale!r}")
        if point.offset is not None:
            raise ValueError(f"{at}.{role}.offset={point.offset!r} must be left out: a setpoint's counts begin at 0")
        if point.type == "bool":
            raise ValueError(f"{at}.{role}.type='bool' must be a number's, such as 'uint16'")


def _limits(where: str, entry: ActuatorSection, scale: float, least_change: str | None) -> Limits:
    """The limits in counts, rounded to the safe side: never wider, never faster than what is written."""

    def counts(field: str, text: str, to_count: Callable[[float], int]) -> int:
        return to_count(round(quantity(f"{where}.{field}", text, entry.unit) / scale, 6))

    def layer(name: str, written: RangeSection | None) -> Range | None:
        if written is None:
            return None
        lowest = counts(f"{name}.minimum", written.minimum, math.ceil)
        return Range(lowest, counts(f"{name}.maximum", written.maximum, math.floor))

    def max_change(written: MaxChangeSection | None) -> MaxChange | None:
        if written is None:
            return None
        return MaxChange(counts("max_change.at_most", written.at_most, math.floor), written.within)

    try:
        deadband = _deadband(where, entry, scale, least_change)
        return Limits(
            minimum=counts("minimum", entry.minimum, math.ceil),
            maximum=counts("maximum", entry.maximum, math.floor),
            rate_per_s=quantity(f"{where}.max_rate", entry.max_rate, f"{entry.unit}/s") / scale,
            rate_window_s=entry.rate_window,
            deadband=deadband,
            plan_stale_after_s=entry.plan_stale_after,
            feedback_stale_after_s=entry.feedback_stale_after,
            hardware=layer("hardware", entry.hardware),
            optimiser=layer("optimiser", entry.optimiser),
            max_change=max_change(entry.max_change),
            plausible=_plausible(where, entry, scale, deadband),
        )
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def _plausible(where: str, entry: ActuatorSection, scale: float, deadband: int) -> PlausibleLimits | None:
    written = entry.plausible
    if written is None:
        return None
    return PlausibleLimits(
        fastest_per_s=quantity(f"{where}.plausible.fastest", written.fastest, f"{entry.unit}/s") / scale,
        doubted_for_s=written.doubted_for,
        still=deadband,
        frozen_after_s=written.frozen_after,
        apart=round(quantity(f"{where}.plausible.apart", written.apart, entry.unit) / scale),
        apart_for_s=written.apart_for,
    )


def _deadband(where: str, entry: ActuatorSection, scale: float, least_change: str | None) -> int:
    """The actuator's deadband in counts, or the setpoint's own where that is wider."""
    own = round(quantity(f"{where}.deadband", entry.deadband, entry.unit) / scale)
    if least_change is None:
        return own
    return max(own, round(quantity(f"{where}: setpoint.deadband", least_change, entry.unit) / scale))

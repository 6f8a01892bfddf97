"""The gateway's own limits, from the `control` section of the site file, in the counts that go on the wire.

They are never taken from a plan. A section that cannot be read whole stops the gateway at its start.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from headworks.common.messages import TargetType
from headworks.control_gateway.safety import Limits
from headworks.waterway.quantities import Seconds, check_unit, in_unit
from headworks.waterway.site import Site, explain


def _above_zero(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{seconds:g} s must be above zero and at most {LONGEST_S:g} s")
    return seconds


LONGEST_S = 366 * 86400.0
Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$")]
Duration = Annotated[Seconds, AfterValidator(_above_zero)]
SI_UNITS = {
    TargetType.POWER: "MW",
    TargetType.SPEED: "Hz",
    TargetType.FLOW: "m**3/s",
    TargetType.LEVEL: "m",
    TargetType.PRESSURE: "Pa",
    TargetType.POSITION: "percent",
}
"""What each kind of target is measured in."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PointSection(_Section):
    """A register: 0-based address as on the wire; value = counts·scale + offset."""

    resource: str | None = None
    table: Literal["holding", "input"]
    address: int = Field(ge=0, le=65535)
    type: Literal["uint16"]
    scale: Text | None = None
    offset: Text | None = None
    writable: bool = False


class PlcSection(_Section):
    """A PLC and its points."""

    unit_id: int = Field(ge=0, le=255)
    timeout: Duration
    points: dict[str, PointSection]


class ActuatorSection(_Section):
    """What the gateway allows an actuator."""

    plc: str
    unit: str
    minimum: Text
    maximum: Text
    max_rate: Text
    rate_window: Duration
    deadband: Text
    plan_stale_after: Duration
    feedback_stale_after: Duration
    fail_safe: Literal["hold"]


class ControlSection(_Section):
    """The whole section."""

    tick_every: Duration
    plcs: dict[str, PlcSection]
    actuators: dict[Name, ActuatorSection] = Field(min_length=1)


class Actuator(BaseModel):
    """An actuator ready to be controlled: where its registers are and what is allowed."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    site: str
    resource: str
    plc: str
    unit: str
    target_type: TargetType
    scale: float = Field(description="`unit` a count")
    setpoint_address: int
    readback_address: int
    actual_address: int
    limits: Limits

    def value(self, counts: int | None) -> float | None:
        """Counts as a number of `unit`."""
        return None if counts is None else round(counts * self.scale, 6)

    def counts(self, value: float) -> float:
        """A number of `unit` in counts, which may be fractional; freed of what floating point adds."""
        return round(value / self.scale, 6)


def control_section(site: Site) -> ControlSection:
    """The site's control section. Raises ValueError naming the field."""
    raw: dict[str, Any] = site.section("control")
    try:
        return ControlSection.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"site {site.site}: control: {explain(error)}") from error


def actuators_of(site: Site, section: ControlSection) -> tuple[Actuator, ...]:
    """The site's actuators. Raises ValueError naming the field."""
    return tuple(_actuator(site.site, name, entry, section) for name, entry in section.actuators.items())


def _actuator(site: str, name: str, entry: ActuatorSection, section: ControlSection) -> Actuator:
    where = f"site {site}: control.actuators.{name}"
    plc = section.plcs.get(entry.plc)
    if plc is None:
        raise ValueError(f"{where}.plc={entry.plc!r} must be one of {sorted(section.plcs)}")
    target_type = _target_type(where, entry.unit)
    points = _points(f"site {site}: control.plcs.{entry.plc}.points", name, plc)
    scale = _scale(f"site {site}: control.plcs.{entry.plc}.points", points, entry.unit)

    return Actuator(
        site=site,
        resource=name,
        plc=entry.plc,
        unit=entry.unit,
        target_type=target_type,
        scale=scale,
        setpoint_address=points["setpoint"].address,
        readback_address=points["readback"].address,
        actual_address=points["actual_power"].address,
        limits=_limits(where, entry, scale),
    )


def _target_type(where: str, unit: str) -> TargetType:
    """What kind of target the actuator's unit measures."""
    for target_type, si_unit in SI_UNITS.items():
        if _measures(unit, si_unit):
            return target_type
    raise ValueError(f"{where}.unit={unit!r} must measure one of {', '.join(t.value for t in SI_UNITS)}, such as 'MW'")


def _measures(unit: str, si_unit: str) -> bool:
    try:
        check_unit(unit, si_unit)
    except ValueError:
        return False
    return True


def _points(where: str, resource: str, plc: PlcSection) -> dict[str, PointSection]:
    """The actuator's three registers: the setpoint to write, the one to read back, and what the machine gives."""
    points = {role: point for role, point in plc.points.items() if point.resource == resource}
    for role, table in (("setpoint", "holding"), ("readback", "holding"), ("actual_power", "input")):
        if role not in points:
            raise ValueError(f"{where}.{role} with resource: {resource} is missing")
        if points[role].table != table:
            raise ValueError(f"{where}.{role}.table={points[role].table!r} must be {table!r}")
    if not points["setpoint"].writable:
        raise ValueError(f"{where}.setpoint.writable=False must be true: an actuator's setpoint is written")
    if points["readback"].address == points["setpoint"].address:
        raise ValueError(
            f"{where}.readback.address={points['readback'].address} must be another register than the setpoint's: "
            "what is read back must come from the PLC, not from the write"
        )
    return points


def _scale(where: str, points: dict[str, PointSection], unit: str) -> float:
    """`unit` a count, one for all three registers: they are compared as counts."""
    scales = {}
    for role in ("setpoint", "readback", "actual_power"):
        point = points[role]
        scales[role] = _quantity(f"{where}.{role}.scale", point.scale or f"1 {unit}", unit)
        if scales[role] <= 0:
            raise ValueError(f"{where}.{role}.scale={point.scale!r} must be above zero")
        if not math.isclose(scales[role], scales["setpoint"]):
            raise ValueError(
                f"{where}.{role}.scale={point.scale!r} must be the setpoint's, {points['setpoint'].scale!r}"
            )
        if point.offset is not None:
            raise ValueError(f"{where}.{role}.offset={point.offset!r} must be left out: a setpoint's counts begin at 0")
    return scales["setpoint"]


def _limits(where: str, entry: ActuatorSection, scale: float) -> Limits:
    """The limits in counts, rounded to the safe side: never wider, never faster than what is written."""

    def counts(field: str, text: str, unit: str, to_count: Callable[[float], int]) -> int:
        return to_count(round(_quantity(f"{where}.{field}", text, unit) / scale, 6))

    try:
        return Limits(
            minimum=counts("minimum", entry.minimum, entry.unit, math.ceil),
            maximum=counts("maximum", entry.maximum, entry.unit, math.floor),
            rate_per_s=_quantity(f"{where}.max_rate", entry.max_rate, f"{entry.unit}/s") / scale,
            rate_window_s=entry.rate_window,
            deadband=counts("deadband", entry.deadband, entry.unit, round),
            plan_stale_after_s=entry.plan_stale_after,
            feedback_stale_after_s=entry.feedback_stale_after,
        )
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def _quantity(where: str, text: str, unit: str) -> float:
    try:
        return in_unit(text, unit)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error

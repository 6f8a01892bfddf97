"""The gateway's own limits, from the `control` section of the site file, in the counts that go on the wire.

They are never taken from a plan. A section that cannot be read whole stops the gateway at its start.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from headworks.control_gateway.safety import Limits
from headworks.waterway.quantities import Seconds, in_unit
from headworks.waterway.site import Site, explain

Text = Annotated[str, StringConstraints(min_length=1)]


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
    timeout: Seconds
    points: dict[str, PointSection]


class ActuatorSection(_Section):
    """What the gateway allows an actuator."""

    plc: str
    unit: str
    minimum: Text
    maximum: Text
    max_rate: Text
    rate_window: Seconds
    deadband: Text
    plan_stale_after: Seconds
    feedback_stale_after: Seconds
    fail_safe: Literal["hold"]


class ControlSection(_Section):
    """The whole section."""

    tick_every: Seconds
    plcs: dict[str, PlcSection]
    actuators: dict[str, ActuatorSection]


class Actuator(BaseModel):
    """An actuator ready to be controlled: where its registers are and what is allowed."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    site: str
    resource: str
    plc: str
    unit: str
    scale: float
    setpoint_address: int
    readback_address: int
    actual_address: int
    limits: Limits

    def value(self, counts: int | None) -> float | None:
        """Counts as a number of `unit`."""
        return None if counts is None else round(counts * self.scale, 6)


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
    points = {role: point for role, point in plc.points.items() if point.resource == name}
    missing = {"setpoint", "readback", "actual_power"} - set(points)
    if missing:
        raise ValueError(f"{where}: plc {entry.plc} has no point {sorted(missing)} with resource {name}")
    setpoint = points["setpoint"]
    if not setpoint.writable or setpoint.table != "holding":
        raise ValueError(f"{where}: the setpoint must be a writable holding register")
    scale = in_unit(setpoint.scale or f"1 {entry.unit}", entry.unit)

    def counts(quantity: str, unit: str, divisor: float = 1.0) -> float:
        return in_unit(quantity, unit) / divisor / scale

    limits = Limits(
        minimum=round(counts(entry.minimum, entry.unit)),
        maximum=round(counts(entry.maximum, entry.unit)),
        rate_per_s=counts(entry.max_rate, f"{entry.unit}/s"),
        rate_window_s=entry.rate_window,
        deadband=round(counts(entry.deadband, entry.unit)),
        plan_stale_after_s=entry.plan_stale_after,
        feedback_stale_after_s=entry.feedback_stale_after,
    )
    if not 0 <= limits.minimum < limits.maximum <= 65535:
        raise ValueError(f"{where}: minimum and maximum must be 0 to 65535 counts, and in order; got {limits}")
    return Actuator(
        site=site,
        resource=name,
        plc=entry.plc,
        unit=entry.unit,
        scale=scale,
        setpoint_address=setpoint.address,
        readback_address=points["readback"].address,
        actual_address=points["actual_power"].address,
        limits=limits,
    )

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
from headworks.control_gateway.safety import Limits, Range
from headworks.control_gateway.section import (
    ActuatorSection,
    ControlSection,
    MaxChangeSection,
    PlcSection,
    PointSection,
    RangeSection,
    Role,
)
from headworks.waterway.quantities import check_unit, in_unit
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
SETPOINT_ROLES: dict[Role, str] = {"setpoint": "holding", "readback": "holding", "actual": "input"}
RUN_ROLES: dict[Role, str] = {"run": "holding", "run_readback": "holding", "run_feedback": "input"}
"""The registers that must be there, and in which table."""


class RunPoints(BaseModel):
    """Where a pump's run command is written and read back, and where it says that it runs.

    Besides, where they are there: its power, and the PLC's own count of how long it has run or stood.
    """

    model_config = ConfigDict(frozen=True)
    command_address: int
    readback_address: int
    feedback_address: int
    power_address: int | None
    power_scale_kw: float = Field(description="kW a count")
    in_state_address: int | None = None
    in_state_scale_s: float = Field(default=60.0, description="s a count")


class Actuator(BaseModel):
    """An actuator ready to be controlled: where its registers are and what is allowed. `run` is there for pumps alone."""

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
    run: RunPoints | None = None
    setpoint_from: Literal["direct", "level", "power"] = "direct"
    fail_safe: Literal["hold", "level"] = "hold"

    def value(self, counts: int | None) -> float | None:
        """Counts as a number of `unit`."""
        return None if counts is None else round(counts * self.scale, 6)

    def counts(self, value: float) -> float:
        """A number of `unit` in counts, which may be fractional; freed of what floating point adds."""
        return round(value / self.scale, 6)


def actuators_of(site: Site, section: ControlSection) -> tuple[Actuator, ...]:
    """The site's actuators. Raises ValueError naming the field."""
    return tuple(_actuator(site.site, name, entry, section) for name, entry in section.actuators.items())


def _actuator(site: str, name: str, entry: ActuatorSection, section: ControlSection) -> Actuator:
    where = f"site {site}: control.actuators.{name}"
    plc = section.plcs.get(entry.plc)
    if plc is None:
        raise ValueError(f"{where}.plc={entry.plc!r} must be one of {sorted(section.plcs)}")
    target_type = _target_type(where, entry.unit)
    at = f"site {site}: control.plcs.{entry.plc}.points.{name}"
    points = _points(at, name, plc, SETPOINT_ROLES)
    scale = _scale(at, points, entry.unit)

    return Actuator(
        site=site,
        resource=name,
        plc=entry.plc,
        unit=entry.unit,
        target_type=target_type,
        scale=scale,
        setpoint_address=points["setpoint"].address,
        readback_address=points["readback"].address,
        actual_address=points["actual"].address,
        limits=_limits(where, entry, scale),
        run=_run_points(where, at, name, entry, plc, target_type),
        setpoint_from=entry.setpoint_from,
        fail_safe=entry.fail_safe,
    )


def _run_points(
    where: str, at: str, name: str, entry: ActuatorSection, plc: PlcSection, target_type: TargetType
) -> RunPoints | None:
    """A pump's run registers; what only a pump can have is refused elsewhere."""
    if entry.kind != "pump":
        for field, only in (("setpoint_from", "direct"), ("fail_safe", "hold")):
            if getattr(entry, field) != only:
                raise ValueError(f"{where}.{field}={getattr(entry, field)!r} must be {only!r}: only pumps have another")
        return None
    if target_type is not TargetType.SPEED:
        raise ValueError(f"{where}.unit={entry.unit!r} must measure SPEED, such as 'Hz': it is a pump")
    points = _points(at, name, plc, RUN_ROLES)
    power, in_state = _measured(at, name, plc, "power", "0.1 kW"), _measured(at, name, plc, "time_in_state", "1 min")
    if power is None and entry.setpoint_from == "power":
        raise ValueError(f"{at}.power is missing; setpoint_from: power needs it")
    return RunPoints(
        command_address=points["run"].address,
        readback_address=points["run_readback"].address,
        feedback_address=points["run_feedback"].address,
        power_address=None if power is None else power.address,
        power_scale_kw=1.0 if power is None else quantity(f"{at}.power.scale", power.scale or "", "kW"),
        in_state_address=None if in_state is None else in_state.address,
        in_state_scale_s=60.0 if in_state is None else quantity(f"{at}.time_in_state.scale", in_state.scale or "", "s"),
    )


def _measured(at: str, name: str, plc: PlcSection, role: Role, such_as: str) -> PointSection | None:
    """A register that need not be there."""
    point = plc.points[name].get(role)
    if point is not None and (point.table != "input" or point.scale is None or point.offset is not None):
        raise ValueError(f"{at}.{role} must be an input register with a scale such as {such_as!r} and no offset")
    return point


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


def _points(at: str, resource: str, plc: PlcSection, roles: Mapping[Role, str]) -> Mapping[Role, PointSection]:
    """The actuator's registers of these roles: the first is written, the second says what the PLC took over."""
    points = plc.points.get(resource, {})
    for role, table in roles.items():
        if role not in points:
            raise ValueError(f"{at}.{role} is missing")
        if points[role].table != table:
            raise ValueError(f"{at}.{role}.table={points[role].table!r} must be {table!r}")
    written, read_back = list(roles)[:2]
    if not points[written].writable:
        raise ValueError(f"{at}.{written}.writable=False must be true: the gateway writes it")
    if points[read_back].address == points[written].address:
        raise ValueError(
            f"{at}.{read_back}.address={points[read_back].address} must be another register than {written}'s: "
            "what is read back must come from the PLC, not from the write"
        )
    return points


def _scale(at: str, points: Mapping[Role, PointSection], unit: str) -> float:
    """`unit` a count, one for all three registers: they are compared as counts."""
    scales: dict[Role, float] = {}
    for role in SETPOINT_ROLES:
        point = points[role]
        scales[role] = quantity(f"{at}.{role}.scale", point.scale or f"1 {unit}", unit)
        if scales[role] <= 0:
            raise ValueError(f"{at}.{role}.scale={point.scale!r} must be above zero")
        if not math.isclose(scales[role], scales["setpoint"]):
            raise ValueError(f"{at}.{role}.scale={point.scale!r} must be the setpoint's, {points['setpoint'].scale!r}")
        if point.offset is not None:
            raise ValueError(f"{at}.{role}.offset={point.offset!r} must be left out: a setpoint's counts begin at 0")
    return scales["setpoint"]


def _limits(where: str, entry: ActuatorSection, scale: float) -> Limits:
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
        deadband = counts("deadband", entry.deadband, round)
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


def quantity(where: str, text: str, unit: str) -> float:
    """A quantity of the site file in `unit`. Raises ValueError naming the field."""
    try:
        return in_unit(text, unit)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error

"""What the pumps of a site share, from `control.pumps` of the site file: interlocks, run limits and the level calculator."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headworks.control_gateway.calculators import LevelControl
from headworks.control_gateway.interlocks import InterlockLimits
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.points import Point
from headworks.control_gateway.pump_safety import RunLimits
from headworks.control_gateway.section import ControlSection, PointSection, PumpsSection, quantity
from headworks.control_gateway.site_points import plc_points
from headworks.waterway.site import Site


@dataclass(frozen=True, slots=True)
class LevelScale:
    """Level = counts·scale + offset [m]."""

    scale_m: float
    offset_m: float

    def metres(self, counts: int) -> float:
        """A level register's counts in metres."""
        return round(counts * self.scale_m + self.offset_m, 6)

    def counts(self, metres: float) -> float:
        """Metres in counts, which may be fractional."""
        return round((metres - self.offset_m) / self.scale_m, 6)


@dataclass(frozen=True, slots=True)
class PumpLimits:
    """All of it; `level_points` by PLC, `interlock_hz` the speed at which called pumps run, `unseen_s` see runs.py."""

    runs: RunLimits
    interlocks: InterlockLimits
    level_points: Mapping[str, Point]
    level: LevelScale
    interlock_hz: float
    level_control: LevelControl | None
    fail_safe_level_m: float | None
    unseen_s: float


def pump_limits_of(site: Site, section: ControlSection, actuators: Sequence[Actuator]) -> PumpLimits | None:
    """What the site's pumps share; None of a site without pumps. Raises ValueError naming the field."""
    where, pumps = f"site {site.site}: control.pumps", section.pumps
    names = [actuator.resource for actuator in actuators if actuator.run is not None]
    if pumps is None:
        if names:
            raise ValueError(f"{where} is missing; {', '.join(names)} need it")
        return None
    if sorted(pumps.start_order) != sorted(names):
        raise ValueError(f"{where}.start_order={list(pumps.start_order)} must name each pump once: {sorted(names)}")
    points_of_level, level = _level_points(site.site, section, pumps)
    hz = quantity(f"{where}.high_high.speed", pumps.high_high.speed, "Hz")
    for actuator in actuators:
        _check_actuator(where, actuator, pumps, hz)
    try:
        return PumpLimits(
            runs=_run_limits(pumps, min(a.limits.feedback_stale_after_s for a in actuators)),
            interlocks=_interlocks(where, pumps, level),
            level_points=points_of_level,
            level=level,
            interlock_hz=hz,
            level_control=_level_control(where, pumps),
            fail_safe_level_m=_fail_safe_level_m(where, pumps),
            unseen_s=pumps.unseen_at_most,
        )
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def _level_points(site: str, section: ControlSection, pumps: PumpsSection) -> tuple[dict[str, Point], LevelScale]:
    """Where the level is read, by PLC, and its scale, which all share."""
    name = pumps.level.point
    points = plc_points(site, section)
    found = {plc: known.points[name] for plc, known in points.items() if name in section.plcs[plc].shared_points}
    if not found:
        raise ValueError(f"site {site}: control.pumps.level.point={name!r} must be among a PLC's shared_points")
    scales = {
        _level_scale(
            f"site {site}: control.plcs.{plc}.shared_points.{name}", section.plcs[plc].shared_points[name], point
        )
        for plc, point in found.items()
    }
    if len(scales) > 1:
        raise ValueError(f"site {site}: control.plcs: shared_points.{name} must have one scale and offset on all PLCs")
    return found, scales.pop()


def _level_scale(at: str, section: PointSection, point: Point) -> LevelScale:
    """Metres a count, which is a step where the point has steps."""
    if point.encoding.is_float and section.step is None:
        raise ValueError(f"{at}.step is missing: the interlocks count in steps of a {section.type}, such as '0.001 m'")
    scale_m = quantity(f"{at}.scale", section.scale or "1 m", "m")
    if scale_m <= 0:
        raise ValueError(f"{at}.scale={section.scale!r} must be above zero")
    return LevelScale(scale_m * point.step, quantity(f"{at}.offset", section.offset or "0 m", "m"))


def _check_actuator(where: str, actuator: Actuator, pumps: PumpsSection, hz: float) -> None:
    limits, counts = actuator.limits, actuator.counts(hz)
    if not limits.minimum <= counts <= limits.maximum:
        raise ValueError(f"{where}.high_high.speed={hz:g} Hz must be within {actuator.resource}'s minimum and maximum")
    if "level" in {actuator.setpoint_from, actuator.fail_safe} and pumps.level_control is None:
        raise ValueError(f"{where}.level_control is missing; {actuator.resource} needs it")


def _run_limits(pumps: PumpsSection, feedback_stale_after_s: float) -> RunLimits:
    return RunLimits(
        minimum_run_s=pumps.minimum_run,
        minimum_rest_s=pumps.minimum_rest,
        start_every_s=pumps.start_every,
        start_takes_s=pumps.start_takes,
        feedback_stale_after_s=feedback_stale_after_s,
    )


def _interlocks(where: str, pumps: PumpsSection, level: LevelScale) -> InterlockLimits:
    """Levels in counts, rounded so that each interlock acts rather earlier than later."""

    def counts(field: str, text: str, to_count: Callable[[float], int]) -> int:
        return to_count(level.counts(quantity(f"{where}.{field}", text, "m")))

    low, high = pumps.low_low, pumps.high_high
    return InterlockLimits(
        lowest=counts("level.minimum", pumps.level.minimum, math.ceil),
        highest=counts("level.maximum", pumps.level.maximum, math.floor),
        low_low=counts("low_low.stop_below", low.stop_below, math.ceil),
        low_low_released=counts("low_low.release_above", low.release_above, math.ceil),
        high_high=counts("high_high.start_above", high.start_above, math.floor),
        high_high_released=counts("high_high.release_below", high.release_below, math.floor),
        high_high_pumps=high.pumps,
        minimum_pumps_on=pumps.minimum_pumps_on,
        seen_within_s=pumps.level.stale_after,
        start_takes_s=pumps.start_takes,
        order=pumps.start_order,
    )


def _level_control(where: str, pumps: PumpsSection) -> LevelControl | None:
    if pumps.level_control is None:
        return None
    return LevelControl(
        quantity(f"{where}.level_control.gain", pumps.level_control.gain, "Hz/m"), pumps.level_control.integral_time
    )


def _fail_safe_level_m(where: str, pumps: PumpsSection) -> float | None:
    if pumps.level_control is None:
        return None
    return quantity(f"{where}.level_control.fail_safe_target", pumps.level_control.fail_safe_target, "m")

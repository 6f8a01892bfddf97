"""What a plan's target means as a pump's speed: three calculators, pure functions in hertz.

direct: the plan gives the speed itself. level: a PI controller from the tunnel's level to the level that the plan wants.
power: the speed for a power, by the cube law about the present point (P ~ f³ for a pump on a fixed head, ISO 9906's affinity
laws). The level and power calculators stay between the speed limits; a direct speed is passed on as it is, and refused by
the safety decision when it lies outside.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpeedRange:
    """The speeds a pump may run at [Hz]."""

    minimum_hz: float
    maximum_hz: float

    def nearest(self, speed_hz: float) -> float:
        """The speed in the range that is nearest."""
        return min(self.maximum_hz, max(self.minimum_hz, speed_hz))


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why no speed can be given."""

    reason: str


@dataclass(frozen=True, slots=True)
class LevelControl:
    """gain [Hz per m above the target] and integral time [s]. Raises ValueError naming the field that cannot be right."""

    gain_hz_per_m: float
    integral_time_s: float

    def __post_init__(self) -> None:
        """Refuse a controller that would work the wrong way round."""
        for name in ("gain_hz_per_m", "integral_time_s"):
            value: float = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name}={value:g} must be above zero")


@dataclass(frozen=True, slots=True)
class LevelSpeed:
    """A speed of the level calculator, and its integral part [Hz] to go on from."""

    speed_hz: float
    integral_hz: float


def direct_speed(suggested_hz: float | None) -> float | Unknown:
    """The plan's own speed."""
    return Unknown("the plan gives no suggested_speed_hz") if suggested_hz is None else suggested_hz


def level_speed(
    control: LevelControl,
    speeds: SpeedRange,
    level_m: float | None,
    target_m: float | None,
    *,
    integral_hz: float,
    elapsed_s: float,
) -> LevelSpeed | Unknown:
    """The speed that brings the level to its target: higher above it. `elapsed_s` is the time since the last call.

    The integral stands still while the speed is at a limit and the level would push it further (anti-windup).
    """
    if target_m is None:
        return Unknown("the plan gives no target_level_m")
    if level_m is None:
        return Unknown("the tunnel's level is not known")
    above_m = level_m - target_m
    grown_hz = integral_hz + control.gain_hz_per_m * above_m * elapsed_s / control.integral_time_s
    wanted_hz = control.gain_hz_per_m * above_m + grown_hz
    speed_hz = speeds.nearest(wanted_hz)
    pushes_on = (wanted_hz - speed_hz) * above_m > 0
    return LevelSpeed(speed_hz, integral_hz if pushes_on else grown_hz)


def bumpless_integral(control: LevelControl, speed_hz: float, level_m: float, target_m: float) -> float:
    """The integral part [Hz] with which the level calculator begins at the present speed."""
    return speed_hz - control.gain_hz_per_m * (level_m - target_m)


def power_speed(
    speeds: SpeedRange, present_hz: float | None, present_kw: float | None, target_kw: float | None
) -> float | Unknown:
    """The speed for a power: f·(target / measured)^(1/3). A pump that stands begins at its lowest speed."""
    if target_kw is None:
        return Unknown("the plan gives no target_power_kw")
    if target_kw <= 0:
        return Unknown(f"target_power_kw={target_kw:g} must be above zero; off is suggested_speed_hz 0")
    if present_hz is None or present_kw is None:
        return Unknown("the pump's power is not known")
    if present_kw <= 0:
        return speeds.minimum_hz
    return speeds.nearest(present_hz * (target_kw / present_kw) ** (1 / 3))

"""What a pump moves and draws at a frequency and a level: curves at nominal speed, and the affinity laws elsewhere.

With r = f / f_nominal, flow q solves  r²·H(q/r) = static head − L + losses  (the upper root; without a root there is no
flow), and power = factor · r³ · P(q/r), where H and P are the parabolas of head and power at nominal speed.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parabola:
    """c0 + c1·q + c2·q², q in m³/s."""

    c0: float
    c1: float
    c2: float

    def at(self, flow_m3s: float) -> float:
        """The value at a flow."""
        return (self.c2 * flow_m3s + self.c1) * flow_m3s + self.c0


@dataclass(frozen=True, slots=True)
class PumpType:
    """The curves that pumps of one make share, at nominal speed: head [m], falling at the end, and power [MW]."""

    head_m: Parabola
    power_mw: Parabola
    nominal_hz: float
    minimum_flow_m3s: float = 0.0
    """Below this flow at nominal speed the curves are not known, and a pump churns."""

    def __post_init__(self) -> None:
        """Refuse a head that does not fall, or no speed."""
        if self.head_m.c2 >= 0:
            raise ValueError(f"head's square coefficient {self.head_m.c2} must be below zero: head falls with flow")
        if self.nominal_hz <= 0:
            raise ValueError(f"nominal_hz={self.nominal_hz} must be above zero")


@dataclass(frozen=True, slots=True)
class Pump:
    """One pump: its make, its losses [m] above the static head, and its power over the make's."""

    name: str
    make: PumpType
    losses_m: float
    power_factor: float

    def __post_init__(self) -> None:
        """Refuse a factor that makes energy."""
        if self.power_factor <= 0:
            raise ValueError(f"pump {self.name}: power_factor={self.power_factor} must be above zero")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a pump does at one moment."""

    flow_m3s: float
    power_mw: float


STANDSTILL = Operation(0.0, 0.0)


def operate(pump: Pump, frequency_hz: float, lift_m: float) -> Operation:
    """Flow and power at a frequency (0: off) over a static lift [m]. A pump that cannot lift so high moves and draws nothing."""
    if frequency_hz <= 0:
        return STANDSTILL
    head, ratio = pump.make.head_m, frequency_hz / pump.make.nominal_hz
    # r²·c0 + r·c1·q + c2·q² = lift + losses
    slope, constant = ratio * head.c1, ratio * ratio * head.c0 - lift_m - pump.losses_m
    discriminant = slope * slope - 4 * head.c2 * constant
    if discriminant < 0:
        return STANDSTILL
    flow_m3s = (-slope - math.sqrt(discriminant)) / (2 * head.c2)
    if flow_m3s <= 0:
        return STANDSTILL
    power_mw = pump.power_factor * ratio**3 * pump.make.power_mw.at(flow_m3s / ratio)
    return Operation(flow_m3s, power_mw)


def frequency_for(pump: Pump, flow_m3s: float, lift_m: float) -> float:
    """The frequency [Hz] at which a pump moves a flow above zero over a static lift: the head equation solved for r.

    Raises ValueError where the flow is not above zero.
    """
    if flow_m3s <= 0:
        raise ValueError(f"flow_m3s={flow_m3s} must be above zero; a pump that moves nothing is off")
    head = pump.make.head_m
    # r²·c0 + r·c1·q + c2·q² − lift − losses = 0
    slope, constant = head.c1 * flow_m3s, head.c2 * flow_m3s**2 - lift_m - pump.losses_m
    ratio = (-slope + math.sqrt(slope * slope - 4 * head.c0 * constant)) / (2 * head.c0)
    return ratio * pump.make.nominal_hz


def least_frequency(pump: Pump, lift_m: float) -> float:
    """The frequency [Hz] below which a pump moves less than its minimum flow over a static lift: r²·H(q_min) = lift + losses.

    0 where the make states no minimum flow.
    """
    if pump.make.minimum_flow_m3s <= 0:
        return 0.0
    head_m = pump.make.head_m.at(pump.make.minimum_flow_m3s)
    return pump.make.nominal_hz * math.sqrt(max(0.0, lift_m + pump.losses_m) / head_m)

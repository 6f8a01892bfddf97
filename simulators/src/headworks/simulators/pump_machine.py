"""A pump with its drive: speed in ramps, a contactor that reports late, and what it moves over a lift at a speed.

With r = f / nominal, the flow q solves r²·H(q/r) = lift + losses (the upper root; without one its check valve stays shut
and it moves nothing), and the power is factor·r³·P(q/r). In m³/h, kW, Hz and m.
"""

import math
from dataclasses import dataclass, field

RAMP_HZ_PER_S = 1.0
"""From standstill to full speed in 50 s."""
FEEDBACK_DELAY_S = 3.0
"""So long after the drive does the run feedback change."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Head [m] and power [kW] as constant, linear and square in the flow [m³/h], at nominal speed."""

    nominal_hz: float
    head: tuple[float, float, float]
    power: tuple[float, float, float]
    losses_m: float
    power_factor: float

    def flow_m3h(self, frequency_hz: float, lift_m: float) -> float:
        """The flow at a speed over a static lift."""
        if frequency_hz <= 0:
            return 0.0
        ratio = frequency_hz / self.nominal_hz
        c0, c1, c2 = self.head
        missing_m = (
            c0 - (lift_m + self.losses_m) / ratio**2
        )  # at the nominal speed's flow x = q/r: c2·x² + c1·x + missing = 0
        root = c1 * c1 - 4 * c2 * missing_m
        return max(0.0, ratio * (-c1 - math.sqrt(root)) / (2 * c2)) if root >= 0 else 0.0

    def power_kw(self, frequency_hz: float, flow_m3h: float) -> float:
        """The power at a speed and its flow; a pump against its shut valve churns."""
        if frequency_hz <= 0:
            return 0.0
        ratio = frequency_hz / self.nominal_hz
        c0, c1, c2 = self.power
        at_nominal_m3h = flow_m3h / ratio
        return self.power_factor * ratio**3 * (c0 + (c1 + c2 * at_nominal_m3h) * at_nominal_m3h)


@dataclass
class PumpMachine:
    """One pump. `setpoint_hz` and `commanded` (run) are what its PLC took over; `feedback` is what the PLC is told, and
    `in_state_s` for how long it has been told so."""

    curves: Curves
    setpoint_hz: float
    commanded: bool = False
    frequency_hz: float = 0.0
    flow_m3h: float = 0.0
    power_kw: float = 0.0
    feedback: bool = False
    in_state_s: float = 0.0
    _unreported_s: float = field(default=0.0, repr=False)

    @property
    def state(self) -> dict[str, float | bool]:
        """What it was told and what it does."""
        return {
            "setpoint_hz": self.setpoint_hz,
            "commanded": self.commanded,
            "frequency_hz": self.frequency_hz,
            "running": self.feedback,
            "flow_m3h": self.flow_m3h,
            "power_kw": self.power_kw,
        }

    def advance(self, seconds: float, lift_m: float) -> None:
        """Move the speed towards what is ordered, and with it what the pump moves."""
        self.in_state_s += seconds
        if not self.commanded and self.frequency_hz == 0 and not self.feedback:
            return
        wanted_hz, most_hz = self.setpoint_hz if self.commanded else 0.0, RAMP_HZ_PER_S * seconds
        self.frequency_hz += min(most_hz, max(-most_hz, wanted_hz - self.frequency_hz))
        self._report(seconds)
        self.flow_m3h = self.curves.flow_m3h(self.frequency_hz, lift_m)
        self.power_kw = self.curves.power_kw(self.frequency_hz, self.flow_m3h)

    def _report(self, seconds: float) -> None:
        turns = self.frequency_hz > 0
        self._unreported_s = self._unreported_s + seconds if turns != self.feedback else 0.0
        if self._unreported_s >= FEEDBACK_DELAY_S:
            self.feedback, self._unreported_s, self.in_state_s = turns, 0.0, 0.0

"""The station as a back-test's judge has it: the true curves, or, with a seed, pumps that move more or less than they should."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from headworks.waterway.pumps import Pump
from headworks.waterway.station import Station, StationTrajectory, simulate_station

RUN_SPREAD, STEP_SPREAD = 0.11, 0.04
"""Of the flow's factors exp(N(0, spread²)): one for a whole run, and one for each step within it."""


@dataclass(frozen=True, slots=True)
class RealStation:
    """A station that is run; without a seed it is the model itself. The same seed gives the same flows, whoever asks when."""

    model: Station
    noise_seed: int | None = None

    def at(self, step: int) -> Station:
        """The station in a step of the run: its flows differ by a factor, at the same head and power."""
        if self.noise_seed is None:
            return self.model
        whole = np.random.default_rng(self.noise_seed).normal(0, RUN_SPREAD)
        of_step = np.random.SeedSequence(self.noise_seed, spawn_key=(step,))
        own = np.random.default_rng(of_step).normal(0, STEP_SPREAD)
        factor = math.exp(whole + own)
        return replace(self.model, pumps=tuple(_changed(pump, factor) for pump in self.model.pumps))

    def run(
        self,
        initial_volume_m3: float,
        frequency_hz: Sequence[Sequence[float]],
        inflow_m3: Sequence[float],
        step_s: float,
        first: int = 0,
    ) -> StationTrajectory:
        """What frequencies lead to from step `first` on; shapes as in `simulate_station`."""
        parts: list[StationTrajectory] = []
        volume_m3 = initial_volume_m3
        for t, (asked_hz, entering_m3) in enumerate(zip(frequency_hz, inflow_m3, strict=True), start=first):
            part = simulate_station(
                self.at(t),
                initial_volume_m3=volume_m3,
                frequency_hz=[asked_hz],
                inflow_m3=[entering_m3],
                step_s=step_s,
            )
            volume_m3 = part.volume_m3[-1]
            parts.append(part)
        return StationTrajectory(*(tuple(getattr(p, f.name)[0] for p in parts) for f in fields(StationTrajectory)))


def _changed(pump: Pump, factor: float) -> Pump:
    """A pump that moves `factor` times as much against the same head, at the same power."""
    head, power = pump.make.head_m, pump.make.power_mw
    make = replace(
        pump.make,
        head_m=replace(head, c1=head.c1 / factor, c2=head.c2 / factor**2),
        power_mw=replace(power, c1=power.c1 / factor, c2=power.c2 / factor**2),
    )
    return replace(pump, make=make)

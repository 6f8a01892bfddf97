"""A pumping station on a tunnel: forward simulation of frequencies with the true curves, the judge of every plan.

    volume[t] = volume[t-1] + inflow[t] − Σ flow_p(frequency[t, p], lift[t]) · step,   lift[t] = outlet − level[t-1]

The pumps see the level at the start of a step. From an empty tunnel there is nothing to pump: what they would take beyond it
is reported as `short`, and above the highest level the tunnel overflows; both are reported, neither is hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headworks.waterway.pumps import Pump, operate
from headworks.waterway.tunnel import TunnelVolume


@dataclass(frozen=True, slots=True)
class Station:
    """The tunnel, the outlet's level [m], and the pumps in their order."""

    tunnel: TunnelVolume
    outlet_m: float
    pumps: tuple[Pump, ...]


@dataclass(frozen=True, slots=True)
class StationTrajectory:
    """What frequencies lead to. Levels and volumes at each step's end; flows and powers are the step's; shape (steps,),
    and (steps, pumps) by pump.
    """

    level_m: tuple[float, ...]
    volume_m3: tuple[float, ...]
    outflow_m3s: tuple[float, ...]
    power_mw: tuple[float, ...]
    pump_flow_m3s: tuple[tuple[float, ...], ...]
    pump_power_mw: tuple[tuple[float, ...], ...]
    short_m3: tuple[float, ...]
    overflow_m3: tuple[float, ...]

    def energy_mwh(self, step_s: float) -> float:
        """Energy of the whole."""
        return sum(self.power_mw) * step_s / 3600


def simulate_station(
    station: Station,
    *,
    initial_volume_m3: float,
    frequency_hz: Sequence[Sequence[float]],
    inflow_m3: Sequence[float],
    step_s: float,
) -> StationTrajectory:
    """Run frequencies (0: off), shape (steps, pumps), against the inflow of each step [m³].

    Raises ValueError when the shapes differ, OutOfRange when the start is outside the tunnel.
    """
    if len(frequency_hz) != len(inflow_m3):
        raise ValueError(f"frequency_hz has {len(frequency_hz)} steps and inflow_m3 {len(inflow_m3)}; they must agree")
    tunnel, volume_m3 = station.tunnel, initial_volume_m3
    level_m = tunnel.level_at(volume_m3)
    levels, volumes, flows, powers, shorts, overflows = [], [], [], [], [], []
    for t, (asked_hz, entering_m3) in enumerate(zip(frequency_hz, inflow_m3, strict=True)):
        if len(asked_hz) != len(station.pumps):
            raise ValueError(f"step {t} has {len(asked_hz)} frequencies for {len(station.pumps)} pumps")
        work = [operate(pump, hz, station.outlet_m - level_m) for pump, hz in zip(station.pumps, asked_hz, strict=True)]
        volume_m3 += entering_m3 - sum(operation.flow_m3s for operation in work) * step_s
        shorts.append(max(0.0, -volume_m3))
        overflows.append(max(0.0, volume_m3 - tunnel.full_m3))
        volume_m3 = min(tunnel.full_m3, max(0.0, volume_m3))
        level_m = tunnel.level_at(volume_m3)
        levels.append(level_m)
        volumes.append(volume_m3)
        flows.append(tuple(operation.flow_m3s for operation in work))
        powers.append(tuple(operation.power_mw for operation in work))
    return StationTrajectory(
        level_m=tuple(levels),
        volume_m3=tuple(volumes),
        outflow_m3s=tuple(sum(of_pumps) for of_pumps in flows),
        power_mw=tuple(sum(of_pumps) for of_pumps in powers),
        pump_flow_m3s=tuple(flows),
        pump_power_mw=tuple(powers),
        short_m3=tuple(shorts),
        overflow_m3=tuple(overflows),
    )

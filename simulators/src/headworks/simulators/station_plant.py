"""The pumping station as it would answer: its own integration of the physics in small steps, apart from Headworks' own model.

The tunnel cannot give what is not there, nor hold more than it can: what the pumps lack and what runs over are counted.
Everything in the field's units here (m, m³, m³/h, Hz, kW).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from headworks.simulators.historian import MINUTE, Historian, Reading, Tag
from headworks.simulators.pump_machine import Curves, PumpMachine
from headworks.simulators.tunnel_store import Reach, TunnelStore
from headworks.simulators.units import in_unit

STEP = timedelta(seconds=5)
HISTORY, PAST = timedelta(days=15), timedelta(days=14, hours=2)
"""So much does the historian keep, and so much of it is there at the start."""
FLOOD_M3H = 200000.0
"""What flows in besides while the world is told to flood the tunnel: it is full after an hour, whatever the pumps do."""
SHIFT = timedelta(hours=2)
"""In the past, the operators chose the pumps anew every so often."""
KEPT_LEVEL_M, DRAINS_IN_H, MOST_M3H = 3.0, 6.0, 10000.0
"""What they kept to: the level, the time to come back to it, and what the treatment plant then took at most."""


def pumps_of(site: dict[str, Any]) -> dict[str, PumpMachine]:
    """The pumps of a site file's `pumping_station` section, standing, by resource."""
    station = site["pumping_station"]
    return {pump["resource"]: _pump(station["makes"][pump["make"]], pump) for pump in station["pumps"]}


def _pump(make: dict[str, Any], pump: dict[str, Any]) -> PumpMachine:
    head, power = make["head"], make["power"]
    nominal_hz = in_unit(make["nominal_frequency"], "Hz")
    curves = Curves(
        nominal_hz=nominal_hz,
        head=(
            in_unit(head["constant"], "m"),
            in_unit(head["linear"], "m/(m**3/hour)"),
            in_unit(head["square"], "m/(m**3/hour)**2"),
        ),
        power=(
            in_unit(power["constant"], "kW"),
            in_unit(power["linear"], "kW/(m**3/hour)"),
            in_unit(power["square"], "kW/(m**3/hour)**2"),
        ),
        losses_m=in_unit(pump["losses"], "m"),
        power_factor=float(pump["power_factor"]),
    )
    return PumpMachine(curves, nominal_hz)


def tunnel_of(site: dict[str, Any]) -> TunnelStore:
    """The tunnel of a site file's `pumping_station` section."""
    return TunnelStore(
        [
            Reach(
                in_unit(piece["from"], "m"),
                in_unit(piece["to"], "m"),
                in_unit(piece["origin"], "m"),
                in_unit(piece["a"], "m"),
                in_unit(piece["b"], "m**2"),
                in_unit(piece["c"], "m**3"),
            )
            for piece in site["pumping_station"]["tunnel"]["volume"]
        ]
    )


def tags_of(resources: list[str]) -> dict[str, Tag]:
    """The attributes of the station in PI."""
    kinds = (("Frequency", "frequency", "Hz"), ("Flow", "flow", "m3/h"), ("Power", "power", "kW"))
    return {
        "Tunnel|Level": Tag("level", "m"),
        "Tunnel|Volume": Tag("volume", "m3"),
        "Tunnel|Inflow": Tag("inflow", "m3/h"),
        "Station|Outflow": Tag("outflow", "m3/h"),
        **{rf"Pumps\{r}|{kind}": Tag(f"{r}_{name}", unit) for r in resources for kind, name, unit in kinds},
    }


class StationPlant(Historian):
    """The tunnel and its pumps. `flooded` lets far more flow in than comes by nature."""

    def __init__(
        self, site: dict[str, Any], inflow_m3h: Callable[[datetime], float], start: datetime, past: timedelta = PAST
    ) -> None:
        self.pumps = pumps_of(site)
        super().__init__(tags_of(list(self.pumps)), HISTORY)
        self._tunnel = tunnel_of(site)
        self._outlet_m = in_unit(site["pumping_station"]["tunnel"]["outlet_level"], "m")
        self._natural_m3h, self.flooded = inflow_m3h, False
        self.level_m = KEPT_LEVEL_M
        self.volume_m3 = self._tunnel.volume_m3(self.level_m)
        self.overflow_m3 = self.short_m3 = 0.0
        self.at = start - past
        self._spin_up(start)

    @property
    def inflow_m3h(self) -> float:
        """What flows in now."""
        return self._natural_m3h(self.at) + (FLOOD_M3H if self.flooded else 0.0)

    @property
    def outflow_m3h(self) -> float:
        """What all pumps move now."""
        return sum(pump.flow_m3h for pump in self.pumps.values())

    @property
    def power_kw(self) -> float:
        """What all pumps draw now."""
        return sum(pump.power_kw for pump in self.pumps.values())

    def _spin_up(self, start: datetime) -> None:
        """A past for the historian: every two hours the pumps that move about what comes, so that the tunnel stays low."""
        while self.at < start:
            self._choose_pumps()
            self.advance(min(start, self.at + SHIFT), MINUTE)
        self.overflow_m3 = self.short_m3 = 0.0

    def _choose_pumps(self) -> None:
        """Pumps in turn, another one first each day, until they move what comes and some of what is above the kept level."""
        above_m3 = self.volume_m3 - self._tunnel.volume_m3(KEPT_LEVEL_M)
        wanted_m3h = min(MOST_M3H, self._natural_m3h(self.at) + above_m3 / DRAINS_IN_H)
        machines, first, chosen_m3h = list(self.pumps.values()), self.at.toordinal() % len(self.pumps), 0.0
        for pump in machines[first:] + machines[:first]:
            moves_m3h = pump.curves.flow_m3h(pump.setpoint_hz, self._outlet_m - self.level_m)
            pump.commanded = chosen_m3h == 0 or chosen_m3h + moves_m3h / 2 <= wanted_m3h
            chosen_m3h += moves_m3h if pump.commanded else 0.0

    def advance(self, until: datetime, step: timedelta = STEP) -> None:
        """Integrate up to an instant; the record has a reading on every whole minute."""
        while self.at < until:
            next_minute = self.at.replace(second=0, microsecond=0) + MINUTE
            taken = min(step, until - self.at, next_minute - self.at)
            self._step(taken.total_seconds())
            self.at += taken
            if self.at == next_minute:
                self.keep(self._reading())

    def _step(self, seconds: float) -> None:
        entering_m3 = self.inflow_m3h * seconds / 3600
        for pump in self.pumps.values():
            pump.advance(seconds, self._outlet_m - self.level_m)
        volume_m3 = self.volume_m3 + entering_m3 - self.outflow_m3h * seconds / 3600
        self.short_m3 += max(0.0, -volume_m3)
        self.overflow_m3 += max(0.0, volume_m3 - self._tunnel.full_m3)
        self.volume_m3 = min(self._tunnel.full_m3, max(0.0, volume_m3))
        self.level_m = self._tunnel.level_m(self.volume_m3)

    def _reading(self) -> Reading:
        return Reading(
            self.at,
            {
                "level": self.level_m,
                "volume": self._tunnel.official_m3(self.volume_m3),
                "inflow": self.inflow_m3h,
                "outflow": self.outflow_m3h,
                **{f"{name}_frequency": pump.frequency_hz for name, pump in self.pumps.items()},
                **{f"{name}_flow": pump.flow_m3h for name, pump in self.pumps.items()},
                **{f"{name}_power": pump.power_kw for name, pump in self.pumps.items()},
            },
        )

"""What stands for a site outside Headworks: its plant, its PLCs, and what is told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headworks.simulators.awards import PublishedAwards
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.plant import Plant, constants_of
from headworks.simulators.plc import PlcRegisters
from headworks.simulators.registers import oxph_registers, pump_registers
from headworks.simulators.sewage import generated, recorded
from headworks.simulators.station_plant import StationPlant
from headworks.simulators.station_record import StationRecord

PUMPS_PER_PLC = 4


@dataclass(frozen=True, slots=True)
class SimulatedPart:
    """A site's plant and PLCs, these by the name of their fault target; `told` is the plant's state as JSON."""

    plant: Plant | StationPlant
    plcs: Mapping[str, PlcRegisters]
    told: Callable[[], dict[str, Any]]

    @property
    def writes(self) -> dict[str, dict[int, list[int]]]:
        """The counts that each register for orders held at the start and was ever given, by PLC and address."""
        return {name: {at: order.writes for at, order in plc.orders.items()} for name, plc in self.plcs.items()}


def afterbay_part(site: dict[str, Any], hydrology: Hydrology, start: datetime, seed: int) -> SimulatedPart:
    """An afterbay with one unit on the PLC `plc`."""
    constants = constants_of(site)
    plant = Plant(constants, hydrology, PublishedAwards(), start, seed)
    registers = oxph_registers(plant, constants.min_mw, constants.max_mw)
    [setpoint] = registers.orders.values()

    def told() -> dict[str, Any]:
        return {
            "at": plant.at.isoformat(),
            "elevation_ft": plant.elevation_ft,
            "power_mw": plant.power_mw,
            "setpoint_mw": plant.setpoint_mw,
            "spill_cfs": plant.spill_cfs,
            "writes": len(setpoint.writes),
        }

    return SimulatedPart(plant, {"plc": registers}, told)


def station_part(
    site: dict[str, Any], record: StationRecord | None, start: datetime, seed: int, scenario: str
) -> SimulatedPart:
    """A pumping station with four pumps on each of its PLCs `pumps-1`, `pumps-2`; without a record its inflow is made up."""
    plant = StationPlant(site, recorded(record) if record else generated(seed, scenario, start), start)
    machines = list(plant.pumps.values())
    groups = [machines[k : k + PUMPS_PER_PLC] for k in range(0, len(machines), PUMPS_PER_PLC)]
    plcs = {f"pumps-{i}": pump_registers(group, lambda: plant.level_m) for i, group in enumerate(groups, 1)}

    def told() -> dict[str, Any]:
        return {
            "at": plant.at.isoformat(),
            "level_m": plant.level_m,
            "volume_m3": plant.volume_m3,
            "inflow_m3h": plant.inflow_m3h,
            "outflow_m3h": plant.outflow_m3h,
            "power_kw": plant.power_kw,
            "overflow_m3": plant.overflow_m3,
            "short_m3": plant.short_m3,
            "pumps": {name: pump.state for name, pump in plant.pumps.items()},
        }

    return SimulatedPart(plant, plcs, told)

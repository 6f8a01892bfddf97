"""The registers of each PLC, as the site files name them: 0-based addresses, unsigned counts on the wire."""

from collections.abc import Callable, Sequence

from headworks.simulators.plant import Plant
from headworks.simulators.plc import Order, PlcRegisters
from headworks.simulators.pump_machine import PumpMachine

OXPH_SETPOINT, OXPH_POWER, OXPH_ELEVATION = 100, 100, 101
COUNTS_PER_MW, COUNTS_PER_FT, OFFSET_FT = 100, 100, 1100.0

FIRST_PUMP, PER_PUMP = 100, 10
SPEED, RUN = 0, 2
FREQUENCY, RUNNING, FLOW, POWER, IN_STATE = 0, 1, 2, 3, 4
TUNNEL_LEVEL = 200
COUNTS_PER_HZ, COUNTS_PER_KW, COUNTS_PER_M = 100, 10, 1000
HIGHEST_COUNT = 65535
MOTOR_HZ = (15.0, 55.0)
"""What the drive of a pump can take, whoever orders it."""


def oxph_registers(plant: Plant, min_mw: float, max_mw: float) -> PlcRegisters:
    """The unit of the afterbay: one setpoint [0.01 MW], its power, and the elevation above 1100 ft [0.01 ft]."""

    def take_over(counts: int) -> None:
        plant.setpoint_mw = counts / COUNTS_PER_MW

    present = round(plant.setpoint_mw * COUNTS_PER_MW)
    setpoint = Order(lambda counts: min_mw <= counts / COUNTS_PER_MW <= max_mw, take_over, present)
    return PlcRegisters(
        {OXPH_SETPOINT: setpoint},
        {
            OXPH_POWER: lambda: round(plant.power_mw * COUNTS_PER_MW),
            OXPH_ELEVATION: lambda: round((plant.elevation_ft - OFFSET_FT) * COUNTS_PER_FT),
        },
    )


def pump_registers(pumps: Sequence[PumpMachine], level_m: Callable[[], float]) -> PlcRegisters:
    """A PLC of the pumping station: ten addresses a pump, and the tunnel's level."""
    orders: dict[int, Order] = {}
    measured: dict[int, Callable[[], int]] = {TUNNEL_LEVEL: lambda: round(level_m() * COUNTS_PER_M)}
    for k, pump in enumerate(pumps):
        at = FIRST_PUMP + PER_PUMP * k
        orders |= {at + SPEED: _speed_order(pump), at + RUN: _run_order(pump)}
        measured |= {at + offset: read for offset, read in _measured(pump).items()}
    return PlcRegisters(orders, measured)


def _speed_order(pump: PumpMachine) -> Order:
    def take_over(counts: int) -> None:
        pump.setpoint_hz = counts / COUNTS_PER_HZ

    present, (lowest, highest) = round(pump.setpoint_hz * COUNTS_PER_HZ), MOTOR_HZ
    return Order(lambda counts: lowest <= counts / COUNTS_PER_HZ <= highest, take_over, present)


def _run_order(pump: PumpMachine) -> Order:
    def take_over(counts: int) -> None:
        pump.commanded = counts == 1

    return Order(lambda counts: counts in {0, 1}, take_over, int(pump.commanded))


def _measured(pump: PumpMachine) -> dict[int, Callable[[], int]]:
    return {
        FREQUENCY: lambda: round(pump.frequency_hz * COUNTS_PER_HZ),
        RUNNING: lambda: int(pump.feedback),
        FLOW: lambda: round(pump.flow_m3h),
        POWER: lambda: round(pump.power_kw * COUNTS_PER_KW),
        IN_STATE: lambda: min(HIGHEST_COUNT, int(pump.in_state_s // 60)),
    }

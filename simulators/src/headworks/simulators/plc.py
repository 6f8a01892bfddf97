"""The PLC of the unit: a real Modbus/TCP server with the registers that the site file names, and its own plausibility check."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

SETPOINT, READBACK, HEARTBEAT = 100, 101, 110
ACTUAL, ELEVATION = 100, 101
COUNTS_PER_MW, COUNTS_PER_FT, OFFSET_FT = 100, 100, 1100.0
READ_FUNCTIONS, WRITE_FUNCTIONS = {3: "holding", 4: "input"}, {6, 16}


@dataclass
class PlcRegisters:
    """The registers' meaning. A setpoint outside the unit's range (a restarted PLC holds 0) is not taken over."""

    min_mw: float
    max_mw: float
    take_over: Callable[[float], None]
    power_mw: Callable[[], float]
    elevation_ft: Callable[[], float]
    setpoint: int = 0
    read_back: int = 0
    fault: str = "none"
    writes: list[int] = field(default_factory=list)

    def write_setpoint(self, counts: int) -> None:
        """A client wrote register 100."""
        self.setpoint = counts
        self.writes.append(counts)
        if self.fault != "refuse" and self.min_mw <= counts / COUNTS_PER_MW <= self.max_mw:
            self.read_back = counts + 7 if self.fault == "read_back_differs" else counts
            self.take_over(counts / COUNTS_PER_MW)

    def read(self, table: str, address: int) -> int | None:
        """The value of a register with a meaning; None of one that only holds what was written."""
        if table == "holding":
            return {SETPOINT: self.setpoint, READBACK: self.read_back}.get(address)
        elevation = round((self.elevation_ft() - OFFSET_FT) * COUNTS_PER_FT)
        return {ACTUAL: round(self.power_mw() * COUNTS_PER_MW), ELEVATION: elevation}.get(address)

    def restart(self) -> None:
        """After a power cycle the registers read 0; the machine goes on as it was."""
        self.setpoint = self.read_back = 0


class SimulatedPlc:
    """The server, which can be taken away and brought back on the same port."""

    def __init__(self, registers: PlcRegisters, port: int, unit_id: int = 1, host: str = "127.0.0.1") -> None:
        self.registers, self.port, self._unit_id, self._host = registers, port, unit_id, host
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen."""
        block = [SimData(address=0, count=200, values=0, datatype=DataType.REGISTERS)]
        bits = [SimData(address=0, count=1, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(self._unit_id, simdata=(bits, bits, block, block), action=self._on_access)
        self._server = ModbusTcpServer(device, address=(self._host, self.port))
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
            self._server = None

    async def _on_access(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        current: list[int],
        values: Any,
    ) -> ExcCodes | None:
        if self.registers.fault == "hang":
            await asyncio.sleep(3600)
        if self.registers.fault == "exception":
            return ExcCodes.DEVICE_FAILURE
        if function_code in READ_FUNCTIONS:
            for i in range(count):
                at = address + i
                value = self.registers.read(READ_FUNCTIONS[function_code], at)
                if value is not None:
                    current[at - start_address] = value
            return None
        if function_code not in WRITE_FUNCTIONS:
            return ExcCodes.ILLEGAL_FUNCTION
        if values is None:  # the reply to a write repeats what the registers hold
            return None
        written = range(address, address + len(values))
        if READBACK in written:
            return ExcCodes.ILLEGAL_ADDRESS
        if SETPOINT in written:
            self.registers.write_setpoint(int(values[SETPOINT - address]))
        return None

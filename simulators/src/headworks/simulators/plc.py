"""A PLC: a real Modbus/TCP server with the registers that a site file names, and its own plausibility check of orders."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

READ_FUNCTIONS, WRITE_FUNCTIONS = {3: "holding", 4: "input"}, {6, 16}
REGISTERS = 400
DIFFERENCE = 7
"""So many counts stand in the read-back besides what was written, while the read-back differs."""


class Order:
    """A holding register for orders, which holds what the machine does at the start; the next register reads back what the
    PLC took over. An implausible order (a restarted PLC holds 0) is not taken over.
    """

    def __init__(self, plausible: Callable[[int], bool], take_over: Callable[[int], None], present: int) -> None:
        self._plausible, self._take_over = plausible, take_over
        self.asked = self.read_back = present
        self.writes = [present]

    def write(self, counts: int, fault: str) -> None:
        """A client wrote the register."""
        self.asked = counts
        self.writes.append(counts)
        if fault != "refuse" and self._plausible(counts):
            self.read_back = counts + DIFFERENCE if fault == "read_back_differs" else counts
            self._take_over(counts)


@dataclass
class PlcRegisters:
    """The registers' meaning: orders by holding address, and what is measured by input address."""

    orders: Mapping[int, Order]
    measured: Mapping[int, Callable[[], int]]
    fault: str = "none"

    def write(self, address: int, counts: int) -> None:
        """A client wrote a holding register; one without a meaning only holds what was written."""
        if address in self.orders:
            self.orders[address].write(counts, self.fault)

    def read(self, table: str, address: int) -> int | None:
        """The value of a register with a meaning; None of one that only holds what was written."""
        if table == "input":
            return self.measured[address]() if address in self.measured else None
        if address in self.orders:
            return self.orders[address].asked
        return self.orders[address - 1].read_back if self.is_read_back(address) else None

    def is_read_back(self, address: int) -> bool:
        """Whether a holding register is the PLC's own copy of an order, which nobody may write."""
        return address - 1 in self.orders

    def restart(self) -> None:
        """After a power cycle the registers read 0; the machine goes on as it was."""
        for order in self.orders.values():
            order.asked = order.read_back = 0


class SimulatedPlc:
    """The server, which can be taken away and brought back on the same port."""

    def __init__(self, registers: PlcRegisters, port: int, unit_id: int = 1, host: str = "127.0.0.1") -> None:
        self.registers, self.port, self._unit_id, self._host = registers, port, unit_id, host
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen."""
        block = [SimData(address=0, count=REGISTERS, values=0, datatype=DataType.REGISTERS)]
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
        if any(self.registers.is_read_back(at) for at in written):
            return ExcCodes.ILLEGAL_ADDRESS
        for at, counts in zip(written, values, strict=True):
            self.registers.write(at, int(counts))
        return None

"""The port to a PLC over Modbus/TCP: reads and one kind of write, with every fault as a value.

pymodbus' defaults block for 12 s on a hung PLC and send a write four times; here a call takes one short time-out and is never
repeated. Exception replies, short replies and closed connections are all `LinkFault`.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

READ_HOLDING, READ_INPUT, WRITE_REGISTER = 3, 4, 6


@dataclass(frozen=True, slots=True)
class LinkFault:
    """Why a PLC did not answer as it should."""

    reason: str


class Plc:
    """One PLC. Calls are serialised: a write never interleaves with a poll."""

    def __init__(self, name: str, host: str, port: int, unit_id: int, timeout_s: float) -> None:
        self.name = name
        self._address, self._unit_id, self._timeout_s = (host, port), unit_id, timeout_s
        self._client: AsyncModbusTcpClient | None = None
        self._lock = asyncio.Lock()

    async def read_holding(self, address: int, count: int = 1) -> list[int] | LinkFault:
        """Holding registers (function 3)."""
        return await self._read("holding", address, count)

    async def read_input(self, address: int, count: int = 1) -> list[int] | LinkFault:
        """Input registers (function 4)."""
        return await self._read("input", address, count)

    async def write_holding(self, address: int, value: int) -> LinkFault | None:
        """One holding register (function 6), over a connection that reads go over already. Only the writer calls this.

        A write never connects: what the PLC holds behind a new connection is not known, and an e-stop may come meanwhile.
        """
        async with self._lock:
            client = self._client
            if client is None or not client.connected:
                return LinkFault("the connection was lost before the write")
            reply = await self._guard(client.write_register(address, value, device_id=self._unit_id), WRITE_REGISTER)
            return reply if isinstance(reply, LinkFault) else None

    async def _read(self, table: str, address: int, count: int) -> list[int] | LinkFault:
        async with self._lock:
            client = await self._connected()
            if isinstance(client, LinkFault):
                return client
            read, function = (
                (client.read_holding_registers, READ_HOLDING)
                if table == "holding"
                else (client.read_input_registers, READ_INPUT)
            )
            reply = await self._guard(read(address, count=count, device_id=self._unit_id), function)
        if isinstance(reply, LinkFault):
            return reply
        if len(reply.registers) != count:
            return LinkFault(f"asked {count} registers at {address}, got {len(reply.registers)}")
        return list(reply.registers)

    async def _connected(self) -> AsyncModbusTcpClient | LinkFault:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        host, port = self._address
        client = AsyncModbusTcpClient(host, port=port, timeout=self._timeout_s, retries=0, reconnect_delay=0)
        try:
            async with asyncio.timeout(self._timeout_s * 2):
                connected = await client.connect()
        except (OSError, TimeoutError, ModbusException) as error:
            client.close()
            return LinkFault(f"cannot connect: {error!r}")
        if not connected:
            client.close()
            return LinkFault(f"cannot connect to {host}:{port}")
        self._client = client
        return client

    async def _guard(self, call: Awaitable[ModbusPDU], function: int) -> ModbusPDU | LinkFault:
        """The reply, or why there is none; after a time-out the connection is dropped, as a late reply would mislead."""
        try:
            async with asyncio.timeout(self._timeout_s * 2):
                reply = await call
        except (ModbusException, OSError, TimeoutError) as error:
            self.close()
            return LinkFault(f"no answer: {error!r}")
        if reply.isError():
            return LinkFault(f"exception reply {reply}")
        if reply.function_code != function:
            self.close()
            return LinkFault(f"asked for function {function}, got an answer to {reply.function_code}")
        return reply

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

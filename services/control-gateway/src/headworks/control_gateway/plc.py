"""The port to a PLC: reads, and the one write, over Modbus/TCP, RTU over TCP or Modbus/TCP Security, with every fault as a value.

pymodbus' defaults block for 12 s on a hung PLC and send a write four times; here a call takes one short time-out and is never
repeated. Exception replies, short replies and closed connections are all `LinkFault`.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

from headworks.control_gateway.batching import Block
from headworks.control_gateway.fencing import Fence
from headworks.control_gateway.points import (
    READ_FUNCTIONS,
    READ_WRITE_REGISTERS,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    Point,
    WritablePoint,
)
from headworks.control_gateway.site_points import PlcPoints

log = structlog.get_logger(__name__)
ILLEGAL_ADDRESS, ILLEGAL_VALUE = 2, 3
LOST = "the connection was lost before the write"
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class LinkFault:
    """Why a PLC did not answer as it should."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotPermitted(LinkFault):
    """Nothing was written: this gateway may not."""


Refusal = Callable[[], str | None]
"""Why something may not be written in this very moment, if it may not."""


def unrefused() -> None:
    """Of what nobody's order stands above: that the gateway lives, and that it leads."""


@dataclass(frozen=True, slots=True)
class Unreadable(LinkFault):
    """The PLC knows no such address, or not so many: what is read in fewer pieces may be there."""


Held = tuple[int, ...] | LinkFault
"""Registers as they came, or why they did not."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a PLC's points held, read in one go over one connection; a fault is of the points that it hit."""

    held: Mapping[str, Held]
    connection: int

    def registers(self, point: Point) -> Held:
        """A point's registers as they came."""
        return self.held.get(point.name) or LinkFault(f"{point.name} was not read")

    def counts(self, point: Point) -> int | LinkFault:
        """A point in counts."""
        return self._read(point, point.counts)

    def number(self, point: Point) -> float | LinkFault:
        """What a point's registers hold."""
        return self._read(point, point.number)

    def value(self, point: Point) -> float | LinkFault:
        """A point's value in its unit."""
        return self._read(point, point.value)

    def _read(self, point: Point, as_a: Callable[[tuple[int, ...]], Number]) -> Number | LinkFault:
        registers = self.registers(point)
        if isinstance(registers, LinkFault):
            return registers
        try:
            return as_a(registers)
        except ValueError as error:
            return LinkFault(f"{point.name}: {error}")


class Plc:
    """One PLC. Calls are serialised: a write never interleaves with a poll."""

    def __init__(self, points: PlcPoints, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        if (points.transport == "tls") != (tls is not None):
            raise ValueError(
                f"{points.plc}: transport={points.transport!r} must be 'tls' where, and only where, there are keys"
            )
        self.points, self._address, self._tls = points, (host, port), tls
        self._client: AsyncModbusTcpClient | None = None
        self._lock = asyncio.Lock()
        self._apart: set[Block] = set()
        self.fence: Fence | None = None
        """Who may write, where more than one gateway could."""
        self.connection = 0
        """Counts lost connections: what was read over another one says nothing of now."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._address

    @property
    def name(self) -> str:
        """The PLC's name in the site file."""
        return self.points.plc

    async def read(self, blocks: Iterable[Block]) -> Snapshot:
        """One snapshot. A PLC that does not answer is asked no more; a block that it refuses is read point by point."""
        held: dict[str, Held] = {}
        lost: LinkFault | None = None
        for block in blocks:
            apart = bool(self._apart) and block in self._apart
            for part in block.alone() if apart else (block,):
                lost = await self._read_into(held, part, lost)
        return Snapshot(held, self.connection)

    async def write(self, writable: WritablePoint, counts: int, refusal: Refusal = unrefused) -> int | LinkFault | None:
        """One write to a point of the allow-list, over a connection that reads go over already. Only the writer calls this.

        Gives what was read back in the same request, where the point is written by function 23. A write never connects: what
        the PLC holds behind a new connection is not known, and an e-stop may come meanwhile. `refusal` is asked when the line
        is this write's. Raises ValueError for counts that the point may not hold, and TypeError for anything that is not a
        point of this PLC's allow-list.
        """
        if type(writable) is not WritablePoint or self.points.writable.get(writable.point.name) != writable:
            raise TypeError(f"{self.name}: {writable!r} is not on the allow-list; not written")
        registers = writable.registers(counts)
        async with self._lock:
            client = self._client
            if client is None or not client.connected:
                return LinkFault(LOST)
            why = refusal() or (self.fence.refusal(writable) if self.fence is not None else None)
            if why is not None:
                return NotPermitted(why)
            # Between the questions above and the first byte nothing waits: whoever is held up there is held up before them.
            reply = await self._guard(_write(client, writable, registers), writable.function)
        return reply if isinstance(reply, LinkFault) else self._written(writable, registers, reply)

    def is_lost(self) -> bool:
        """Whether there is no connection that reads went over; one that the PLC closed counts as lost from here on."""
        if self._client is not None and not self._client.connected:
            self.close()
        return self._client is None

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
            self._apart.clear()
            self.connection += 1

    async def _read_into(self, held: dict[str, Held], block: Block, lost: LinkFault | None) -> LinkFault | None:
        """Read a block, unless the PLC was `lost` before it. Gives whether it is lost now."""
        answer = lost or await self._read(block)
        if isinstance(answer, Unreadable) and len(block.points) > 1:
            log.warning(
                "a block is refused and read point by point", plc=self.name, block=str(block), why=answer.reason
            )
            self._apart.add(block)
            for part in block.alone():
                lost = await self._read_into(held, part, lost)
            return lost
        for point in block.points:
            held[point.name] = answer if isinstance(answer, LinkFault) else _part(answer, block, point)
        return answer if isinstance(answer, LinkFault) and self._client is None else None

    async def _read(self, block: Block) -> list[int] | LinkFault:
        async with self._lock:
            client = await self._connected()
            if isinstance(client, LinkFault):
                return client
            read = {
                "coil": client.read_coils,
                "discrete": client.read_discrete_inputs,
                "holding": client.read_holding_registers,
                "input": client.read_input_registers,
            }[block.table]
            call = read(block.address, count=block.count, device_id=block.unit_id)
            reply = await self._guard(call, READ_FUNCTIONS[block.table])
        if isinstance(reply, LinkFault):
            return reply
        bits = block.table in {"coil", "discrete"}
        got, expected = (
            (list(map(int, reply.bits)), -(-block.count // 8) * 8) if bits else (reply.registers, block.count)
        )
        if len(got) != expected:
            return LinkFault(f"asked {expected} of {block.table} at {block.address}, got {len(got)}")
        return list(got)[: block.count]

    def _written(self, writable: WritablePoint, registers: tuple[int, ...], reply: ModbusPDU) -> int | LinkFault | None:
        """What an answer to a write says: it must be to this one."""
        point, back = writable.point, writable.read_back
        if writable.function == READ_WRITE_REGISTERS and back is not None:
            if len(reply.registers) != back.encoding.width:
                return LinkFault(f"asked {back.encoding.width} registers at {back.address}, got {len(reply.registers)}")
            try:
                return back.counts(tuple(reply.registers))
            except ValueError as error:
                return LinkFault(f"{back.name}: {error}")
        if reply.address != point.address:
            return LinkFault(f"wrote address {point.address}, the answer names {reply.address}")
        if writable.function == WRITE_REGISTER and tuple(reply.registers) != registers:
            return LinkFault(f"wrote {registers[0]}, the answer says {reply.registers[0]}")
        return None

    async def _connected(self) -> AsyncModbusTcpClient | LinkFault:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        host, port = self._address
        client, failed = self._new_client()
        try:
            async with asyncio.timeout(self.points.timeout_s * 2):
                connected = await client.connect()
        except (OSError, TimeoutError, ModbusException) as error:
            client.close()
            return LinkFault(f"cannot connect: {error!r}")
        if not connected:
            client.close()
            why = f": {failed[-1]}" if failed else ""
            return LinkFault(f"cannot connect to {host}:{port}{why}")
        try:
            _bound_delivery(client, self.name, self.points.timeout_s)
        except OSError as error:  # it was closed again as soon as it stood
            client.close()
            return LinkFault(f"the connection was lost at once: {error!r}")
        self._client = client
        return client

    def _new_client(self) -> tuple[AsyncModbusTcpClient, list[OSError]]:
        """A client, not connected, and a list that will hold why it could not be: pymodbus keeps that to itself.

        Over TLS too its framer is that of plain TCP, which is what MBAP over TLS is: pymodbus' own TLS framer takes each
        chunk that arrives for a whole reply, and so loses one that comes in two records.
        """
        host, port = self._address
        rtu = self.points.transport == "rtu_over_tcp"
        client = AsyncModbusTcpClient(
            host,
            port=port,
            timeout=self.points.timeout_s,
            retries=0,
            reconnect_delay=0,
            framer=FramerType.RTU if rtu else FramerType.SOCKET,
        )
        loop, failed = asyncio.get_running_loop(), list[OSError]()
        connect = partial(loop.create_connection, client.ctx.handle_new_connection, host, port)
        if self._tls is not None:
            named = self.points.server_name or host
            connect = partial(connect, ssl=self._tls, server_hostname=named, ssl_shutdown_timeout=self.points.timeout_s)

        async def connect_or_say_why() -> object:
            try:
                return await connect()
            except OSError as error:
                failed.append(error)
                raise

        client.ctx.call_create = connect_or_say_why
        return client, failed

    async def _guard(self, call: Awaitable[ModbusPDU], function: int) -> ModbusPDU | LinkFault:
        """The reply, or why there is none; after a time-out the connection is dropped, as a late reply would mislead."""
        try:
            async with asyncio.timeout(self.points.timeout_s * 2):
                reply = await call
        except (ModbusException, OSError, TimeoutError) as error:
            self.close()
            return LinkFault(f"no answer: {error!r}")
        if reply.isError():
            unreadable = getattr(reply, "exception_code", None) in {ILLEGAL_ADDRESS, ILLEGAL_VALUE}
            return (Unreadable if unreadable else LinkFault)(f"exception reply {reply}")
        if reply.function_code != function:
            self.close()
            return LinkFault(f"asked for function {function}, got an answer to {reply.function_code}")
        return reply


def _bound_delivery(client: AsyncModbusTcpClient, name: str, timeout_s: float) -> None:
    """Have the system give up on bytes that the PLC does not take within twice the time-out.

    Left to itself it goes on sending them for minutes, when the process that wrote them has long ended or lost its lease.
    """
    transport = client.ctx.transport
    link = transport.get_extra_info("socket") if transport is not None else None
    if link is None:
        return
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        log.warning(
            "this system has no TCP_USER_TIMEOUT: what is under way to the PLC may arrive minutes late", plc=name
        )
        return
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(2000 * timeout_s))


def _part(registers: list[int], block: Block, point: Point) -> tuple[int, ...]:
    """A point's registers of what a block gave."""
    at = point.address - block.address
    return tuple(registers[at : at + point.encoding.width])


def _write(client: AsyncModbusTcpClient, writable: WritablePoint, registers: tuple[int, ...]) -> Awaitable[ModbusPDU]:
    """The one request that writes."""
    point, back, function = writable.point, writable.read_back, writable.function
    at, unit_id = point.address, point.unit_id
    if function == WRITE_COIL:
        return client.write_coil(at, bool(registers[0]), device_id=unit_id)
    if function == WRITE_COILS:
        return client.write_coils(at, [bool(registers[0])], device_id=unit_id)
    if function == WRITE_REGISTER:
        return client.write_register(at, registers[0], device_id=unit_id)
    if function == READ_WRITE_REGISTERS and back is not None:
        return client.readwrite_registers(
            read_address=back.address,
            read_count=back.encoding.width,
            write_address=at,
            values=list(registers),
            device_id=unit_id,
        )
    return client.write_registers(at, list(registers), device_id=unit_id)

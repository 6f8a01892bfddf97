"""The port to a PLC: against a real Modbus/TCP server, and against sockets that answer whatever a broken device might."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from gateway_rig import TIMEOUT_S, PlcServer, plc_at, points_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks.control_gateway.plc import LinkFault, Plc
from headworks.control_gateway.points import WritablePoint

POINTS = points_of("abay", "oxph-plc")
SETPOINT = POINTS.writable["OXPH.setpoint"]
Answer = Callable[[bytes], bytes | None]


@pytest.fixture
async def plc(plc_server: PlcServer) -> AsyncIterator[Plc]:
    client = plc_at(plc_server.port)
    yield client
    client.close()


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Plc]:
    """A device that answers each request with these bytes; None closes the connection."""

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        while (request := await reader.read(260)) and (reply := answer(request)) is not None:
            writer.write(reply)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = plc_at(server.sockets[0].getsockname()[1])
    try:
        yield client
    finally:
        client.close()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in serving if task is not None))


def reply(request: bytes, body: bytes, *, transaction: int = 0, unit: int = 1) -> bytes:
    """A well-framed answer with this body (function code first)."""
    number = struct.unpack(">H", request[:2])[0] + transaction
    return struct.pack(">HHHB", number & 0xFFFF, 0, len(body) + 1, unit) + body


async def read(plc: Plc, name: str = "OXPH.setpoint") -> int | LinkFault:
    """One point in counts."""
    return (await plc.read(plc.points.blocks(name))).counts(plc.points.points[name])


async def within(call: Awaitable[object], limit_s: float) -> object:
    started_s = time.monotonic()
    result = await call
    assert time.monotonic() - started_s < limit_s
    return result


async def test_registers_are_read_and_written(plc: Plc, plc_server: PlcServer) -> None:
    snapshot = await plc.read(plc.points.blocks("OXPH.setpoint", "OXPH.readback", "OXPH.actual"))
    assert [snapshot.counts(plc.points.points[name]) for name in snapshot.held] == [200, 200, 200]
    assert await plc.write(SETPOINT, 300) is None
    assert plc_server.writes == [300]
    assert await read(plc, "OXPH.readback") == 300


async def test_a_write_goes_only_over_a_connection_that_reads_go_over(plc: Plc, plc_server: PlcServer) -> None:
    assert await plc.write(SETPOINT, 300) == LinkFault("the connection was lost before the write")
    await read(plc)
    plc.close()
    assert await plc.write(SETPOINT, 300) == LinkFault("the connection was lost before the write")
    assert plc_server.writes == []


async def test_a_plc_that_is_not_there_is_a_fault_and_is_found_when_it_comes() -> None:
    server = PlcServer()
    plc = plc_at(server.port)
    fault = await within(read(plc), 4 * TIMEOUT_S)
    assert isinstance(fault, LinkFault)
    assert "cannot connect" in fault.reason
    await server.start()
    assert await read(plc) == 200
    await server.stop()
    assert isinstance(await within(read(plc), 4 * TIMEOUT_S), LinkFault)
    await server.start()
    assert await read(plc) == 200
    plc.close()
    await server.stop()


async def test_a_hung_plc_costs_a_short_time_and_a_write_is_sent_once(plc: Plc, plc_server: PlcServer) -> None:
    await read(plc)
    plc_server.fault = "hang"
    assert isinstance(await within(plc.write(SETPOINT, 300), 3 * TIMEOUT_S), LinkFault)
    assert isinstance(await within(read(plc), 3 * TIMEOUT_S), LinkFault)
    plc_server.fault = "none"
    assert await read(plc) == 200
    assert plc_server.writes == []


async def test_an_exception_reply_is_a_fault_and_the_connection_stays(plc: Plc, plc_server: PlcServer) -> None:
    await read(plc)
    plc_server.fault = "exception"
    for call in (read(plc), read(plc, "OXPH.actual"), plc.write(SETPOINT, 300)):
        fault = await call
        assert isinstance(fault, LinkFault)
        assert "exception" in fault.reason
    plc_server.fault = "none"
    assert await plc.write(SETPOINT, 300) is None


@pytest.mark.parametrize("code", range(1, 12))
async def test_every_exception_code_is_a_fault(code: int) -> None:
    async with answering(lambda request: reply(request, bytes((request[7] | 0x80, code)))) as plc:
        assert isinstance(await read(plc), LinkFault)


def holding(*registers: int) -> bytes:
    return bytes((3, 2 * len(registers))) + struct.pack(f">{len(registers)}H", *registers)


async def test_the_answering_device_of_these_tests_is_understood_when_it_answers_well() -> None:
    async with answering(lambda request: reply(request, holding(7))) as plc:
        assert await read(plc) == 7


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _request: None, id="closes"),
        pytest.param(lambda _request: b"", id="says nothing"),
        pytest.param(lambda _request: b"HTTP/1.1 400 Bad Request\r\n\r\n", id="speaks HTTP"),
        pytest.param(lambda request: request, id="echoes"),
        pytest.param(lambda request: reply(request, holding(7))[:-1], id="stops in the middle"),
        pytest.param(lambda request: reply(request, holding()), id="gives none"),
        pytest.param(lambda request: reply(request, holding(1, 2)), id="gives two for one"),
        pytest.param(lambda request: reply(request, bytes((3, 2, 7))), id="promises more than it gives"),
        pytest.param(lambda request: reply(request, bytes((3,))), id="gives a bare function code"),
        pytest.param(lambda request: reply(request, bytes((4, 2, 0, 7))), id="answers another function"),
        pytest.param(lambda request: reply(request, bytes((6, 0, 100, 0, 7))), id="answers a write"),
        pytest.param(lambda request: reply(request, bytes((99, 1))), id="answers an unknown function"),
        pytest.param(lambda request: reply(request, holding(7), unit=2), id="is another unit"),
        pytest.param(lambda request: reply(request, holding(7), transaction=1), id="answers another question"),
    ],
)
async def test_a_device_that_answers_wrong_is_a_fault_in_a_short_time(answer: Answer) -> None:
    async with answering(answer) as plc:
        assert isinstance(await within(read(plc), 4 * TIMEOUT_S), LinkFault)


async def test_a_connection_lost_in_mid_write_is_a_fault() -> None:
    def answer(request: bytes) -> bytes | None:
        return None if request[7] == 6 else reply(request, holding(200))

    async with answering(answer) as plc:
        assert await read(plc, "OXPH.readback") == 200
        assert isinstance(await plc.write(SETPOINT, 300), LinkFault)
        assert await read(plc, "OXPH.readback") == 200


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(min_size=9, max_size=40), framed=st.booleans())
async def test_garbage_is_never_more_than_a_fault(garbage: bytes, framed: bool) -> None:
    async with answering(lambda request: reply(request, garbage) if framed else garbage) as plc:
        plc.points = replace(plc.points, timeout_s=0.01)
        answer = await within(read(plc), 4 * TIMEOUT_S)
        assert isinstance(answer, LinkFault) or (framed and garbage[:2] == bytes((3, 2)))


async def test_calls_are_one_after_the_other(plc: Plc, plc_server: PlcServer) -> None:
    await read(plc)
    calls = (plc.write(SETPOINT, 250), read(plc, "OXPH.readback"), plc.write(SETPOINT, 260))
    results: list[object] = list(await asyncio.gather(*calls))
    assert results == [None, 250, None]
    assert plc_server.writes == [250, 260]


async def test_a_write_of_what_is_not_listed_reaches_no_wire(plc: Plc, plc_server: PlcServer) -> None:
    await read(plc)
    listed_elsewhere = points_of("blominmaki", "pumps-1").writable["P1_1.setpoint"]
    forged = object.__new__(WritablePoint)  # past the constructor, as only an attacker in the process would
    for name, value in {
        "point": replace(SETPOINT.point, address=150),
        "function": 6,
        "lowest": 0,
        "highest": 9,
    }.items():
        object.__setattr__(forged, name, value)
    object.__setattr__(forged, "read_back", None)
    other_unit = object.__new__(WritablePoint)
    for name in ("function", "lowest", "highest", "read_back"):
        object.__setattr__(other_unit, name, getattr(SETPOINT, name))
    object.__setattr__(other_unit, "point", replace(SETPOINT.point, unit_id=2))
    for not_listed in (SETPOINT.point, 100, None, "OXPH.setpoint", listed_elsewhere, forged, other_unit):
        with pytest.raises((TypeError, AttributeError)):
            await plc.write(not_listed, 5)  # type: ignore[arg-type]
    assert plc_server.writes == []


@pytest.mark.parametrize("counts", [-1, 65536])
async def test_a_write_outside_the_points_range_reaches_no_wire(plc: Plc, plc_server: PlcServer, counts: int) -> None:
    await read(plc)
    with pytest.raises(ValueError, match="not written"):
        await plc.write(SETPOINT, counts)
    assert plc_server.writes == []


@pytest.mark.parametrize(
    "echo", [pytest.param((0, 101, 1, 44), id="another address"), pytest.param((0, 100, 1, 45), id="another value")]
)
async def test_an_answer_to_another_write_is_a_fault(echo: tuple[int, ...]) -> None:
    def answer(request: bytes) -> bytes:
        return reply(request, bytes((6, *echo)) if request[7] == 6 else holding(200))

    async with answering(answer) as plc:
        await read(plc)
        fault = await plc.write(SETPOINT, 300)
        assert isinstance(fault, LinkFault)
        assert "the answer" in fault.reason


async def test_a_block_that_the_plc_refuses_is_read_point_by_point_from_then_on() -> None:
    asked: list[tuple[int, int]] = []

    def answer(request: bytes) -> bytes:
        address, count = struct.unpack(">HH", request[8:12])
        asked.append((address, count))
        return reply(request, bytes((0x83, 2)) if count > 1 or address == 101 else holding(7))

    async with answering(answer) as plc:
        for expected in ([(100, 2), (100, 1), (101, 1)], [(100, 1), (101, 1)]):
            asked.clear()
            snapshot = await plc.read(plc.points.blocks("OXPH.setpoint", "OXPH.readback"))
            assert asked == expected
            assert snapshot.counts(plc.points.points["OXPH.setpoint"]) == 7
            assert isinstance(snapshot.counts(plc.points.points["OXPH.readback"]), LinkFault)


async def test_a_busy_plc_is_not_asked_again_point_by_point() -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return reply(request, bytes((0x83, 6)))

    async with answering(answer) as plc:
        snapshot = await plc.read(plc.points.blocks("OXPH.setpoint", "OXPH.readback"))
        assert isinstance(snapshot.counts(plc.points.points["OXPH.setpoint"]), LinkFault)
        assert len(asked) == 1


async def test_a_plc_that_does_not_answer_is_asked_once_a_turn(plc: Plc, plc_server: PlcServer) -> None:
    plc_server.fault = "hang"
    started_s = time.monotonic()
    snapshot = await plc.read(plc.points.blocks())
    assert time.monotonic() - started_s < 4 * TIMEOUT_S
    assert all(isinstance(held, LinkFault) for held in snapshot.held.values())
    assert snapshot.held.keys() == plc.points.points.keys()


async def test_a_connection_that_is_reset_as_soon_as_it_stands_is_a_fault_told() -> None:
    """Seen by random faults: a link that drops ended the whole gateway."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        resetting = asyncio.create_task(asyncio.to_thread(_reset_each, server, 30))
        busy = asyncio.create_task(_hold_the_loop())
        client = plc_at(server.getsockname()[1], timeout_s=0.2)
        while not resetting.done():
            snapshot = await client.read(POINTS.blocks("OXPH.readback"))
            assert isinstance(snapshot.counts(POINTS.points["OXPH.readback"]), LinkFault)
        busy.cancel()
        client.close()
        await resetting


async def _hold_the_loop() -> None:
    """Make each turn of the loop so long that a reset may come between two of them."""
    while True:
        time.sleep(0.005)
        await asyncio.sleep(0)


def _reset_each(server: socket.socket, times: int) -> None:
    """Take so many connections, and reset each a little later than the one before."""
    for number in range(times):
        connection, _address = server.accept()
        time.sleep(number / 1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

"""The port to a PLC: against a real Modbus/TCP server, and against sockets that answer whatever a broken device might."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from gateway_rig import PlcServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks.control_gateway.plc import LinkFault, Plc

TIMEOUT_S = 0.2
Answer = Callable[[bytes], bytes | None]


@pytest.fixture
async def plc(plc_server: PlcServer) -> AsyncIterator[Plc]:
    client = Plc("plc", "127.0.0.1", plc_server.port, 1, TIMEOUT_S)
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
    client = Plc("plc", "127.0.0.1", server.sockets[0].getsockname()[1], 1, TIMEOUT_S)
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


async def within(call: Awaitable[object], limit_s: float) -> object:
    started_s = time.monotonic()
    result = await call
    assert time.monotonic() - started_s < limit_s
    return result


async def test_registers_are_read_and_written(plc: Plc, plc_server: PlcServer) -> None:
    assert await plc.read_holding(100, 2) == [200, 200]
    assert await plc.read_input(100) == [200]
    assert await plc.write_holding(100, 300) is None
    assert plc_server.writes == [300]
    assert await plc.read_holding(101) == [300]


async def test_a_write_goes_only_over_a_connection_that_reads_go_over(plc: Plc, plc_server: PlcServer) -> None:
    assert await plc.write_holding(100, 300) == LinkFault("the connection was lost before the write")
    await plc.read_holding(100)
    plc.close()
    assert await plc.write_holding(100, 300) == LinkFault("the connection was lost before the write")
    assert plc_server.writes == []


async def test_a_plc_that_is_not_there_is_a_fault_and_is_found_when_it_comes() -> None:
    server = PlcServer()
    plc = Plc("plc", "127.0.0.1", server.port, 1, TIMEOUT_S)
    fault = await within(plc.read_holding(100), 1)
    assert isinstance(fault, LinkFault)
    assert "cannot connect" in fault.reason
    await server.start()
    assert await plc.read_holding(100) == [200]
    await server.stop()
    assert isinstance(await within(plc.read_holding(100), 1), LinkFault)
    await server.start()
    assert await plc.read_holding(100) == [200]
    plc.close()
    await server.stop()


async def test_a_hung_plc_costs_a_short_time_and_a_write_is_sent_once(plc: Plc, plc_server: PlcServer) -> None:
    await plc.read_holding(100)
    plc_server.fault = "hang"
    assert isinstance(await within(plc.write_holding(100, 300), 3 * TIMEOUT_S), LinkFault)
    assert isinstance(await within(plc.read_holding(100), 3 * TIMEOUT_S), LinkFault)
    plc_server.fault = "none"
    assert await plc.read_holding(100) == [200]
    assert plc_server.writes == []


async def test_an_exception_reply_is_a_fault_and_the_connection_stays(plc: Plc, plc_server: PlcServer) -> None:
    await plc.read_holding(100)
    plc_server.fault = "exception"
    for call in (plc.read_holding(100), plc.read_input(100), plc.write_holding(100, 300)):
        fault = await call
        assert isinstance(fault, LinkFault)
        assert "exception" in fault.reason
    plc_server.fault = "none"
    assert await plc.write_holding(100, 300) is None


@pytest.mark.parametrize("code", range(1, 12))
async def test_every_exception_code_is_a_fault(code: int) -> None:
    async with answering(lambda request: reply(request, bytes((request[7] | 0x80, code)))) as plc:
        assert isinstance(await plc.read_holding(100), LinkFault)


def holding(*registers: int) -> bytes:
    return bytes((3, 2 * len(registers))) + struct.pack(f">{len(registers)}H", *registers)


async def test_the_answering_device_of_these_tests_is_understood_when_it_answers_well() -> None:
    async with answering(lambda request: reply(request, holding(7))) as plc:
        assert await plc.read_holding(100) == [7]


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
        assert isinstance(await within(plc.read_holding(100), 4 * TIMEOUT_S), LinkFault)


async def test_a_connection_lost_in_mid_write_is_a_fault() -> None:
    def answer(request: bytes) -> bytes | None:
        return None if request[7] == 6 else reply(request, holding(200))

    async with answering(answer) as plc:
        assert await plc.read_holding(101) == [200]
        assert isinstance(await plc.write_holding(100, 300), LinkFault)
        assert await plc.read_holding(101) == [200]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(min_size=9, max_size=40), framed=st.booleans())
async def test_garbage_is_never_more_than_a_fault(garbage: bytes, framed: bool) -> None:
    async with answering(lambda request: reply(request, garbage) if framed else garbage) as plc:
        plc._timeout_s = 0.01
        answer = await within(plc.read_holding(100), 1)
        assert isinstance(answer, LinkFault) or (framed and garbage[:2] == bytes((3, 2)))


async def test_calls_are_one_after_the_other(plc: Plc, plc_server: PlcServer) -> None:
    await plc.read_holding(100)
    calls = (plc.write_holding(100, 250), plc.read_holding(101), plc.write_holding(100, 260))
    results: list[object] = list(await asyncio.gather(*calls))
    assert results == [None, [250], None]
    assert plc_server.writes == [250, 260]

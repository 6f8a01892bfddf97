"""A PLC on libmodbus that fails: each fault is a value in a short time, hits no other PLC, and is over when it is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest
from counterparts import ANY_ACTUATOR, TIMEOUT_S, LibmodbusPlc, points_of, port_to

from headworks.control_gateway.plc import LinkFault, Plc

PLAIN = {"table": "holding", "type": "uint16", "scale": "0.01 Hz"}
ROLES = {
    "setpoint": {**PLAIN, "address": 10, "writable": True},
    "readback": {**PLAIN, "address": 11},
    "actual": {**PLAIN, "address": 200, "table": "input"},
}
TCP = points_of({"M": ROLES}, {"M": ANY_ACTUATOR})
RTU = points_of({"M": ROLES}, {"M": ANY_ACTUATOR}, transport="rtu_over_tcp")
SETPOINT = TCP.writable["M.setpoint"]
SPOILT = ("hang", "close", "garbage", "cut", "short", "long", "unit", "function")


async def read(plc: Plc) -> dict[str, int | LinkFault]:
    """All points, by name."""
    snapshot = await plc.read(plc.points.blocks())
    return {name: snapshot.counts(point) for name, point in plc.points.points.items()}


@pytest.fixture(params=["tcp", "rtu"])
async def served(request: pytest.FixtureRequest, libmodbus_program: Path) -> AsyncIterator[tuple[LibmodbusPlc, Plc]]:
    """The server and our port to it, by either framing."""
    with LibmodbusPlc(libmodbus_program, request.param) as server:
        plc = port_to(TCP if request.param == "tcp" else RTU, server.port)
        yield server, plc
        plc.close()


@pytest.mark.parametrize("fault", SPOILT)
async def test_every_fault_of_a_read_is_a_value_in_a_short_time_and_is_over(
    served: tuple[LibmodbusPlc, Plc], fault: str
) -> None:
    server, plc = served
    server.set("holding", 10, [4500, 4500])
    well = {"M.setpoint": 4500, "M.readback": 4500, "M.actual": 0}
    assert await read(plc) == well
    server.fault(fault)
    started_s = time.monotonic()
    spoilt = await read(plc)
    assert time.monotonic() - started_s < 3 * TIMEOUT_S
    assert all(isinstance(answer, LinkFault) for answer in spoilt.values()), spoilt
    server.fault("none")
    assert await read(plc) == well


@pytest.mark.parametrize("fault", [fault for fault in SPOILT if fault not in {"short", "long"}])
async def test_a_write_is_sent_once_whatever_becomes_of_its_answer(
    served: tuple[LibmodbusPlc, Plc], fault: str
) -> None:
    server, plc = served
    await read(plc)
    server.served()
    server.fault(fault)
    assert isinstance(await plc.write(plc.points.writable["M.setpoint"], 4400), LinkFault)
    assert server.served() == [6]
    server.fault("none")
    assert (await read(plc))["M.setpoint"] in {0, 4400}


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 10, 11])
async def test_every_exception_is_a_value_and_the_connection_stays(served: tuple[LibmodbusPlc, Plc], code: int) -> None:
    server, plc = served
    await read(plc)
    connection = plc.connection
    server.fault("exception", code)
    assert all(isinstance(answer, LinkFault) for answer in (await read(plc)).values())
    assert isinstance(await plc.write(plc.points.writable["M.setpoint"], 4400), LinkFault)
    server.fault("none")
    assert await plc.write(plc.points.writable["M.setpoint"], 4400) is None
    assert plc.connection == connection


async def test_a_slow_plc_is_waited_for_as_long_as_its_time_out(served: tuple[LibmodbusPlc, Plc]) -> None:
    server, plc = served
    server.fault("slow", int(TIMEOUT_S * 200))
    assert (await read(plc))["M.setpoint"] == 0
    server.fault("slow", int(TIMEOUT_S * 3000))
    assert isinstance((await read(plc))["M.setpoint"], LinkFault)


async def test_a_late_answer_is_not_taken_for_the_next_one(served: tuple[LibmodbusPlc, Plc]) -> None:
    server, plc = served
    server.set("holding", 10, [1111, 1111])
    server.set("input", 200, [2222])
    server.fault("slow", int(TIMEOUT_S * 1200))
    await read(plc)
    server.fault("none")
    server.set("holding", 10, [3333, 3333])
    assert await read(plc) == {"M.setpoint": 3333, "M.readback": 3333, "M.actual": 2222}


async def test_an_answer_in_single_bytes_is_put_together(served: tuple[LibmodbusPlc, Plc]) -> None:
    server, plc = served
    server.set("holding", 10, [4500, 4400])
    server.fault("drip", 5)
    assert await read(plc) == {"M.setpoint": 4500, "M.readback": 4400, "M.actual": 0}


async def test_a_plc_that_restarts_is_found_again_with_its_registers_at_0(
    served: tuple[LibmodbusPlc, Plc],
) -> None:
    server, plc = served
    server.set("holding", 10, [4500, 4500])
    await read(plc)
    connection = plc.connection
    server.tell("restart")
    answers = [await read(plc), await read(plc)]
    assert answers[-1]["M.setpoint"] == 0
    assert plc.connection > connection


async def test_no_write_goes_over_a_connection_that_nothing_was_read_over(libmodbus_plc: LibmodbusPlc) -> None:
    plc = port_to(TCP, libmodbus_plc.port)
    assert isinstance(await plc.write(SETPOINT, 4400), LinkFault)
    await read(plc)
    libmodbus_plc.tell("restart")
    assert isinstance(await plc.write(SETPOINT, 4400), LinkFault)
    assert libmodbus_plc.get("holding", 10) == [0]
    plc.close()


async def test_ten_hung_plcs_delay_no_other(libmodbus_program: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(LibmodbusPlc(libmodbus_program)) for _ in range(11)]
        well, *hung = [port_to(TCP, server.port) for server in servers]
        for server in servers[1:]:
            server.fault("hang")
        trying = [asyncio.create_task(_keep_trying(plc)) for plc in hung]
        await read(well)
        took_s = []
        for k in range(200):
            started_s = time.monotonic()
            assert await well.write(SETPOINT, 4000 + k) is None
            assert (await read(well))["M.setpoint"] == 4000 + k
            took_s.append(time.monotonic() - started_s)
        tried = [task.done() for task in trying]
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)
        for plc in (well, *hung):
            plc.close()
    assert median(took_s) < TIMEOUT_S / 10
    assert not any(tried)


async def _keep_trying(plc: Plc) -> None:
    while True:
        assert all(isinstance(answer, LinkFault) for answer in (await read(plc)).values())


def test_the_points_of_these_tests_take_two_requests() -> None:
    assert [(block.table, block.address, block.count) for block in TCP.blocks()] == [
        ("holding", 10, 2),
        ("input", 200, 1),
    ]

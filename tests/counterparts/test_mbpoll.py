"""mbpoll, which knows nothing of us, reads and writes the same values: in a PLC that we write, and in the demo's own PLC."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator

import pytest
from counterparts import LibmodbusPlc, needed, points_of, port_to

from headworks.common.embedded.process import free_port
from headworks.simulators.plc import Order, PlcRegisters, SimulatedPlc

NUMBERS = {
    "4": ("uint16", (0, 1, 32767)),
    "4:int": ("int32", (0, 1, -1, 2**31 - 1, -(2**31), 123456789)),
    "4:float": ("float32", (0, 1, -1, 123456, -98304)),
}
WORD_ORDERS = {"ABCD": ["-B"], "CDAB": []}
"""What mbpoll calls big endian, and its default."""


async def mbpoll(port: int, *options: str, write: tuple[object, ...] = ()) -> list[float]:
    """Run it once; what it read."""
    needed(shutil.which("mbpoll") is not None, "mbpoll")
    values = ["--", *map(str, write)] if write else []
    command = ["mbpoll", "-m", "tcp", "-p", str(port), "-0", "-1", *options, "127.0.0.1", *values]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return [float(number) for number in re.findall(r"^\[\d+\]:\s+(-?[\d.e+]+)", output.decode(), re.MULTILINE)]


@pytest.mark.parametrize("order", WORD_ORDERS)
@pytest.mark.parametrize("kind", NUMBERS)
async def test_it_reads_what_we_wrote(libmodbus_plc: LibmodbusPlc, kind: str, order: str) -> None:
    of_type, numbers = NUMBERS[kind]
    step = {"step": "1"} if of_type == "float32" else {}
    points = points_of(
        {"x": {"table": "holding", "address": 30, "type": of_type, "order": order, "writable": True, **step}}
    )
    plc = port_to(points, libmodbus_plc.port)
    await plc.read(points.blocks())
    for number in numbers:
        assert await plc.write(points.writable["x"], number) is None
        assert await mbpoll(libmodbus_plc.port, "-r", "30", "-t", kind, *WORD_ORDERS[order]) == [number]
    plc.close()


@pytest.mark.parametrize("order", WORD_ORDERS)
@pytest.mark.parametrize("kind", NUMBERS)
async def test_we_read_what_it_wrote(libmodbus_plc: LibmodbusPlc, kind: str, order: str) -> None:
    of_type, numbers = NUMBERS[kind]
    width = 1 if of_type == "uint16" else 2
    points = points_of(
        {
            f"x{k}": {"table": "holding", "address": 30 + width * k, "type": of_type, "order": order}
            for k in range(len(numbers))
        }
    )
    await mbpoll(libmodbus_plc.port, "-r", "30", "-t", kind, *WORD_ORDERS[order], write=numbers)
    plc = port_to(points, libmodbus_plc.port)
    snapshot = await plc.read(points.blocks())
    assert [snapshot.number(points.points[f"x{k}"]) for k in range(len(numbers))] == list(numbers)
    plc.close()


async def test_its_references_from_1_are_our_one_based_addresses(libmodbus_plc: LibmodbusPlc) -> None:
    libmodbus_plc.set("holding", 99, [7, 8])
    one_based = points_of({"x": {"table": "holding", "address": 100, "type": "uint16"}}, addresses="one_based")
    modicon = points_of({"x": {"address": 40100, "type": "uint16"}}, addresses="modicon")
    for points in (one_based, modicon):
        plc = port_to(points, libmodbus_plc.port)
        assert (await plc.read(points.blocks())).counts(points.points["x"]) == 7
        plc.close()
    needed(shutil.which("mbpoll") is not None, "mbpoll")
    command = ["mbpoll", "-m", "tcp", "-p", str(libmodbus_plc.port), "-1", "-r", "100", "127.0.0.1"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert re.search(r"^\[100\]:\s+7$", output.decode(), re.MULTILINE)


@pytest.fixture
async def demo_plc() -> AsyncIterator[SimulatedPlc]:
    """The demo's PLC with one order at 100, read back at 101, and a measured value."""
    registers = PlcRegisters({100: Order(lambda counts: counts < 600, lambda _counts: None, 200)}, {7: lambda: 4711})
    plc = SimulatedPlc(registers, free_port())
    await plc.start()
    yield plc
    await plc.stop()


async def test_the_demos_plc_answers_it_as_it_answers_us(demo_plc: SimulatedPlc) -> None:
    points = points_of(
        {
            "order": {"table": "holding", "address": 100, "type": "uint16"},
            "held": {"table": "holding", "address": 101, "type": "uint16"},
            "measured": {"table": "input", "address": 7, "type": "uint16"},
        }
    )
    plc = port_to(points, demo_plc.port)
    for written, held in ((300, 300), (601, 300)):
        await mbpoll(demo_plc.port, "-r", "100", write=(written,))
        snapshot = await plc.read(points.blocks())
        ours = [snapshot.counts(points.points[name]) for name in ("order", "held", "measured")]
        its = await mbpoll(demo_plc.port, "-r", "100", "-c", "2"), await mbpoll(demo_plc.port, "-r", "7", "-t", "3")
        assert ours == [written, held, 4711]
        assert [*its[0], *its[1]] == ours
    plc.close()

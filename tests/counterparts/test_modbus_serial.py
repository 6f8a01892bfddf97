"""modbus-serial (npm): our port against its server, and its client against the demo's PLC and the C server."""

import asyncio
import json
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from counterparts import ANY_ACTUATOR, HERE, LibmodbusPlc, node, points_of, port_to

from headworks.common.embedded.process import free_port
from headworks.simulators.plc import Order, PlcRegisters, SimulatedPlc

ORDERS = {"ABCD": ">HH", "CDAB": ">HH", "BADC": "<HH", "DCBA": "<HH"}
REFUSED = 2
"""Illegal data address."""


class ModbusSerial:
    """The script as a process."""

    def __init__(self, *arguments: str) -> None:
        command = [node(), str(HERE / "modbus_serial.js"), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "listening"

    def tell(self, **order: Any) -> Any:
        """Order something; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._line()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def modbus_serial(*arguments: str) -> Iterator[ModbusSerial]:
    script = ModbusSerial(*arguments)
    try:
        yield script
    finally:
        script.stop()


@pytest.mark.parametrize("order", ORDERS)
async def test_we_read_and_write_its_plc_in_every_byte_order(order: str) -> None:
    port = free_port()
    with modbus_serial("serve", str(port)) as plc_of_js:
        points = points_of(
            {
                "u32": {"table": "input", "address": 4, "type": "uint32", "order": order},
                "f32": {"table": "input", "address": 6, "type": "float32", "order": order},
                "bit": {"table": "discrete", "address": 9, "type": "bool"},
                "run": {"table": "coil", "address": 9, "type": "bool", "writable": True},
                "i32": {"table": "holding", "address": 8, "type": "int32", "order": order, "writable": True},
            }
        )
        u32, f32 = _registers(order, struct.pack(">I", 0x0A0B0C0D)), _registers(order, struct.pack(">f", 45.5))
        cells = {4: u32[0], 5: u32[1], 6: f32[0], 7: f32[1]}
        plc_of_js.tell(set={"input": cells, "discrete": {9: 1}})
        plc = port_to(points, port)
        snapshot = await plc.read(points.blocks())
        assert snapshot.number(points.points["u32"]) == 0x0A0B0C0D
        assert snapshot.number(points.points["f32"]) == 45.5
        assert snapshot.counts(points.points["bit"]) == 1
        assert await plc.write(points.writable["i32"], -123456) is None
        assert await plc.write(points.writable["run"], 1) is None
        assert plc_of_js.tell(get=["holding", 8, 2]) == list(_registers(order, struct.pack(">i", -123456)))
        assert plc_of_js.tell(get=["coil", 9, 1]) == [1]
        plc.close()


def _registers(order: str, most_significant_first: bytes) -> tuple[int, int]:
    """Two registers as the order's letters name the bytes, by struct alone."""
    first, second = struct.unpack(ORDERS[order], most_significant_first)
    return (second, first) if order in {"CDAB", "DCBA"} else (first, second)


@pytest.mark.parametrize("function", [6, 16])
async def test_we_write_its_registers_by_either_function(function: int) -> None:
    port = free_port()
    plain = {"table": "holding", "type": "uint16", "scale": "0.01 Hz"}
    roles = {
        "setpoint": {**plain, "address": 10, "writable": True, "write_function": function},
        "readback": {**plain, "address": 11},
        "actual": {**plain, "address": 12},
    }
    points = points_of({"M": roles}, {"M": ANY_ACTUATOR})
    with modbus_serial("serve", str(port)) as plc_of_js:
        plc = port_to(points, port)
        await plc.read(points.blocks())
        assert await plc.write(points.writable["M.setpoint"], 4321) is None
        assert plc_of_js.tell(get=["holding", 10, 1]) == [4321]
        plc.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_the_two_counterparts_agree(libmodbus_plc: LibmodbusPlc, rtu_plc: LibmodbusPlc, framing: str) -> None:
    server = libmodbus_plc if framing == "tcp" else rtu_plc
    with modbus_serial("ask", str(server.port), framing) as client:
        assert client.tell(write=[16, 20, [1, 2, 65535]]) == "ok"
        assert server.get("holding", 20, 3) == [1, 2, 65535]
        server.set("input", 5, [9, 8])
        assert client.tell(read=["input", 5, 2]) == [9, 8]
        assert client.tell(read=["input", 9999, 2]) == {"error": REFUSED}


@pytest.fixture
async def demo_plc() -> AsyncIterator[SimulatedPlc]:
    registers = PlcRegisters({100: Order(lambda counts: counts < 600, lambda _counts: None, 200)}, {7: lambda: 4711})
    plc = SimulatedPlc(registers, free_port())
    await plc.start()
    yield plc
    await plc.stop()


async def test_the_demos_plc_answers_it_as_it_answers_us(demo_plc: SimulatedPlc) -> None:
    points = points_of({"held": {"table": "holding", "address": 101, "type": "uint16"}})
    plc = port_to(points, demo_plc.port)
    client = await asyncio.to_thread(ModbusSerial, "ask", str(demo_plc.port), "tcp")
    try:
        for function, written in ((6, 300), (16, 400)):
            # the demo's PLC runs on this loop: the client, a process of its own, is asked beside it
            assert await asyncio.to_thread(client.tell, write=[function, 100, [written]]) == "ok"
            its = await asyncio.to_thread(client.tell, read=["holding", 100, 2])
            ours = (await plc.read(points.blocks())).counts(points.points["held"])
            assert its == [written, ours] == [written, written]
        assert await asyncio.to_thread(client.tell, read=["input", 7, 1]) == [4711]
        assert await asyncio.to_thread(client.tell, write=[6, 101, [1]]) == {"error": REFUSED}
    finally:
        client.stop()
        plc.close()

"""The PLC as a Modbus client sees it: registers, plausibility, faults, and a power cycle."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from headworks.common.embedded.process import free_port
from headworks.simulators.plc import Order, PlcRegisters, SimulatedPlc

SETPOINT, READBACK, OTHER, HEARTBEAT = 100, 101, 102, 300


@dataclass
class Bench:
    """A PLC on a port, a client of it, and what the machine was told."""

    plc: SimulatedPlc
    client: AsyncModbusTcpClient
    told: list[int] = field(default_factory=list)

    async def holding(self, address: int, count: int = 1) -> list[int]:
        reply = await self.client.read_holding_registers(address, count=count, device_id=1)
        assert not reply.isError()
        return list(reply.registers)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    told: list[int] = []
    orders = {
        SETPOINT: Order(lambda counts: 80 <= counts <= 580, told.append, 150),
        OTHER: Order(lambda counts: counts in {0, 1}, told.append, 1),
    }
    registers = PlcRegisters(orders, {100: lambda: 234, 101: lambda: 7037})
    plc = SimulatedPlc(registers, free_port())
    await plc.start()
    client = AsyncModbusTcpClient("127.0.0.1", port=plc.port, timeout=0.5, retries=0)
    assert await client.connect()
    yield Bench(plc, client, told)
    client.close()
    await plc.stop()


async def test_a_setpoint_written_is_read_back_and_taken_over(bench: Bench) -> None:
    assert not (await bench.client.write_register(SETPOINT, 425, device_id=1)).isError()
    assert await bench.holding(SETPOINT, 2) == [425, 425]
    assert bench.told == [425]
    assert bench.plc.registers.orders[SETPOINT].writes == [150, 425]


@pytest.mark.parametrize(("counts", "taken"), [(79, False), (80, True), (580, True), (581, False), (0, False)])
async def test_a_setpoint_is_taken_over_within_the_units_range_alone(bench: Bench, counts: int, taken: bool) -> None:
    await bench.client.write_register(SETPOINT, 200, device_id=1)
    await bench.client.write_register(SETPOINT, counts, device_id=1)
    assert await bench.holding(SETPOINT, 2) == [counts, counts if taken else 200]
    assert bench.told == ([200, counts] if taken else [200])


async def test_several_registers_in_one_write_reach_their_places(bench: Bench) -> None:
    assert not (await bench.client.write_registers(SETPOINT - 1, [7, 300], device_id=1)).isError()
    assert await bench.holding(SETPOINT - 1, 3) == [7, 300, 300]


async def test_a_plc_holds_what_its_machine_does_when_it_starts(bench: Bench) -> None:
    assert await bench.holding(SETPOINT, 4) == [150, 150, 1, 1]


async def test_each_order_of_a_plc_has_its_own_check_and_its_own_read_back(bench: Bench) -> None:
    assert not (await bench.client.write_register(OTHER, 0, device_id=1)).isError()
    assert not (await bench.client.write_register(SETPOINT, 9, device_id=1)).isError()
    assert await bench.holding(SETPOINT, 4) == [9, 150, 0, 0]
    assert bench.told == [0]


async def test_a_heartbeat_is_held(bench: Bench) -> None:
    await bench.client.write_register(HEARTBEAT, 4711, device_id=1)
    assert await bench.holding(HEARTBEAT) == [4711]


async def test_what_is_measured_is_in_input_registers(bench: Bench) -> None:
    reply = await bench.client.read_input_registers(100, count=2, device_id=1)
    assert reply.registers == [234, 7037]


async def test_the_read_back_cannot_be_written(bench: Bench) -> None:
    await bench.client.write_register(SETPOINT, 200, device_id=1)
    for reply in (
        await bench.client.write_register(READBACK, 300, device_id=1),
        await bench.client.write_registers(SETPOINT, [300, 300], device_id=1),
    ):
        assert reply.isError()
    assert await bench.holding(SETPOINT, 2) == [200, 200]


async def test_what_is_no_register_or_no_unit_is_refused(bench: Bench) -> None:
    assert (await bench.client.read_holding_registers(500, count=1, device_id=1)).isError()
    assert (await bench.client.read_holding_registers(SETPOINT, count=1, device_id=9)).isError()


async def test_a_power_cycle_empties_the_registers_and_closes_the_link(bench: Bench) -> None:
    await bench.client.write_register(SETPOINT, 425, device_id=1)
    await bench.plc.stop()
    bench.plc.registers.restart()
    await bench.plc.start()
    bench.client.close()
    assert await bench.client.connect()
    assert await bench.holding(SETPOINT, 4) == [0, 0, 0, 0]
    assert bench.told == [425]


@pytest.mark.parametrize(("fault", "read_back"), [("read_back_differs", 432), ("refuse", 200)])
async def test_faults_of_the_machine_show_in_the_read_back(bench: Bench, fault: str, read_back: int) -> None:
    await bench.client.write_register(SETPOINT, 200, device_id=1)
    bench.plc.registers.fault = fault
    assert not (await bench.client.write_register(SETPOINT, 425, device_id=1)).isError()
    assert await bench.holding(READBACK) == [read_back]


async def test_an_exception_and_silence_are_as_on_the_wire(bench: Bench) -> None:
    bench.plc.registers.fault = "exception"
    reply = await bench.client.read_holding_registers(SETPOINT, count=1, device_id=1)
    assert reply.isError()
    assert reply.exception_code == 4
    bench.plc.registers.fault = "hang"
    with pytest.raises((ModbusIOException, asyncio.TimeoutError)):
        await bench.client.read_holding_registers(SETPOINT, count=1, device_id=1)

"""The writer: nothing outside the limits, one write, and the PLC's own word on what it holds."""

from collections.abc import AsyncIterator

import pytest
from gateway_rig import PlcServer, plc_at

from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LinkFault, Plc, unrefused
from headworks.control_gateway.writer import Differs, Verified, write_setpoint


@pytest.fixture
async def plc(plc_server: PlcServer) -> AsyncIterator[Plc]:
    client = plc_at(plc_server.port)
    await client.read(client.points.blocks("OXPH.readback"))
    yield client
    client.close()


async def test_a_setpoint_taken_over_is_verified(plc: Plc, plc_server: PlcServer, actuator: Actuator) -> None:
    assert await write_setpoint(plc, actuator, 300, unrefused) == Verified(300)
    assert plc_server.writes == [300]


async def test_a_plc_that_takes_over_late_is_waited_for_and_written_once(
    plc: Plc, plc_server: PlcServer, actuator: Actuator
) -> None:
    plc_server.fault = "slow"
    assert await write_setpoint(plc, actuator, 310, unrefused) == Verified(310)
    assert plc_server.writes == [310]


@pytest.mark.parametrize(("fault", "held"), [("differ", 307), ("ignore", 200)])
async def test_what_the_plc_holds_instead_is_told(
    plc: Plc, plc_server: PlcServer, actuator: Actuator, fault: str, held: int
) -> None:
    plc_server.fault = fault
    assert await write_setpoint(plc, actuator, 300, unrefused) == Differs(held)
    assert plc_server.writes == [300]


async def test_a_write_refused_by_the_plc_is_told_by_what_it_holds(
    plc: Plc, plc_server: PlcServer, actuator: Actuator
) -> None:
    plc_server.fault = "exception_on_write"
    result = await write_setpoint(plc, actuator, 300, unrefused)
    assert isinstance(result, Differs)
    assert result.read_back == 200
    assert result.fault is not None
    assert "exception" in result.fault.reason
    assert plc_server.writes == []


async def test_a_plc_lost_in_the_middle_is_a_fault(plc: Plc, plc_server: PlcServer, actuator: Actuator) -> None:
    plc_server.fault = "hang"
    assert isinstance(await write_setpoint(plc, actuator, 300, unrefused), LinkFault)
    plc_server.fault = "none"
    await plc_server.stop()
    assert isinstance(await write_setpoint(plc, actuator, 300, unrefused), LinkFault)


@pytest.mark.parametrize("counts", [-1, 0, 79, 581, 65536])
async def test_nobody_can_have_written_what_is_outside_the_limits(
    plc: Plc, plc_server: PlcServer, actuator: Actuator, counts: int
) -> None:
    with pytest.raises(ValueError, match=f"OXPH: {counts} counts is outside the limits; not written"):
        await write_setpoint(plc, actuator, counts, unrefused)
    assert plc_server.writes == []


@pytest.mark.parametrize("counts", [80, 580])
async def test_the_limits_themselves_may_be_written(
    plc: Plc, plc_server: PlcServer, actuator: Actuator, counts: int
) -> None:
    assert await write_setpoint(plc, actuator, counts, unrefused) == Verified(counts)

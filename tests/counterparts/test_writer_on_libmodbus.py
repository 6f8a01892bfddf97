"""The writer on a PLC with a program of its own: written once, by the function the site names, and verified by the PLC's word."""

import struct
from types import SimpleNamespace

import pytest
from counterparts import LibmodbusPlc, port_to, served_by
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.plc import LinkFault, Plc, unrefused
from headworks.control_gateway.section import ControlSection
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.writer import Differs, Verified, write_setpoint

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def drive(server: LibmodbusPlc, function: int, order: str, of_type: str = "float32") -> tuple[Plc, Actuator]:
    """A port to the server, and the actuator that it serves; its site map is read from a site file's words."""
    points, actuators = served_by(function, order, of_type)
    plc = {"unit_id": 1, "timeout": "1 s", "points": points}
    section = ControlSection.model_validate({"tick_every": "1 s", "plcs": {"plc": plc}, "actuators": actuators})
    [actuator] = actuators_of(SimpleNamespace(site="counterpart"), section)  # type: ignore[arg-type]  # only its name is asked
    return port_to(plc_points("counterpart", section)["plc"], server.port), actuator


def bits(hertz: float) -> int:
    pattern: int = struct.unpack(">I", struct.pack(">f", hertz))[0]
    return pattern


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("function", [16, 23])
async def test_a_float_setpoint_is_written_once_and_verified(
    libmodbus_plc: LibmodbusPlc, function: int, order: str
) -> None:
    libmodbus_plc.tell("copy 10 holding 12 2")
    plc, actuator = drive(libmodbus_plc, function, order)
    await plc.read(plc.points.blocks())
    for counts in (2000, 4512, 4513, 5000):
        libmodbus_plc.served()
        assert await write_setpoint(plc, actuator, counts, unrefused) == Verified(counts)
        assert [code for code in libmodbus_plc.served() if code in {5, 6, 15, 16, 23}] == [function]
        assert int(libmodbus_plc.tell(f"peek holding 10 {order.lower()}")) == bits(counts / 100)
    plc.close()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.integers(2000, 5000), order=st.sampled_from(ORDERS), function=st.sampled_from((16, 23)))
async def test_what_is_read_back_is_what_was_written_at_every_step(
    libmodbus_plc: LibmodbusPlc, counts: int, order: str, function: int
) -> None:
    libmodbus_plc.tell("restart")
    libmodbus_plc.tell("copy 10 holding 12 2")
    plc, actuator = drive(libmodbus_plc, function, order)
    await plc.read(plc.points.blocks())
    assert await write_setpoint(plc, actuator, counts, unrefused) == Verified(counts)
    plc.close()


@pytest.mark.parametrize("function", [16, 23])
async def test_a_plc_that_holds_another_setpoint_is_told(libmodbus_plc: LibmodbusPlc, function: int) -> None:
    plc, actuator = drive(libmodbus_plc, function, "CDAB")
    libmodbus_plc.tell(f"put holding 12 cdab {bits(33.33)}")
    await plc.read(plc.points.blocks())
    assert await write_setpoint(plc, actuator, 4500, unrefused) == Differs(3333)
    plc.close()


@pytest.mark.parametrize("pattern", [0x7FC00000, 0x7F800000, 0xFF800000])
async def test_a_read_back_that_is_no_number_is_a_fault(libmodbus_plc: LibmodbusPlc, pattern: int) -> None:
    plc, actuator = drive(libmodbus_plc, 16, "ABCD")
    await plc.read(plc.points.blocks())
    libmodbus_plc.tell(f"put holding 12 abcd {pattern}")
    result = await write_setpoint(plc, actuator, 4500, unrefused)
    assert isinstance(result, LinkFault)
    assert "which is no number" in result.reason
    plc.close()


@pytest.mark.parametrize("counts", [1999, 5001, -1])
async def test_nothing_outside_the_limits_reaches_the_wire(libmodbus_plc: LibmodbusPlc, counts: int) -> None:
    plc, actuator = drive(libmodbus_plc, 16, "ABCD")
    await plc.read(plc.points.blocks())
    libmodbus_plc.served()
    with pytest.raises(ValueError, match="not written"):
        await write_setpoint(plc, actuator, counts, unrefused)
    assert libmodbus_plc.served() == []
    plc.close()

"""A pump whose run feedback says that it stands while speed or power say that it turns: nothing is written but stops."""

import pytest
from pump_rig import PumpGateway
from time_rig import NOW

from headworks.common.messages import Outcome

DOUBT = "the run feedback says that it stands, but it gives 4780 counts of speed: which is wrong is not known"


@pytest.fixture
async def gateway(pump_gateway: PumpGateway) -> PumpGateway:
    """P1_2 turns at 47.80 Hz, and its contact is broken."""
    pump_gateway.run("P1_1", "P1_2", "P1_4")
    pump = pump_gateway.pump("P1_2")
    pump.contact_broken = True
    pump.setpoint = pump.read_back = pump.speed = 4780
    await pump_gateway.settle()
    return pump_gateway


def of_p1_2(gateway: PumpGateway) -> list[tuple[str, int]]:
    return [(what, counts) for pump, what, counts in gateway.written() if pump == "P1_2"]


async def test_a_pump_that_turns_with_a_broken_contact_gets_no_speed_at_once_and_no_start_and_it_is_told(
    gateway: PumpGateway,
) -> None:
    gateway.plan("P1_1", "P1_2", "P1_4", speed_hz=50.0)
    states = await gateway.tick(after_s=60, times=10)
    assert of_p1_2(gateway) == []
    assert (states["P1_2"].refused, states["P1_2"].reason) == (True, DOUBT)
    refused = [e.violations for e in gateway.told() if e.resource == "P1_2" and e.outcome is Outcome.REFUSED]
    assert refused[-1] == (DOUBT,)


async def test_at_high_high_another_pump_is_called_in_its_place(gateway: PumpGateway) -> None:
    gateway.plan("P1_1", "P1_4")
    gateway.set_level(7401)
    await gateway.tick(after_s=60, times=8)
    assert of_p1_2(gateway) == []
    assert len(gateway.running() - {"P1_2"}) == 4


async def test_of_one_that_was_just_told_to_run_the_feedback_may_come_later_than_the_speed(
    pump_gateway: PumpGateway,
) -> None:
    gateway = pump_gateway
    await gateway.settle()
    gateway.pump("P1_2").contact_broken = True
    gateway.plan("P1_1", "P1_2", "P1_4")
    states = await gateway.tick(times=2)
    assert of_p1_2(gateway)[-1] == ("run", 1)
    assert (states["P1_2"].refused, states["P1_2"].reason) == (False, "the last command takes effect")
    gateway.pump("P1_2").contact_broken = False
    states = await gateway.tick(times=5)
    assert (states["P1_2"].refused, states["P1_2"].running) == (False, True)
    assert gateway.running() == {"P1_1", "P1_2", "P1_4"}


async def test_an_e_stop_stops_it(gateway: PumpGateway) -> None:
    gateway.loop.switches.press_e_stop("ann", NOW)
    await gateway.tick(times=3)
    assert of_p1_2(gateway) == [("run", 0)]
    assert "P1_2" not in gateway.running()

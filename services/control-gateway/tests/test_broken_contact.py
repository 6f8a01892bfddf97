"""A pump whose run feedback says that it stands while speed or power say that it turns: nothing is written but stops."""

from dataclasses import replace

import pytest
from pump_rig import PumpGateway
from pump_safety_rig import LIMITS, OFF, ON, RUNS, SPEEDS, STANDS, situation
from time_rig import NOW, SECOND

from headworks.common.messages import Outcome
from headworks.control_gateway.pump_safety import Duty, Keep, RunFeedback, Stop, decide_run, doubt_of_standing
from headworks.control_gateway.safety import DuePlan, Refused

DOUBT = "the run feedback says that it stands, but it gives 4780 counts of speed: which is wrong is not known"
CALLED = Duty(called=True, high_high=True)


@pytest.mark.parametrize(
    ("actual", "power_kw", "told"),
    [
        (0, None, None),
        (0, 2.0, None),
        (0, 2.1, "the run feedback says that it stands, but it takes 2.1 kW: which is wrong is not known"),
        (2390, 0.0, None),
        (
            2391,
            0.0,
            "the run feedback says that it stands, but it gives 2391 counts of speed: which is wrong is not known",
        ),
        (4780, None, DOUBT),
    ],
)
def test_it_stands_only_if_speed_and_power_agree(actual: int, power_kw: float | None, told: str | None) -> None:
    assert doubt_of_standing(SPEEDS, False, actual, power_kw) == told
    assert doubt_of_standing(SPEEDS, True, actual, power_kw) is None


@pytest.mark.parametrize("plan", [ON, OFF, None])
@pytest.mark.parametrize("duty", [Duty(), CALLED])
def test_in_doubt_no_wish_and_no_call_is_followed(plan: DuePlan | None, duty: Duty) -> None:
    assert decided(STANDS, plan, duty) == Refused((DOUBT,))


def test_one_that_stands_since_a_moment_may_run_down_still_and_nothing_is_told() -> None:
    for s, expected in ((29, Keep(DOUBT)), (30, Refused((DOUBT,)))):
        assert decided(replace(STANDS, since=NOW - s * SECOND)) == expected


def test_in_doubt_what_stops_stops_it_also_where_it_is_not_commanded_to_run() -> None:
    assert decided(STANDS, e_stop=True) == Stop("e-stop is active", forced=True)
    low = decided(STANDS, duty=Duty(low_low=True))
    assert low == Stop("the level is low-low: no pump may run", forced=True)
    assert decided(RUNS, OFF, mode="manual") == Keep("mode is manual")


def decided(feedback: RunFeedback, plan: DuePlan | None = ON, duty: Duty | None = None, **changes: object) -> object:
    made = situation(feedback, plan, duty or Duty(), **changes)  # type: ignore[arg-type]  # as situation takes them
    return decide_run(LIMITS, SPEEDS, replace(made, doubt=DOUBT), NOW)


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

"""A pump in doubt: its run feedback says that it stands, its speed or power that it turns. It is given nothing but stops."""

from dataclasses import replace

import pytest
from pump_safety_rig import OFF, ON, RUNS, SPEEDS, STANDS, decided, situation
from time_rig import NOW, SECOND, TICK

from headworks.control_gateway.interlocks import Order
from headworks.control_gateway.pump_safety import (
    STANDS_BELOW_KW,
    Duty,
    Keep,
    RunFeedback,
    RunSituation,
    Start,
    Stop,
    doubt_of_standing,
)
from headworks.control_gateway.safety import DuePlan, Mode, Refused

TURNS = "the run feedback says that it stands, but it gives {} counts of speed: which is wrong is not known"
DRAWS = "the run feedback says that it stands, but it takes {} kW: which is wrong is not known"
DOUBT = TURNS.format(4780)
CALLED, LOW = Duty(called=True, high_high=True), Duty(low_low=True)


def doubted(feedback: RunFeedback = STANDS, plan: DuePlan | None = ON, duty: Duty | None = None) -> RunSituation:
    return replace(situation(feedback, plan, duty or Duty()), doubt=DOUBT)


@pytest.mark.parametrize(
    ("actual", "power_kw", "told"),
    [
        (0, None, None),
        (0, 0.0, None),
        (0, 2.0, None),
        (0, 2.001, DRAWS.format("2.001")),
        (0, 400.0, DRAWS.format("400")),
        (2390, None, None),
        (2390, 2.0, None),
        (2390, 2.5, DRAWS.format("2.5")),
        (2391, None, TURNS.format(2391)),
        (2391, 0.0, TURNS.format(2391)),
        (4780, None, DOUBT),
        (4780, 400.0, DOUBT),
    ],
)
def test_it_stands_only_if_speed_and_power_agree(actual: int, power_kw: float | None, told: str | None) -> None:
    """The lowest speed is 4780 counts: at just half of it the pump may run down still."""
    assert (SPEEDS.minimum, STANDS_BELOW_KW) == (4780, 2.0)
    assert doubt_of_standing(SPEEDS, False, actual, power_kw) == told
    assert doubt_of_standing(SPEEDS, True, actual, power_kw) is None, "it is seen to run"


def test_half_of_an_uneven_lowest_speed_is_not_rounded() -> None:
    uneven = replace(SPEEDS, minimum=4781)
    assert doubt_of_standing(uneven, False, 2390, None) is None
    assert doubt_of_standing(uneven, False, 2391, None) == TURNS.format(2391)


@pytest.mark.parametrize("plan", [ON, OFF, None])
@pytest.mark.parametrize("duty", [Duty(), CALLED, Duty(called=True), Duty(high_high=True)])
@pytest.mark.parametrize("commanded", [True, False])
def test_in_doubt_no_wish_and_no_call_is_followed(plan: DuePlan | None, duty: Duty, commanded: bool) -> None:
    feedback = replace(STANDS, commanded=commanded)
    assert decided(doubted(feedback, plan, duty)) == Refused((DOUBT,))
    assert decided(replace(doubted(feedback, plan, duty), recordable=False)) == Refused((DOUBT,))
    assert decided(replace(doubted(feedback, plan, duty), barred=Keep("interlock wet: x"))) == Refused((DOUBT,))


@pytest.mark.parametrize("duty", [Duty(), CALLED])
def test_one_that_stands_since_a_moment_may_run_down_still_and_nothing_is_told(duty: Duty) -> None:
    """A stop takes up to 30 s."""
    for ran_down, expected in (
        (0 * SECOND, Keep(DOUBT)),
        (30 * SECOND - TICK, Keep(DOUBT)),
        (30 * SECOND, Refused((DOUBT,))),
        (30 * SECOND + TICK, Refused((DOUBT,))),
    ):
        assert decided(doubted(replace(STANDS, since=NOW - ran_down), duty=duty)) == expected


@pytest.mark.parametrize("commanded", [True, False])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"e_stop": True, "mode": "manual", "local": "the plant leads"}, "e-stop is active"),
        ({"duty": LOW}, "the level is low-low: no pump may run"),
        ({"duty": CALLED, "stops": "interlock hot"}, "interlock hot"),
    ],
)
def test_in_doubt_what_stops_stops_it_also_where_it_is_not_commanded_to_run(
    commanded: bool, changes: dict[str, object], reason: str
) -> None:
    stop = Stop(reason, forced=True)
    for since in (NOW, STANDS.since):
        made = doubted(replace(STANDS, commanded=commanded, since=since))
        in_doubt = replace(made, **changes)  # type: ignore[arg-type]  # fields of any type
        assert decided(in_doubt) == stop
        sure = replace(in_doubt, doubt=None)
        assert decided(sure) == (stop if commanded else Keep(reason)), "one that surely stands is left alone"


def test_in_doubt_a_stop_is_given_the_time_it_takes_and_then_given_again() -> None:
    pressed = replace(doubted(), e_stop=True)
    for ordered, expected in (
        (Order(False, NOW - 30 * SECOND + TICK), Keep("e-stop is active")),
        (Order(False, NOW - 30 * SECOND), Stop("e-stop is active", forced=True)),
        (Order(True, NOW), Stop("e-stop is active", forced=True)),
    ):
        assert decided(replace(pressed, ordered=ordered)) == expected
    commanded = replace(doubted(replace(STANDS, commanded=True)), e_stop=True, ordered=Order(False, NOW))
    assert decided(commanded) == Stop("e-stop is active", forced=True)


@pytest.mark.parametrize("mode", ["manual", "off", "maintenance"])
def test_in_doubt_a_person_or_the_plant_in_the_lead_is_left_alone(mode: Mode) -> None:
    assert decided(replace(doubted(), mode=mode)) == Keep(f"mode is {mode}")
    assert decided(replace(doubted(), local="the plant leads")) == Keep("the plant leads")


def test_one_that_is_not_in_doubt_is_led_on() -> None:
    assert situation().doubt is None
    assert decided(situation()) == Start("the plan")
    assert decided(situation(RUNS, OFF)) == Stop("the plan")

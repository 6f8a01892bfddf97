"""What bounds a setpoint besides its rate: the layers of limits, the change within a window, what the machine is seen to do."""

import re
from dataclasses import replace
from math import nan

import pytest
from safety_rig import LAYERS, LIMITS, PLAN, SITUATION, asked, violation
from time_rig import NOW, SECOND

from headworks.control_gateway.movement import Held, MaxChange
from headworks.control_gateway.plausibility import PlausibleLimits, Watched
from headworks.control_gateway.safety import (
    Hold,
    Layer,
    Range,
    Write,
    decide,
)

# ---------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("requested", "within", "text"),
    [
        (100, "optimiser", None),
        (500, "optimiser", None),
        (99, "optimiser", "99 counts is outside the optimiser's 100 to 500"),
        (500.01, "optimiser", "500.01 counts is outside the optimiser's 100 to 500"),
        (80, "station", None),
        (580, "station", None),
        (79, "station", "79 counts is outside the station's 80 to 580"),
        (79, "optimiser", "79 counts is outside the station's 80 to 580"),
        (650, "station", "650 counts is outside the station's 80 to 580"),
        (651, "station", "651 counts is outside the hardware's 50 to 650"),
        (651, "optimiser", "651 counts is outside the hardware's 50 to 650"),
        (49, "optimiser", "49 counts is outside the hardware's 50 to 650"),
        (nan, "station", "nan counts is outside the hardware's 50 to 650"),
    ],
)
def test_a_plan_keeps_the_optimisers_limits_a_person_the_stations_and_nothing_passes_the_hardwares(
    requested: float, within: Layer, text: str | None
) -> None:
    situation = replace(SITUATION, plan=replace(PLAN, requested=requested, within=within))
    if text is None:
        assert isinstance(decide(LAYERS, situation, NOW), Write)
    else:
        assert violation(situation, LAYERS) == text


def test_a_plan_is_held_against_the_optimisers_limits_unless_it_says_otherwise() -> None:
    assert PLAN.within == "optimiser"


@pytest.mark.parametrize(
    "layers",
    [
        {"hardware": Range(80, 580)},
        {"optimiser": Range(80, 580)},
        {"hardware": Range(0, 65535)},
        {"optimiser": Range(80, 81)},
    ],
)
def test_layers_may_be_the_same(layers: dict[str, Range]) -> None:
    assert replace(LIMITS, **layers)  # type: ignore[arg-type]  # both are layers


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (
            {"hardware": Range(81, 650)},
            "hardware=81 to 650 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        (
            {"hardware": Range(50, 579)},
            "hardware=50 to 579 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        (
            {"hardware": Range(-1, 650)},
            "hardware=-1 to 650 counts must hold the station's minimum and maximum, 80 to 580",
        ),
        ({"hardware": Range(0, 65536)}, "hardware=0 to 65536 counts must be at most 65535"),
        (
            {"optimiser": Range(79, 500)},
            "optimiser=79 to 500 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
        (
            {"optimiser": Range(100, 581)},
            "optimiser=100 to 581 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
        (
            {"optimiser": Range(100, 100)},
            "optimiser=100 to 100 counts must lie within the station's minimum and maximum, 80 to 580",
        ),
    ],
)
def test_layers_that_do_not_nest_cannot_be_made(layers: dict[str, Range], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        replace(LIMITS, **layers)  # type: ignore[arg-type]  # both are layers


def test_a_ramp_may_lead_through_what_no_plan_may_ask() -> None:
    """After an override the way back begins outside the optimiser's limits, but within the station's."""
    assert decide(LAYERS, asked(300, 90), NOW) == Write(100, complete=False)
    assert decide(LAYERS, asked(300, 580), NOW) == Write(570, complete=False)


# ---------------------------------------------------------------- the change within a window

WINDOW = replace(LIMITS, max_change=MaxChange(counts=15, within_s=600))


def held_from(*held: int) -> tuple[Held, ...]:
    return tuple(Held(counts, counts, NOW - 20 * SECOND, NOW) for counts in held)


@pytest.mark.parametrize(
    ("target", "held", "counts"),
    [
        (300, (200,), 210),  # the rate binds
        (300, (195, 200), 210),
        (300, (194, 200), 209),  # the window binds
        (300, (186, 200), 201),
        (100, (214, 200), 199),
        (100, (206, 200), 191),
        (100, (205, 200), 190),
        (203, (186, 200), 201),
        (300, (215, 200), 210),  # it could not go further the other way, and may come back
        (100, (185, 200), 190),
    ],
)
def test_a_step_keeps_to_the_change_within_the_window(target: int, held: tuple[int, ...], counts: int) -> None:
    situation = replace(asked(target), held=held_from(*held), ramping=True)
    assert decide(WINDOW, situation, NOW) == Write(counts, complete=False)
    assert decide(LIMITS, situation, NOW) == Write(210 if target > 203 else 190 if target < 200 else 203, target == 203)


@pytest.mark.parametrize(
    ("target", "held"), [(300, (185, 200)), (100, (215, 200)), (300, (100, 200)), (100, (100, 200))]
)
def test_where_the_window_allows_nothing_nothing_is_written(target: int, held: tuple[int, ...]) -> None:
    decision = decide(WINDOW, replace(asked(target), held=held_from(*held)), NOW)
    assert decision == Hold("the change within the window allows no step yet")
    assert isinstance(decision, Hold)
    assert decision.spare_s == 2.0


def test_without_anything_remembered_the_rate_alone_binds() -> None:
    assert decide(WINDOW, asked(300), NOW) == Write(210, complete=False)


def test_a_restarted_plc_is_given_where_the_machine_is_whatever_the_window_allows() -> None:
    restarted = replace(asked(300, read_back=0, actual=200), held=held_from(100, 200))
    assert decide(WINDOW, restarted, NOW) == Write(200, complete=False)


# ---------------------------------------------------------------- whether the machine is believed

BELIEVED = replace(LIMITS, plausible=PlausibleLimits(2, 30, 4, 60, 20, 120))
SEEN = Watched(actual=200, at=NOW, held_at_change=200)


def test_a_measured_value_that_jumped_is_refused_of_a_machine_that_turns() -> None:
    jumped = replace(asked(300), watched=replace(SEEN, jumped_at=NOW))
    text = "the measured value jumped to 200 counts, faster than the machine can change"
    assert violation(jumped, BELIEVED) == text
    assert isinstance(decide(LIMITS, jumped, NOW), Write)
    assert isinstance(decide(BELIEVED, replace(asked(300), watched=SEEN), NOW), Write)
    assert isinstance(decide(BELIEVED, asked(300), NOW), Write)
    assert isinstance(decide(BELIEVED, replace(jumped, standing=True), NOW), Write)


@pytest.mark.parametrize(
    ("target", "read_back", "actual", "counts"),
    [
        (300, 260, 230, None),  # away from what it gives
        (255, 260, 230, 255),
        (100, 260, 230, 250),  # toward it, at the rate
        (100, 235, 230, 230),  # and no further than to it
        (100, 230, 230, None),
        (300, 200, 230, 210),
        (300, 225, 230, 230),
        (100, 200, 230, None),
        (300, 230, 230, None),
    ],
)
def test_a_machine_that_does_not_follow_is_only_led_toward_what_it_gives(
    target: int, read_back: int, actual: int, counts: int | None
) -> None:
    seen = Watched(actual, NOW, read_back, apart_since=NOW - 120 * SECOND)
    situation = replace(asked(target, read_back, actual), watched=seen)
    if counts is None:
        assert violation(situation, BELIEVED) == (f"the machine gives {actual} counts, far from its setpoint for 120 s")
    else:
        assert decide(BELIEVED, situation, NOW) == Write(counts, complete=counts == target)
    assert isinstance(decide(BELIEVED, replace(situation, watched=replace(seen, apart_since=NOW)), NOW), Write)
    assert isinstance(decide(LIMITS, situation, NOW), Write)


def test_where_it_is_as_planned_nothing_is_doubted() -> None:
    seen = replace(SEEN, still_since=NOW - 60 * SECOND)
    assert decide(BELIEVED, replace(asked(200), watched=seen), NOW) == Hold("at the plan's setpoint")
    assert violation(replace(asked(300), watched=seen), BELIEVED).startswith("the measured value stands still")

"""A pump's flow and power: the table that the fleet was measured by, the affinity laws, and lifts that are too high."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.waterway.pumps import (
    STANDSTILL,
    Parabola,
    Pump,
    PumpType,
    frequency_for,
    least_frequency,
    operate,
)

PER_H = 3600.0
K = PER_H / 1000  # curves are given over thousands of m³/h


def make(head: tuple[float, float, float], power_kw: tuple[float, float, float]) -> PumpType:
    return PumpType(
        Parabola(head[0], head[1] * K, head[2] * K * K),
        Parabola(power_kw[0] / 1000, power_kw[1] * K / 1000, power_kw[2] * K * K / 1000),
        50,
    )


SMALL = Pump("small", make((31.394, 10.506, -6.259), (125.87, 49.36, -6.92)), 3.44, 1.042)
LARGE = Pump("large", make((42.525, -0.348, -0.891), (180.67, 88.22, -10.48)), 4.07, 1.110)


@pytest.mark.parametrize(
    ("pump", "frequency_hz", "level_m", "flow_m3h", "power_kw"),
    [
        (LARGE, 50, 0.5, 2981, 389),
        (LARGE, 50, 4, 3548, 402),
        (LARGE, 50, 8, 4106, 407),
        (SMALL, 50, 0.5, 1515, 193),
        (SMALL, 50, 6, 1995, 205),
        (LARGE, 47.8, 2, 2581, 332),
        (LARGE, 47.8, 8, 3607, 353),
    ],
)
def test_the_measured_fleet(pump: Pump, frequency_hz: float, level_m: float, flow_m3h: float, power_kw: float) -> None:
    operation = operate(pump, frequency_hz, 30 - level_m)
    assert operation.flow_m3s * PER_H == pytest.approx(flow_m3h, rel=0.001)
    assert operation.power_mw * 1000 == pytest.approx(power_kw, rel=0.003)


@given(st.floats(40, 50), st.floats(20, 30))
def test_the_flow_meets_the_head(frequency_hz: float, lift_m: float) -> None:
    operation = operate(LARGE, frequency_hz, lift_m)
    if operation is not STANDSTILL:
        ratio = frequency_hz / 50
        head_m = ratio**2 * LARGE.make.head_m.at(operation.flow_m3s / ratio)
        assert head_m == pytest.approx(lift_m + LARGE.losses_m)


@given(st.floats(47.8, 49.9), st.floats(0.01, 0.1), st.floats(22, 28.5))
def test_faster_moves_more_and_draws_more(frequency_hz: float, faster_hz: float, lift_m: float) -> None:
    slow, fast = operate(SMALL, frequency_hz, lift_m), operate(SMALL, frequency_hz + faster_hz, lift_m)
    assert fast.flow_m3s > slow.flow_m3s
    assert fast.power_mw > slow.power_mw


@given(st.floats(47.8, 50), st.floats(22, 28.5))
def test_the_frequency_of_a_flow_is_the_one_that_moves_it(frequency_hz: float, lift_m: float) -> None:
    flow_m3s = operate(SMALL, frequency_hz, lift_m).flow_m3s
    assert frequency_for(SMALL, flow_m3s, lift_m) == pytest.approx(frequency_hz)


def test_no_flow_has_no_frequency() -> None:
    with pytest.raises(ValueError, match="flow_m3s=0"):
        frequency_for(LARGE, 0, 25)


@pytest.mark.parametrize(("frequency_hz", "lift_m"), [(0, 20), (-1, 20), (50, 45), (20, 28)])
def test_a_pump_that_is_off_or_cannot_lift_so_high_moves_nothing(frequency_hz: float, lift_m: float) -> None:
    assert operate(LARGE, frequency_hz, lift_m) is STANDSTILL


def test_curves_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="head falls with flow"):
        make((42.0, 0.1, 0.0), (180.0, 88.0, -10.0))
    with pytest.raises(ValueError, match="nominal_hz=0"):
        PumpType(LARGE.make.head_m, LARGE.make.power_mw, 0)
    with pytest.raises(ValueError, match="pump x: power_factor=0"):
        Pump("x", LARGE.make, 4.0, 0)


@given(st.floats(20, 30))
def test_at_the_least_frequency_a_pump_moves_its_minimum_flow(lift_m: float) -> None:
    small = replace(SMALL, make=replace(SMALL.make, minimum_flow_m3s=0.3))
    slowest_hz = least_frequency(small, lift_m)
    assert operate(small, slowest_hz, lift_m).flow_m3s == pytest.approx(0.3 * slowest_hz / 50)
    assert least_frequency(SMALL, lift_m) == 0

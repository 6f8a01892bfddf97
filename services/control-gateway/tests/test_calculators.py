"""The three calculators: a plan's target becomes a speed, within the limits, or a reason why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.control_gateway.calculators import (
    LevelControl,
    LevelSpeed,
    SpeedRange,
    Unknown,
    bumpless_integral,
    direct_speed,
    level_speed,
    power_speed,
)

SPEEDS = SpeedRange(47.8, 50.0)
CONTROL = LevelControl(gain_hz_per_m=2.0, integral_time_s=100.0)
finite = st.floats(-1e6, 1e6)


def test_a_direct_speed_is_the_plan_s_own_even_outside_the_range() -> None:
    assert direct_speed(49.123) == 49.123
    assert direct_speed(99.0) == 99.0
    assert direct_speed(None) == Unknown("the plan gives no suggested_speed_hz")


# ---------------------------------------------------------------- level


def by_level(
    level_m: float | None, target_m: float | None, integral_hz: float = 49.0, elapsed_s: float = 10.0
) -> tuple[float, float] | Unknown:
    """Speed and integral part."""
    result = level_speed(CONTROL, SPEEDS, level_m, target_m, integral_hz=integral_hz, elapsed_s=elapsed_s)
    return result if isinstance(result, Unknown) else (result.speed_hz, result.integral_hz)


def test_above_the_target_the_speed_rises_at_once_and_goes_on_rising() -> None:
    assert by_level(2.25, 2.0, elapsed_s=0.0) == (49.5, 49.0)
    assert by_level(2.25, 2.0) == pytest.approx((49.55, 49.05))


def test_below_the_target_it_falls() -> None:
    assert by_level(1.75, 2.0) == pytest.approx((48.45, 48.95))


def test_at_the_target_it_stays() -> None:
    assert by_level(2.0, 2.0) == (49.0, 49.0)


def test_at_a_limit_the_integral_stands_still_while_the_level_pushes_further() -> None:
    assert by_level(3.0, 2.0) == (50.0, 49.0)
    assert by_level(1.0, 2.0) == (47.8, 49.0)
    assert by_level(2.6, 2.0) == (50.0, 49.0)


def test_at_a_limit_the_integral_comes_back_as_soon_as_the_level_pulls_the_other_way() -> None:
    assert by_level(1.9, 2.0, integral_hz=60.0) == pytest.approx((50.0, 59.98))
    assert by_level(2.1, 2.0, integral_hz=40.0) == pytest.approx((47.8, 40.02))


def test_what_is_not_known_gives_no_speed() -> None:
    assert by_level(2.0, None) == Unknown("the plan gives no target_level_m")
    assert by_level(None, 2.0) == Unknown("the tunnel's level is not known")


@given(speed_hz=st.floats(47.8, 50.0), level_m=st.floats(0, 14), target_m=st.floats(0, 14))
def test_it_begins_without_a_jump(speed_hz: float, level_m: float, target_m: float) -> None:
    integral_hz = bumpless_integral(CONTROL, speed_hz, level_m, target_m)
    result = by_level(level_m, target_m, integral_hz, 0.0)
    assert not isinstance(result, Unknown)
    assert result[0] == pytest.approx(speed_hz)


@given(level_m=finite, target_m=finite, integral_hz=finite, elapsed_s=st.floats(0, 1e6))
def test_whatever_the_level_is_the_speed_is_within_the_limits(
    level_m: float, target_m: float, integral_hz: float, elapsed_s: float
) -> None:
    result = by_level(level_m, target_m, integral_hz, elapsed_s)
    assert not isinstance(result, Unknown)
    assert 47.8 <= result[0] <= 50.0


def test_a_tunnel_that_fills_is_brought_to_its_target() -> None:
    """A tank of 8,000 m² with a pump of 0.45 m³/s a Hz above 47.8: the integral part finds the inflow's speed."""
    level_m, integral_hz, speed_hz, control = 2.5, 48.0, 0.0, LevelControl(2.0, 3600.0)
    for _ in range(20_000):
        result = level_speed(control, SPEEDS, level_m, 2.0, integral_hz=integral_hz, elapsed_s=60.0)
        assert isinstance(result, LevelSpeed)
        integral_hz, speed_hz = result.integral_hz, result.speed_hz
        level_m += (0.5 - 0.45 * (speed_hz - 47.8)) * 60 / 8000
    assert level_m == pytest.approx(2.0, abs=0.01)
    assert speed_hz == pytest.approx(47.8 + 0.5 / 0.45, abs=0.01)


@pytest.mark.parametrize("name", ["gain_hz_per_m", "integral_time_s"])
def test_a_controller_that_works_the_wrong_way_round_is_refused(name: str) -> None:
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"^{name}={value:g} must be above zero$"):
            LevelControl(**{"gain_hz_per_m": 1.0, "integral_time_s": 1.0, name: value})


# ---------------------------------------------------------------- power


def test_the_speed_for_a_power_follows_the_cube_law() -> None:
    assert power_speed(SPEEDS, 49.0, 380.0, 380.0) == pytest.approx(49.0)
    assert power_speed(SPEEDS, 48.0, 360.0, 360.0 * (49 / 48) ** 3) == pytest.approx(49.0)
    assert power_speed(SPEEDS, 49.0, 380.0, 380.0 * (48 / 49) ** 3) == pytest.approx(48.0)


def test_a_power_out_of_reach_gives_the_nearest_speed() -> None:
    assert power_speed(SPEEDS, 49.0, 380.0, 1000.0) == 50.0
    assert power_speed(SPEEDS, 49.0, 380.0, 10.0) == 47.8
    assert power_speed(SPEEDS, 49.0, 0.5, 10.0) == 50.0


@pytest.mark.parametrize(
    ("present_hz", "present_kw"), [(0.0, 0.0), (0.0, 5.0), (49.0, 0.0), (-1.0, 380.0), (49.0, -1.0)]
)
def test_a_pump_that_stands_begins_at_its_lowest_speed(present_hz: float, present_kw: float) -> None:
    assert power_speed(SPEEDS, present_hz, present_kw, 380.0) == 47.8


def test_power_that_is_not_known_gives_no_speed() -> None:
    assert power_speed(SPEEDS, 49.0, 380.0, None) == Unknown("the plan gives no target_power_kw")
    for hz, kw in ((None, 380.0), (49.0, None)):
        assert power_speed(SPEEDS, hz, kw, 380.0) == Unknown("the pump's power is not known")
    off = "must be above zero; off is suggested_speed_hz 0"
    assert power_speed(SPEEDS, 49.0, 380.0, 0.0) == Unknown(f"target_power_kw=0 {off}")
    assert power_speed(SPEEDS, 49.0, 380.0, -1.0) == Unknown(f"target_power_kw=-1 {off}")


@given(st.floats(0.01, 100), st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_whatever_the_power_is_the_speed_is_within_the_limits(hz: float, kw: float, target_kw: float) -> None:
    speed = power_speed(SPEEDS, hz, kw, target_kw)
    assert not isinstance(speed, Unknown)
    assert 47.8 <= speed <= 50.0

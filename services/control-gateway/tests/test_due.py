"""What is due: off stays off whatever calculates, a target of another kind is nothing, and what is missing is said."""

from dataclasses import replace

import pytest
from gateway_rig import plan_of
from pump_rig import pump_plan
from time_rig import NOW

from headworks.common.messages import TargetType
from headworks.control_gateway.calculators import LevelControl
from headworks.control_gateway.due import Due, LevelMemory, Present, due_plan, due_speed, fail_safe_speed
from headworks.control_gateway.leading import at_once
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.safety import DuePlan

CONTROL = LevelControl(gain_hz_per_m=2.0, integral_time_s=7200.0)
PRESENT = Present(speed_hz=49.0, power_kw=380.0, level_m=2.0)


@pytest.fixture
def pump(pumps: tuple[Actuator, ...]) -> Actuator:
    return pumps[0]


def due(
    pump: Actuator,
    source: str,
    speed_hz: float | None = None,
    *,
    level_m: float | None = None,
    power_kw: float | None = None,
    present: Present = PRESENT,
) -> DuePlan:
    """What a plan of these targets makes due where the calculator is `source`."""
    led = pump.model_copy(update={"setpoint_from": source})
    asked = pump_plan("P1_1", speed_hz, level_m=level_m, power_kw=power_kw)
    plan = due_speed(asked, led, present, CONTROL, None, NOW).plan
    assert plan is not None
    return plan


def test_the_speed_of_a_plan_is_due_in_counts(pump: Actuator) -> None:
    plan = pump_plan("P1_1", 49.123)
    assert due_plan(plan, pump) == DuePlan(4912.3, plan.plan_created_at, plan.interval_start, plan.interval_end)
    assert due_plan(None, pump) is None
    assert due_speed(None, pump, PRESENT, CONTROL, None, NOW) == Due(None)


def test_a_vendor_s_speed_in_the_general_form_is_taken_as_it_is(pump: Actuator) -> None:
    for value, counts in ((49.0, 4900), (0.0, 0)):
        plan = due_speed(plan_of(value, target_type=TargetType.SPEED), pump, PRESENT, CONTROL, None, NOW).plan
        assert plan is not None
        assert plan.requested == counts


def test_a_target_of_another_kind_is_nothing_that_a_pump_can_do(pump: Actuator) -> None:
    plan = due_speed(plan_of(300.0, target_type=TargetType.FLOW), pump, PRESENT, CONTROL, None, NOW).plan
    assert plan is not None
    assert (plan.requested, plan.lacking) == (None, "the plan asks nothing that this actuator can do")


@pytest.mark.parametrize("source", ["direct", "level", "power"])
def test_off_is_off_whatever_calculates(pump: Actuator, source: str) -> None:
    assert due(pump, source, 0, level_m=1.0, power_kw=300.0).requested == 0


def test_each_source_makes_its_own_speed_of_a_plan(pump: Actuator) -> None:
    power_kw = 380.0 * (49.5 / 49) ** 3
    for source, counts in (("direct", 4850), ("level", 4900), ("power", 4950)):
        requested = due(pump, source, 48.5, level_m=2.0, power_kw=power_kw).requested
        assert requested == pytest.approx(counts, abs=0.01)


def test_what_is_missing_is_said(pump: Actuator) -> None:
    for source, reason in (
        ("direct", "the plan gives no suggested_speed_hz"),
        ("level", "the plan gives no target_level_m"),
        ("power", "the plan gives no target_power_kw"),
    ):
        plan = due(pump, source)
        assert (plan.requested, plan.lacking) == (None, reason)
    unknown = replace(PRESENT, level_m=None)
    assert due(pump, "level", level_m=2.0, present=unknown).lacking == "the tunnel's level is not known"


def test_the_level_calculator_goes_on_from_what_it_remembers(pump: Actuator) -> None:
    led, plan = pump.model_copy(update={"setpoint_from": "level"}), pump_plan("P1_1", None, level_m=1.5)
    first = due_speed(plan, led, PRESENT, CONTROL, None, NOW)
    assert first.memory == LevelMemory(48.0, NOW)
    later = due_speed(plan, led, PRESENT, CONTROL, LevelMemory(48.5, NOW), NOW)
    assert later.plan is not None
    assert later.plan.requested == pytest.approx(4950)


def test_a_pump_that_stands_begins_at_its_lowest_speed(pump: Actuator) -> None:
    for present in (replace(PRESENT, speed_hz=0.0), replace(PRESENT, speed_hz=None)):
        assert due(pump, "level", level_m=2.0, present=present).requested == 4780


def test_without_a_plan_the_fail_safe_is_due_for_now_only(pump: Actuator) -> None:
    made = fail_safe_speed(pump, PRESENT, CONTROL, 2.0, None, NOW)
    assert made == Due(at_once(4900, NOW), LevelMemory(49.0, NOW))
    blind = fail_safe_speed(pump, replace(PRESENT, level_m=None), CONTROL, 2.0, None, NOW)
    assert blind.plan is not None
    assert (blind.plan.requested, blind.plan.lacking) == (None, "the tunnel's level is not known")

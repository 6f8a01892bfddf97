"""The control section of a site file: limits in counts on the safe side, and what is wrong named with what would be right."""

import re
from dataclasses import replace

import pytest
from gateway_rig import changed

from headworks.common.messages import TargetType
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.movement import MaxChange
from headworks.control_gateway.plausibility import PlausibleLimits
from headworks.control_gateway.safety import Limits, Range
from headworks.control_gateway.section import control_section
from headworks.waterway.site import Site


def read(site: Site) -> Actuator:
    [actuator] = actuators_of(site, control_section(site))
    return actuator


def test_the_afterbay_is_read_in_counts_of_ten_kilowatts(actuator: Actuator) -> None:
    assert actuator.limits == Limits(
        minimum=80,
        maximum=580,
        rate_per_s=actuator.limits.rate_per_s,
        rate_window_s=300,
        deadband=2,
        plan_stale_after_s=26 * 3600,
        feedback_stale_after_s=600,
        hardware=Range(50, 600),
    )
    assert actuator.limits.rate_per_s == pytest.approx(0.07)
    assert (actuator.plc, actuator.unit, actuator.target_type) == ("oxph-plc", "MW", TargetType.POWER)
    points = (actuator.setpoint.point, actuator.readback, actuator.actual)
    assert [(p.table, p.address) for p in points] == [("holding", 100), ("holding", 101), ("input", 100)]


def test_values_become_counts_without_what_floating_point_adds(actuator: Actuator) -> None:
    for counts in range(80, 581):
        value = actuator.value(counts)
        assert value is not None
        assert actuator.counts(value) == counts
    assert actuator.counts(2.345) == 234.5
    assert actuator.value(None) is None


@pytest.mark.parametrize(
    ("field", "written", "name", "counts"),
    [
        ("minimum", "0.801 MW", "minimum", 81),
        ("minimum", "800 kW", "minimum", 80),
        ("maximum", "5.799 MW", "maximum", 579),
        ("maximum", "5.8 MW", "maximum", 580),
        ("deadband", "0 MW", "deadband", 0),
        ("max_rate", "0.6 MW/min", "rate_per_s", 1.0),
        ("plan_stale_after", "20 min", "plan_stale_after_s", 1200),
    ],
)
def test_limits_between_two_counts_are_rounded_to_the_safe_side(
    site: Site, field: str, written: str, name: str, counts: float
) -> None:
    limits = read(changed(site, f"actuators.OXPH.{field}", written)).limits
    assert getattr(limits, name) == pytest.approx(counts)


@pytest.mark.parametrize(
    ("unit", "target_type"),
    [("MW", TargetType.POWER), ("kW", TargetType.POWER), ("Hz", TargetType.SPEED), ("percent", TargetType.POSITION)],
)
def test_the_unit_says_which_targets_an_actuator_takes(site: Site, unit: str, target_type: TargetType) -> None:
    changes = {
        "actuators.OXPH.unit": unit,
        "actuators.OXPH.hardware": None,
        "actuators.OXPH.minimum": f"8 {unit}",
        "actuators.OXPH.maximum": f"58 {unit}",
        "actuators.OXPH.max_rate": f"6 {unit}/min",
        "actuators.OXPH.deadband": f"1 {unit}",
        **{f"plcs.oxph-plc.points.OXPH.{role}.scale": f"0.1 {unit}" for role in ("setpoint", "readback", "actual")},
    }
    for path, value in changes.items():
        site = changed(site, path, value)
    actuator = read(site)
    assert (actuator.target_type, actuator.limits.minimum, actuator.limits.maximum) == (target_type, 80, 580)


def test_registers_without_a_scale_hold_whole_units(site: Site) -> None:
    for role in ("setpoint", "readback", "actual"):
        site = changed(site, f"plcs.oxph-plc.points.OXPH.{role}.scale", None)
    for path, value in {"minimum": "1 MW", "maximum": "6 MW", "max_rate": "1 MW/min", "deadband": "0 MW"}.items():
        site = changed(site, f"actuators.OXPH.{path}", value)
    assert read(site).scale == 1


POINTS = "plcs.oxph-plc.points.OXPH"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "actuators.OXPH.minimum",
            "5 ft",
            "control.actuators.OXPH.minimum: '5 ft' is a [length]; it must convert to MW",
        ),
        (
            "actuators.OXPH.maximum",
            "6",
            "control.actuators.OXPH.maximum: '6' is a number without unit; it must convert to MW",
        ),
        ("actuators.OXPH.max_rate", "0.042 MW", "control.actuators.OXPH.max_rate: '0.042 MW' is a"),
        ("actuators.OXPH.max_rate", "0 MW/min", "control.actuators.OXPH: rate_per_s=0 must be above zero"),
        ("actuators.OXPH.max_rate", "-1 MW/min", "control.actuators.OXPH: rate_per_s=-1.66667 must be above zero"),
        ("actuators.OXPH.rate_window", "10 s", "rate_window_s=10 earns 0.7 counts; it must earn at least 1"),
        ("actuators.OXPH.rate_window", "0 s", "actuators.OXPH.rate_window: 0 s must be above zero and at most"),
        ("actuators.OXPH.deadband", "-1 MW", "deadband=-100 counts must be 0 to 500, the range"),
        ("actuators.OXPH.deadband", "6 MW", "deadband=600 counts must be 0 to 500, the range"),
        ("actuators.OXPH.minimum", "5.8 MW", "minimum=580 and maximum=580 counts must be in order, 0 to 65535"),
        ("actuators.OXPH.maximum", "656 MW", "minimum=80 and maximum=65600 counts must be in order, 0 to 65535"),
        ("actuators.OXPH.plan_stale_after", "-1 h", "actuators.OXPH.plan_stale_after: -3600 s must be above zero"),
        ("actuators.OXPH.plan_stale_after", "2 year", "actuators.OXPH.plan_stale_after: 6.3"),
        ("actuators.OXPH.feedback_stale_after", 600, "600 has no unit; write a quantity that converts to s"),
        ("actuators.OXPH.unit", "furlong_per_pint", "actuators.OXPH.unit='furlong_per_pint' must measure one of POWER"),
        ("actuators.OXPH.unit", "kg", "actuators.OXPH.unit='kg' must measure one of POWER, SPEED"),
        ("actuators.OXPH.plc", "nobody", "actuators.OXPH.plc='nobody' must be one of ['oxph-plc']"),
        (
            "actuators.OXPH.fail_safe",
            "jump",
            "actuators.OXPH.fail_safe: String should match pattern '^(hold|level|hand_to_local|value .+)$' (got 'jump')",
        ),
        ("actuators.OXPH.colour", "red", "actuators.OXPH.colour: Extra inputs are not permitted (got 'red')"),
        ("actuators.OXPH.minimum", None, "actuators.OXPH.minimum: Field required"),
        ("actuators", {}, "actuators: Dictionary should have at least 1 item"),
        ("actuators", {"O X": {}}, "String should match pattern"),
        ("tick_every", "0 s", "tick_every: 0 s must be above zero"),
        ("plcs.oxph-plc.timeout", "0 s", "plcs.oxph-plc.timeout: 0 s must be above zero"),
        ("plcs.oxph-plc.unit_id", 256, "plcs.oxph-plc.unit_id: Input should be less than or equal to 255 (got 256)"),
        (f"{POINTS}.setpoint", None, f"control.{POINTS}.setpoint is missing"),
        (f"{POINTS}.readback", None, f"control.{POINTS}.readback is missing"),
        (f"{POINTS}.setpoint.writable", False, f"{POINTS}.setpoint.writable=False must be true"),
        (f"{POINTS}.readback.writable", True, f"{POINTS}.readback.writable=True must be false"),
        (
            f"{POINTS}.readback.address",
            100,
            f"{POINTS}.readback.address=100 must be another register than OXPH.setpoint's",
        ),
        (f"{POINTS}.actual.scale", "0.1 MW", f"{POINTS}.actual.scale='0.1 MW' must be the setpoint's"),
        (f"{POINTS}.setpoint.scale", "0 MW", f"{POINTS}.setpoint.scale='0 MW' must be above zero"),
        (f"{POINTS}.setpoint.scale", "-1 MW", f"{POINTS}.setpoint.scale='-1 MW' must be above zero"),
        (f"{POINTS}.setpoint.scale", "1 ft", f"{POINTS}.setpoint.scale: '1 ft' is a [length]; it must convert to MW"),
        (f"{POINTS}.readback.offset", "1 MW", f"{POINTS}.readback.offset='1 MW' must be left out"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_what_would_be_right(
    site: Site, path: str, value: object, message: str
) -> None:
    wrong = changed(site, path, value)
    with pytest.raises(ValueError, match=f"^site abay: .*{re.escape(message)}"):
        actuators_of(wrong, control_section(wrong))


def test_a_site_without_the_section_is_named(site: Site) -> None:
    fields = {name: getattr(site, name) for name in Site.model_fields}
    with pytest.raises(ValueError, match=r"^site abay: section 'control' is missing$"):
        control_section(Site.model_construct(**fields))


LAYERED = {
    "actuators.OXPH.hardware": {"minimum": "0.501 MW", "maximum": "6.499 MW"},
    "actuators.OXPH.optimiser": {"minimum": "1.001 MW", "maximum": "4.999 MW"},
    "actuators.OXPH.max_change": {"at_most": "0.509 MW", "within": "10 min"},
    "actuators.OXPH.plausible": {
        "fastest": "6 MW/min",
        "doubted_for": "30 s",
        "frozen_after": "10 min",
        "apart": "0.5 MW",
        "apart_for": "15 min",
    },
}


def test_layers_the_change_within_a_window_and_what_is_believed_are_read_in_counts(site: Site) -> None:
    for path, value in LAYERED.items():
        site = changed(site, path, value)
    limits = read(site).limits
    assert (limits.hardware, limits.optimiser) == (Range(51, 649), Range(101, 499))
    assert limits.max_change == MaxChange(50, 600)
    assert limits.plausible is not None
    assert limits.plausible.fastest_per_s == pytest.approx(10)
    assert replace(limits.plausible, fastest_per_s=10) == PlausibleLimits(10, 30, limits.deadband, 600, 50, 900)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("hardware", {"minimum": "0.9 MW", "maximum": "6 MW"}, "hardware=90 to 600 counts must hold the station's"),
        (
            "optimiser",
            {"minimum": "1 MW", "maximum": "6 MW"},
            "optimiser=100 to 600 counts must lie within the station's",
        ),
        ("hardware", {"minimum": "1 ft", "maximum": "6 MW"}, "hardware.minimum: '1 ft' is a [length]"),
        ("max_change", {"at_most": "1 kW", "within": "1 min"}, "max_change.at_most=0 counts must be at least 1"),
        (
            "plausible",
            LAYERED["actuators.OXPH.plausible"] | {"apart": "0 MW"},
            "plausible.apart=0 counts must be above",
        ),
    ],
)
def test_layers_and_windows_that_cannot_be_are_named(site: Site, path: str, value: object, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("site abay: control.actuators.OXPH") + r"[.:] ?" + re.escape(text)):
        read(changed(site, f"actuators.OXPH.{path}", value))

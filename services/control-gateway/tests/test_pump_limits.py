"""What pumps share, from the site file: interlocks on the safe side, and what is wrong named with what would be right."""

import copy
import re
from typing import Any

import pytest

from headworks.control_gateway.calculators import LevelControl
from headworks.control_gateway.interlocks import InterlockLimits
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.pump_limits import PumpLimits, pump_limits_of
from headworks.control_gateway.pump_safety import RunLimits
from headworks.control_gateway.section import control_section
from headworks.waterway.site import Site


def changed(site: Site, path: str, value: object) -> Site:
    """The site with one field of its control section changed; None takes it out."""
    extra = copy.deepcopy(site.model_extra or {})
    *folders, name = path.split(".")
    at: dict[str, Any] = extra["control"]
    for folder in folders:
        at = at[folder]
    if value is None:
        del at[name]
    else:
        at[name] = value
    return Site.model_construct(**{name: getattr(site, name) for name in Site.model_fields}, **extra)


def read(site: Site) -> PumpLimits:
    section = control_section(site)
    limits = pump_limits_of(site, section, actuators_of(site, section))
    assert limits is not None
    return limits


def test_the_station_is_read_in_counts_of_hundredths_of_hertz(pumps: tuple[Actuator, ...]) -> None:
    assert [pump.resource for pump in pumps] == [f"P{plc}_{k}" for plc in (1, 2) for k in (1, 2, 3, 4)]
    last = pumps[-1]
    assert (last.plc, last.unit, last.scale) == ("pumps-2", "Hz", 0.01)
    assert (last.limits.minimum, last.limits.maximum) == (4780, 5000)
    run = last.run
    assert run is not None
    points = (last.setpoint.point, last.readback, last.actual, run.command.point, *run.read)
    assert [p.address for p in points] == [130, 131, 130, 132, 133, 131, 133, 134]
    assert (run.power_scale_kw, run.in_state_scale_s) == (0.1, 60.0)


def test_the_interlocks_are_read_in_millimetres(pump_limits: PumpLimits) -> None:
    assert pump_limits.runs == RunLimits(7200, 7200, 60, 60, 600)
    assert pump_limits.interlocks == InterlockLimits(
        lowest=0,
        highest=14100,
        low_low=50,
        low_low_released=1000,
        high_high=7400,
        high_high_released=7000,
        high_high_pumps=4,
        minimum_pumps_on=1,
        seen_within_s=600,
        start_takes_s=60,
        order=("P1_2", "P2_2", "P1_4", "P2_3", "P2_4", "P1_1", "P2_1", "P1_3"),
    )
    assert {plc: (p.table, p.address) for plc, p in pump_limits.level_points.items()} == {
        "pumps-1": ("input", 200),
        "pumps-2": ("input", 200),
    }
    assert (pump_limits.interlock_hz, pump_limits.fail_safe_level_m, pump_limits.unseen_s) == (50.0, 2.0, 1800.0)
    assert pump_limits.level_control == LevelControl(2.0, 7200.0)
    assert (pump_limits.level.metres(2345), pump_limits.level.counts(2.345)) == (2.345, 2345)


@pytest.mark.parametrize(
    ("field", "written", "name", "counts"),
    [
        ("low_low.stop_below", "0.2001 m", "low_low", 201),
        ("low_low.release_above", "0.4001 m", "low_low_released", 401),
        ("high_high.start_above", "7.4009 m", "high_high", 7400),
        ("high_high.release_below", "7.0009 m", "high_high_released", 7000),
        ("level.maximum", "14.0009 m", "highest", 14000),
        ("level.minimum", "0.0001 m", "lowest", 1),
        ("low_low.stop_below", "20 cm", "low_low", 200),
    ],
)
def test_an_interlock_between_two_counts_acts_rather_earlier(
    station_site: Site, field: str, written: str, name: str, counts: int
) -> None:
    assert getattr(read(changed(station_site, f"pumps.{field}", written)).interlocks, name) == counts


def test_a_level_may_begin_below_zero(station_site: Site) -> None:
    for plc in ("pumps-1", "pumps-2"):
        station_site = changed(station_site, f"plcs.{plc}.shared_points.level.offset", "-1 m")
    limits = read(changed(station_site, "pumps.level.minimum", "-0.5 m"))
    assert (limits.interlocks.lowest, limits.interlocks.low_low) == (500, 1050)
    assert limits.level.metres(984) == -0.016


def test_one_plc_may_have_the_level_alone(station_site: Site) -> None:
    assert read(changed(station_site, "plcs.pumps-2.shared_points.level", None)).level_points.keys() == {"pumps-1"}


def test_without_the_level_calculator_nothing_is_kept_for_it(station_site: Site) -> None:
    limits = read(changed(station_site, "pumps.level_control", None))
    assert (limits.level_control, limits.fail_safe_level_m) == (None, None)


def test_a_pump_may_lack_a_power_register(station_site: Site) -> None:
    site = changed(station_site, "plcs.pumps-1.points.P1_1.power", None)
    pump = actuators_of(site, control_section(site))[0]
    assert pump.run is not None
    assert pump.run.power is None


def test_a_plc_may_count_no_time_in_a_state(station_site: Site) -> None:
    site = changed(station_site, "plcs.pumps-1.points.P1_1.time_in_state", None)
    pump = actuators_of(site, control_section(site))[0]
    assert pump.run is not None
    assert pump.run.in_state is None


def test_a_site_without_pumps_shares_nothing(site: Site) -> None:
    section = control_section(site)
    assert pump_limits_of(site, section, actuators_of(site, section)) is None


P1_1, LEVEL = "plcs.pumps-1.points.P1_1", "plcs.pumps-1.shared_points.level"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pumps", None, "control.pumps is missing; P1_1, P1_2, P1_3, P1_4, P2_1, P2_2, P2_3, P2_4 need it"),
        ("pumps.start_order", ["P1_1"], "pumps.start_order=['P1_1'] must name each pump once: ['P1_1', 'P1_2', 'P1_3'"),
        ("pumps.start_order", [], "pumps.start_order: Tuple should have at least 1 item"),
        ("pumps.minimum_run", "0 s", "pumps.minimum_run: 0 s must be above zero"),
        ("pumps.minimum_rest", "2", "pumps.minimum_rest: '2' is a"),
        ("pumps.minimum_rest", None, "pumps.minimum_rest: Field required"),
        ("pumps.minimum_pumps_on", -1, "pumps.minimum_pumps_on: Input should be greater than or equal to 0 (got -1)"),
        ("pumps.minimum_pumps_on", 5, "control.pumps: high_high.pumps=4 must be 5 (minimum_pumps_on) to 8, the pumps"),
        ("pumps.high_high.pumps", 9, "control.pumps: high_high.pumps=9 must be 1 (minimum_pumps_on) to 8, the pumps"),
        ("pumps.high_high.speed", "50.1 Hz", "pumps.high_high.speed=50.1 Hz must be within P1_1's minimum and maximum"),
        ("pumps.high_high.speed", "47 Hz", "pumps.high_high.speed=47 Hz must be within P1_1's minimum and maximum"),
        ("pumps.high_high.speed", "50", "pumps.high_high.speed: '50' is a"),
        (
            "pumps.high_high.start_above",
            "7 m",
            "control.pumps: level.minimum <= low_low.stop_below < low_low.release_above",
        ),
        ("pumps.low_low.stop_below", "2 Hz", "pumps.low_low.stop_below: '2 Hz' is a 1 / [time]; it must convert to m"),
        ("pumps.level.point", "depth", "pumps.level.point='depth' must be among a PLC's shared_points"),
        ("pumps.level_control.gain", "0 Hz/m", "control.pumps: gain_hz_per_m=0 must be above zero"),
        (
            "pumps.level_control.gain",
            "2 Hz",
            "pumps.level_control.gain: '2 Hz' is a 1 / [time]; it must convert to Hz/m",
        ),
        ("pumps.level_control.fail_safe_target", "2 s", "pumps.level_control.fail_safe_target: '2 s' is a [time]"),
        (f"{LEVEL}.type", "float32", f"control.{LEVEL}.step is missing: the interlocks count in steps"),
        (f"{LEVEL}.scale", "0 m", f"control.{LEVEL}.scale='0 m' must be above zero"),
        (f"{LEVEL}.scale", "0.01 m", "control.plcs: shared_points.level must have one scale and offset on all PLCs"),
        (f"{P1_1}.run", None, f"control.{P1_1}.run is missing"),
        (f"{P1_1}.run.writable", False, f"control.{P1_1}.run.writable=False must be true: the gateway writes it"),
        (f"{P1_1}.run_readback.address", 102, f"control.{P1_1}.run_readback.address=102 must be another register"),
        (f"{P1_1}.run_feedback.writable", True, f"control.{P1_1}.run_feedback.table='input' cannot be written"),
        (f"{P1_1}.power.scale", None, f"control.{P1_1}.power must have a scale"),
        (f"{P1_1}.power.offset", "1 kW", f"control.{P1_1}.power must have a scale"),
        (f"{P1_1}.power.scale", "1 m", f"control.{P1_1}.power.scale: '1 m' is a [length]; it must convert to kW"),
        (f"{P1_1}.colour", {}, f"control: {P1_1}.colour"),
        ("actuators.P1_1.kind", "valve", "actuators.P1_1.kind: Input should be 'setpoint' or 'pump' (got 'valve')"),
        ("actuators.P1_1.setpoint_from", "hope", "actuators.P1_1.setpoint_from: Input should be 'direct', 'level' or"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_what_would_be_right(
    station_site: Site, path: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^site blominmaki: (.|\n)*{re.escape(message)}"):
        read(changed(station_site, path, value))


@pytest.mark.parametrize("field", ["setpoint_from", "fail_safe"])
def test_a_pump_led_by_level_needs_the_calculator(station_site: Site, field: str) -> None:
    wrong = changed(changed(station_site, f"actuators.P1_2.{field}", "level"), "pumps.level_control", None)
    with pytest.raises(ValueError, match=r"control\.pumps\.level_control is missing; P1_2 needs it$"):
        read(wrong)


def test_a_pump_led_by_power_needs_its_register(station_site: Site) -> None:
    wrong = changed(changed(station_site, "actuators.P1_1.setpoint_from", "power"), f"{P1_1}.power", None)
    with pytest.raises(ValueError, match=r"P1_1\.power is missing; setpoint_from: power needs it$"):
        read(wrong)


def test_a_pump_is_led_by_its_speed(station_site: Site) -> None:
    wrong = station_site
    for path, value in {
        "actuators.P1_1.unit": "kW",
        "actuators.P1_1.hardware": None,
        "actuators.P1_1.minimum": "200 kW",
        "actuators.P1_1.maximum": "400 kW",
        "actuators.P1_1.max_rate": "1 kW/s",
        "actuators.P1_1.deadband": "1 kW",
        **{f"{P1_1}.{role}.scale": "1 kW" for role in ("setpoint", "readback", "actual")},
    }.items():
        wrong = changed(wrong, path, value)
    with pytest.raises(ValueError, match=r"actuators\.P1_1\.unit='kW' must measure SPEED, such as 'Hz': it is a pump$"):
        read(wrong)


@pytest.mark.parametrize(
    ("field", "right"),
    [
        ("setpoint_from", "must be 'direct': only pumps have another"),
        ("fail_safe", "must be hold, value or hand_to_local: only pumps have a level"),
    ],
)
def test_only_pumps_have_calculators(site: Site, field: str, right: str) -> None:
    wrong = changed(site, f"actuators.OXPH.{field}", "level")
    text = f"site abay: control.actuators.OXPH.{field}='level' {right}"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        actuators_of(wrong, control_section(wrong))

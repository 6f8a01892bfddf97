"""Interlocks of a site file: read in counts, and what is wrong named with its field, text and place."""

import re
from datetime import datetime, timedelta

import pytest
from gateway_rig import changed
from time_rig import NOW

from headworks.control_gateway.expressions import Comparison, Lasting
from headworks.control_gateway.limits import actuators_of
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_interlocks import SiteInterlocks, interlocks_of, named_points
from headworks.control_gateway.trips import TripState, next_state
from headworks.waterway.site import Site

LOW: dict[str, object] = {
    "name": "low",
    "when": "elevation < 1166 ft for 5 min",
    "then": "value 1 MW",
    "applies_to": ["OXPH"],
}


def read(site: Site) -> SiteInterlocks:
    section = control_section(site)
    return interlocks_of(site, section, actuators_of(site, section))


def with_entries(site: Site, *entries: dict[str, object]) -> Site:
    return changed(site, "interlocks", list(entries))


def test_an_interlock_is_read_with_its_points_and_what_it_asks_in_counts(site: Site) -> None:
    made = read(with_entries(site, LOW, LOW | {"name": "other", "then": "hold", "release": "OXPH.actual > 900 kW"}))
    low, other = made.interlocks
    assert low.when == Lasting(Comparison("elevation", "<", 1166), 300, 20)
    assert (low.action, dict(low.counts), low.release, low.trips_when_unknown) == ("value", {"OXPH": 100}, None, True)
    assert low.applies_to == {"OXPH"}
    assert (low.stale_after_s, low.when_text) == (600, "elevation < 1166 ft for 5 min")
    assert other.release == Comparison("OXPH.actual", ">", 0.9)
    assert other.points == {"elevation", "OXPH.actual"} == made.points.keys()
    assert (other.action, other.counts) == ("hold", {})


def test_a_pump_that_starts_after_a_long_rest_lifts_nothing_yet_and_may_go_on(station_site: Site) -> None:
    """The shipped interlock: that it runs, and that nothing flows, must both last; at a start nothing has flowed for hours."""
    [interlock] = read(station_site).interlocks
    state, start = TripState(), NOW + timedelta(hours=3)

    def seen(feedback: float, flow_m3_h: float, at: datetime) -> bool:
        nonlocal state
        state = next_state(interlock, state, {"P1_1.run_feedback": feedback, "P1_1.flow": flow_m3_h}, at)
        return state.tripped

    assert not seen(0, 0, NOW)
    assert not seen(1, 0, start), "it begins to turn"
    assert not seen(1, 0, start + timedelta(seconds=899))
    assert seen(1, 0, start + timedelta(seconds=900)), "it has run for a quarter of an hour, and lifts nothing"
    assert not seen(0, 0, start + timedelta(seconds=901))
    assert not seen(1, 99, start + timedelta(hours=3))
    assert not seen(1, 101, start + timedelta(hours=3, minutes=1))
    assert not seen(1, 99, start + timedelta(hours=3, minutes=20))


def test_a_site_without_interlocks_has_none(site: Site) -> None:
    assert read(with_entries(site)) == SiteInterlocks()


def test_a_point_that_several_plcs_have_is_named_with_its_plc(station_site: Site) -> None:
    names = named_points("blominmaki", control_section(station_site)).keys()
    assert {"pumps-1.level", "pumps-2.level", "P1_1.flow", "P2_4.run_feedback"} <= names
    assert "level" not in names


def test_only_a_pump_can_be_stopped(station_site: Site, site: Site) -> None:
    stop = LOW | {"when": "P1_2.flow < 1 m**3/s", "then": "stop", "applies_to": ["P1_1", "P2_2"]}
    [made] = read(with_entries(station_site, stop)).interlocks
    assert made.action == "stop"
    assert made.applies_to == {"P1_1", "P2_2"}
    with pytest.raises(ValueError, match=r"then='stop' must be hold, refuse or value: OXPH is no pump$"):
        read(with_entries(site, LOW | {"then": "stop"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"when": "elevation < 1166 MW"}, ".when: 'elevation < 1166 MW' at position 13: '1166 MW' is a "),
        ({"release": "elevation <"}, ".release: 'elevation <' at position 12: expected a quantity that converts to ft"),
        ({"then": "value 6 MW"}, ".then='6 MW' must be within minimum and maximum, 0.8 to 5.8 MW"),
        ({"then": "value 6 ft"}, ".then: '6 ft' is a [length]; it must convert to MW"),
        ({"applies_to": ["OXPX"]}, ".applies_to: 'OXPX' must be one of OXPH"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_text_and_place(
    site: Site, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^site abay: control.interlocks.0 \\(low\\){re.escape(message)}"):
        read(with_entries(site, LOW | change))


def test_a_name_stands_for_one_interlock(site: Site) -> None:
    with pytest.raises(ValueError, match=r"interlocks\.1 \(low\)\.name='low' must be another"):
        read(with_entries(site, LOW, LOW))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"then": "jump"}, "interlocks.0.then: String should match pattern"),
        ({"applies_to": []}, "interlocks.0.applies_to: Tuple should have at least 1 item"),
        ({"when_unknown": "guess"}, "interlocks.0.when_unknown: Input should be 'trip' or 'ignore'"),
        ({"unless": "x"}, "interlocks.0.unless: Extra inputs are not permitted"),
    ],
)
def test_an_entry_that_is_none_is_refused(site: Site, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(with_entries(site, LOW | change))


def test_a_fail_safe_of_a_value_lies_within_the_stations_limits(site: Site) -> None:
    good = changed(site, "actuators.OXPH.fail_safe", "value 2 MW")
    [actuator] = actuators_of(good, control_section(good))
    assert (actuator.fail_safe, actuator.fail_safe_counts) == ("value", 200)
    wrong = changed(site, "actuators.OXPH.fail_safe", "value 7 MW")
    with pytest.raises(
        ValueError, match=r"OXPH\.fail_safe='7 MW' must be within minimum and maximum, 0\.8 to 5\.8 MW$"
    ):
        actuators_of(wrong, control_section(wrong))


def test_handing_to_local_needs_the_point_that_tells_the_plc(site: Site) -> None:
    wrong = changed(site, "actuators.OXPH.fail_safe", "hand_to_local")
    with pytest.raises(ValueError, match=r"OXPH\.local is missing; .*fail_safe: hand_to_local needs it$"):
        actuators_of(wrong, control_section(wrong))

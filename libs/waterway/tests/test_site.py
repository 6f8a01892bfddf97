"""The site file is read whole; each wrong field is named with its value and what would be right."""

import pytest

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.series import si_series, unit_of
from headworks.waterway.site_file import parse_site


def test_the_repository_site_reads_into_si(site: AfterbaySite) -> None:
    assert site.afterbay.reservoir.minimum_elevation == pytest.approx(356.0064)
    assert site.afterbay.unit.ramp_rate == 0.042
    assert site.afterbay.inflow.bias_window == 86400
    assert site.afterbay.upstream.water.a == pytest.approx(0.00943 * 0.3048**3)
    assert site.zone.key == "America/Los_Angeles"
    assert site.section("schedule")["horizon"] == "168 h"


def test_a_missing_section_is_named(site: AfterbaySite) -> None:
    with pytest.raises(ValueError, match="section 'tides' is missing"):
        site.section("tides")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minimum_elevation: 1168.0 ft", "minimum_elevation: 1168.0", r"minimum_elevation: .*has no unit.*got 1168"),
        ("minimum_elevation: 1168.0 ft", "minimum_elevation: 1168 cfs", r"minimum_elevation: .*must convert to m"),
        ("minimum_elevation: 1168.0 ft", "minimum_elevation: 1173 ft", "minimum_elevation < float_elevation"),
        ("ramp_rate: 0.042 MW/min", "ramp_rate: 0.042 MW/ft", r"ramp_rate: .*must convert to MW/min"),
        ("min_power: 0.8 MW", "min_power: 6 MW", "min_power < max_power"),
        ("max_power: 5.8 MW", "max_power: .nan MW", "max_power"),
        ("share: 0.59", "share: 1.59", r"share: .*less than or equal to 1"),
        ("time_zone: America/Los_Angeles", "time_zone: Mars/Olympus", "time_zone='Mars/Olympus' is unknown"),
        ("volume: acre_ft,", "volume: ft,", r"display_units.volume: 'ft' does not convert"),
        ("water_year_type: below_normal", "water_year_type: moist", "must be one of"),
        ("2025-06-07", "2025-06-08", "2025-06-08 is no Saturday"),
        ('season_end: "09-30"', 'season_end: "09-31"', "season_end"),
        ("wed: [8, 11], sat-sun: [8, 12]}, after: {}", "wed: [11, 8]}, after: {}", "start < end"),
        ("wed: [8, 11], sat-sun: [8, 12]}, after: {}", "wednesday: [8, 11]}, after: {}", "weekday or a span"),
        ("float_buffer: 0.5 ft", "float_bufer: 0.5 ft", "float_bufer"),
        ("site: abay", "site: 'A B'", "site: "),
    ],
)
def test_a_wrong_field_is_named(site_text: str, old: str, new: str, message: str) -> None:
    changed = site_text.replace(old, new, 1)
    assert changed != site_text
    with pytest.raises(ValueError, match=message):
        parse_site(changed)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\x00", "7"])
def test_garbage_is_no_site(text: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|YAML"):
        parse_site(text)


def test_series_are_named_with_their_unit() -> None:
    assert [si_series(base).name for base in ("elevation", "oxph_governor_setpoint", "mode", "r4_flow")] == [
        "elevation_m",
        "oxph_governor_setpoint_mw",
        "mode",
        "r4_flow_m3s",
    ]
    assert (unit_of("r4_flow_m3s"), unit_of("mode"), unit_of("elevation_m")) == ("m**3/s", "", "m")
    with pytest.raises(ValueError, match="must be 'mode' or end in"):
        si_series("humidity")

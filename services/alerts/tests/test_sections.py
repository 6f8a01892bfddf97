"""A site file's alarms are read with their units, and what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.alerts.sections import Alarm, EventAlarm, LevelAlarm, StaleAlarm, alarms_of
from headworks.waterway.site_file import AnySite, parse_site


def site_with(sites_folder: Path, name: str = "abay", **alarms: dict[str, Any]) -> AnySite:
    raw = yaml.safe_load((sites_folder / f"{name}.yaml").read_text())
    return parse_site(yaml.safe_dump(raw | {"alarms": alarms}))


def level(**changes: Any) -> dict[str, Any]:
    return {
        "series": "elevation",
        "below": "1168 ft",
        "deadband": "0.05 ft",
        "severity": "critical",
        "title": "Low",
    } | changes


def test_the_site_files_hold_all_five_kinds(alarms: dict[str, Alarm], station_alarms: dict[str, Alarm]) -> None:
    assert {type(alarm).__name__ for alarm in station_alarms.values()} == {
        "LevelAlarm",
        "StaleAlarm",
        "AheadAlarm",
        "EventAlarm",
    }
    assert {type(alarm).__name__ for alarm in alarms.values()} == {
        "LevelAlarm",
        "StaleAlarm",
        "AwardAlarm",
        "EventAlarm",
    }
    low, stale = alarms["reservoir_low"], alarms["elevation_stale"]
    assert isinstance(low, LevelAlarm)
    assert low.si(low.below or "") == pytest.approx(1168 * 0.3048)
    assert isinstance(stale, StaleAlarm)
    assert stale.stale_after == 1800
    assert isinstance(alarms["e_stop"], EventAlarm)


@pytest.mark.parametrize(
    ("alarm", "named"),
    [
        (level(below=None), "exactly one of below, above, above_float_less"),
        (level(above="1170 ft"), "exactly one of below, above, above_float_less"),
        (level(deadband="0 ft"), "deadband='0 ft' must be above 0"),
        (level(below="1168 MW"), "'1168 MW'"),
        (level(below="1168"), "must convert to m"),
        (level(series="elevaton"), "series='elevaton'"),
        (level(severity="fatal"), "severity"),
        (level(on_delay="-1 s"), "must not be negative"),
        (level(colour="red"), "colour"),
        ({"event": "rain", "severity": "warning", "title": "Rain"}, "event"),
        (
            {"market": "award", "missing_for": "tomorrow", "from_local_hour": 24, "severity": "warning", "title": "A"},
            "24",
        ),
        (
            {"series": "prices", "missing_for": "tomorrow", "from_local_hour": 15, "severity": "warning", "title": "P"},
            "series='prices'",
        ),
    ],
)
def test_a_wrong_alarm_is_named_with_its_field_and_value(sites_folder: Path, alarm: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=r"site abay: alarms: .*bad_one") as error:
        alarms_of(site_with(sites_folder, bad_one=alarm))
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("alarm", "field"),
    [
        (level(below=None, above_float_less="0.5 m", deadband="0.1 m"), "above_float_less"),
        (
            {"market": "award", "missing_for": "tomorrow", "from_local_hour": 16, "severity": "warning", "title": "A"},
            "market",
        ),
    ],
)
def test_a_station_has_no_alarm_on_what_only_an_afterbay_has(
    sites_folder: Path, alarm: dict[str, Any], field: str
) -> None:
    said = f"site blominmaki: alarms: bad_one: {field}: model=pumping_station has none"
    with pytest.raises(ValueError, match=said):
        alarms_of(site_with(sites_folder, "blominmaki", bad_one=alarm))

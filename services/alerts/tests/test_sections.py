"""A site file's alarms are read with their units, and what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.alerts.sections import Alarm, EventAlarm, LevelAlarm, StaleAlarm, alarms_of
from headworks.waterway.afterbay_site import AfterbaySite


def site_with(sites_folder: Path, **alarms: dict[str, Any]) -> AfterbaySite:
    raw = yaml.safe_load((sites_folder / "abay.yaml").read_text())
    return AfterbaySite.model_validate(raw | {"alarms": alarms})


def level(**changes: Any) -> dict[str, Any]:
    return {
        "series": "elevation",
        "below": "1168 ft",
        "deadband": "0.05 ft",
        "severity": "critical",
        "title": "Low",
    } | changes


def test_the_site_file_holds_all_four_kinds(alarms: dict[str, Alarm]) -> None:
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
    ],
)
def test_a_wrong_alarm_is_named_with_its_field_and_value(sites_folder: Path, alarm: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=r"site abay: alarms: .*bad_one") as error:
        alarms_of(site_with(sites_folder, bad_one=alarm))
    assert named in str(error.value)

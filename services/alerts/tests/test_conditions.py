"""When a condition holds: at the limit, a step inside, a step outside; with deadband, age and local days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from headworks.alerts.conditions import Cause, Facts, Reading, read
from headworks.alerts.sections import Alarm
from headworks.common.messages import Basis, Quality, Sample
from headworks.waterway.afterbay_site import AfterbaySite

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
FT = 0.3048


def sample(series: str, value: float | None, at: datetime = NOW, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(series=series, valid_at=at, value=value, quality=quality)


def facts(*samples: Sample) -> Facts:
    known = Facts(NOW)
    for one in samples:
        known.learn(one)
    return known


def elevation_reading(
    site: AfterbaySite, alarm: Alarm, elevation_ft: float, *, held: bool = False, float_ft: float | None = None
) -> Reading:
    known = facts(sample("elevation_m", elevation_ft * FT))
    if float_ft is not None:
        known.learn(sample("float_elevation_m", float_ft * FT))
    reading = read(alarm, site, known, {}, NOW, held=held)
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("elevation_ft", "held", "holds"),
    [
        (1168.01, False, False),
        (1168.0, False, False),
        (1167.99, False, True),
        (1168.04, True, True),
        (1168.049, True, True),
        (1168.051, True, False),
    ],
)
def test_a_low_level_holds_below_its_limit_and_goes_beyond_the_deadband(
    site: AfterbaySite, alarms: dict[str, Alarm], elevation_ft: float, held: bool, holds: bool
) -> None:
    assert elevation_reading(site, alarms["reservoir_low"], elevation_ft, held=held).holds is holds


@pytest.mark.parametrize(
    ("elevation_ft", "float_ft", "holds"),
    [(1172.49, None, False), (1172.51, None, True), (1171.51, 1172.0, True), (1171.49, 1172.0, False)],
)
def test_a_high_level_follows_the_measured_float(
    site: AfterbaySite, alarms: dict[str, Alarm], elevation_ft: float, float_ft: float | None, holds: bool
) -> None:
    assert elevation_reading(site, alarms["reservoir_high"], elevation_ft, float_ft=float_ft).holds is holds


def test_a_reading_speaks_in_the_sites_units(site: AfterbaySite, alarms: dict[str, Alarm]) -> None:
    reading = elevation_reading(site, alarms["reservoir_low"], 1167.5)
    assert reading.text == "1167.50 ft is below 1168.00 ft"
    assert reading.value == pytest.approx(1167.5)
    assert reading.unit == "ft"


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.SUSPECT, Quality.MISSING])
def test_only_good_values_speak(site: AfterbaySite, alarms: dict[str, Alarm], quality: Quality) -> None:
    value = None if quality is Quality.MISSING else 300.0
    known = facts(sample("elevation_m", value, quality=quality))
    assert read(alarms["reservoir_low"], site, known, {}, NOW, held=False) is None


def test_an_old_value_says_nothing_of_the_level(site: AfterbaySite, alarms: dict[str, Alarm]) -> None:
    known = facts(sample("elevation_m", 300.0))
    young, old = NOW + timedelta(hours=2), NOW + timedelta(hours=2, seconds=1)
    assert read(alarms["reservoir_low"], site, known, {}, young, held=False) is not None
    assert read(alarms["reservoir_low"], site, known, {}, old, held=False) is None


def test_a_late_old_value_does_not_replace_a_newer_one() -> None:
    known = facts(sample("elevation_m", 357.0), sample("elevation_m", 300.0, NOW - timedelta(minutes=5)))
    assert known.latest["elevation_m"].value == 357.0


@pytest.mark.parametrize(("minutes", "holds"), [(29, False), (30, False), (30.1, True)])
def test_staleness_counts_from_the_last_good_value(
    site: AfterbaySite, alarms: dict[str, Alarm], minutes: float, holds: bool
) -> None:
    known = facts(sample("elevation_m", 357.0))
    reading = read(alarms["elevation_stale"], site, known, {}, NOW + timedelta(minutes=minutes), held=False)
    assert reading is not None
    assert reading.holds is holds


def test_an_hourly_mean_speaks_up_to_the_end_of_its_hour() -> None:
    mean = Sample(series="r4_flow_m3s", valid_at=NOW, value=5.0, quality=Quality.GOOD, basis=Basis.HOUR_MEAN)
    assert facts(mean).latest["r4_flow_m3s"].until == NOW + timedelta(hours=1)


def test_a_series_never_heard_is_stale_only_after_a_while_of_listening(
    site: AfterbaySite, alarms: dict[str, Alarm]
) -> None:
    readings = [
        read(alarms["elevation_stale"], site, Facts(NOW), {}, NOW + timedelta(minutes=m), held=False) for m in (1, 31)
    ]
    assert [reading and reading.holds for reading in readings] == [False, True]
    assert readings[1] is not None
    assert readings[1].text == "no good elevation heard yet"


@pytest.mark.parametrize(
    ("local_hour", "known", "missing"),
    [
        (15, "2026-02-17", None),
        (15, "2026-02-16", "2026-02-17"),
        (16, "2026-02-17", "2026-02-18"),
        (16, "2026-02-18", None),
        (23, "2026-02-18", None),
    ],
)
def test_an_award_is_missing_from_the_hour_on_and_until_it_is_known(
    site: AfterbaySite, alarms: dict[str, Alarm], local_hour: int, known: str, missing: str | None
) -> None:
    heard = Facts(NOW, award_dates={date.fromisoformat(known)})
    now = datetime(2026, 2, 17, 8, tzinfo=UTC) + timedelta(hours=local_hour)  # midnight in California is 08:00 UTC
    reading = read(alarms["award_missing"], site, heard, {}, now, held=False)
    assert reading is not None
    assert reading.holds is (missing is not None)
    assert missing is None or reading.text == f"the award of {missing} is not known"


def test_an_event_holds_while_it_has_causes(site: AfterbaySite, alarms: dict[str, Alarm]) -> None:
    causes = {"b": Cause("second", NOW), "a": Cause("first", NOW)}
    both = read(alarms["plc_lost"], site, Facts(NOW), causes, NOW, held=False)
    none = read(alarms["plc_lost"], site, Facts(NOW), {}, NOW, held=True)
    assert (both and (both.holds, both.text)) == (True, "first; second")
    assert none is not None
    assert not none.holds

"""When a condition holds: at the limit, a step inside, a step outside; with deadband, age and local days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from headworks.alerts.conditions import Cause, Facts, Reading, read
from headworks.alerts.sections import Alarm
from headworks.common.messages import Basis, Quality, Sample
from headworks.waterway.site_file import AnySite

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
    site: AnySite, alarm: Alarm, elevation_ft: float, *, held: bool = False, float_ft: float | None = None
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
    site: AnySite, alarms: dict[str, Alarm], elevation_ft: float, held: bool, holds: bool
) -> None:
    assert elevation_reading(site, alarms["reservoir_low"], elevation_ft, held=held).holds is holds


@pytest.mark.parametrize(
    ("elevation_ft", "float_ft", "holds"),
    [(1172.49, None, False), (1172.51, None, True), (1171.51, 1172.0, True), (1171.49, 1172.0, False)],
)
def test_a_high_level_follows_the_measured_float(
    site: AnySite, alarms: dict[str, Alarm], elevation_ft: float, float_ft: float | None, holds: bool
) -> None:
    assert elevation_reading(site, alarms["reservoir_high"], elevation_ft, float_ft=float_ft).holds is holds


def test_a_reading_speaks_in_the_sites_units(site: AnySite, alarms: dict[str, Alarm]) -> None:
    reading = elevation_reading(site, alarms["reservoir_low"], 1167.5)
    assert reading.text == "1167.50 ft is below 1168.00 ft"
    assert reading.value == pytest.approx(1167.5)
    assert reading.unit == "ft"


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.SUSPECT, Quality.MISSING])
def test_only_good_values_speak(site: AnySite, alarms: dict[str, Alarm], quality: Quality) -> None:
    value = None if quality is Quality.MISSING else 300.0
    known = facts(sample("elevation_m", value, quality=quality))
    assert read(alarms["reservoir_low"], site, known, {}, NOW, held=False) is None


def test_an_old_value_says_nothing_of_the_level(site: AnySite, alarms: dict[str, Alarm]) -> None:
    known = facts(sample("elevation_m", 300.0))
    young, old = NOW + timedelta(hours=2), NOW + timedelta(hours=2, seconds=1)
    assert read(alarms["reservoir_low"], site, known, {}, young, held=False) is not None
    assert read(alarms["reservoir_low"], site, known, {}, old, held=False) is None


def test_a_late_old_value_does_not_replace_a_newer_one() -> None:
    known = facts(sample("elevation_m", 357.0), sample("elevation_m", 300.0, NOW - timedelta(minutes=5)))
    assert known.latest["elevation_m"].value == 357.0


@pytest.mark.parametrize(("minutes", "holds"), [(29, False), (30, False), (30.1, True)])
def test_staleness_counts_from_the_last_good_value(
    site: AnySite, alarms: dict[str, Alarm], minutes: float, holds: bool
) -> None:
    known = facts(sample("elevation_m", 357.0))
    reading = read(alarms["elevation_stale"], site, known, {}, NOW + timedelta(minutes=minutes), held=False)
    assert reading is not None
    assert reading.holds is holds


def test_an_hourly_mean_speaks_up_to_the_end_of_its_hour() -> None:
    mean = Sample(series="r4_flow_m3s", valid_at=NOW, value=5.0, quality=Quality.GOOD, basis=Basis.HOUR_MEAN)
    assert facts(mean).latest["r4_flow_m3s"].until == NOW + timedelta(hours=1)


def test_a_mean_of_a_quarter_hour_speaks_up_to_its_end() -> None:
    series = "tunnel_inflow_m3s"
    mean = Sample(series=series, valid_at=NOW, value=1.2, quality=Quality.GOOD, basis=Basis.QUARTER_HOUR_MEAN)
    assert facts(mean).latest[series].until == NOW + timedelta(minutes=15)


def test_a_series_never_heard_is_stale_only_after_a_while_of_listening(site: AnySite, alarms: dict[str, Alarm]) -> None:
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
    site: AnySite, alarms: dict[str, Alarm], local_hour: int, known: str, missing: str | None
) -> None:
    heard = Facts(NOW, award_dates={date.fromisoformat(known)})
    now = datetime(2026, 2, 17, 8, tzinfo=UTC) + timedelta(hours=local_hour)  # midnight in California is 08:00 UTC
    reading = read(alarms["award_missing"], site, heard, {}, now, held=False)
    assert reading is not None
    assert reading.holds is (missing is not None)
    assert missing is None or reading.text == f"the award of {missing} is not known"


@pytest.mark.parametrize(("level_m", "held", "high", "full"), [
    (7.2, False, False, False),
    (7.21, False, True, False),
    (7.16, True, True, False),
    (7.149, True, False, False),
    (8.0, False, True, False),
    (8.01, False, True, True),
])  # fmt: skip
def test_the_tunnel_is_high_above_its_alarm_level_and_full_above_its_maximum(
    station: AnySite, station_alarms: dict[str, Alarm], level_m: float, held: bool, high: bool, full: bool
) -> None:
    known = facts(sample("tunnel_level_m", level_m))
    told = [read(station_alarms[name], station, known, {}, NOW, held=held) for name in ("tunnel_high", "tunnel_full")]
    assert [reading is not None and reading.holds for reading in told] == [high, full]


def test_the_station_speaks_of_its_level_in_metres(station: AnySite, station_alarms: dict[str, Alarm]) -> None:
    reading = read(station_alarms["tunnel_high"], station, facts(sample("tunnel_level_m", 7.5)), {}, NOW, held=False)
    assert reading == Reading(True, "7.50 m is above 7.20 m", 7.5, "m")


def price(hour: datetime, known: Facts) -> None:
    known.learn(
        Sample(
            series="day_ahead_price_eur_per_mwh", valid_at=hour, value=40.0, quality=Quality.GOOD, basis=Basis.HOUR_MEAN
        )
    )


MIDNIGHT = datetime(2024, 11, 18, 22, tzinfo=UTC)
"""The begin of 19 November 2024 in Finland."""


@pytest.mark.parametrize(("local_hour", "known_hours", "missing"), [
    (0, 24, None),
    (0, 23, "2024-11-19"),
    (14, 24, None),
    (15, 24, "2024-11-20"),
    (15, 47, "2024-11-20"),
    (15, 48, None),
    (15, 49, None),
])  # fmt: skip
def test_prices_must_reach_to_the_end_of_the_day_and_from_the_hour_on_of_tomorrow(
    station: AnySite, station_alarms: dict[str, Alarm], local_hour: int, known_hours: int, missing: str | None
) -> None:
    known = Facts(NOW)
    for hour in range(known_hours):
        price(MIDNIGHT + timedelta(hours=hour), known)
    now = MIDNIGHT + timedelta(hours=local_hour)
    reading = read(station_alarms["price_missing"], station, known, {}, now, held=False)
    assert reading is not None
    assert reading.holds is (missing is not None)
    until = MIDNIGHT + timedelta(hours=known_hours)
    said = f"day_ahead_price is known up to {until:%Y-%m-%d %H:%M}Z; it is wanted to the end of {missing}"
    assert missing is None or reading.text == said


def test_prices_must_reach_to_the_end_of_a_day_of_25_hours(station: AnySite, station_alarms: dict[str, Alarm]) -> None:
    saturday = datetime(2024, 10, 25, 21, tzinfo=UTC)  # clocks go back on Sunday, 27 October
    known, readings = Facts(NOW), []
    for hour in range(49):
        price(saturday + timedelta(hours=hour), known)
        if hour in {47, 48}:
            now = saturday + timedelta(hours=15)
            readings.append(read(station_alarms["price_missing"], station, known, {}, now, held=False))
    assert [reading and reading.holds for reading in readings] == [True, False]


def test_prices_never_heard_are_missing(station: AnySite, station_alarms: dict[str, Alarm]) -> None:
    reading = read(station_alarms["price_missing"], station, Facts(NOW), {}, MIDNIGHT, held=False)
    assert reading == Reading(True, "day_ahead_price is not known at all; it is wanted to the end of 2024-11-19")


def test_a_float_that_a_station_has_not_is_no_limit(station: AnySite, alarms: dict[str, Alarm]) -> None:
    known = facts(sample("elevation_m", 2.0))
    with pytest.raises(ValueError, match="site blominmaki: model=pumping_station has no float"):
        read(alarms["reservoir_high"], station, known, {}, NOW, held=False)


def test_an_event_holds_while_it_has_causes(site: AnySite, alarms: dict[str, Alarm]) -> None:
    causes = {"b": Cause("second", NOW), "a": Cause("first", NOW)}
    both = read(alarms["plc_lost"], site, Facts(NOW), causes, NOW, held=False)
    none = read(alarms["plc_lost"], site, Facts(NOW), {}, NOW, held=True)
    assert (both and (both.holds, both.text)) == (True, "first; second")
    assert none is not None
    assert not none.holds

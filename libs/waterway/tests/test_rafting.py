"""Rafting windows by water-year type, early releases, the holidays, and the clocks' changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from headworks.waterway.afterbay_site import AfterbaySite, Rafting
from headworks.waterway.rafting import Window, hours_of, labor_day, memorial_day, ramp_start, season_start, windows

PACIFIC = ZoneInfo("America/Los_Angeles")
JULY_MONDAY, LATE_MONDAY = date(2026, 7, 13), date(2026, 9, 21)


def of_type(site: AfterbaySite, water_year_type: str) -> Rafting:
    return site.afterbay.rafting.model_copy(update={"water_year_type": water_year_type})


def week(rafting: Rafting, monday: date) -> str:
    """A week in one line: '9-12' or '-' by day."""
    spans = [hours_of(rafting, monday + timedelta(days=d)) for d in range(7)]
    return " ".join("-" if span is None else f"{span[0]}-{span[1]}" for span in spans)


@pytest.mark.parametrize(
    ("kind", "to_labor_day"),
    [
        ("wet", "9-12 9-12 9-12 9-12 9-12 8-12 8-12"),
        ("above_normal", "9-12 9-12 9-12 9-12 9-12 8-12 8-12"),
        ("below_normal", "- 9-12 9-12 9-12 9-12 8-12 8-12"),
        ("dry", "- 8-11 8-11 8-11 - 8-12 8-12"),
        ("critical", "- - 8-11 - 8-11 8-12 8-12"),
        ("extreme_critical", "- - 8-11 - - 8-12 8-12"),
    ],
)
def test_the_calendar_to_labor_day(site: AfterbaySite, kind: str, to_labor_day: str) -> None:
    assert week(of_type(site, kind), JULY_MONDAY) == to_labor_day


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("wet", "- 9-12 9-12 - 9-12 8-12 8-12"),
        ("below_normal", "- 9-12 9-12 - 9-12 8-12 8-12"),
        ("dry", "- - 8-11 - 8-11 8-12 8-12"),
        ("critical", "- - - - - 8-12 -"),
        ("extreme_critical", "- - - - - - -"),
    ],
)
def test_the_calendar_late_in_september(site: AfterbaySite, kind: str, line: str) -> None:
    assert week(of_type(site, kind), LATE_MONDAY) == line


def test_wet_years_keep_thursday_until_the_late_part(site: AfterbaySite) -> None:
    wet = of_type(site, "wet")
    assert hours_of(wet, date(2026, 9, 10)) == (9, 12)
    assert hours_of(wet, date(2026, 9, 17)) is None


def test_the_season_runs_from_the_saturday_before_memorial_day_to_its_end(site: AfterbaySite) -> None:
    wet = of_type(site, "wet")
    assert (memorial_day(2026), labor_day(2026), season_start(2026)) == (
        date(2026, 5, 25),
        date(2026, 9, 7),
        date(2026, 5, 23),
    )
    assert (memorial_day(2027), labor_day(2025)) == (date(2027, 5, 31), date(2025, 9, 1))
    assert hours_of(wet, date(2026, 5, 22)) is None
    assert hours_of(wet, date(2026, 5, 23)) == (8, 12)
    assert hours_of(wet, date(2026, 9, 30)) == (9, 12)
    assert hours_of(wet, date(2026, 10, 2)) is None
    assert hours_of(wet, date(2026, 9, 7)) == (9, 12)  # Labor Day itself is the last of the first part


def test_an_early_release_saturday_starts_at_four(site: AfterbaySite) -> None:
    assert hours_of(site.afterbay.rafting, date(2025, 6, 28)) == (4, 12)
    assert hours_of(site.afterbay.rafting, date(2025, 6, 14)) == (8, 12)


def test_a_nine_to_twelve_window_is_three_hours(site: AfterbaySite) -> None:
    start = datetime(2026, 7, 14, 7, tzinfo=UTC)
    found = windows(site.afterbay.rafting, PACIFIC, start, start + timedelta(days=1))
    assert found == (Window(datetime(2026, 7, 14, 16, tzinfo=UTC), datetime(2026, 7, 14, 19, tzinfo=UTC)),)


def test_a_window_that_touches_the_horizon_is_given_whole(site: AfterbaySite) -> None:
    inside = datetime(2026, 7, 14, 18, 30, tzinfo=UTC)
    assert len(windows(site.afterbay.rafting, PACIFIC, inside, inside + timedelta(minutes=1))) == 1
    after = datetime(2026, 7, 14, 19, tzinfo=UTC)
    assert windows(site.afterbay.rafting, PACIFIC, after, after + timedelta(minutes=1)) == ()


@pytest.mark.parametrize(("day", "utc_hour"), [(date(2026, 3, 8), 16), (date(2026, 11, 1), 17), (date(2026, 3, 7), 17)])
def test_windows_keep_local_hours_on_the_days_the_clocks_change(site: AfterbaySite, day: date, utc_hour: int) -> None:
    calendar = site.afterbay.rafting.calendars["wet"].model_copy(update={"to_labor_day": {"mon-sun": (9, 12)}})
    calendar = calendar.model_copy(update={"after": {"mon-sun": (9, 12)}, "late": None})
    rafting = of_type(site, "wet").model_copy(update={"calendars": {"wet": calendar}, "season_end": "12-31"})
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    found = windows(rafting, PACIFIC, start, start + timedelta(hours=8))
    if day.month == 3:  # before the season
        assert found == ()
    else:
        assert found[0].start == datetime(day.year, day.month, day.day, utc_hour, tzinfo=UTC)
        assert found[0].end - found[0].start == timedelta(hours=3)


def test_the_ramp_starts_in_time(site: AfterbaySite) -> None:
    window = Window(datetime(2026, 7, 14, 16, tzinfo=UTC), datetime(2026, 7, 14, 19, tzinfo=UTC))
    assert ramp_start(site.afterbay.unit, window, 3.7) == window.start - timedelta(minutes=50)
    assert ramp_start(site.afterbay.unit, window, 5.8) == window.start

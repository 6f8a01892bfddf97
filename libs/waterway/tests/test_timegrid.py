"""The grid is half-open and UTC; local days have 23, 24 or 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.waterway.timegrid import TimeGrid, hour_ending, hourly_grid, local_day, local_midnight

PACIFIC = ZoneInfo("America/Los_Angeles")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 6, 1), 24), (date(2026, 11, 1), 25), (date(2026, 1, 1), 24)]
)
def test_a_local_day_has_the_hours_its_clocks_give_it(day: date, hours: int) -> None:
    grid = local_day(day, PACIFIC)
    assert grid.count == hours
    assert grid.end == local_midnight(day + timedelta(days=1), PACIFIC)
    assert [hour_ending(start, PACIFIC) for start in grid.starts] == list(range(1, hours + 1))


def test_the_repeated_hour_has_two_labels() -> None:
    first = datetime(2026, 11, 1, 8, tzinfo=UTC)  # 01:00 PDT
    assert [hour_ending(first, PACIFIC), hour_ending(first + HOUR, PACIFIC)] == [2, 3]


@given(st.integers(0, 167), st.integers(0, 3599))
def test_every_instant_of_a_step_is_in_that_step(step: int, second: int) -> None:
    grid = TimeGrid(datetime(2026, 3, 6, tzinfo=UTC), HOUR, 168)
    assert grid.index_of(grid.starts[step] + timedelta(seconds=second)) == step


def test_the_end_is_outside() -> None:
    grid = TimeGrid(datetime(2026, 3, 6, tzinfo=UTC), HOUR, 2)
    assert grid.ends == (grid.starts[1], grid.end)
    assert (grid.step_h, grid.step_s) == (1.0, 3600.0)
    with pytest.raises(ValueError, match="outside"):
        grid.index_of(grid.end)
    with pytest.raises(ValueError, match="outside"):
        grid.index_of(grid.start - timedelta(microseconds=1))


def test_a_grid_starts_at_the_hour_that_holds_now() -> None:
    grid = hourly_grid(datetime(2026, 6, 1, 10, 59, 59, tzinfo=PACIFIC), 3)
    assert grid.start == datetime(2026, 6, 1, 17, tzinfo=UTC)
    assert grid.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "step", "count", "message"),
    [
        (datetime(2026, 1, 1), HOUR, 1, "no time zone"),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=UTC), timedelta(0), 1, "longer than zero"),
        (datetime(2026, 1, 1, tzinfo=UTC), HOUR, 0, "at least 1"),
    ],
)
def test_an_unreadable_grid_is_refused(start: datetime, step: timedelta, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TimeGrid(start, step, count)

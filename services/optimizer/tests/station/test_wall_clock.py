"""The local clock jumps twice a year, and what people do jumps with it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from headworks.optimizer.station.wall_clock import WallClock

HELSINKI, HOUR = ZoneInfo("Europe/Helsinki"), timedelta(hours=1)
SPRING, AUTUMN = datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)
"""From then on the clock is an hour later, and an hour earlier."""


def local_hours(start: datetime, count: int) -> list[float]:
    """What a habit by the clock brings: of each hour its local time."""
    return [float((start + k * HOUR).astimezone(HELSINKI).hour) for k in range(count)]


def test_without_a_change_both_are_the_same() -> None:
    clock = WallClock(datetime(2024, 11, 20, tzinfo=UTC), HOUR, HELSINKI)
    assert clock.past((1.0, None, 3.0)) == (1.0, None, 3.0)
    assert clock.ahead(4) == (0, 1, 2, 3)


def test_a_habit_of_the_days_before_a_change_is_at_its_time_of_day() -> None:
    for change in (SPRING, AUTUMN):
        start = change + 30 * HOUR
        hour_of_start = start.astimezone(HELSINKI).hour
        past = WallClock(start, HOUR, HELSINKI).past(local_hours(start - 96 * HOUR, 96))
        by_wall = [float((hour_of_start - k) % 24) for k in range(96, 0, -1)]
        known = [(found, right) for found, right in zip(past, by_wall, strict=True) if found is not None]
        wrong = [pair for pair in known if pair[0] != pair[1]]
        assert len(known) >= 95
        assert len(wrong) <= 1, "the hour that is left out has no value of its own"


def test_a_habit_comes_again_at_its_time_of_day_after_a_change() -> None:
    for change in (SPRING, AUTUMN):
        start = change - 5 * HOUR
        walls = WallClock(start, HOUR, HELSINKI).ahead(24)
        hour_of_start = start.astimezone(HELSINKI).hour
        assert [float((hour_of_start + wall) % 24) for wall in walls] == local_hours(start, 24)

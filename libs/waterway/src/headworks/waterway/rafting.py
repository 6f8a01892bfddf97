"""The rafting calendar: release windows by water-year type, in local time, whatever the clocks do that day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from headworks.waterway.afterbay_site import WEEKDAYS, Rafting, Unit


@dataclass(frozen=True, slots=True)
class Window:
    """A release [start, end): the setpoint is the unit's maximum."""

    start: datetime
    end: datetime


def memorial_day(year: int) -> date:
    """The last Monday of May."""
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def labor_day(year: int) -> date:
    """The first Monday of September."""
    first = date(year, 9, 1)
    return first + timedelta(days=-first.weekday() % 7)


def season_start(year: int) -> date:
    """The Saturday before Memorial Day."""
    return memorial_day(year) - timedelta(days=2)


def hours_of(rafting: Rafting, day: date) -> tuple[int, int] | None:
    """The local [start, end) hours of a day's release, or None."""
    if not season_start(day.year) <= day <= _month_day(day.year, rafting.season_end):
        return None
    calendar = rafting.calendars[rafting.water_year_type]
    if day <= labor_day(day.year):
        hours = calendar.to_labor_day
    elif calendar.late is not None and day >= _month_day(day.year, rafting.late_from):
        hours = calendar.late
    else:
        hours = calendar.after
    found = next((span for days, span in hours.items() if day.weekday() in _weekdays(days)), None)
    if found is not None and day in rafting.early_release_saturdays:
        return rafting.early_release_start_hour, found[1]
    return found


def windows(rafting: Rafting, zone: ZoneInfo, start: datetime, end: datetime) -> tuple[Window, ...]:
    """The releases that touch [start, end), whole."""
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    found: list[Window] = []
    while day <= last:
        hours = hours_of(rafting, day)
        if hours is not None:
            window = Window(*(datetime.combine(day, time(hour), zone).astimezone(UTC) for hour in hours))
            if window.start < end and window.end > start:
                found.append(window)
        day += timedelta(days=1)
    return tuple(found)


def ramp_start(unit: Unit, window: Window, power_mw: float) -> datetime:
    """When the setpoint must begin to rise from `power_mw` to be at the maximum when the window begins."""
    return window.start - timedelta(minutes=max(0.0, unit.max_power - power_mw) / unit.ramp_rate)


def _month_day(year: int, text: str) -> date:
    return date.fromisoformat(f"{year}-{text}")


def _weekdays(text: str) -> range:
    first, _, last = text.partition("-")
    return range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1)

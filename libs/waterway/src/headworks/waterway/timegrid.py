"""Time as the models see it: aware UTC, half-open steps. Local calendars, with 23- and 25-hour days, live at the edges."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """`count` equal half-open steps from `start`; step t covers [start + t·step, start + (t+1)·step)."""

    start: datetime
    step: timedelta
    count: int

    def __post_init__(self) -> None:
        """Refuse a grid that nobody can read."""
        if self.start.tzinfo is None:
            raise ValueError(f"start={self.start.isoformat()} has no time zone; give an aware instant")
        if self.step <= timedelta(0):
            raise ValueError(f"step={self.step} must be longer than zero")
        if self.count < 1:
            raise ValueError(f"count={self.count} must be at least 1")
        object.__setattr__(self, "start", self.start.astimezone(UTC))

    @property
    def step_h(self) -> float:
        """A step's length in hours."""
        return self.step / timedelta(hours=1)

    @property
    def step_s(self) -> float:
        """A step's length in seconds."""
        return self.step.total_seconds()

    @property
    def end(self) -> datetime:
        """The first instant after the grid."""
        return self.start + self.count * self.step

    @property
    def starts(self) -> tuple[datetime, ...]:
        """The start of every step, shape (count,)."""
        return tuple(self.start + t * self.step for t in range(self.count))

    @property
    def ends(self) -> tuple[datetime, ...]:
        """The end of every step, shape (count,)."""
        return tuple(self.start + (t + 1) * self.step for t in range(self.count))

    def index_of(self, instant: datetime) -> int:
        """The step that holds an instant. Raises ValueError outside the grid."""
        if not self.start <= instant < self.end:
            raise ValueError(f"{instant.isoformat()} is outside [{self.start.isoformat()}, {self.end.isoformat()})")
        return int((instant - self.start) / self.step)


def hourly_grid(now: datetime, hours: int) -> TimeGrid:
    """`hours` whole hours from the start of the hour that holds `now`."""
    return TimeGrid(now.astimezone(UTC).replace(minute=0, second=0, microsecond=0), timedelta(hours=1), hours)


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant a local day begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def local_day(day: date, zone: ZoneInfo) -> TimeGrid:
    """The 23, 24 or 25 hours of a local day."""
    start = local_midnight(day, zone)
    hours = (local_midnight(day + timedelta(days=1), zone) - start) // timedelta(hours=1)
    return TimeGrid(start, timedelta(hours=1), hours)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The local date of an instant."""
    return instant.astimezone(zone).date()


def hour_ending(start: datetime, zone: ZoneInfo) -> int:
    """The hour-ending label (1 … 23, 24 or 25) of the hour that begins at `start`, in its local day."""
    midnight = local_midnight(local_date(start, zone), zone)
    return (start - midnight) // timedelta(hours=1) + 1

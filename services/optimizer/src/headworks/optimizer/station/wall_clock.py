"""Steps by the local clock: people shower and markets peak by it, and twice a year it jumps against the steps of a plan.

A wall step is a step as the local clock counts them from a start. Without a change of the clock in between both are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class WallClock:
    """The local clock about a start."""

    start: datetime
    step: timedelta
    zone: ZoneInfo

    def past(self, values: Sequence[float | None]) -> tuple[float | None, ...]:
        """Values by step up to the start, oldest first, by wall step: that of the hour which came twice is the later one's, that
        of the hour which was left out the next one's; None where it would be before the first.
        """
        count = len(values)
        places = (count - k + self._ahead_of(self.start - k * self.step) for k in range(count, 0, -1))
        return tuple(values[min(place, count - 1)] if place >= 0 else None for place in places)

    def ahead(self, count: int) -> tuple[int, ...]:
        """The wall step of each step from the start on: the hour that comes twice has the same ones."""
        return tuple(max(0, t - self._ahead_of(self.start + t * self.step)) for t in range(count))

    def _ahead_of(self, at: datetime) -> int:
        """By how many steps the clock at the start is ahead of the clock at an instant."""
        return round((self._offset(self.start) - self._offset(at)) / self.step)

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self.zone).utcoffset() or timedelta(0)

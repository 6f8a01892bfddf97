"""What a plant's historian keeps: a reading on every whole minute, and the attribute paths under which PI gives it."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Tag:
    """An attribute: the plant's own name of the value, its unit as PI writes it, and the names of its states if it has such."""

    name: str
    unit: str
    states: Mapping[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the plant measures at an instant, by its own names."""

    at: datetime
    values: dict[str, float]


class Historian:
    """The record of a plant, oldest first, for so long; `tags` are the attributes by path."""

    def __init__(self, tags: Mapping[str, Tag], keeps: timedelta) -> None:
        self.tags, self._keeps = tags, keeps
        self.history: list[Reading] = []

    def keep(self, reading: Reading) -> None:
        """Add the newest reading; what is too old goes, an hour at a time."""
        self.history.append(reading)
        oldest = reading.at - self._keeps
        if self.history[0].at < oldest - timedelta(hours=1):
            del self.history[: bisect_left(self.history, oldest, key=lambda r: r.at)]

    def value_at(self, name: str, at: datetime) -> float | None:
        """The recorded value at or before an instant; None before the record begins."""
        i = bisect_left(self.history, at, key=lambda r: r.at)
        if i < len(self.history) and self.history[i].at == at:
            return self.history[i].values[name]
        return self.history[i - 1].values[name] if i > 0 else None

    def mean(self, name: str, start: datetime, end: datetime) -> float | None:
        """The time-weighted mean over [start, end); None without a reading in it."""
        i, j = (bisect_left(self.history, t, key=lambda r: r.at) for t in (start, end))
        inside = [r.values[name] for r in self.history[i:j]]
        return sum(inside) / len(inside) if inside else None

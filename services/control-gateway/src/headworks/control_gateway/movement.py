"""How far a setpoint may move within a longer window, whatever the rate allows at each step: pure, in counts.

A bound on the window alone, refilled bit by bit, would let twice as much pass over some windows. So what the PLC held is
remembered, and a new setpoint must lie within `counts` of everything that was held within the window.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

STRETCHES = 60
"""Into so many a window is divided: what was held within one of them is remembered as its lowest and its highest."""


@dataclass(frozen=True, slots=True)
class MaxChange:
    """At most so many counts within any so many seconds. Raises ValueError naming the field that cannot be right."""

    counts: int
    within_s: float

    def __post_init__(self) -> None:
        """Refuse what would allow no step, or bound none."""
        if self.counts < 1:
            raise ValueError(f"max_change.at_most={self.counts} counts must be at least 1")
        if not (isfinite(self.within_s) and self.within_s > 0):
            raise ValueError(f"max_change.within={self.within_s:g} s must be above zero")


@dataclass(frozen=True, slots=True)
class Held:
    """The lowest and the highest that was held in a stretch of time [counts]; the last of it until `until`."""

    lowest: int
    highest: int
    since: datetime
    until: datetime


def with_seen(limit: MaxChange, held: tuple[Held, ...], counts: int, now: datetime) -> tuple[Held, ...]:
    """What was held within the window, now that the PLC is seen to hold `counts`.

    What was seen last may have been held until now, so it counts until now, however long nobody looked.
    """
    if not held:
        return (Held(counts, counts, now, now),)
    *earlier, last = held
    recent = _recent(limit, earlier, now)
    if (now - last.since).total_seconds() < limit.within_s / STRETCHES:
        return (*recent, Held(min(last.lowest, counts), max(last.highest, counts), last.since, now))
    return (*recent, replace(last, until=now), Held(counts, counts, now, now))


def reach(limit: MaxChange, held: Iterable[Held], now: datetime) -> tuple[int, int]:
    """The lowest and the highest that may be written now. The first lies above the second where nothing may."""
    recent = _recent(limit, held, now)
    return max(h.highest for h in recent) - limit.counts, min(h.lowest for h in recent) + limit.counts


def _recent(limit: MaxChange, held: Iterable[Held], now: datetime) -> tuple[Held, ...]:
    return tuple(h for h in held if (now - h.until).total_seconds() <= limit.within_s)

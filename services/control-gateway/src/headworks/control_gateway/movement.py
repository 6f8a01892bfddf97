"""How far a setpoint may move within a longer window, whatever the rate allows at each step: pure, in counts.

A bound on the window alone, refilled bit by bit, would let twice as much pass over some windows. So what the PLC held is
remembered, and a new setpoint must lie within `counts` of everything that was held within the window. Of two gateways one
does not see all that the other writes; then all that it may have written counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, isfinite

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


def with_unseen(
    limit: MaxChange, rate_per_s: float, held: tuple[Held, ...], counts: int, now: datetime
) -> tuple[Held, ...]:
    """What may have been held within the window, where another gateway may have led unseen until `counts` was seen now.

    It kept to the same limits: from what was seen before, and from what is seen now, it was no further away than the rate gives
    in that time, and than the change within the window. Wherever it may have been counts as held.
    """
    begin = now - timedelta(seconds=limit.within_s)
    low = high = counts
    if held and held[-1].until >= begin:
        begin, low, high = held[-1].until, held[-1].lowest, held[-1].highest
    away = min(limit.counts, ceil(rate_per_s * (now - begin).total_seconds()) + 1)
    highest, lowest = max(counts, min(high, counts) + away), min(counts, max(low, counts) - away)
    return with_seen(limit, with_seen(limit, held, lowest, now), highest, now)


def reach(limit: MaxChange, held: Iterable[Held], now: datetime) -> tuple[int, int]:
    """The lowest and the highest that may be written now. The first lies above the second where nothing may."""
    recent = _recent(limit, held, now)
    return max(h.highest for h in recent) - limit.counts, min(h.lowest for h in recent) + limit.counts


def _recent(limit: MaxChange, held: Iterable[Held], now: datetime) -> tuple[Held, ...]:
    return tuple(h for h in held if (now - h.until).total_seconds() <= limit.within_s)

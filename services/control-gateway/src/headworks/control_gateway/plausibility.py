"""Whether what a PLC says of its machine can be true: pure, in counts.

Three doubts. A measured value that jumps faster than the machine can change says nothing for a while. One that stands still
while its setpoint moves, and one that stays far from its setpoint, leave one thing to do: to go toward what is measured.
"""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite


@dataclass(frozen=True, slots=True)
class PlausibleLimits:
    """What is believed, in counts and seconds. Raises ValueError naming the field that cannot be right.

    `still` is how far the setpoint may move while the machine stands still: its deadband.
    """

    fastest_per_s: float
    doubted_for_s: float
    still: int
    frozen_after_s: float
    apart: int
    apart_for_s: float

    def __post_init__(self) -> None:
        """Refuse what would doubt all or nothing."""
        for name in ("fastest_per_s", "doubted_for_s", "frozen_after_s", "apart_for_s"):
            value: float = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"plausible.{name}={value:g} must be above zero")
        if self.apart <= self.still:
            raise ValueError(f"plausible.apart={self.apart} counts must be above the deadband, {self.still}")


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a machine: the last reading, and since when something is odd about it.

    `held_at_change` is what the PLC held when the reading last changed.
    """

    actual: int
    at: datetime
    held_at_change: int
    jumped_at: datetime | None = None
    still_since: datetime | None = None
    apart_since: datetime | None = None


def watched(limits: PlausibleLimits, before: Watched | None, held: int, actual: int, at: datetime) -> Watched:
    """What is known once a machine is read: the PLC holds `held`, the machine gives `actual`."""
    apart_since = None if before is None else before.apart_since
    apart_since = (apart_since or at) if abs(held - actual) > limits.apart else None
    if before is None:
        return Watched(actual, at, held, apart_since=apart_since)
    jumped_at = at if _is_jump(limits, before, actual, at) else before.jumped_at
    if actual != before.actual:
        return Watched(actual, at, held, jumped_at=jumped_at, apart_since=apart_since)
    moved = abs(held - before.held_at_change) > limits.still
    still_since = (before.still_since or at) if moved else None
    return Watched(actual, at, before.held_at_change, jumped_at, still_since, apart_since)


def jumped(limits: PlausibleLimits, seen: Watched, now: datetime) -> str | None:
    """Why the measured value says nothing now, if it does not."""
    if seen.jumped_at is None or (now - seen.jumped_at).total_seconds() >= limits.doubted_for_s:
        return None
    return f"the measured value jumped to {seen.actual} counts, faster than the machine can change"


def does_not_follow(limits: PlausibleLimits, seen: Watched, now: datetime) -> str | None:
    """Why the machine is not believed to follow its setpoint, if it is not."""
    if _lasts(seen.still_since, limits.frozen_after_s, now):
        return f"the measured value stands still at {seen.actual} counts while the setpoint has moved"
    if _lasts(seen.apart_since, limits.apart_for_s, now):
        return f"the machine gives {seen.actual} counts, far from its setpoint for {limits.apart_for_s:g} s"
    return None


def _is_jump(limits: PlausibleLimits, before: Watched, actual: int, at: datetime) -> bool:
    """One count more is allowed than the machine can change: both readings are rounded."""
    elapsed_s = max(0.0, (at - before.at).total_seconds())
    return abs(actual - before.actual) > limits.fastest_per_s * elapsed_s + 1


def _lasts(since: datetime | None, for_s: float, now: datetime) -> bool:
    return since is not None and (now - since).total_seconds() >= for_s

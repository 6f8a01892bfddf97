"""What the pumps of a site owe to the tunnel whatever the plan says: pure decisions on its level and on which pumps run.

Low-low: no pump may run dry. High-high: so many pumps run, before the tunnel floods. At all other times: never without pumps.
One PLC that is away, or one reading that is wrong, must neither stop the station nor start it for nothing: what was seen
lately still counts before a pump is called, and only what is seen now counts before one may stop.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from headworks.control_gateway.safety import CLOCKS_DIFFER_S


@dataclass(frozen=True, slots=True)
class InterlockLimits:
    """Levels in counts of the level registers. Raises ValueError naming the field that cannot be right.

    `lowest` and `highest` bound what a level register can truly say. `order` is the order in which pumps are called.
    """

    lowest: int
    highest: int
    low_low: int
    low_low_released: int
    high_high: int
    high_high_released: int
    high_high_pumps: int
    minimum_pumps_on: int
    seen_within_s: float
    start_takes_s: float
    order: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse interlocks that overlap or ask more pumps than there are."""
        low, high = (self.low_low, self.low_low_released), (self.high_high_released, self.high_high)
        levels = (self.lowest, *low, *high, self.highest)
        rising = all(below < above for below, above in pairwise(levels[1:]))
        if self.lowest > self.low_low or not rising:
            raise ValueError(
                "level.minimum <= low_low.stop_below < low_low.release_above < high_high.release_below < "
                f"high_high.start_above < level.maximum must hold; got {', '.join(map(str, levels))} counts"
            )
        if not self.minimum_pumps_on <= self.high_high_pumps <= len(self.order):
            raise ValueError(
                f"high_high.pumps={self.high_high_pumps} must be {self.minimum_pumps_on} (minimum_pumps_on) to "
                f"{len(self.order)}, the pumps of start_order"
            )


@dataclass(frozen=True, slots=True)
class LevelReading:
    """The last plausible level that a PLC gave [counts], and when."""

    counts: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Tripped:
    """Which interlocks are in force."""

    low_low: bool = False
    high_high: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What a pump was last told, to run or to stand, and when."""

    on: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class PumpSeen:
    """What is known of a pump. `running` and `commanded` were read at `seen_at`; None with the gateway's begin: never yet.

    One that is not `available` is not called: somebody works on it, the PLC leads it, or an interlock stops it.
    """

    resource: str
    running: bool | None
    commanded: bool | None
    seen_at: datetime
    reachable: bool
    rested: bool
    ordered: Order | None = None
    available: bool = True


def is_plausible(limits: InterlockLimits, counts: int) -> bool:
    """Whether a level register can truly say so."""
    return limits.lowest <= counts <= limits.highest


def level_of(limits: InterlockLimits, readings: Iterable[LevelReading], now: datetime) -> int | None:
    """The level [counts]: the highest of the fresh readings, for one that is too low must not stop a station that fills."""
    fresh = (r.counts for r in readings if _is_recent(r.at, limits.seen_within_s, now))
    return max(fresh, default=None)


def tripped(limits: InterlockLimits, before: Tripped, level: int | None) -> Tripped:
    """Which interlocks are in force at a level, each from its limit until its release.

    Without a level nobody can say that the tunnel is empty, so low-low is released, nor that it is no longer full, so high-high
    stays.
    """
    if level is None:
        return Tripped(high_high=before.high_high)
    return Tripped(
        low_low=level < limits.low_low or (before.low_low and level <= limits.low_low_released),
        high_high=level > limits.high_high or (before.high_high and level >= limits.high_high_released),
    )


def called(limits: InterlockLimits, now_tripped: Tripped, pumps: Sequence[PumpSeen], now: datetime) -> str | None:
    """The pump that must start next, whatever the plan says: a rested one first, then by the order of the site file."""
    if now_tripped.low_low:
        return None
    wanted = limits.high_high_pumps if now_tripped.high_high else limits.minimum_pumps_on
    if sum(_may_run(limits, pump, now) for pump in pumps) >= wanted:
        return None
    ready = [
        p
        for p in pumps
        if p.available and p.reachable and p.running is False and not p.commanded and not _may_run(limits, p, now)
    ]
    # One that was told to run and still stands has failed: it is tried last.
    ready.sort(key=lambda p: (_was_told_to_run(p), not p.rested, limits.order.index(p.resource)))
    return ready[0].resource if ready else None


def is_needed(limits: InterlockLimits, resource: str, pumps: Iterable[PumpSeen], now: datetime) -> bool:
    """Whether too few others are seen to run for this pump to stop."""
    others = sum(_surely_runs(limits, pump, now) for pump in pumps if pump.resource != resource)
    return others < limits.minimum_pumps_on


def _may_run(limits: InterlockLimits, pump: PumpSeen, now: datetime) -> bool:
    """Whether a pump counts as on before another is called: it was seen to run lately, or was just told to."""
    told = pump.ordered
    if told is not None and _is_recent(told.at, limits.start_takes_s, now):
        return told.on
    return pump.running is not False and _is_recent(pump.seen_at, limits.seen_within_s, now)


def _surely_runs(limits: InterlockLimits, pump: PumpSeen, now: datetime) -> bool:
    """Whether a pump counts as on before another stops: it is seen to run, and was not just told to stop."""
    told = pump.ordered
    stopping = told is not None and not told.on and _is_recent(told.at, limits.start_takes_s, now)
    return pump.reachable and pump.running is True and not stopping


def _was_told_to_run(pump: PumpSeen) -> bool:
    return pump.ordered is not None and pump.ordered.on


def _is_recent(at: datetime, within_s: float, now: datetime) -> bool:
    return -CLOCKS_DIFFER_S <= (now - at).total_seconds() <= within_s

"""What is known of the pumps of a site together: the tunnel's level, who runs, who was told to, which interlocks are in force.

It is one picture for all PLCs of the site. Between two waits of the event loop nothing changes in it, and an order is entered
before its write begins: so two PLCs never stop the last two pumps at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from headworks.control_gateway.interlocks import (
    LevelReading,
    Order,
    PumpSeen,
    Tripped,
    called,
    is_needed,
    is_plausible,
    level_of,
    tripped,
)
from headworks.control_gateway.known import Running
from headworks.control_gateway.pump_limits import PumpLimits
from headworks.control_gateway.pump_safety import Duty, RunFeedback
from headworks.control_gateway.runs import RunBook


class Station:
    """The pumps of one site."""

    def __init__(self, limits: PumpLimits, resources: Sequence[str], runs: RunBook, begun_at: datetime) -> None:
        self.limits, self._runs = limits, runs
        self._levels: dict[str, LevelReading] = {}
        self._since: dict[str, datetime] = {}
        self._pumps = {name: _unseen(name, begun_at) for name in resources}
        self.tripped = Tripped()
        self.started_at: datetime | None = None

    def saw_level(self, plc: str, counts: int, now: datetime) -> None:
        """A level register was read; one that cannot be right leaves the last reading, which grows old."""
        if is_plausible(self.limits.interlocks, counts):
            self._levels[plc] = LevelReading(counts, now)

    def level_m(self, now: datetime) -> float | None:
        """The tunnel's level; None when it is not known."""
        counts = level_of(self.limits.interlocks, self._levels.values(), now)
        return None if counts is None else self.limits.level.metres(counts)

    def saw(self, resource: str, pump: Running, now: datetime) -> RunFeedback:
        """A pump was read."""
        since = self._runs.saw(resource, pump.running, now, pump.in_state_s or 0.0)
        before = self._pumps[resource]
        ordered_here = before.ordered is not None and before.ordered.on
        if pump.running and before.running is False and not ordered_here:
            self.started_at = now  # by hand, or by the other gateway
        done = before.ordered is not None and before.ordered.on == pump.running
        self._since[resource] = since
        self._pumps[resource] = replace(
            before,
            running=pump.running,
            commanded=pump.commanded,
            seen_at=now,
            reachable=True,
            ordered=None if done else before.ordered,
        )
        return RunFeedback(pump.running, since, pump.commanded, now)

    def keep_runs(self, by: timedelta) -> None:
        """Keep what a new loop finds of this one, by another time. Raises OSError."""
        self._runs.keep(by)

    def lost(self, resource: str) -> None:
        """A pump could not be read."""
        self._pumps[resource] = replace(self._pumps[resource], reachable=False)

    def set_available(self, resource: str, available: bool) -> None:
        """Whether the pump may be called: nobody works on it, the gateway leads it, and no interlock stops it."""
        if self._pumps[resource].available is not available:
            self._pumps[resource] = replace(self._pumps[resource], available=available)

    def ordered(self, resource: str, on: bool, now: datetime) -> Callable[[], None]:
        """A pump is about to be told to run or to stand, or was tried to be. Gives what takes the order back, unwritten."""
        order, before, started_at = Order(on, now), self._pumps[resource].ordered, self.started_at
        self._pumps[resource] = replace(self._pumps[resource], ordered=order)
        if on:
            self.started_at = now

        def take_back() -> None:
            if self._pumps[resource].ordered is order:
                self._pumps[resource] = replace(self._pumps[resource], ordered=before)
            if on and self.started_at == now:
                self.started_at = started_at

        return take_back

    def order_of(self, resource: str) -> Order | None:
        """What the pump was last told and has not done yet."""
        return self._pumps[resource].ordered

    def duty(self, resource: str, now: datetime) -> Duty:
        """What the site asks of a pump now."""
        limits = self.limits.interlocks
        level = level_of(limits, self._levels.values(), now)
        self.tripped = tripped(limits, self.tripped, level)
        pumps = [replace(pump, rested=self._is_rested(pump, now)) for pump in self._pumps.values()]
        return Duty(
            low_low=self.tripped.low_low,
            high_high=self.tripped.high_high,
            called=resource == called(limits, self.tripped, pumps, now),
            needed=is_needed(limits, resource, pumps, now),
            level_known=level is not None,
        )

    def _is_rested(self, pump: PumpSeen, now: datetime) -> bool:
        since = self._since.get(pump.resource, now)
        return pump.running is False and (now - since).total_seconds() >= self.limits.runs.minimum_rest_s


def _unseen(resource: str, begun_at: datetime) -> PumpSeen:
    return PumpSeen(resource, running=None, commanded=None, seen_at=begun_at, reachable=False, rested=False)

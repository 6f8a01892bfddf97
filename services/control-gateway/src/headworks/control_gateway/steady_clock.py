"""Plant time that nobody can set: it goes on by the machine's own seconds, and follows the wall clock as slowly as one is slewed.

What the rate has earned, what was held within a window, how old a reading is: all are differences of two instants. A wall clock
that is stepped between the two makes them wrong. This one is not stepped; it says how far the wall clock has gone away from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headworks.common.clock import Clock
from headworks.control_gateway.lease import seconds

STEP_S = 1.0
"""So far away the wall clock was stepped, in real time."""
SLEW = 0.001
"""How much faster or slower it goes to come to the wall clock: twice what a time service slews at most."""


@dataclass(slots=True)
class _Anchor:
    """An instant, and the machine's second in which it was."""

    at: datetime
    at_s: float


@dataclass(frozen=True, slots=True)
class SteadyClock(Clock):
    """Begins with the wall clock as it is, or at an instant that is given. Make it with `beside`."""

    wall: Clock = field(default_factory=Clock)
    clock_s: Callable[[], float] = seconds
    begun_at: datetime | None = None
    _anchor: _Anchor = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        object.__setattr__(self, "_anchor", _Anchor(self.begun_at or self.wall.now(), self.clock_s()))

    @staticmethod
    def beside(wall: Clock, clock_s: Callable[[], float] = seconds, begun_at: datetime | None = None) -> "SteadyClock":
        """One that goes as fast as the wall clock, which may be a scaled one."""
        return SteadyClock(wall.epoch, wall.wall_epoch_s, wall.speed, wall, clock_s, begun_at)

    def now(self) -> datetime:
        """The plant's instant, aware UTC."""
        return self._anchor.at + timedelta(seconds=(self.clock_s() - self._anchor.at_s) * self.speed)

    def follow(self) -> timedelta | None:
        """Come nearer to the wall clock, never backwards; how far away it is, where it was stepped."""
        at, at_s = self.now(), self.clock_s()
        away = self.wall.now() - at
        if abs(away) > timedelta(seconds=STEP_S * self.speed):
            return away
        most = timedelta(seconds=SLEW * self.speed * (at_s - self._anchor.at_s))
        self._anchor.at, self._anchor.at_s = at + max(-most, min(most, away)), at_s
        return None

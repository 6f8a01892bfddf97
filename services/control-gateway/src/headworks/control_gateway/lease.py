"""Who may write a site's PLCs: pure decisions on a lease, in seconds of a clock that goes on while the machine sleeps.

A holder counts from before it sent its renewal, another gateway from when it heard of it: so a lease is never free for the one
before it is over for the other, and no two clocks are compared. A frozen process and a PLC's epoch are `fencing`'s matter.
"""

import sys
import time
from dataclasses import dataclass
from typing import assert_never

from headworks.common.messages import Lease

EPOCHS = 65535
"""Epochs go from 1 to this and round, as one register holds them; 0 is what a PLC holds that restarted."""


def seconds() -> float:
    """A clock that no one sets and that goes on while the machine is suspended (CLOCK_MONOTONIC stands still then)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest lease that was heard of, its place in the stream, and when it was first heard of."""

    lease: Lease
    place: int
    at_s: float

    @property
    def readable(self) -> Lease:
        """The newest lease that could be read."""
        return self.lease

    @property
    def epoch(self) -> int:
        """The newest epoch that it may stand for."""
        return self.lease.epoch


@dataclass(frozen=True, slots=True)
class Unread:
    """The newest lease, which cannot be read: garbage, or the true one of a newer version. So it counts as held.

    For `valid_s` from when it was heard: nobody can say what it says. `readable` is the last one that could be read.
    """

    readable: Lease | None
    place: int
    at_s: float
    valid_s: float

    @property
    def epoch(self) -> int:
        """The newest epoch that it may stand for: a claim's, so the one after the last that was read."""
        return 0 if self.readable is None else next_epoch(self.readable.epoch)


@dataclass(frozen=True, slots=True)
class Held:
    """A lease of one's own: until when it is surely nobody else's, and its place in the stream."""

    epoch: int
    place: int
    until_s: float


def is_free(seen: Seen | Unread | None, now_s: float) -> bool:
    """Whether nobody can hold the lease any more. One that nobody ever heard of is: the stream refuses who is wrong."""
    match seen:
        case None:
            return True
        case Seen(lease=lease, at_s=at_s):
            return lease.released or now_s - at_s > lease.valid_s
        case Unread(at_s=at_s, valid_s=valid_s):
            return now_s - at_s > valid_s
        case _:
            assert_never(seen)


def next_epoch(*known: int) -> int:
    """The epoch after all that are known."""
    newest = 0
    for epoch in known:
        if newest == 0 or is_newer(epoch, newest):
            newest = epoch
    return newest % EPOCHS + 1


def is_newer(one: int, other: int) -> bool:
    """Whether an epoch came after another, within half a round; none (0) is older than any."""
    if 0 in {one, other}:
        return one != 0 and other == 0
    return 0 < (one - other) % EPOCHS <= EPOCHS // 2

"""Who may write a site's PLCs: pure decisions on a lease, in seconds of a clock that goes on while the machine sleeps.

A holder counts from before it sent its renewal, another gateway from when it heard of it: so a lease is never free for the one
before it is over for the other, and no two clocks are compared. A frozen process and a PLC's epoch are `fencing`'s matter.
"""

import sys
import time
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Held:
    """A lease of one's own: until when it is surely nobody else's, and its place in the stream."""

    epoch: int
    place: int
    until_s: float


def is_free(seen: Seen | None, now_s: float) -> bool:
    """Whether nobody can hold the lease any more. One that nobody ever heard of is: the stream refuses who is wrong."""
    return seen is None or seen.lease.released or now_s - seen.at_s > seen.lease.valid_s


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

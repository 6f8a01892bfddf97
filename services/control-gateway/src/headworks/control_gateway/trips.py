"""Interlocks that a site file writes as conditions: whether each is tripped, and what that means for an actuator. Pure.

One is tripped from when its condition holds until its release does. What is not known trips it, unless the site file says that
it shall be ignored; it never releases it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from headworks.control_gateway.expressions import Condition, Memory, evaluate

Action = Literal["stop", "refuse", "hold", "value"]
STRONGEST_FIRST: tuple[Action, ...] = ("stop", "refuse", "hold", "value")


@dataclass(frozen=True, slots=True)
class Interlock:
    """`counts` is what `value` asks of each actuator; `when_text` is as the site file has it, for people.

    `points` are those that the conditions ask; what was read longer than `stale_after_s` ago is not known.
    """

    name: str
    when: Condition
    when_text: str
    release: Condition | None
    action: Action
    applies_to: frozenset[str]
    counts: Mapping[str, int] = field(default_factory=dict)
    trips_when_unknown: bool = True
    points: frozenset[str] = frozenset()
    stale_after_s: float = 600.0


@dataclass(frozen=True, slots=True)
class TripState:
    """Whether an interlock is tripped, since when and why it was; and what its conditions remember."""

    tripped: bool = False
    since: datetime | None = None
    why: str = ""
    when_memory: Memory = field(default_factory=dict)
    release_memory: Memory = field(default_factory=dict)


def next_state(interlock: Interlock, before: TripState, values: Mapping[str, float | None], now: datetime) -> TripState:
    """The interlock's state, given the points' values now."""
    when, when_memory = evaluate(interlock.when, values, before.when_memory, now)
    released, release_memory = _released(interlock, when, before, values, now)
    if when or (when is None and interlock.trips_when_unknown):
        why = interlock.when_text if when else f"it is not known whether {interlock.when_text}"
        since, why = (before.since, before.why) if before.tripped else (now, why)
        return TripState(True, since, why, when_memory, release_memory)
    if before.tripped and not released:
        return replace(before, when_memory=when_memory, release_memory=release_memory)
    return TripState(when_memory=when_memory, release_memory=release_memory)


def _released(
    interlock: Interlock, when: bool | None, before: TripState, values: Mapping[str, float | None], now: datetime
) -> tuple[bool, Memory]:
    """Whether a tripped one may be released: by its release, or where it has none by its condition being false."""
    if interlock.release is None:
        return when is False, {}
    truth, memory = evaluate(interlock.release, values, before.release_memory, now)
    return truth is True, memory


def acting(interlocks: Sequence[Interlock], tripped: Iterable[str], resource: str) -> Interlock | None:
    """The strongest of the tripped interlocks of an actuator; of equal ones the first of the site file."""
    names = set(tripped)
    mine = [i for i in interlocks if i.name in names and resource in i.applies_to]
    return min(mine, key=lambda i: STRONGEST_FIRST.index(i.action), default=None)

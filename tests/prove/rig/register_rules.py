"""What registers may do over time, said apart from the gateway: limits, rate, runs and rests. Pure; wall seconds.

Of a change only two instants are known: when a look still found the old value, and when one first found the new one. Each rule
takes the instant that excuses the PLC, so a breach that is told is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise


@dataclass(frozen=True, slots=True)
class Look:
    """What a PLC's registers from 100 on held, at some instant from `asked_s` to `answered_s`."""

    asked_s: float
    answered_s: float
    holding: Sequence[int]
    measured: Sequence[int]


@dataclass(frozen=True, slots=True)
class Watched:
    """An actuator's place in its PLC's registers (offsets), and its limits in counts and wall seconds."""

    resource: str
    plc: str
    at: int
    is_pump: bool
    minimum: int
    maximum: int
    rate_per_s: float
    window_s: float
    deadband: int = 2

    def setpoint(self, look: Look) -> int:
        """The setpoint register; 0 after a restart of the PLC, until the gateway writes."""
        return look.holding[self.at]

    def actual(self, look: Look) -> int:
        """What the machine gives."""
        return look.measured[self.at]

    def runs(self, look: Look) -> bool:
        """Whether the machine turns: of a pump its run feedback, of a turbine always."""
        return not self.is_pump or look.measured[self.at + 1] == 1


@dataclass(frozen=True, slots=True)
class Change:
    """A value that was not there yet at `after_s` and was there at `by_s`."""

    after_s: float
    by_s: float
    counts: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A whole run or rest of a pump, and how long it was at most [s]; `ended_s` is when its end was seen."""

    running: bool
    most_s: float
    ended_s: float


def limit_breaches(watched: Watched, looks: Sequence[Look], restarts: Iterable[tuple[float, float]]) -> list[str]:
    """Setpoints outside the limits, and zeros that no restart of the PLC explains."""
    known = tuple(restarts)
    breaches = []
    for before, look in pairwise(looks):
        counts = watched.setpoint(look)
        if counts == 0 and watched.setpoint(before) != 0:
            if not any(begun <= look.answered_s and before.asked_s <= ended for begun, ended in known):
                breaches.append(f"{watched.resource}: 0 at {look.answered_s:.2f} without a restart of {watched.plc}")
        elif counts != 0 and not watched.minimum <= counts <= watched.maximum:
            breaches.append(f"{watched.resource}: {counts} at {look.answered_s:.2f} is outside its limits")
    return breaches


def rate_breaches(watched: Watched, looks: Sequence[Look]) -> list[str]:
    """Between any two changes while the machine turns: further than rate × time + 1 count; or a step above the window's."""
    breaches = []
    for moving in _moving(watched, looks):
        changes = _changes(watched, moving)
        for (i, earlier), (_, later) in combinations(enumerate(changes), 2):
            # Since when the first value was held before anybody looked is not known: the window bounds what counts.
            since_s = earlier.after_s - (watched.window_s if i == 0 else 0.0)
            most = watched.rate_per_s * (later.by_s - since_s) + 1
            if abs(later.counts - earlier.counts) > most:
                breaches.append(
                    f"{watched.resource}: {earlier.counts} to {later.counts} from {earlier.after_s:.2f} to "
                    f"{later.by_s:.2f}; at most {most:.2f} counts"
                )
        most_step = watched.rate_per_s * watched.window_s + 1
        breaches += [
            f"{watched.resource}: a step from {a.counts} to {b.counts} by {b.by_s:.2f}; at most {most_step:.2f} counts"
            for a, b in pairwise(changes)
            if abs(b.counts - a.counts) > most_step
        ]
    return breaches


def return_breaches(watched: Watched, looks: Sequence[Look]) -> list[str]:
    """First setpoints after a PLC's restart that do not begin at what the turning machine gave."""
    most = watched.rate_per_s * watched.window_s + 1 + watched.deadband
    return [
        f"{watched.resource}: {watched.setpoint(look)} at {look.answered_s:.2f} after 0; it gave {watched.actual(before)}"
        for before, look in pairwise(looks)
        if watched.setpoint(before) == 0 != watched.setpoint(look)
        and watched.runs(before)
        and watched.runs(look)
        and abs(watched.setpoint(look) - watched.actual(before)) > most
    ]


def stretches(watched: Watched, looks: Sequence[Look]) -> list[Stretch]:
    """The runs and rests of a pump whose both ends were seen."""
    ends = [
        (a.asked_s, b.answered_s, watched.runs(a)) for a, b in pairwise(looks) if watched.runs(a) != watched.runs(b)
    ]
    return [Stretch(ran, ended_s - begun_s, ended_s) for (begun_s, _, _), (_, ended_s, ran) in pairwise(ends)]


def is_subsequence(some: Iterable[int], whole: Iterable[int]) -> bool:
    """Whether all of `some` stand in `whole`, in that order."""
    rest = iter(whole)
    return all(any(each == other for other in rest) for each in some)


def _moving(watched: Watched, looks: Sequence[Look]) -> list[list[Look]]:
    """The parts in which the machine turns and the PLC holds a setpoint."""
    parts: list[list[Look]] = [[]]
    for look in looks:
        if watched.runs(look) and watched.setpoint(look) != 0:
            parts[-1].append(look)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _changes(watched: Watched, looks: Sequence[Look]) -> list[Change]:
    first = looks[0]
    changes = [Change(first.asked_s, first.answered_s, watched.setpoint(first))]
    for before, look in pairwise(looks):
        if watched.setpoint(look) != changes[-1].counts:
            changes.append(Change(before.asked_s, look.answered_s, watched.setpoint(look)))
    return changes

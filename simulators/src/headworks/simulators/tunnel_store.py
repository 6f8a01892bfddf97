"""The tunnel as a store: its volume by level from parabolas that follow one another, and back. In m and m³.

Below the lowest of them lies the sump, which empties evenly; the official volume says nothing of that and stays as it is.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """volume = a·x² + b·x + c with x = level − origin, between two levels."""

    from_m: float
    to_m: float
    origin_m: float
    a: float
    b: float
    c: float

    def volume_m3(self, level_m: float) -> float:
        """The volume at a level of this reach."""
        x = level_m - self.origin_m
        return (self.a * x + self.b) * x + self.c

    def level_m(self, volume_m3: float) -> float:
        """The level at a volume of this reach: the root at which the volume rises with the level."""
        rest = self.c - volume_m3
        if self.a == 0:
            return self.origin_m - rest / self.b
        root = math.sqrt(max(0.0, self.b * self.b - 4 * self.a * rest))
        return self.origin_m + (root - self.b) / (2 * self.a)


class TunnelStore:
    """The sump and, from the lowest up, the reaches of the official volume."""

    def __init__(self, official: Sequence[Reach]) -> None:
        self.observable_m3 = official[0].volume_m3(official[0].from_m)
        sump = Reach(0.0, official[0].from_m, 0.0, 0.0, self.observable_m3 / official[0].from_m, 0.0)
        self._reaches = (sump, *official)
        self.full_m3 = official[-1].volume_m3(official[-1].to_m)
        self._tops_m3 = [reach.volume_m3(reach.to_m) for reach in self._reaches]

    def volume_m3(self, level_m: float) -> float:
        """The volume at a level."""
        return next(reach for reach in self._reaches if level_m <= reach.to_m).volume_m3(level_m)

    def level_m(self, volume_m3: float) -> float:
        """The level at a volume from nothing to the full tunnel's."""
        return self._reaches[bisect_left(self._tops_m3, volume_m3, hi=len(self._tops_m3) - 1)].level_m(volume_m3)

    def official_m3(self, volume_m3: float) -> float:
        """What is told of a volume: that of the sump cannot be seen."""
        return max(volume_m3, self.observable_m3)

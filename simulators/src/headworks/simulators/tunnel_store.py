"""The tunnel as a store: its volume by level from parabolas that follow one another, and back. In m and m³."""

import math
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


@dataclass(frozen=True, slots=True)
class TunnelStore:
    """Reaches from the lowest up."""

    reaches: tuple[Reach, ...]

    @property
    def sump_m3(self) -> float:
        """What stays below the lowest observable level."""
        return self.reaches[0].volume_m3(self.reaches[0].from_m)

    @property
    def full_m3(self) -> float:
        """What the tunnel holds at most."""
        return self.reaches[-1].volume_m3(self.reaches[-1].to_m)

    def volume_m3(self, level_m: float) -> float:
        """The volume at a level."""
        return next(reach for reach in self.reaches if level_m <= reach.to_m).volume_m3(level_m)

    def level_m(self, volume_m3: float) -> float:
        """The level at a volume between the sump's and the full tunnel's."""
        reach = next((r for r in self.reaches if volume_m3 <= r.volume_m3(r.to_m)), self.reaches[-1])
        return reach.level_m(volume_m3)

"""A tunnel that stores water: level to volume both ways, by pieces of parabolas and lines that meet, and the surface.

Below the lowest piece the level says nothing of the volume: the table gives the sump's whole volume there. What a plan or a
simulation counts on there is in proportion to the level, down to nothing at the floor; the sump's shape is not known.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from headworks.waterway.curves import OutOfRange

MEETS_M3 = 1.0
"""Neighbouring pieces must agree where they meet, within this volume."""


@dataclass(frozen=True, slots=True)
class Piece:
    """volume [m³] = a·(L − origin)² + b·(L − origin) + c for from_m ≤ L ≤ to_m, rising."""

    from_m: float
    to_m: float
    origin_m: float
    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        """Refuse a piece without a range, or one that falls."""
        if not self.from_m < self.to_m:
            raise ValueError(f"from={self.from_m} m must lie below to={self.to_m} m")
        for level_m in (self.from_m, self.to_m):
            if self.area_at(level_m) < -1e-9:
                raise ValueError(f"volume falls at {level_m} m; a={self.a}, b={self.b} must let it rise")

    def area_at(self, level_m: float) -> float:
        """Surface area dV/dL [m²]."""
        return 2 * self.a * (level_m - self.origin_m) + self.b

    def volume_at(self, level_m: float) -> float:
        """Volume [m³]."""
        over_m = level_m - self.origin_m
        return (self.a * over_m + self.b) * over_m + self.c

    def level_at(self, volume_m3: float) -> float:
        """Level [m]: the root of the branch that rises."""
        if self.a == 0:
            return self.origin_m + (volume_m3 - self.c) / self.b
        discriminant = max(0.0, self.b * self.b - 4 * self.a * (self.c - volume_m3))
        return self.origin_m + (-self.b + math.sqrt(discriminant)) / (2 * self.a)


@dataclass(frozen=True, slots=True)
class TunnelVolume:
    """The pieces from the lowest to the highest level, meeting end to end."""

    pieces: tuple[Piece, ...]

    def __post_init__(self) -> None:
        """Refuse gaps and jumps."""
        if not self.pieces:
            raise ValueError("a volume curve needs at least one piece")
        for below, above in pairwise(self.pieces):
            if below.to_m != above.from_m:
                raise ValueError(f"the piece to {below.to_m} m and the piece from {above.from_m} m must meet")
            jump_m3 = above.volume_at(above.from_m) - below.volume_at(below.to_m)
            if abs(jump_m3) > MEETS_M3:
                raise ValueError(f"the volume jumps by {jump_m3:.1f} m³ at {above.from_m} m")

    @property
    def lowest_m(self) -> float:
        """The level below which the volume says nothing."""
        return self.pieces[0].from_m

    @property
    def sump_m3(self) -> float:
        """The volume at the lowest observable level, and below it."""
        return self.pieces[0].volume_at(self.lowest_m)

    @property
    def full_m3(self) -> float:
        """The volume at the highest level."""
        return self.pieces[-1].volume_at(self.pieces[-1].to_m)

    def volume_at(self, level_m: float) -> float:
        """Volume [m³]; the sump's below the lowest level. Raises OutOfRange."""
        if not 0 <= level_m <= self.pieces[-1].to_m:
            raise OutOfRange(f"level {level_m:.3f} m is outside the tunnel's 0 to {self.pieces[-1].to_m:.3f} m")
        if level_m <= self.lowest_m:
            return self.sump_m3
        return self._piece_to(level_m).volume_at(level_m)

    def water_at(self, level_m: float) -> float:
        """Volume [m³] to count on at a level: the table's, and within the sump in proportion, as `level_at` has it.

        Raises OutOfRange.
        """
        volume_m3 = self.volume_at(level_m)
        return volume_m3 if level_m >= self.lowest_m else volume_m3 * level_m / self.lowest_m

    def level_at(self, volume_m3: float) -> float:
        """Level [m]; within the sump in proportion to its volume. Raises OutOfRange."""
        if not 0 <= volume_m3 <= self.full_m3:
            raise OutOfRange(f"volume {volume_m3:.0f} m³ is outside the tunnel's 0 to {self.full_m3:.0f} m³")
        if volume_m3 < self.sump_m3:
            return self.lowest_m * volume_m3 / self.sump_m3
        piece = next(p for p in self.pieces if volume_m3 <= p.volume_at(p.to_m))
        return max(piece.from_m, piece.level_at(volume_m3))

    def area_at(self, level_m: float) -> float:
        """Surface area dV/dL [m²]; zero in the sump."""
        return 0.0 if level_m <= self.lowest_m else self._piece_to(level_m).area_at(level_m)

    def _piece_to(self, level_m: float) -> Piece:
        return next(piece for piece in self.pieces if level_m <= piece.to_m)

"""Stage-storage both ways: a monotone parabola between the lowest and highest surveyed elevation."""

import math
from dataclasses import dataclass


class OutOfRange(ValueError):
    """A value lies outside the curve; nothing is extrapolated."""


@dataclass(frozen=True, slots=True)
class StageStorage:
    """storage [m³] = a·h² + b·h + c with h [m], for lowest_m ≤ h ≤ highest_m, where it must rise."""

    a: float
    b: float
    c: float
    lowest_m: float
    highest_m: float

    def __post_init__(self) -> None:
        """Refuse a curve that falls, is flat, or has no range."""
        if self.a <= 0:
            raise ValueError(f"stage_storage.a={self.a} must be above zero")
        if not self.lowest_m < self.highest_m:
            raise ValueError(f"lowest={self.lowest_m} m must lie below highest={self.highest_m} m")
        if self.area_at(self.lowest_m) <= 0:
            raise ValueError(
                f"storage falls at lowest={self.lowest_m} m; the lowest must lie above {-self.b / self.a / 2}"
            )

    def area_at(self, elevation_m: float) -> float:
        """Surface area dV/dh [m²]."""
        return 2 * self.a * elevation_m + self.b

    def storage_at(self, elevation_m: float) -> float:
        """Storage [m³]. Raises OutOfRange."""
        if not self.lowest_m <= elevation_m <= self.highest_m:
            raise OutOfRange(
                f"elevation {elevation_m:.3f} m is outside the curve's {self.lowest_m:.3f} to {self.highest_m:.3f} m"
            )
        return (self.a * elevation_m + self.b) * elevation_m + self.c

    def elevation_at(self, storage_m3: float) -> float:
        """Elevation [m], the upper root. Raises OutOfRange."""
        low, high = self.storage_at(self.lowest_m), self.storage_at(self.highest_m)
        if not low <= storage_m3 <= high:
            raise OutOfRange(f"storage {storage_m3:.0f} m³ is outside the curve's {low:.0f} to {high:.0f} m³")
        discriminant = self.b * self.b - 4 * self.a * (self.c - storage_m3)
        return (-self.b + math.sqrt(discriminant)) / (2 * self.a)

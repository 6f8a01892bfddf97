"""Quantities of a site file as numbers: the outside world's own reading of them."""

import pint

_units: pint.UnitRegistry[float] = pint.UnitRegistry()
_units.define("cfs = foot ** 3 / second")
_units.define("acre_ft = 43560 * foot ** 3")


def in_unit(text: str, unit: str) -> float:
    """A quantity as a number of `unit`. Raises pint.DimensionalityError where it measures something else."""
    return float(_units.Quantity(text).to(unit).magnitude)

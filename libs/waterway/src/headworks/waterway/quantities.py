"""Quantities as people write them, "1168 ft", as SI numbers inside; the dimension is checked where they are read.

The unit registry is pint's with the field's units: cfs (cubic feet per second) and acre_ft (43,560 cubic feet).
"""

import math
from functools import lru_cache
from typing import Annotated

import pint
from pydantic import BeforeValidator

_registry: pint.UnitRegistry[float] = pint.UnitRegistry()
_registry.define("cfs = foot ** 3 / second")
_registry.define("acre_ft = 43560 * foot ** 3")
_registry.define("EUR = [currency] = euro")
REMEMBERED = 4096
"""Readings that are kept: pint takes half a millisecond for one, and a site of a thousand actuators writes few of them anew."""


def in_unit(text: object, unit: str) -> float:
    """The quantity as a number of `unit`. Raises ValueError naming the value and what would be right."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} has no unit; write a quantity that converts to {unit}, such as '1 {unit}'")
    return _read(text, unit)


@lru_cache(REMEMBERED)
def _read(text: str, unit: str) -> float:
    if not any(character.isdigit() for character in text):
        raise ValueError(f"{text!r} has no number; it must convert to {unit}")
    try:
        value = float(_registry.Quantity(text).to(unit).magnitude)
    except pint.DimensionalityError as error:
        raise ValueError(f"{text!r} is a {error.dim1 or 'number without unit'}; it must convert to {unit}") from error
    except (pint.PintError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(f"{text!r} cannot be read as a quantity; it must convert to {unit} ({error})") from error
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number; it must convert to {unit}")
    return value


def from_si(value: float, si_unit: str, unit: str) -> float:
    """A number of `si_unit` as a number of `unit`, for display."""
    return float(_registry.Quantity(value, si_unit).to(unit).magnitude)


@lru_cache(REMEMBERED)
def check_unit(unit: str, si_unit: str) -> str:
    """The unit's name again. Raises ValueError when it is unknown or does not measure what `si_unit` does."""
    try:
        known = _registry.Unit(unit).is_compatible_with(si_unit)
    except (pint.PintError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{unit!r} is no known unit; it must convert to {si_unit}") from error
    if not known:
        raise ValueError(f"{unit!r} does not convert to {si_unit}")
    return unit


def _quantity(unit: str) -> BeforeValidator:
    return BeforeValidator(lambda text: in_unit(text, unit))


Metres = Annotated[float, _quantity("m")]
CubicMetres = Annotated[float, _quantity("m**3")]
CubicMetresPerSecond = Annotated[float, _quantity("m**3/s")]
Megawatts = Annotated[float, _quantity("MW")]
MegawattsPerMinute = Annotated[float, _quantity("MW/min")]
MegawattsPerMetre = Annotated[float, _quantity("MW/m")]
MegawattsPerFlow = Annotated[float, _quantity("MW/(m**3/s)")]
MegawattsPerFlowSquared = Annotated[float, _quantity("MW/(m**3/s)**2")]
MetresPerFlow = Annotated[float, _quantity("m/(m**3/s)")]
MetresPerFlowSquared = Annotated[float, _quantity("m/(m**3/s)**2")]
Hertz = Annotated[float, _quantity("Hz")]
FlowPerMegawatt = Annotated[float, _quantity("m**3/s/MW")]
FlowPerMegawattSquared = Annotated[float, _quantity("m**3/s/MW**2")]
SquareMetres = Annotated[float, _quantity("m**2")]
CubicMetresPerSquareMetre = Annotated[float, _quantity("m")]
Seconds = Annotated[float, _quantity("s")]

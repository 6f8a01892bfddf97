"""The points of a PLC, ready to be read and written, and the one list of those that may be written; pure.

A point's `number` is what its registers hold; its value is number x scale + offset, in `unit`. Control works in whole
**counts**: a count is one of the number, or one `step` where a point has steps (a float must have them to be controlled by).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Literal, NoReturn, Self, SupportsIndex, final

from headworks.control_gateway.encoding import RANGES, Encoding

Table = Literal["holding", "input", "coil", "discrete"]
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, READ_WRITE_REGISTERS = 5, 6, 15, 16, 23
READ_FUNCTIONS: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a PLC. `address` counts from 0, as on the wire; `minimum` and `maximum` are values, not counts."""

    name: str
    plc: str
    unit_id: int
    table: Table
    address: int
    encoding: Encoding = field(default_factory=Encoding)
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    step: float = 1.0
    minimum: float | None = None
    maximum: float | None = None

    @property
    def past_end(self) -> int:
        """The first address behind it."""
        return self.address + self.encoding.width

    @property
    def is_plain(self) -> bool:
        """Whether it is the whole number that its registers hold, and one count is one of it."""
        return not self.encoding.is_float and (self.scale, self.offset, self.step) == (1, 0, 1)

    def counts(self, registers: tuple[int, ...]) -> int:
        """The registers in counts. Raises ValueError where they hold no number, or one that cannot be."""
        return round(self.number(registers) / self.step)

    def number(self, registers: tuple[int, ...]) -> float:
        """What the registers hold. Raises ValueError where that is no number, or outside what the point can be."""
        number = self.encoding.decode(registers)
        if self.minimum is None and self.maximum is None:
            return number
        value = self.value_of(number)
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"it reads {value:g} {self.unit}, below its minimum {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"it reads {value:g} {self.unit}, above its maximum {self.maximum:g}")
        return number

    def value(self, registers: tuple[int, ...]) -> float:
        """The value in `unit`. Raises ValueError as `number` does."""
        return self.value_of(self.number(registers))

    def value_of(self, number: float) -> float:
        """A number of its registers as a value in `unit`."""
        return round(number * self.scale + self.offset, 9)


class _Maker:
    """Whoever has the one instance can make points writable; it stays in this module."""


_MAKER = _Maker()


@final
class WritablePoint:
    """A point that may be written, with the function that writes it and the counts it may hold.

    Only `allow_list` makes them, once, from the site file; the port takes nothing else, and of these only its own.
    """

    __slots__ = ("function", "highest", "lowest", "point", "read_back")
    point: Point
    function: int
    lowest: int
    highest: int
    read_back: Point | None

    def __init__(
        self, maker: _Maker, point: Point, function: int, lowest: int, highest: int, read_back: Point | None
    ) -> None:
        """Refuse every maker but this module."""
        if maker is not _MAKER:
            raise TypeError("a point becomes writable by the site file's allow-list alone")
        values = {"point": point, "function": function, "lowest": lowest, "highest": highest, "read_back": read_back}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __init_subclass__(cls) -> NoReturn:
        """No other class is one."""
        raise TypeError("WritablePoint has no subclasses")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """It stays as it was made."""
        raise AttributeError(f"{name}: a writable point cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        """It stays as it was made."""
        raise AttributeError(f"{name}: a writable point cannot be changed")

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        """It comes out of no bytes."""
        raise TypeError("a writable point is neither pickled nor rebuilt")

    def __copy__(self) -> Self:
        """The same one."""
        return self

    def __deepcopy__(self, _memo: dict[int, object]) -> Self:
        """The same one."""
        return self

    def __eq__(self, other: object) -> bool:
        """Alike where all that goes on the wire is."""
        return self is other or (isinstance(other, WritablePoint) and self._key == other._key)

    def __hash__(self) -> int:
        """By what goes on the wire."""
        return hash(self._key)

    def __repr__(self) -> str:
        """For logs and failed tests."""
        return f"WritablePoint({self.point.name}, function {self.function}, {self.lowest} to {self.highest} counts)"

    @property
    def _key(self) -> tuple[object, ...]:
        return self.point, self.function, self.lowest, self.highest, self.read_back

    def registers(self, counts: int) -> tuple[int, ...]:
        """What is written for so many counts. Raises ValueError for what the point may not hold."""
        if not self.lowest <= counts <= self.highest:
            raise ValueError(f"{self.point.name}: {counts} counts must be {self.lowest} to {self.highest}; not written")
        return self.point.encoding.encode(counts * self.point.step)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the site file says of a point to be written; `lowest` and `highest` in counts."""

    point: Point
    function: int
    lowest: int
    highest: int
    read_back: Point | None = None


def allow_list(allowed: Mapping[str, Allowance]) -> Mapping[str, WritablePoint]:
    """The points that may be written, by name. Raises ValueError for what no PLC can take."""
    for name, entry in allowed.items():
        if entry.point.table not in {"holding", "coil"}:
            raise ValueError(f"{name}: table={entry.point.table!r} cannot be written; it must be 'holding' or 'coil'")
    return {
        name: WritablePoint(_MAKER, a.point, a.function, a.lowest, a.highest, a.read_back)
        for name, a in allowed.items()
    }


def whole_range(point: Point) -> tuple[int, int]:
    """The counts that a point's type can hold; of a float what is exact in it."""
    if point.encoding.is_float:
        return -(2**24), 2**24
    lowest, highest = RANGES[point.encoding.type]
    return ceil(lowest / point.step), floor(highest / point.step)

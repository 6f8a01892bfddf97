"""How a number stands in registers: its type, the order of its bytes and words, and the bit of a packed register; pure.

The four orders are named by where the bytes A (most significant) to D of a 32-bit number are sent: ABCD as Modbus means it,
CDAB with the words swapped, BADC with the bytes of each word swapped, DCBA both. A 64-bit number follows the same two swaps
over its four words, a 16-bit number that of its bytes.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Type = Literal["bool", "uint16", "int16", "uint32", "int32", "float32", "float64"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
FORMATS: dict[Type, str] = {
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "float32": ">f",
    "float64": ">d",
}
RANGES: dict[Type, tuple[int, int]] = {
    "bool": (0, 1),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint32": (0, 2**32 - 1),
    "int32": (-(2**31), 2**31 - 1),
}
"""What fits into a whole-numbered type."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A type in an order. `bit` (0 the lowest) is of a bool that shares a register with others."""

    type: Type = "uint16"
    order: Order = "ABCD"
    bit: int | None = None

    @property
    def is_float(self) -> bool:
        """Whether a number need not be whole."""
        return self.type in {"float32", "float64"}

    @property
    def width(self) -> int:
        """How many registers (of a coil: coils) it takes."""
        return 1 if self.type == "bool" else struct.calcsize(FORMATS[self.type]) // 2

    def decode(self, registers: Sequence[int]) -> float:
        """The number that stands in the registers. Raises ValueError where it is none."""
        if len(registers) != self.width:
            raise ValueError(f"{len(registers)} registers hold no {self.type}, which takes {self.width}")
        if self.type == "bool":
            return self._decode_bool(registers[0])
        if self.type == "uint16" and self.order == "ABCD":
            return registers[0]
        words = struct.pack(f">{self.width}H", *self._swapped(registers))
        number: float = struct.unpack(FORMATS[self.type], words)[0]
        if not math.isfinite(number):
            raise ValueError(f"it reads {number}, which is no number")
        return number

    def encode(self, number: float) -> tuple[int, ...]:
        """The registers that hold a number. Raises ValueError for one that does not fit."""
        if self.bit is not None:
            raise ValueError("a bit of a register cannot be written alone")
        if not self.is_float:
            lowest, highest = RANGES[self.type]
            if number != int(number) or not lowest <= number <= highest:
                raise ValueError(f"{number:g} does not fit a {self.type}, a whole number from {lowest} to {highest}")
            number = int(number)
        if self.type == "bool":
            return (int(number),)
        try:
            packed = struct.pack(FORMATS[self.type], number)
        except OverflowError as error:
            raise ValueError(f"{number:g} does not fit a {self.type}") from error
        return self._swapped(struct.unpack(f">{self.width}H", packed))

    def _decode_bool(self, register: int) -> int:
        if self.bit is not None:
            return register >> self.bit & 1
        if register not in {0, 1}:
            raise ValueError(f"it reads {register}, which is neither 0 nor 1")
        return register

    def _swapped(self, registers: Sequence[int]) -> tuple[int, ...]:
        """The registers in the other order: either way it is the same swap."""
        if self.order in {"CDAB", "DCBA"}:
            registers = registers[::-1]
        if self.order in {"BADC", "DCBA"}:
            registers = [register << 8 & 0xFF00 | register >> 8 for register in registers]
        return tuple(registers)

"""Numbers in registers: every type in every order, there and back, and what is no number."""

import math
import struct
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.control_gateway.encoding import RANGES, Encoding, Order, Type

ORDERS = get_args(Order)


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        ("ABCD", (0x0A0B, 0x0C0D)),
        ("CDAB", (0x0C0D, 0x0A0B)),
        ("BADC", (0x0B0A, 0x0D0C)),
        ("DCBA", (0x0D0C, 0x0B0A)),
    ],
)
def test_the_four_orders_of_a_32_bit_number(order: Order, registers: tuple[int, ...]) -> None:
    assert Encoding("uint32", order).encode(0x0A0B0C0D) == registers
    assert Encoding("uint32", order).decode(registers) == 0x0A0B0C0D


@pytest.mark.parametrize(("order", "first"), [("ABCD", 0x3FF0), ("CDAB", 0x0000), ("BADC", 0xF03F), ("DCBA", 0x0000)])
def test_a_64_bit_number_takes_four_registers_in_the_same_orders(order: Order, first: int) -> None:
    registers = Encoding("float64", order).encode(1.0)
    assert (len(registers), registers[0]) == (4, first)


def test_a_single_register_has_its_bytes_swapped_by_the_byte_orders_alone() -> None:
    assert [Encoding("uint16", order).encode(0x0102)[0] for order in ORDERS] == [0x0102, 0x0102, 0x0201, 0x0201]


@given(st.sampled_from(sorted(RANGES)), st.sampled_from(ORDERS), st.data())
def test_every_whole_number_that_fits_comes_back(of_type: Type, order: Order, data: st.DataObject) -> None:
    number = data.draw(st.integers(*RANGES[of_type]))
    encoding = Encoding(of_type, order)
    registers = encoding.encode(number)
    assert len(registers) == encoding.width
    assert all(0 <= register <= 0xFFFF for register in registers)
    assert encoding.decode(registers) == number


@given(st.sampled_from(ORDERS), st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back(order: Order, number: float) -> None:
    assert Encoding("float64", order).decode(Encoding("float64", order).encode(number)) == number


@given(st.sampled_from(ORDERS), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_32_bit_float_comes_back(order: Order, number: float) -> None:
    assert Encoding("float32", order).decode(Encoding("float32", order).encode(number)) == number


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_no_number_is_refused(number: float) -> None:
    registers = struct.unpack(">2H", struct.pack(">f", number))
    with pytest.raises(ValueError, match="which is no number"):
        Encoding("float32").decode(registers)


@pytest.mark.parametrize(
    ("of_type", "number"),
    [
        ("uint16", -1),
        ("uint16", 65536),
        ("int16", 32768),
        ("int16", -32769),
        ("uint32", 2**32),
        ("int32", 2**31),
        ("bool", 2),
        ("uint16", 1.5),
        ("float32", 1e39),
    ],
)
def test_a_number_that_does_not_fit_is_refused(of_type: Type, number: float) -> None:
    with pytest.raises(ValueError, match=f"does not fit a {of_type}"):
        Encoding(of_type).encode(number)


@pytest.mark.parametrize(("bit", "read"), [(0, 1), (1, 0), (15, 1)])
def test_a_bit_of_a_register_is_read_and_never_written(bit: int, read: int) -> None:
    assert Encoding("bool", bit=bit).decode((0x8001,)) == read
    with pytest.raises(ValueError, match="cannot be written alone"):
        Encoding("bool", bit=bit).encode(1)


def test_a_whole_register_that_is_a_bool_holds_0_or_1() -> None:
    assert [Encoding("bool").decode((register,)) for register in (0, 1)] == [0, 1]
    with pytest.raises(ValueError, match="reads 2, which is neither 0 nor 1"):
        Encoding("bool").decode((2,))


def test_too_few_registers_hold_nothing() -> None:
    with pytest.raises(ValueError, match="1 registers hold no uint32, which takes 2"):
        Encoding("uint32").decode((1,))

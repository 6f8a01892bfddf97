"""Requests: as few as the map allows, each answering what it is asked for, and none over what cannot be read."""

from hypothesis import given
from hypothesis import strategies as st

from headworks.control_gateway.batching import BITS_A_READ, REGISTERS_A_READ, Readable, blocks_of, listed
from headworks.control_gateway.encoding import Encoding, Type
from headworks.control_gateway.points import Point, Table


def at(address: int, of_type: Type = "uint16", *, table: Table = "holding", unit_id: int = 1) -> Point:
    return Point(f"{unit_id}-{table}-{address}", "plc", unit_id, table, address, Encoding(of_type))


def asked(points: list[Point], readable: Readable) -> list[tuple[int, int]]:
    return [(block.address, block.count) for block in blocks_of(points, readable)]


NOTHING_BESIDE = Readable(frozenset())


def test_neighbours_are_read_together_and_others_are_not() -> None:
    points = [at(100), at(101), at(102, "float32"), at(104), at(106)]
    assert asked(points, NOTHING_BESIDE) == [(100, 5), (106, 1)]


def test_a_request_reads_over_listed_points_that_nobody_wants() -> None:
    readable = Readable(listed([at(100), at(101), at(102)]))
    assert asked([at(100), at(102)], readable) == [(100, 3)]


def test_a_request_reads_over_as_many_others_as_the_gap_says() -> None:
    points = [at(100), at(104)]
    assert asked(points, Readable(frozenset(), gap=2)) == [(100, 1), (104, 1)]
    assert asked(points, Readable(frozenset(), gap=3)) == [(100, 5)]


def test_no_request_reads_over_an_unreadable_address() -> None:
    points = [at(100), at(104)]
    for barred in (101, 102, 103):
        readable = Readable(frozenset(), gap=9, unreadable=(("holding", barred, barred),))
        assert asked(points, readable) == [(100, 1), (104, 1)]
    for table, first, last in (("input", 101, 103), ("holding", 90, 99), ("holding", 105, 110)):
        assert asked(points, Readable(frozenset(), gap=9, unreadable=((table, first, last),))) == [(100, 5)]  # type: ignore[arg-type]


def test_units_and_tables_are_asked_apart() -> None:
    points = [
        at(1),
        at(2, unit_id=2),
        at(2, table="input"),
        at(2, "bool", table="coil"),
        at(2, "bool", table="discrete"),
    ]
    assert len(blocks_of(points, Readable(frozenset(), gap=9))) == 5


def test_a_request_asks_as_much_as_the_protocol_allows_and_no_more() -> None:
    registers = [at(address) for address in range(REGISTERS_A_READ + 1)]
    assert asked(registers, NOTHING_BESIDE) == [(0, 125), (125, 1)]
    bits = [at(address, "bool", table="coil") for address in range(BITS_A_READ + 1)]
    assert asked(bits, NOTHING_BESIDE) == [(0, 2000), (2000, 1)]
    assert asked([at(0), at(124, "uint32")], Readable(frozenset(), gap=123)) == [(0, 1), (124, 2)]


def test_bits_of_one_register_are_one_request() -> None:
    bits = [Point(f"b{bit}", "plc", 1, "input", 7, Encoding("bool", bit=bit)) for bit in range(16)]
    assert asked(bits, NOTHING_BESIDE) == [(7, 1)]


@given(st.lists(st.integers(0, 600), unique=True, max_size=60), st.integers(0, 123), st.integers(0, 600))
def test_every_wanted_point_is_answered_once_and_no_barred_address_is_asked(
    addresses: list[int], gap: int, barred: int
) -> None:
    points = [at(address) for address in addresses if address != barred]
    blocks = blocks_of(points, Readable(listed(points), gap, (("holding", barred, barred),)))
    assert sorted(p.name for block in blocks for p in block.points) == sorted(p.name for p in points)
    for block in blocks:
        assert block.count <= REGISTERS_A_READ
        assert not block.address <= barred < block.address + block.count
        for point in block.points:
            assert block.address <= point.address < point.past_end <= block.address + block.count

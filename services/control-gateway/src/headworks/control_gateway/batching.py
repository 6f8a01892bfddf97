"""Which requests read the wanted points of a PLC: as few as its map allows; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from headworks.control_gateway.points import Point, Table

REGISTERS_A_READ, BITS_A_READ = 125, 2000
"""What one request may ask, by the Modbus application protocol 1.1b3."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read request, and the points it answers."""

    unit_id: int
    table: Table
    address: int
    count: int
    points: tuple[Point, ...]

    def alone(self) -> tuple["Block", ...]:
        """The same points, one request each."""
        return tuple(block_of(point) for point in self.points)


@dataclass(frozen=True, slots=True)
class Readable:
    """What may be read beside what is wanted: over the listed addresses, over at most `gap` others at a time, and never over
    the `unreadable` (table, first, last).
    """

    listed: frozenset[tuple[int, Table, int]]
    gap: int = 0
    unreadable: tuple[tuple[Table, int, int], ...] = ()

    def spans(self, unit_id: int, table: Table, between: range) -> bool:
        """Whether a request may read over the addresses between two points."""
        for barred, first, last in self.unreadable:
            if barred == table and any(first <= address <= last for address in between):
                return False
        return sum((unit_id, table, address) not in self.listed for address in between) <= self.gap


def blocks_of(wanted: Iterable[Point], readable: Readable) -> tuple[Block, ...]:
    """As few requests as give the wanted points."""
    found: list[Block] = []
    for point in sorted(set(wanted), key=lambda p: (p.unit_id, p.table, p.address, p.name)):
        joined = _joined(found[-1], point, readable) if found else None
        if joined is None:
            found.append(block_of(point))
        else:
            found[-1] = joined
    return tuple(found)


def listed(points: Iterable[Point]) -> frozenset[tuple[int, Table, int]]:
    """All addresses that points take, with their unit and table."""
    return frozenset((p.unit_id, p.table, address) for p in points for address in range(p.address, p.past_end))


def block_of(point: Point) -> Block:
    """One point, alone."""
    return Block(point.unit_id, point.table, point.address, point.encoding.width, (point,))


def _joined(block: Block, point: Point, readable: Readable) -> Block | None:
    """The block with one point more, where one request may ask that."""
    if (block.unit_id, block.table) != (point.unit_id, point.table):
        return None
    count = max(block.count, point.past_end - block.address)
    most = REGISTERS_A_READ if block.table in {"holding", "input"} else BITS_A_READ
    between = range(block.address + block.count, point.address)
    if count > most or not readable.spans(block.unit_id, block.table, between):
        return None
    return Block(block.unit_id, block.table, block.address, count, (*block.points, point))

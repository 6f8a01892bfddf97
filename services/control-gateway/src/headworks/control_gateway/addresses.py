"""How a site file counts addresses: from 0 as on the wire, from 1, or in Modicon's numbers, which name the table too; pure."""

from typing import Literal

from headworks.control_gateway.points import Table
from headworks.control_gateway.section import PointSection

Addresses = Literal["zero_based", "one_based", "modicon"]
LAST = 65535
MODICON_TABLES: dict[str, Table] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}


def wire_address(at: str, point: PointSection, counted: Addresses) -> tuple[Table, int]:
    """A point's table and its address on the wire. Raises ValueError naming the field."""
    if counted == "modicon":
        return _modicon(at, point)
    if point.table is None:
        raise ValueError(f"{at}.table is missing; it must be holding, input, coil or discrete")
    first = 1 if counted == "one_based" else 0
    if not isinstance(point.address, int) or not first <= point.address <= LAST + first:
        raise ValueError(
            f"{at}.address={point.address!r} must be a whole number from {first} to {LAST + first}: {counted}"
        )
    return point.table, point.address - first


def _modicon(at: str, point: PointSection) -> tuple[Table, int]:
    """40001 or 400001 is the first holding register. YAML takes 00001 for a number in base 8, so a coil's is quoted."""
    text = str(point.address)
    table, number = MODICON_TABLES.get(text[:1]), text[1:]
    if table is None or len(text) not in {5, 6} or not number.isdecimal() or not 1 <= int(number) <= LAST + 1:
        raise ValueError(
            f"{at}.address={point.address!r} must be five or six digits such as 40001, 30001, 10001 or, quoted, '00001': "
            "addresses: modicon"
        )
    if point.table not in {None, table}:
        raise ValueError(f"{at}.table={point.table!r} must be left out or {table!r}, which address={text} names")
    return table, int(number) - 1

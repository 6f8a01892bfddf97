"""Our port against a PLC on libmodbus: types, byte orders, function codes, addresses and batching, over TCP and RTU over TCP."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from counterparts import ANY_ACTUATOR, LibmodbusPlc, points_of, port_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks.control_gateway.plc import LinkFault
from headworks.control_gateway.site_points import PlcPoints

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
PATTERNS = {"uint32": ">I", "int32": ">i", "float32": ">f"}
NUMBERS: dict[str, st.SearchStrategy[float]] = {
    "uint16": st.integers(0, 65535),
    "int16": st.integers(-32768, 32767),
    "uint32": st.integers(0, 2**32 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
}
WIDTHS = {"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2}


@dataclass(frozen=True)
class Cell:
    """A value somewhere in the PLC's memory."""

    table: str
    address: int
    type: str
    order: str
    number: float

    @property
    def pattern(self) -> int:
        """The 32 bits, which the C server puts in order."""
        bits: int = struct.unpack(">I", struct.pack(PATTERNS[self.type], self.number))[0]
        return bits

    def put(self, plc: LibmodbusPlc) -> None:
        if self.type in PATTERNS:
            plc.tell(f"put {self.table} {self.address} {self.order.lower()} {self.pattern}")
        else:
            plc.set(self.table, self.address, [int(self.number) & 0xFFFF])

    def held(self, plc: LibmodbusPlc) -> int:
        """What the C server says that it holds."""
        if self.type in PATTERNS:
            return int(plc.tell(f"peek {self.table} {self.address} {self.order.lower()}"))
        return plc.get(self.table, self.address)[0]

    @property
    def expected(self) -> int:
        return self.pattern if self.type in PATTERNS else int(self.number) & 0xFFFF


@st.composite
def memories(draw: st.DrawFn) -> list[Cell]:
    """Values one after the other with gaps between, in two tables."""
    cells = []
    for table in ("holding", "input"):
        address = draw(st.integers(0, 5000))
        for _ in range(draw(st.integers(0, 40))):
            kind = draw(st.sampled_from(sorted(NUMBERS)))
            order = draw(st.sampled_from(ORDERS)) if kind in PATTERNS else "ABCD"
            cells.append(Cell(table, address, kind, order, draw(NUMBERS[kind])))
            address += WIDTHS[kind] + draw(st.sampled_from((0, 0, 0, 1, 2, 30, 120)))
    return cells


def site_map(cells: Sequence[Cell], base: str = "zero_based", **plc: Any) -> PlcPoints:
    first = 1 if base == "one_based" else 0
    points = {
        f"c{k}": {"table": c.table, "address": c.address + first, "type": c.type, "order": c.order}
        for k, c in enumerate(cells)
    }
    return points_of(points, addresses=base, **plc)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=memories(), gap=st.integers(0, 123), base=st.sampled_from(("zero_based", "one_based")))
async def test_every_value_is_read_as_the_c_server_put_it(
    shared_memory: LibmodbusPlc, cells: list[Cell], gap: int, base: str
) -> None:
    for cell in cells:
        cell.put(shared_memory)
    points = site_map(cells, base, gap=gap)
    plc = port_to(points, shared_memory.port)
    shared_memory.served()
    blocks = points.blocks()
    snapshot = await plc.read(blocks)
    plc.close()
    assert [snapshot.number(points.points[f"c{k}"]) for k in range(len(cells))] == [c.number for c in cells]
    assert shared_memory.served() == [{"holding": 3, "input": 4}[block.table] for block in blocks]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(), kind=st.sampled_from(sorted(NUMBERS)), order=st.sampled_from(ORDERS), address=st.integers(0, 9000)
)
async def test_every_value_is_written_as_the_c_server_reads_it(
    shared_memory: LibmodbusPlc, data: st.DataObject, kind: str, order: str, address: int
) -> None:
    order = order if kind in PATTERNS else "ABCD"
    number = data.draw(st.integers(-(2**20), 2**20) if kind == "float32" else NUMBERS[kind])
    function = data.draw(st.sampled_from((16,) if kind in PATTERNS else (6, 16)))
    point = {"table": "holding", "address": address, "type": kind, "order": order, "writable": True}
    point |= {"write_function": function, "step": "1"} if kind == "float32" else {"write_function": function}
    points = points_of({"x": point})
    plc = port_to(points, shared_memory.port)
    cell = Cell("holding", address, kind, order, number)
    await plc.read(points.blocks())
    shared_memory.served()
    assert await plc.write(points.writable["x"], int(number)) is None
    assert shared_memory.served() == [function]
    assert cell.held(shared_memory) == cell.expected
    plc.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["uint32", "float32"])
async def test_function_23_writes_and_reads_back_in_one_request(
    libmodbus_plc: LibmodbusPlc, kind: str, order: str
) -> None:
    point = {"table": "holding", "type": kind, "order": order, "scale": "0.01 Hz"}
    roles = {
        "setpoint": {**point, "address": 10, "step": "0.01 Hz", "writable": True, "write_function": 23},
        "readback": {**point, "address": 12},
        "actual": {**point, "address": 14},
    }
    points = points_of({"M": roles}, {"M": ANY_ACTUATOR})
    plc = port_to(points, libmodbus_plc.port)
    libmodbus_plc.tell(f"put holding 12 {order.lower()} {Cell('holding', 12, kind, order, 4512).pattern}")
    await plc.read(points.blocks())
    libmodbus_plc.served()
    assert await plc.write(points.writable["M.setpoint"], 4498) == 4512
    assert libmodbus_plc.served() == [23]
    assert Cell("holding", 10, kind, order, 4498).held(libmodbus_plc) == Cell("holding", 10, kind, order, 4498).pattern
    plc.close()


@pytest.mark.parametrize("function", [5, 15])
async def test_coils_and_discrete_inputs(libmodbus_plc: LibmodbusPlc, function: int) -> None:
    bits = {f"d{k}": {"table": "discrete", "address": k, "type": "bool"} for k in range(20)}
    coils = {"run": {"table": "coil", "address": 3, "type": "bool", "writable": True, "write_function": function}}
    points = points_of(bits | coils)
    libmodbus_plc.set("discrete", 0, [k % 3 == 0 for k in range(20)])
    plc = port_to(points, libmodbus_plc.port)
    snapshot = await plc.read(points.blocks())
    assert [snapshot.counts(points.points[f"d{k}"]) for k in range(20)] == [int(k % 3 == 0) for k in range(20)]
    assert snapshot.counts(points.points["run"]) == 0
    for on in (1, 0):
        assert await plc.write(points.writable["run"], on) is None
        assert libmodbus_plc.get("coil", 2, 3) == [0, on, 0]
    assert libmodbus_plc.served() == [1, 2, function, function]
    plc.close()


async def test_bits_of_a_register_are_told_apart(libmodbus_plc: LibmodbusPlc) -> None:
    points = points_of({f"b{k}": {"table": "input", "address": 0, "type": "bool", "bit": k} for k in range(16)})
    libmodbus_plc.set("input", 0, [0b1000_0000_0000_0110])
    plc = port_to(points, libmodbus_plc.port)
    snapshot = await plc.read(points.blocks())
    assert [k for k in range(16) if snapshot.counts(points.points[f"b{k}"])] == [1, 2, 15]
    assert libmodbus_plc.served() == [4]
    plc.close()


async def test_a_full_request_of_125_registers_and_2000_bits(libmodbus_plc: LibmodbusPlc) -> None:
    points = points_of(
        {f"r{k}": {"table": "input", "address": k, "type": "uint16"} for k in range(125)}
        | {f"b{k}": {"table": "coil", "address": k, "type": "bool"} for k in range(2000)}
    )
    libmodbus_plc.set("input", 0, range(1000, 1125))
    libmodbus_plc.set("coil", 1999, [1])
    plc = port_to(points, libmodbus_plc.port)
    snapshot = await plc.read(points.blocks())
    assert [snapshot.counts(points.points[f"r{k}"]) for k in range(125)] == list(range(1000, 1125))
    assert [k for k in range(2000) if snapshot.counts(points.points[f"b{k}"])] == [1999]
    assert libmodbus_plc.served() == [1, 4]
    plc.close()


async def test_a_block_over_the_end_of_the_plcs_memory_is_read_point_by_point(libmodbus_plc: LibmodbusPlc) -> None:
    points = points_of({f"r{k}": {"table": "input", "address": k, "type": "uint16"} for k in (9998, 9999, 10000)})
    libmodbus_plc.set("input", 9998, [5, 6])
    plc = port_to(points, libmodbus_plc.port)
    for _ in range(2):
        snapshot = await plc.read(points.blocks())
        assert [snapshot.counts(points.points[name]) for name in ("r9998", "r9999")] == [5, 6]
        assert isinstance(snapshot.counts(points.points["r10000"]), LinkFault)
    assert libmodbus_plc.served() == [4, 4, 4, 4, 4, 4, 4]
    plc.close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=memories(), gap=st.integers(0, 123))
async def test_rtu_over_tcp_reads_the_same(rtu_plc: LibmodbusPlc, cells: list[Cell], gap: int) -> None:
    for cell in cells:
        cell.put(rtu_plc)
    points = site_map(cells, gap=gap, transport="rtu_over_tcp")
    plc = port_to(points, rtu_plc.port)
    snapshot = await plc.read(points.blocks())
    plc.close()
    assert [snapshot.number(points.points[f"c{k}"]) for k in range(len(cells))] == [c.number for c in cells]


async def test_rtu_over_tcp_writes_by_every_function(rtu_plc: LibmodbusPlc) -> None:
    plain = {"table": "holding", "type": "uint16", "scale": "0.01 Hz"}
    for function in (6, 16, 23):
        roles = {
            "setpoint": {**plain, "address": 10, "writable": True, "write_function": function},
            "readback": {**plain, "address": 10 + function},
            "actual": {**plain, "address": 9},
        }
        points = points_of({"M": roles}, {"M": ANY_ACTUATOR}, transport="rtu_over_tcp")
        plc = port_to(points, rtu_plc.port)
        rtu_plc.set("holding", 10 + function, [77])
        await plc.read(points.blocks())
        rtu_plc.served()
        assert await plc.write(points.writable["M.setpoint"], 4000 + function) == (77 if function == 23 else None)
        assert rtu_plc.served() == [function]
        assert rtu_plc.get("holding", 10) == [4000 + function]
        plc.close()

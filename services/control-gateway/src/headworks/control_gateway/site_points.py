"""The site map: from the `plcs` of a control section to points ready to be read, and the allow-list of those to be written.

Everything is checked here, once, at the start; what is wrong is named with its site, PLC, point, field, value, and what
would be right.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from headworks.control_gateway.addresses import wire_address
from headworks.control_gateway.batching import Block, Readable, blocks_of, listed
from headworks.control_gateway.encoding import Encoding
from headworks.control_gateway.points import (
    READ_WRITE_REGISTERS,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Allowance,
    Point,
    Table,
    WritablePoint,
    allow_list,
    whole_range,
)
from headworks.control_gateway.section import ControlSection, PlcSection, PointSection, quantity

READ_BACKS = {"setpoint": "readback", "run": "run_readback", "local": "local_readback"}
"""Where what is written is read back."""
MEASURED_IN_COUNTS = ("readback", "actual")
"""The roles that are compared with the setpoint, so in its counts."""
HEARTBEAT = "heartbeat"
"""The shared point by which a PLC sees that the gateway lives."""
LAST_SERIAL_UNIT = 247
"""Modbus over serial line V1.02, 2.2: single devices are 1 to 247, 0 is the broadcast, 248 to 255 are reserved."""


@dataclass(frozen=True, slots=True)
class PlcPoints:
    """One PLC: its points by name ("P1_1.setpoint", "level"), which of them may be written, and how it is reached."""

    plc: str
    timeout_s: float
    points: Mapping[str, Point]
    writable: Mapping[str, WritablePoint]
    readable: Readable
    transport: Literal["tcp", "rtu_over_tcp", "tls"] = "tcp"
    server_name: str | None = None
    role: str | None = None
    bridge_delay_s: float | None = None

    def blocks(self, *names: str) -> tuple[Block, ...]:
        """As few requests as give these points; all of them where none is named."""
        wanted = (self.points[name] for name in names) if names else self.points.values()
        return blocks_of(wanted, self.readable)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A point as it is written, and where. `unit` is its actuator's, where it has one; `role` is empty for shared points."""

    at: str
    plc: str
    name: str
    role: str
    section: PointSection
    unit: str | None = None


def plc_points(site: str, section: ControlSection) -> dict[str, PlcPoints]:
    """The points of every PLC of a site. Raises ValueError naming the field."""
    return {name: _plc_points(f"site {site}: control.plcs.{name}", name, section) for name in section.plcs}


def _plc_points(at: str, name: str, section: ControlSection) -> PlcPoints:
    plc = section.plcs[name]
    points: dict[str, Point] = {}
    entries = {entry.name: entry for entry in _entries(at, name, section)}
    for entry in entries.values():
        points[entry.name] = _point(entry, plc, points)
    _refuse_overlaps(entries, points)
    _refuse_broadcasts(at, plc, entries)
    if plc.transport != "tls" and (plc.server_name is not None or plc.role is not None):
        raise ValueError(
            f"{at}: server_name and role must be left out: transport={plc.transport!r} has no certificates"
        )
    allowed = {e.name: _allowance(e, points) for e in entries.values() if _is_written(e)}
    if HEARTBEAT in points:
        _refuse_still_heartbeat(f"{at}.shared_points.{HEARTBEAT}", allowed.get(HEARTBEAT))
    return PlcPoints(
        plc=name,
        timeout_s=plc.timeout,
        points=points,
        writable=allow_list(allowed),
        readable=Readable(listed(points.values()), plc.gap, tuple(_unreadable(at, plc))),
        transport=plc.transport,
        server_name=plc.server_name,
        role=plc.role,
        bridge_delay_s=plc.bridge_delay,
    )


def _entries(at: str, name: str, section: ControlSection) -> Iterator[_Entry]:
    """Every point of a PLC, each setpoint before what is measured in its counts."""
    plc = section.plcs[name]
    for resource, roles in plc.points.items():
        actuator = section.actuators.get(resource)
        in_its_unit = ("setpoint", *MEASURED_IN_COUNTS)
        for role in sorted(roles, key=lambda role: role != "setpoint"):
            unit = actuator.unit if actuator is not None and role in in_its_unit else None
            yield _Entry(f"{at}.points.{resource}.{role}", name, f"{resource}.{role}", role, roles[role], unit)
    for shared, point in plc.shared_points.items():
        yield _Entry(f"{at}.shared_points.{shared}", name, shared, "", point)


def _point(entry: _Entry, plc: PlcSection, before: Mapping[str, Point]) -> Point:
    at, section = entry.at, entry.section
    table, address = wire_address(at, section, plc.addresses)
    encoding = _encoding(entry, table, plc)
    if address + encoding.width > 65536:
        raise ValueError(
            f"{at}.address={section.address!r} is too high: a {section.type} must end by 65535 on the wire"
        )
    unit = entry.unit or _unit(section.scale)
    scale = 1.0 if section.scale is None else quantity(f"{at}.scale", section.scale, unit)
    if scale == 0:
        raise ValueError(f"{at}.scale={section.scale!r} must be above zero")
    minimum, maximum = _range(entry, unit)
    return Point(
        name=entry.name,
        plc=entry.plc,
        unit_id=plc.unit_id if section.unit_id is None else section.unit_id,
        table=table,
        address=address,
        encoding=encoding,
        unit=unit,
        scale=scale,
        offset=0.0 if section.offset is None else quantity(f"{at}.offset", section.offset, unit),
        step=_step(entry, encoding, scale, unit, before),
        minimum=None if section.writable else minimum,
        maximum=None if section.writable else maximum,
    )


def _encoding(entry: _Entry, table: Table, plc: PlcSection) -> Encoding:
    at, section = entry.at, entry.section
    if table in {"coil", "discrete"}:
        if section.type != "bool":
            raise ValueError(f"{at}.type={section.type!r} must be 'bool': a {table} holds one bit")
        if section.bit is not None:
            raise ValueError(f"{at}.bit={section.bit} must be left out: a {table} is one bit")
    elif section.bit is not None and section.type != "bool":
        raise ValueError(f"{at}.bit={section.bit} must be left out, or type={section.type!r} be 'bool'")
    if section.type == "bool":
        for field in ("scale", "offset", "step", "minimum", "maximum", "order"):
            if getattr(section, field) is not None:
                raise ValueError(f"{at}.{field}={getattr(section, field)!r} must be left out: a bool is 0 or 1")
        return Encoding("bool", bit=section.bit)
    return Encoding(section.type, section.order or plc.order)


def _range(entry: _Entry, unit: str) -> tuple[float | None, float | None]:
    """What the value may be. What the PLC holds of an order is read whatever it is: a restarted PLC holds 0."""
    at, section = entry.at, entry.section
    if entry.role in READ_BACKS.values():
        for field in ("minimum", "maximum"):
            if getattr(section, field) is not None:
                raise ValueError(f"{at}.{field}={getattr(section, field)!r} must be left out: write it at the setpoint")
    minimum = None if section.minimum is None else quantity(f"{at}.minimum", section.minimum, unit)
    maximum = None if section.maximum is None else quantity(f"{at}.maximum", section.maximum, unit)
    if minimum is not None and maximum is not None and minimum >= maximum:
        raise ValueError(f"{at}.minimum={section.minimum!r} must be below maximum={section.maximum!r}")
    return minimum, maximum


def _step(entry: _Entry, encoding: Encoding, scale: float, unit: str, before: Mapping[str, Point]) -> float:
    """The number a count: the setpoint's step in the point's own numbers, or one."""
    at, section = entry.at, entry.section
    setpoint = before.get(f"{entry.name.rpartition('.')[0]}.setpoint") if entry.role in MEASURED_IN_COUNTS else None
    if setpoint is not None:
        if section.step is not None:
            raise ValueError(f"{at}.step={section.step!r} must be left out: it is read in the setpoint's steps")
        return setpoint.step * setpoint.scale / scale
    if section.step is None:
        if encoding.is_float and section.writable:
            raise ValueError(f"{at}.step is missing: a {encoding.type} is written in steps, such as '0.01 {unit}'")
        return 1.0
    step = round(quantity(f"{at}.step", section.step, unit) / scale, 9)
    if step <= 0:
        raise ValueError(f"{at}.step={section.step!r} must be above zero")
    if not encoding.is_float and not math.isclose(step, round(step)):
        raise ValueError(f"{at}.step={section.step!r} must be a whole multiple of scale={section.scale!r}")
    return step if encoding.is_float else round(step)


def _is_written(entry: _Entry) -> bool:
    """Whether a point is on the allow-list; what only a written point has is refused elsewhere."""
    section = entry.section
    if section.write_function is not None and not section.writable:
        raise ValueError(f"{entry.at}.write_function={section.write_function} must be left out: it is not writable")
    if section.deadband is not None and entry.role != "setpoint":
        raise ValueError(f"{entry.at}.deadband={section.deadband!r} must be left out: only a setpoint has one")
    return section.writable


def _allowance(entry: _Entry, points: Mapping[str, Point]) -> Allowance:
    at, section, point = entry.at, entry.section, points[entry.name]
    if point.table not in {"holding", "coil"}:
        raise ValueError(f"{at}.table={point.table!r} cannot be written; it must be 'holding' or 'coil'")
    if point.encoding.bit is not None:
        raise ValueError(f"{at}.bit={section.bit} cannot be written alone; it must be a coil or a whole register")
    resource = entry.name.rpartition(".")[0]
    read_back = points.get(f"{resource}.{READ_BACKS.get(entry.role)}")
    function = _write_function(at, section, point, read_back)
    lowest, highest = (0, 1) if entry.role in {"run", "local"} else whole_range(point)
    minimum, maximum = _range(entry, point.unit)
    count = abs(point.step * point.scale)
    for bound in (minimum, maximum):
        if bound is not None and point.scale < 0:
            raise ValueError(f"{at}.scale={section.scale!r} must be above zero: the point has a minimum or maximum")
    if minimum is not None:
        lowest = max(lowest, math.ceil(round((minimum - point.offset) / count, 6)))
    if maximum is not None:
        highest = min(highest, math.floor(round((maximum - point.offset) / count, 6)))
    if lowest > highest:
        raise ValueError(f"{at}: minimum={section.minimum!r} and maximum={section.maximum!r} leave no {section.type}")
    return Allowance(point, function, lowest, highest, read_back)


def _write_function(at: str, section: PointSection, point: Point, read_back: Point | None) -> int:
    """The function that writes it: what the site says, where it can."""
    if point.table == "coil":
        possible: tuple[int, ...] = (WRITE_COIL, WRITE_COILS)
    elif point.encoding.width > 1:
        possible = (WRITE_REGISTERS, READ_WRITE_REGISTERS)
    else:
        possible = (WRITE_REGISTER, WRITE_REGISTERS, READ_WRITE_REGISTERS)
    function = section.write_function or possible[0]
    if function not in possible:
        raise ValueError(
            f"{at}.write_function={function} must be one of {', '.join(map(str, possible))} for a {point.encoding.type} "
            f"in table {point.table!r}"
        )
    beside = read_back is not None and (read_back.table, read_back.unit_id) == ("holding", point.unit_id)
    if function == READ_WRITE_REGISTERS and not beside:
        raise ValueError(f"{at}.write_function=23 must have a read-back in table 'holding' of the same unit_id")
    return function


def _refuse_overlaps(entries: Mapping[str, _Entry], points: Mapping[str, Point]) -> None:
    """No two points in one register, but for bits of it."""
    taken: dict[tuple[int, Table, int], str] = {}
    for name, point in points.items():
        for address in range(point.address, point.past_end):
            key = (point.unit_id, point.table, address)
            other = points.get(taken.get(key, ""))
            if other is not None and not _are_bits_of_one(point, other):
                raise ValueError(
                    f"{entries[name].at}.address={entries[name].section.address!r} must be another register than "
                    f"{other.name}'s ({entries[other.name].section.address!r}, {other.encoding.type}): they overlap"
                )
            taken[key] = name


def _refuse_broadcasts(at: str, plc: PlcSection, entries: Mapping[str, _Entry]) -> None:
    """No unit that is no single device: on a serial line 0 is every device at once, and 248 to 255 are reserved."""
    own = {f"{e.at}.unit_id": e.section.unit_id for e in entries.values() if e.section.unit_id is not None}
    for field, unit_id in {f"{at}.unit_id": plc.unit_id, **own}.items():
        if plc.transport == "rtu_over_tcp" and not 1 <= unit_id <= LAST_SERIAL_UNIT:
            raise ValueError(
                f"{field}={unit_id} must be 1 to {LAST_SERIAL_UNIT}: on a serial line (transport='rtu_over_tcp') 0 is every "
                "device at once, and those above are reserved"
            )
    for entry in entries.values():
        unit_id = plc.unit_id if entry.section.unit_id is None else entry.section.unit_id
        if entry.section.writable and unit_id == 0 and not plc.no_bridge:
            field = f"{at}.unit_id" if entry.section.unit_id is None else f"{entry.at}.unit_id"
            raise ValueError(
                f"{field}=0 must be 1 to 255, for {entry.name} is written: a bridge sends a write to unit 0 to every device; "
                "where the PLC is none, say no_bridge: true"
            )


def _refuse_still_heartbeat(at: str, beat: Allowance | None) -> None:
    """No heartbeat that is never written, stands still, or cannot begin at 1: the PLC would not see the gateway die."""
    if beat is None or not beat.point.is_plain or beat.lowest > 1 or beat.highest < 2:
        raise ValueError(
            f"{at} must be writable, and a whole number without scale, offset or step that may be 1 and 2, such as a uint16: "
            "the gateway counts in it"
        )


def _are_bits_of_one(point: Point, other: Point) -> bool:
    mine, others = point.encoding.bit, other.encoding.bit
    return mine is not None and others is not None and mine != others


def _unreadable(at: str, plc: PlcSection) -> Iterator[tuple[Table, int, int]]:
    base = 0 if plc.addresses == "zero_based" else 1
    for k, entry in enumerate(plc.unreadable):
        if not base <= entry.first <= entry.last <= 65535 + base:
            raise ValueError(f"{at}.unreadable.{k}: first={entry.first} must be {base} to last={entry.last}")
        yield entry.table, entry.first - base, entry.last - base


def _unit(scale: str | None) -> str:
    """The unit that a scale is written in."""
    written = re.fullmatch(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*(.*?)\s*", scale or "")
    return written.group(1) if written else (scale or "")

"""The site map: addresses as PLCs count them, counts by steps, and every mistake named with what would be right."""

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.points import Allowance, Point, WritablePoint, allow_list
from headworks.control_gateway.section import ControlSection
from headworks.control_gateway.site_points import PlcPoints, plc_points

POINTS = {
    "setpoint": {
        "table": "holding",
        "address": 0,
        "type": "float32",
        "scale": "1 Hz",
        "step": "0.01 Hz",
        "writable": True,
    },
    "readback": {"table": "holding", "address": 2, "type": "float32", "scale": "1 Hz"},
    "actual": {
        "table": "input",
        "address": 0,
        "type": "int16",
        "scale": "0.1 Hz",
        "minimum": "-5 Hz",
        "maximum": "60 Hz",
    },
}
SHARED = {
    "level": {"table": "input", "address": 10, "type": "uint32", "scale": "0.001 m", "offset": "2 m"},
    "doors": {"table": "input", "address": 12, "type": "bool", "bit": 3},
    "lights": {"table": "input", "address": 12, "type": "bool", "bit": 4},
    "reset": {"table": "coil", "address": 5, "type": "bool", "writable": True},
}
ACTUATOR = {
    "plc": "p",
    "unit": "Hz",
    "minimum": "20 Hz",
    "maximum": "50 Hz",
    "max_rate": "1 Hz/s",
    "rate_window": "10 s",
    "deadband": "0.1 Hz",
    "plan_stale_after": "1 h",
    "feedback_stale_after": "1 min",
    "fail_safe": "hold",
}


def section(path: str = "", value: object = None, **plc: object) -> ControlSection:
    """A PLC of one drive, with one field of it changed (None takes it out), or settings of the PLC added."""
    raw: dict[str, Any] = {
        "unit_id": 7,
        "timeout": "0.5 s",
        "points": {"M": copy.deepcopy(POINTS)},
        "shared_points": copy.deepcopy(SHARED),
        **plc,
    }
    if path:
        at: Any = raw
        *folders, name = path.split(".")
        for folder in folders:
            at = at[folder]
        if value is None:
            del at[name]
        else:
            at[name] = value
    return ControlSection.model_validate({"tick_every": "1 s", "plcs": {"p": raw}, "actuators": {"M": ACTUATOR}})


def read(path: str = "", value: object = None, **plc: object) -> PlcPoints:
    return plc_points("s", section(path, value, **plc))["p"]


def test_a_map_of_many_types_is_read() -> None:
    known = read()
    assert {p.name: (p.unit_id, p.table, p.address, p.encoding.type, p.unit) for p in known.points.values()} == {
        "M.setpoint": (7, "holding", 0, "float32", "Hz"),
        "M.readback": (7, "holding", 2, "float32", "Hz"),
        "M.actual": (7, "input", 0, "int16", "Hz"),
        "level": (7, "input", 10, "uint32", "m"),
        "doors": (7, "input", 12, "bool", ""),
        "lights": (7, "input", 12, "bool", ""),
        "reset": (7, "coil", 5, "bool", ""),
    }
    assert {name: w.function for name, w in known.writable.items()} == {"M.setpoint": 16, "reset": 5}
    assert known.points["level"].value((0, 5000)) == 7.0
    assert known.points["doors"].value((8,)) == 1


def test_what_is_compared_is_counted_in_the_setpoints_steps() -> None:
    known = read()
    assert known.writable["M.setpoint"].registers(4512) == known.points["M.setpoint"].encoding.encode(45.12)
    assert known.points["M.readback"].counts(known.points["M.readback"].encoding.encode(45.12)) == 4512
    assert known.points["M.actual"].counts((451,)) == 4510


def test_a_whole_numbered_setpoint_moves_in_its_steps() -> None:
    known = read("points.M", {
        role: {**POINTS[role], "type": "uint16", "scale": "0.01 Hz"} | ({"step": "0.1 Hz"} if role == "setpoint" else {})
        for role in POINTS
    })  # fmt: skip
    assert known.writable["M.setpoint"].registers(451) == (4510,)
    assert known.points["M.readback"].counts((4510,)) == 451
    assert known.writable["M.setpoint"].highest == 6553


def test_a_reading_outside_its_range_is_none() -> None:
    point = read().points["M.actual"]
    assert point.value((600,)) == 60
    for counts, says in ((601, r"reads 60.1 Hz, above its maximum 60"), (65535 - 50, r"below its minimum -5")):
        with pytest.raises(ValueError, match=says):
            point.counts((counts,))


@pytest.mark.parametrize(
    ("addresses", "address", "table", "wire"),
    [
        ("zero_based", 0, "holding", ("holding", 0)),
        ("zero_based", 65535, "input", ("input", 65535)),
        ("one_based", 1, "holding", ("holding", 0)),
        ("one_based", 65536, "input", ("input", 65535)),
        ("modicon", 40001, None, ("holding", 0)),
        ("modicon", "40001", "holding", ("holding", 0)),
        ("modicon", 465536, None, ("holding", 65535)),
        ("modicon", 30101, None, ("input", 100)),
        ("modicon", 10017, None, ("discrete", 16)),
        ("modicon", "00017", None, ("coil", 16)),
    ],
)
def test_addresses_are_counted_as_the_plc_counts_them(
    addresses: str, address: object, table: str | None, wire: tuple[str, int]
) -> None:
    kind = "bool" if wire[0] in {"coil", "discrete"} else "uint16"
    shared = {"x": {"address": address, "type": kind} | ({} if table is None else {"table": table})}
    point = read(points={}, shared_points=shared, addresses=addresses).points["x"]
    assert (point.table, point.address) == wire


@pytest.mark.parametrize(
    ("addresses", "point", "message"),
    [
        ("zero_based", {"address": 5}, "x.table is missing; it must be holding, input, coil or discrete"),
        ("zero_based", {"address": -1, "table": "input"}, "x.address=-1 must be a whole number from 0 to 65535"),
        ("zero_based", {"address": 65536, "table": "input"}, "x.address=65536 must be a whole number from 0 to 65535"),
        ("zero_based", {"address": "40001", "table": "input"}, "x.address='40001' must be a whole number from 0"),
        ("one_based", {"address": 0, "table": "input"}, "x.address=0 must be a whole number from 1 to 65536"),
        ("modicon", {"address": 40000}, "x.address=40000 must be five or six digits such as 40001"),
        ("modicon", {"address": 17}, "x.address=17 must be five or six digits such as 40001, 30001, 10001 or, quoted"),
        ("modicon", {"address": 20001}, "x.address=20001 must be five or six digits"),
        ("modicon", {"address": 465537}, "x.address=465537 must be five or six digits"),
        ("modicon", {"address": 40001, "table": "input"}, "x.table='input' must be left out or 'holding', which"),
        ("zero_based", {"address": 65535, "table": "input", "type": "int32"}, "x.address=65535 is too high: a int32"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_is_named(addresses: str, point: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r"^site s: control\.plcs\.p\.shared_points\.") as raised:
        read(points={}, shared_points={"x": {"type": "uint16", **point}}, addresses=addresses)
    assert message in str(raised.value)


M = "points.M"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{M}.setpoint.scale", "0 Hz", "M.setpoint.scale='0 Hz' must be above zero"),
        ("shared_points.level.scale", "0 m", "shared_points.level.scale='0 m' must be above zero"),
        (f"{M}.setpoint.step", None, "M.setpoint.step is missing: a float32 is written in steps, such as '0.01 Hz'"),
        (f"{M}.setpoint.step", "0 Hz", "M.setpoint.step='0 Hz' must be above zero"),
        (f"{M}.setpoint.step", "1 m", "M.setpoint.step: '1 m' is a [length]; it must convert to Hz"),
        (f"{M}.readback.step", "1 Hz", "M.readback.step='1 Hz' must be left out: it is read in the setpoint's steps"),
        ("shared_points.level.step", "0.0005 m", "level.step='0.0005 m' must be a whole multiple of scale='0.001 m'"),
        (f"{M}.actual.minimum", "60 Hz", "M.actual.minimum='60 Hz' must be below maximum='60 Hz'"),
        (f"{M}.readback.minimum", "1 Hz", "M.readback.minimum='1 Hz' must be left out: write it at the setpoint"),
        (f"{M}.actual.writable", True, "M.actual.table='input' cannot be written; it must be 'holding' or 'coil'"),
        (f"{M}.actual.deadband", "1 Hz", "M.actual.deadband='1 Hz' must be left out: only a setpoint has one"),
        (f"{M}.readback.write_function", 6, "M.readback.write_function=6 must be left out: it is not writable"),
        (f"{M}.setpoint.write_function", 6, "M.setpoint.write_function=6 must be one of 16, 23 for a float32"),
        ("shared_points.reset.write_function", 6, "reset.write_function=6 must be one of 5, 15 for a bool"),
        ("shared_points.reset.type", "uint16", "reset.type='uint16' must be 'bool': a coil holds one bit"),
        ("shared_points.reset.bit", 1, "reset.bit=1 must be left out: a coil is one bit"),
        ("shared_points.level.bit", 1, "level.bit=1 must be left out, or type='uint32' be 'bool'"),
        ("shared_points.doors.bit", 16, "doors.bit: Input should be less than or equal to 15"),
        ("shared_points.doors.scale", "1 m", "doors.scale='1 m' must be left out: a bool is 0 or 1"),
        ("shared_points.doors.bit", 4, "lights.address=12 must be another register than doors's (12, bool)"),
        ("shared_points.level.address", 11, "doors.address=12 must be another register than level's (11, uint32)"),
        (f"{M}.readback.address", 1, "M.readback.address=1 must be another register than M.setpoint's (0, float32)"),
        (f"{M}.actual.offset", "1 m", "M.actual.offset: '1 m' is a [length]; it must convert to Hz"),
        ("unreadable", [{"table": "input", "first": 9, "last": 8}], "p.unreadable.0: first=9 must be 0 to last=8"),
        ("gap", 124, "plcs.p.gap: Input should be less than or equal to 123"),
        ("server_name", "plc.example", "p: server_name and role must be left out: transport='tcp' has no certificates"),
        ("transport", "udp", "plcs.p.transport: Input should be 'tcp', 'rtu_over_tcp' or 'tls' (got 'udp')"),
        ("order", "ABDC", "plcs.p.order: Input should be 'ABCD', 'CDAB', 'BADC' or 'DCBA' (got 'ABDC')"),
        ("addresses", "two_based", "plcs.p.addresses: Input should be 'zero_based', 'one_based' or 'modicon'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_value_and_what_would_be_right(path: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match="plcs") as raised:
        read(path, value)
    assert message in _plainly(str(raised.value))


BEAT = {"table": "holding", "address": 90, "type": "uint16", "writable": True}


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum": "1"},
        {"maximum": "2"},
        {"minimum": "1", "maximum": "2"},
        {"scale": "1 s"},
        {"type": "int16"},
        {"type": "uint32"},
    ],
)
def test_a_heartbeat_that_can_be_1_and_2_is_taken(changes: dict[str, object]) -> None:
    beat = read("shared_points.heartbeat", BEAT | changes).writable["heartbeat"]
    assert beat.registers(1) != beat.registers(2)


@pytest.mark.parametrize(
    "changes",
    [
        {"writable": False},
        {"minimum": "2"},
        {"maximum": "1"},
        {"scale": "2 s"},
        {"scale": "1 s", "offset": "1 s"},
        {"scale": "1 s", "step": "2 s"},
        {"type": "float32", "step": "1"},
        {"type": "bool"},
        {"type": "bool", "table": "coil"},
    ],
)
def test_a_heartbeat_that_nobody_could_see_change_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(
        ValueError, match=r"^site s: control\.plcs\.p\.shared_points\.heartbeat must be writable, and a whole"
    ):
        read("shared_points.heartbeat", BEAT | changes)


def _plainly(text: str) -> str:
    """Pydantic's own report, as control_section words it."""
    lines = text.replace("\n  ", ": ").replace(" [type=", " (got [type=")
    got = text.rpartition("input_value=")[2].partition(",")[0]
    return lines.replace(" (got [type=", f" (got {got}) [type=")


def test_function_23_needs_a_read_back_beside_it() -> None:
    assert read(f"{M}.setpoint.write_function", 23).writable["M.setpoint"].function == 23
    far = {**POINTS, "setpoint": {**POINTS["setpoint"], "write_function": 23}}
    far["readback"] = {**far["readback"], "table": "input", "address": 2}
    with pytest.raises(
        ValueError, match="write_function=23 must have a read-back in table 'holding' of the same unit_id"
    ):
        read("points.M", far)


def test_a_setpoints_own_range_bounds_the_actuators() -> None:
    narrow = section(f"{M}.setpoint.maximum", "49.99 Hz")
    assert plc_points("s", narrow)["p"].writable["M.setpoint"].highest == 4999
    with pytest.raises(ValueError, match=r"control\.actuators\.M: minimum='20 Hz' and maximum='50 Hz' must be within"):
        _actuator(narrow)
    wide = section(f"{M}.setpoint.maximum", "50 Hz")
    assert _actuator(wide).limits.maximum == 5000


def test_the_wider_deadband_counts() -> None:
    assert _actuator(section()).limits.deadband == 10
    assert _actuator(section(f"{M}.setpoint.deadband", "0.3 Hz")).limits.deadband == 30


def _actuator(of: ControlSection) -> Actuator:
    class Named:
        site = "s"

    [actuator] = actuators_of(Named(), of)  # type: ignore[arg-type]  # only the name is asked
    return actuator


def test_the_examples_of_the_how_to_are_read() -> None:
    page = next(p for p in (parent / "docs/how-to/points.md" for parent in Path(__file__).parents) if p.exists())
    found: dict[str, PlcPoints] = {}
    for example in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        raw = yaml.safe_load(example) | {"tick_every": "1 s", "actuators": {"P3_1": {**ACTUATOR, "plc": "pumps-3"}}}
        found |= plc_points("s", ControlSection.model_validate(raw))
    pump = found["pumps-3"]
    assert (len(pump.points), sorted(pump.writable)) == (9, ["P3_1.run", "P3_1.setpoint"])
    assert pump.writable["P3_1.setpoint"].registers(5000) == (0x0000, 0x4248)
    assert [(b.table, b.count) for b in pump.blocks()] == [("coil", 1), ("discrete", 1), ("holding", 4), ("input", 7)]
    assert {p.transport for p in found.values()} == {"tcp", "rtu_over_tcp", "tls"}


# ---------------------------------------------------------------- the allow-list


@pytest.fixture
def writable() -> WritablePoint:
    return read().writable["M.setpoint"]


def test_nobody_else_makes_a_writable_point(writable: WritablePoint) -> None:
    point = replace(writable.point, address=999)
    values = (point, 16, 0, 65535, None)
    with pytest.raises(TypeError):
        WritablePoint(*values)  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="by the site file's allow-list alone"):
        WritablePoint(object(), *values)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no subclasses"):
        type("Mine", (WritablePoint,), {})
    with pytest.raises(TypeError):
        replace(writable, point=point)  # type: ignore[type-var]


def test_a_writable_point_stays_as_it_was_made(writable: WritablePoint) -> None:
    for name in ("point", "function", "lowest", "highest", "read_back", "other"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(writable, name, 0)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(writable, name)
    with pytest.raises(AttributeError):
        writable.point.address = 5  # type: ignore[misc]
    with pytest.raises(TypeError, match="neither pickled nor rebuilt"):
        pickle.dumps(writable)
    assert copy.copy(writable) is writable
    assert copy.deepcopy(writable) is writable


def test_it_holds_no_counts_outside_its_range(writable: WritablePoint) -> None:
    assert writable.registers(writable.highest)
    for counts in (writable.lowest - 1, writable.highest + 1):
        with pytest.raises(ValueError, match="not written"):
            writable.registers(counts)


@pytest.mark.parametrize("table", ["input", "discrete"])
def test_the_allow_list_takes_nothing_that_cannot_be_written(table: str) -> None:
    point = Point("x", "p", 1, table, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be written; it must be 'holding' or 'coil'"):
        allow_list({"x": Allowance(point, 6, 0, 1)})

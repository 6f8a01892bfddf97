"""Reads every point of a PLC for a person: what each holds, whether that can be, or why it could not be read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LinkFault, Plc, Snapshot
from headworks.control_gateway.points import Point

Quality = Literal["GOOD", "SUSPECT", "BAD"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One point as it was found. `address` counts from 0; `reason` says what is wrong with one that is not GOOD."""

    plc: str
    point: str
    unit_id: int
    table: str
    address: int
    type: str
    order: str
    writable: bool
    registers: tuple[int, ...] | None
    value: float | None
    unit: str
    minimum: float | None
    maximum: float | None
    quality: Quality
    reason: str


async def probe(plc: Plc, actuators: Iterable[Actuator]) -> list[Reading]:
    """All points of a PLC, in the order of the site file."""
    known = plc.points
    snapshot = await plc.read(known.blocks())
    bounds = dict(_bounds(plc, actuators))
    return [_reading(plc, point, snapshot, *bounds.get(point.name, (None, None))) for point in known.points.values()]


def _bounds(plc: Plc, actuators: Iterable[Actuator]) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """What each point's value may be: a setpoint's by the actuator's limits, others by the site map."""
    for point in plc.points.points.values():
        yield point.name, (point.minimum, point.maximum)
    for actuator in actuators:
        if actuator.plc == plc.name:
            limits = actuator.value(actuator.limits.minimum), actuator.value(actuator.limits.maximum)
            yield actuator.setpoint.point.name, limits
            yield actuator.readback.name, limits


def _reading(plc: Plc, point: Point, snapshot: Snapshot, minimum: float | None, maximum: float | None) -> Reading:
    registers, value = snapshot.registers(point), snapshot.value(point)
    quality, reason = _judged(value, minimum, maximum)
    return Reading(
        plc=plc.name,
        point=point.name,
        unit_id=point.unit_id,
        table=point.table,
        address=point.address,
        type=point.encoding.type if point.encoding.bit is None else f"bit {point.encoding.bit}",
        order=point.encoding.order,
        writable=point.name in plc.points.writable,
        registers=None if isinstance(registers, LinkFault) else registers,
        value=None if isinstance(value, LinkFault) else value,
        unit=point.unit,
        minimum=minimum,
        maximum=maximum,
        quality=quality,
        reason=reason,
    )


def _judged(value: float | LinkFault, minimum: float | None, maximum: float | None) -> tuple[Quality, str]:
    if isinstance(value, LinkFault):
        return "BAD", value.reason
    if minimum is not None and value < minimum:
        return "SUSPECT", f"below {minimum:g}"
    if maximum is not None and value > maximum:
        return "SUSPECT", f"above {maximum:g}"
    return "GOOD", ""

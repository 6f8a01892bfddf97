"""A PLC with a register for the epoch, made by hand, and fences before it under a clock moved by hand."""

from dataclasses import replace

from headworks.control_gateway.batching import Readable
from headworks.control_gateway.fencing import EPOCH_POINT, FRESH_S, Fence, Term
from headworks.control_gateway.lease import EPOCHS, Held
from headworks.control_gateway.points import Allowance, Point, allow_list
from headworks.control_gateway.site_points import PlcPoints

WRITE_S = 1.0


class Seconds:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


SETPOINT = Point("OXPH.setpoint", "oxph-plc", 1, "holding", 100)
EPOCH = Point(EPOCH_POINT, "oxph-plc", 1, "holding", 111)


def plc_with(lowest: int = 0, highest: int = EPOCHS, epoch: Point = EPOCH) -> PlcPoints:
    """A PLC whose register for the epoch may hold this range."""
    writable = allow_list(
        {SETPOINT.name: Allowance(SETPOINT, 6, 0, 1000), epoch.name: Allowance(epoch, 6, lowest, highest)}
    )
    points = {SETPOINT.name: SETPOINT, epoch.name: epoch}
    return PlcPoints("oxph-plc", 0.5, points, writable, Readable(frozenset()))


def without_epoch() -> PlcPoints:
    """One that has no such register."""
    plc = plc_with()
    return replace(plc, points={SETPOINT.name: SETPOINT}, writable={SETPOINT.name: plc.writable[SETPOINT.name]})


def by_the_clock(clock_s: Seconds, until_s: float = 110.0) -> Fence:
    return Fence(Term("stop", Held(7, 1, until_s)), WRITE_S, None, clock_s)


def by_the_plc(clock_s: Seconds, fenced: PlcPoints, without_bus: str = "continue") -> Fence:
    """A fence whose PLC holds this gateway's epoch, settled and just asked."""
    term = Term("continue" if without_bus == "continue" else "stop", Held(7, 1, clock_s.at_s + 10))
    fence = Fence(term, WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    fence.took()
    clock_s.at_s += FRESH_S + WRITE_S
    fence.saw(7, clock_s.at_s)
    return fence

"""The only way to the plant: write and read back. A write is never repeated blindly; its intent is in the journal before.

Who decided says with `refusal` what would stand against it still in the moment before it goes out (see last_word.py).
"""

import asyncio
import time
from dataclasses import dataclass

from prometheus_client import Histogram

from headworks.control_gateway.batching import block_of
from headworks.control_gateway.fencing import Fence
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LOST, LinkFault, NotPermitted, Plc, Refusal
from headworks.control_gateway.points import Point, WritablePoint

READ_BACK_S = 0.5
READ_BACK_EVERY_S = 0.005
WRITE_TO_VERIFIED = Histogram(
    "headworks_write_to_verified_seconds",
    "from the write to the verified read-back",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """The PLC holds what was written [counts]."""

    read_back: int


@dataclass(frozen=True, slots=True)
class Differs:
    """The PLC holds something else [counts], and what went wrong with the write itself, if that is known."""

    read_back: int
    fault: LinkFault | None = None

    @property
    def why(self) -> str:
        """What is known of the reason, to put behind what happened."""
        return f"; {self.fault.reason}" if self.fault else ""


WriteResult = Verified | Differs | LinkFault


async def write_setpoint(plc: Plc, actuator: Actuator, counts: int, refusal: Refusal) -> WriteResult:
    """Write a setpoint and wait until the PLC has taken it over.

    Raises ValueError for counts outside the actuator's limits: no caller may ask that, whatever was decided.
    """
    if not actuator.limits.minimum <= counts <= actuator.limits.maximum:
        raise ValueError(f"{actuator.resource}: {counts} counts is outside the limits; not written")
    return await _write(plc, actuator.setpoint, actuator.readback, counts, refusal)


async def write_run(plc: Plc, actuator: Actuator, on: bool, refusal: Refusal) -> WriteResult:
    """Command a pump to run or to stand and wait until the PLC has taken it over.

    Raises ValueError for an actuator that is no pump.
    """
    if actuator.run is None:
        raise ValueError(f"{actuator.resource}: it has no run command; not written")
    return await _write(plc, actuator.run.command, actuator.run.readback, int(on), refusal)


async def write_local(plc: Plc, actuator: Actuator, local: bool, refusal: Refusal) -> WriteResult:
    """Tell the PLC that its own control leads an actuator, or the gateway, and wait until it has taken that over.

    Raises ValueError for an actuator whose PLC cannot be told.
    """
    if actuator.local is None:
        raise ValueError(f"{actuator.resource}: it has no local point; not written")
    return await _write(plc, actuator.local.command, actuator.local.readback, int(local), refusal)


async def write_heartbeat(plc: Plc, heartbeat: WritablePoint, counts: int) -> WriteResult:
    """Let a PLC see that the gateway lives, and look once whether it holds it: control does not wait for a heartbeat."""
    if await _is_lost_before(plc):
        return LinkFault(LOST)
    answer = await plc.write(heartbeat, counts)
    if isinstance(answer, NotPermitted):
        return answer
    held = (await plc.read(plc.points.blocks(heartbeat.point.name))).counts(heartbeat.point)
    if isinstance(held, LinkFault) or held == counts:
        return held if isinstance(held, LinkFault) else Verified(counts)
    return Differs(held, answer if isinstance(answer, LinkFault) else None)


async def _write(plc: Plc, point: WritablePoint, readback: Point, counts: int, refusal: Refusal) -> WriteResult:
    started = time.perf_counter()
    if await _is_lost_before(plc):
        return LinkFault(LOST)
    answer = await plc.write(point, counts, refusal)
    if isinstance(answer, NotPermitted):
        return answer
    if answer == counts:  # written by function 23, which reads back in the same request
        return _verified(started, counts)
    fault = answer if isinstance(answer, LinkFault) else None
    blocks = (block_of(readback),)
    # A fault of the write itself says nothing of whether it arrived: the read-back decides.
    while True:
        held = (await plc.read(blocks)).counts(readback)
        if isinstance(held, LinkFault):
            return held
        if held == counts:
            return _verified(started, counts)
        if time.perf_counter() - started > READ_BACK_S:
            return Differs(held, fault)
        await asyncio.sleep(READ_BACK_EVERY_S)


async def take_fence(plc: Plc, fence: Fence) -> bool:
    """Give the PLC this gateway's epoch, where it has a register for it. Whether it holds it."""
    if not fence.must_be_taken():
        return True
    held = fence.term.held
    if fence.point is None or held is None or not fence.may_be_taken():
        return False
    answer = await plc.write(fence.point, held.epoch)
    kept = await plc.read(plc.points.blocks(fence.point.point.name))
    if isinstance(answer, NotPermitted) or kept.counts(fence.point.point) != held.epoch:
        return False
    fence.took()
    return True


async def _is_lost_before(plc: Plc) -> bool:
    """Whether the connection is gone that was decided over. Where another gateway could lead, the PLC is asked who does.

    To ask may connect anew. What the PLC holds behind that connection nobody has seen: nothing is written over it.
    """
    if plc.is_lost():
        return True
    connection = plc.connection
    if plc.fence is not None:
        await _ask_who_leads(plc, plc.fence)
    return plc.connection != connection


async def _ask_who_leads(plc: Plc, fence: Fence) -> None:
    """Have the PLC say with which epoch it is led."""
    if fence.point is None:
        return
    asked_s = fence.clock_s()
    epoch = (await plc.read(plc.points.blocks(fence.point.point.name))).counts(fence.point.point)
    if not isinstance(epoch, LinkFault):
        fence.saw(epoch, asked_s)


def _verified(started: float, counts: int) -> Verified:
    WRITE_TO_VERIFIED.observe(time.perf_counter() - started)
    return Verified(counts)

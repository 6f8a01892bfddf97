"""The port to a PLC behind a fence: what the fence refuses does not reach the wire."""

from dataclasses import replace

import pytest
from fence_rig import WRITE_S, Seconds, plc_with
from gateway_rig import PlcServer, plc_at, points_of

from headworks.control_gateway.fencing import EPOCH_POINT, Fence, Term
from headworks.control_gateway.lease import Held
from headworks.control_gateway.plc import NotPermitted
from headworks.control_gateway.site_points import PlcPoints
from headworks.control_gateway.writer import take_fence


@pytest.fixture
def clock_s() -> Seconds:
    return Seconds()


@pytest.fixture
def fenced() -> PlcPoints:
    """The afterbay's PLC with a register for the epoch."""
    abay, epoch = points_of("abay", "oxph-plc"), plc_with().writable[EPOCH_POINT]
    points, writable = {**abay.points, EPOCH_POINT: epoch.point}, {**abay.writable, EPOCH_POINT: epoch}
    return replace(abay, points=points, writable=writable)


async def test_the_port_itself_refuses_and_nothing_reaches_the_plc(
    clock_s: Seconds, fenced: PlcPoints, plc_server: PlcServer
) -> None:
    plc = plc_at(plc_server.port, fenced)
    fence = plc.fence = Fence(Term("stop", None), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    await plc.read(fenced.blocks("OXPH.readback"))
    assert isinstance(await plc.write(fenced.writable["OXPH.setpoint"], 200), NotPermitted)
    assert await take_fence(plc, fence) is True, "there is nothing to take"
    fence.term.held = Held(5, 1, clock_s.at_s + 10)
    assert isinstance(await plc.write(fenced.writable["OXPH.setpoint"], 200), NotPermitted)
    assert (plc_server.writes, plc_server.epoch) == ([], 0)
    assert await take_fence(plc, fence)
    assert plc_server.epoch == 5
    fence.saw(5, clock_s.at_s)
    assert await plc.write(fenced.writable["OXPH.setpoint"], 201) is None
    assert plc_server.writes == [201]
    clock_s.at_s += 9
    assert isinstance(await plc.write(fenced.writable[EPOCH_POINT], 5), NotPermitted)
    plc.close()

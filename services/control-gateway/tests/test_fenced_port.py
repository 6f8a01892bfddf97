"""The port to a PLC behind a fence: what the fence refuses does not reach the wire."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from fence_rig import WRITE_S, Seconds, by_the_plc, plc_with
from gateway_rig import PlcServer, plc_at, points_of

from headworks.common.sites import read_sites
from headworks.control_gateway.fencing import EPOCH_POINT, Fence, Term, fences_of
from headworks.control_gateway.lease import Held
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LOST, LinkFault, NotPermitted, unrefused
from headworks.control_gateway.section import HaSection, control_section
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.control_gateway.writer import Verified, take_fence, write_setpoint


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


@pytest.mark.parametrize("lost_by", ["the gateway", "the PLC"])
async def test_a_fenced_write_too_goes_only_over_the_connection_that_was_read_over(
    clock_s: Seconds, fenced: PlcPoints, plc_server: PlcServer, actuator: Actuator, lost_by: str
) -> None:
    plc = plc_at(plc_server.port, fenced)
    plc.fence, plc_server.epoch = by_the_plc(clock_s, fenced), 7
    await plc.read(fenced.blocks("OXPH.readback"))
    assert await write_setpoint(plc, actuator, 201, unrefused) == Verified(201)
    connection = plc.connection
    if lost_by == "the gateway":
        plc.close()
    else:
        await plc_server.stop()
        await plc_server.start()
    for _ in ("one actuator", "the next one of the same turn"):
        assert await write_setpoint(plc, actuator, 202, unrefused) == LinkFault(LOST)
    assert plc.connection == connection + 1, "what was read before is read anew"
    assert plc_server.writes == [201]
    await plc.read(fenced.blocks("OXPH.readback"))
    assert await write_setpoint(plc, actuator, 202, unrefused) == Verified(202)
    plc.close()


async def test_a_plc_that_is_lost_as_it_says_who_leads_is_written_nothing(
    clock_s: Seconds, fenced: PlcPoints, plc_server: PlcServer, actuator: Actuator
) -> None:
    plc = plc_at(plc_server.port, fenced, timeout_s=0.2)
    plc.fence, plc_server.epoch = by_the_plc(clock_s, fenced), 7
    await plc.read(fenced.blocks("OXPH.readback"))
    plc_server.fault = "hang"
    assert await write_setpoint(plc, actuator, 201, unrefused) == LinkFault(LOST)
    assert plc_server.writes == []
    plc.close()


@pytest.mark.parametrize(
    "changes",
    [
        "type: uint16",
        "type: int16, writable: true",
        "type: float32, step: '1', writable: true",
        "type: uint16, scale: 2 s, writable: true",
        "type: uint16, scale: 1 s, offset: 1 s, writable: true",
        "type: uint16, scale: 1 s, step: 2 s, writable: true",
        "type: uint16, maximum: '65534', writable: true",
        "type: uint16, minimum: '1', writable: true",
    ],
)
@pytest.mark.parametrize("without_bus", ["stop", "continue"])
def test_a_site_file_whose_register_for_the_epoch_cannot_hold_each_is_refused(
    sites_folder: Path, tmp_path: Path, changes: str, without_bus: Literal["stop", "continue"]
) -> None:
    text = (sites_folder / "abay.yaml").read_text()
    beside = "      shared_points:\n"
    (tmp_path / "abay.yaml").write_text(
        text.replace(beside, f"{beside}        {EPOCH_POINT}: {{table: holding, address: 111, {changes}}}\n")
    )
    plc = plc_points("abay", control_section(read_sites(tmp_path)["abay"]))["oxph-plc"]
    with pytest.raises(
        ValueError, match=r"^site abay: control\.plcs\.oxph-plc\.shared_points\.lease_epoch must be a writable"
    ):
        fences_of("abay", HaSection(standby=True, lease="3 s", without_bus=without_bus), {"oxph-plc": plc})
    assert fences_of("abay", HaSection(standby=False), {"oxph-plc": plc}) is None, (
        "no other gateway: nothing rests on it"
    )

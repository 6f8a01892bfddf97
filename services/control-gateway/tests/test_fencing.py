"""Lease and fence at their edges: nobody writes with an old lease, an old reading of the PLC, or an old epoch."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from gateway_rig import PlcServer, plc_at, points_of
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.messages import Lease
from headworks.common.sites import read_sites
from headworks.control_gateway.fencing import EPOCH_POINT, FRESH_S, Fence, Term, fences_of
from headworks.control_gateway.lease import EPOCHS, Held, Seen, is_free, is_newer, next_epoch
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LOST, LinkFault, NotPermitted, unrefused
from headworks.control_gateway.points import WritablePoint
from headworks.control_gateway.section import HaSection, control_section
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.control_gateway.writer import Verified, take_fence, write_setpoint

WRITE_S = 1.0
epochs = st.integers(1, EPOCHS)


class Seconds:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory, sites_folder: Path) -> PlcPoints:
    """The afterbay's PLC with a register for the epoch."""
    heartbeat = "        heartbeat: {table: holding, address: 110, type: uint16, writable: true}\n"
    text = (sites_folder / "abay.yaml").read_text()
    folder = tmp_path_factory.mktemp("sites")
    (folder / "abay.yaml").write_text(
        text.replace(heartbeat, heartbeat + heartbeat.replace("heartbeat", EPOCH_POINT).replace("110", "111"))
    )
    return plc_points("abay", control_section(read_sites(folder)["abay"]))["oxph-plc"]


@pytest.fixture
def clock_s() -> Seconds:
    return Seconds()


@pytest.fixture
def setpoint(fenced: PlcPoints) -> WritablePoint:
    return fenced.writable["OXPH.setpoint"]


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


def lease(**changes: object) -> Lease:
    return Lease.model_validate({"site": "abay", "gateway": "a", "epoch": 7, "valid_s": 3.0, "orders": 1, **changes})


@pytest.mark.parametrize(
    ("seen", "now_s", "free"),
    [
        (None, 0.0, True),
        (Seen(lease(), 1, 10.0), 10.0, False),
        (Seen(lease(), 1, 10.0), 13.0, False),
        (Seen(lease(), 1, 10.0), 13.001, True),
        (Seen(lease(released=True), 1, 10.0), 10.0, True),
        (Seen(lease(valid_s=60.0), 1, 10.0), 69.9, False),
    ],
)
def test_a_lease_is_free_once_its_holder_is_silent_for_as_long_as_the_holder_said(
    seen: Seen | None, now_s: float, free: bool
) -> None:
    assert is_free(seen, now_s) is free


@pytest.mark.parametrize(
    ("known", "following"), [((), 1), ((1,), 2), ((EPOCHS,), 1), ((5, 9, 7), 10), ((0, 4), 5), ((EPOCHS - 1, 2), 3)]
)
def test_an_epoch_comes_after_all_that_are_known_and_goes_round(known: tuple[int, ...], following: int) -> None:
    assert next_epoch(*known) == following


@given(epochs, epochs)
def test_of_two_epochs_at_most_one_is_newer(one: int, other: int) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))
    assert is_newer(next_epoch(one), one)
    assert is_newer(one, 0)
    assert not is_newer(0, one)


@pytest.mark.parametrize(
    ("now_s", "refused"), [(100.0, False), (108.999, False), (109.0, True), (110.0, True), (1e9, True)]
)
def test_a_lease_that_ends_while_a_write_could_be_under_way_is_none(
    clock_s: Seconds, setpoint: WritablePoint, now_s: float, refused: bool
) -> None:
    fence = by_the_clock(clock_s)
    clock_s.at_s = now_s
    assert (fence.refusal(setpoint) is not None) is refused


def test_who_does_not_lead_writes_nothing(clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints) -> None:
    for fence in (by_the_clock(clock_s), by_the_plc(clock_s, fenced)):
        assert fence.refusal(setpoint) is None
        fence.term.held = None
        assert fence.refusal(setpoint) == "this gateway does not lead"


@pytest.mark.parametrize(("late_s", "refused"), [(0.0, False), (FRESH_S, False), (FRESH_S + 0.001, True)])
def test_who_was_held_up_after_asking_the_plc_writes_nothing(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints, late_s: float, refused: bool
) -> None:
    for without_bus in ("stop", "continue"):
        fence = by_the_plc(clock_s, fenced, without_bus)
        clock_s.at_s += late_s
        assert (fence.refusal(setpoint) is not None) is refused


def test_without_the_bus_the_plc_alone_says_that_control_goes_on(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    for without_bus, refused in (("stop", True), ("continue", False)):
        fence = by_the_plc(clock_s, fenced, without_bus)
        clock_s.at_s += 1000
        fence.saw(7, clock_s.at_s)
        assert (fence.refusal(setpoint) is not None) is refused
        assert fence.refusal(fence.point) is not None if fence.point else False, "an epoch needs the lease itself"


@pytest.mark.parametrize("epoch", [8, 9, 6, EPOCHS])
def test_who_sees_another_epoch_stops_for_good(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints, epoch: int
) -> None:
    fence, told = by_the_plc(clock_s, fenced), list[str]()
    fence.term.overtaken = told.append
    fence.saw(epoch, clock_s.at_s)
    assert told == [f"the PLC is led with epoch {epoch}, not 7"]
    assert fence.refusal(setpoint) is not None
    fence.saw(7, clock_s.at_s)
    assert fence.refusal(setpoint) is not None


def test_a_plc_that_restarted_is_given_the_epoch_again_only_by_who_surely_leads(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    fence = by_the_plc(clock_s, fenced)
    fence.saw(0, clock_s.at_s)
    assert (fence.must_be_taken(), fence.may_be_taken()) == (True, True)
    assert fence.refusal(setpoint) is not None
    clock_s.at_s += 1000
    assert fence.may_be_taken() is False


def test_a_new_leader_waits_for_what_the_old_one_may_have_under_way(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    for without_bus, waits in (("stop", False), ("continue", True)):
        held = Held(8, 1, clock_s.at_s + 100)
        term = Term("continue" if without_bus == "continue" else "stop", held)
        fence = Fence(term, WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
        fence.saw(7, clock_s.at_s)
        assert fence.must_be_taken()
        fence.saw(8, clock_s.at_s)  # it was written, but the answer was lost
        fence.took()
        assert fence.is_settled() is not waits
        clock_s.at_s += FRESH_S + WRITE_S
        fence.saw(8, clock_s.at_s)
        assert fence.is_settled()
        assert fence.refusal(setpoint) is None


def test_the_epoch_that_nobody_else_writes_under_is_known_while_the_lease_surely_lasts(clock_s: Seconds) -> None:
    fence = by_the_clock(clock_s)
    assert (fence.settled_epoch, fence.leads_under(7)) == (7, 7)
    assert fence.leads_under(None) is None, "it was not this gateway's when the turn began"
    assert fence.leads_under(6) is None
    clock_s.at_s = 109.0
    assert fence.leads_under(7) is None, "another may lead before a write of this one is over"
    fence.term.held = None
    assert (fence.settled_epoch, fence.leads_under(7)) == (None, None)


def test_without_the_bus_the_plc_s_fresh_word_says_that_nobody_else_writes(clock_s: Seconds, fenced: PlcPoints) -> None:
    for without_bus, under in (("stop", None), ("continue", 7)):
        fence = by_the_plc(clock_s, fenced, without_bus)
        clock_s.at_s += 1000
        assert fence.leads_under(7) is None
        fence.saw(7, clock_s.at_s)
        assert fence.leads_under(7) == under
    fence = by_the_plc(clock_s, fenced)
    fence.saw(0, clock_s.at_s)
    assert fence.settled_epoch is None, "the PLC restarted, and does not hold it yet"


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


@pytest.mark.parametrize(
    ("ha", "timeout_s", "message"),
    [
        (HaSection(standby=True, lease="1 s"), 0.5, "ha.lease=1 s must be at least 2.5 times what a write"),
        (HaSection(standby=True, lease="3 s", without_bus="continue"), 0.5, "shared_points.lease_epoch"),
    ],
)
def test_a_section_that_protects_from_nothing_is_refused(ha: HaSection, timeout_s: float, message: str) -> None:
    plc = replace(points_of("abay", "oxph-plc"), timeout_s=timeout_s)
    with pytest.raises(ValueError, match=re.escape(message)):
        fences_of("abay", ha, {"oxph-plc": plc})


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
def test_a_register_for_the_epoch_that_cannot_hold_each_is_refused(
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


def test_a_gateway_alone_has_no_fence() -> None:
    for ha in (None, HaSection(standby=False)):
        assert fences_of("abay", ha, {"oxph-plc": points_of("abay", "oxph-plc")}) is None


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

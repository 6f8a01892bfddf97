"""The fence at its edges: nobody writes with an old lease, an old reading of the PLC, or an old epoch."""

import re
from dataclasses import replace
from typing import Literal

import pytest
from fence_rig import EPOCH, WRITE_S, Seconds, by_the_clock, by_the_plc, plc_with, without_epoch

from headworks.control_gateway.encoding import Encoding
from headworks.control_gateway.fencing import EPOCH_POINT, FRESH_S, LEAST_WRITES, Fence, Term, fences_of
from headworks.control_gateway.lease import EPOCHS, Held
from headworks.control_gateway.points import WritablePoint
from headworks.control_gateway.section import HaSection
from headworks.control_gateway.site_points import PlcPoints

NOT_LED, NOT_HELD = "this gateway does not lead", "the PLC does not hold this gateway's epoch yet"
HELD_UP = "the PLC's word on who leads is too old: this gateway was held up"
OVER = "the lease is over: it could not be renewed"
NO_EPOCH = "the lease is not this gateway's: it gives no PLC its epoch"


@pytest.fixture
def fenced() -> PlcPoints:
    """A PLC with a register for the epoch."""
    return plc_with()


@pytest.fixture
def clock_s() -> Seconds:
    return Seconds()


@pytest.fixture
def setpoint(fenced: PlcPoints) -> WritablePoint:
    return fenced.writable["OXPH.setpoint"]


@pytest.mark.parametrize(
    ("now_s", "refused"), [(100.0, False), (108.999, False), (109.0, True), (110.0, True), (1e9, True)]
)
def test_a_lease_that_ends_while_a_write_could_be_under_way_is_none(
    clock_s: Seconds, setpoint: WritablePoint, now_s: float, refused: bool
) -> None:
    fence = by_the_clock(clock_s)
    clock_s.at_s = now_s
    assert fence.refusal(setpoint) == (OVER if refused else None)


def test_who_does_not_lead_writes_nothing(clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints) -> None:
    for fence in (by_the_clock(clock_s), by_the_plc(clock_s, fenced)):
        assert fence.refusal(setpoint) is None
        fence.term.held = None
        assert fence.refusal(setpoint) == NOT_LED
        assert (fence.is_settled(), fence.may_be_taken(), fence.must_be_taken()) == (False, False, False)


@pytest.mark.parametrize(("late_s", "refused"), [(0.0, False), (FRESH_S, False), (FRESH_S + 0.001, True)])
def test_who_was_held_up_after_asking_the_plc_writes_nothing(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints, late_s: float, refused: bool
) -> None:
    for without_bus in ("stop", "continue"):
        fence = by_the_plc(clock_s, fenced, without_bus)
        clock_s.at_s += late_s
        assert fence.refusal(setpoint) == (HELD_UP if refused else None)


def test_without_the_bus_the_plc_alone_says_that_control_goes_on(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    for without_bus, refused in (("stop", True), ("continue", False)):
        fence = by_the_plc(clock_s, fenced, without_bus)
        clock_s.at_s += 1000
        fence.saw(7, clock_s.at_s)
        assert fence.refusal(setpoint) == (OVER if refused else None)
        assert fence.point is not None
        assert fence.refusal(fence.point) == NO_EPOCH, "an epoch needs the lease itself"
    alone = Fence(Term("continue", Held(7, 1, clock_s.at_s)), WRITE_S, None, clock_s)
    assert alone.refusal(setpoint) == OVER, "no PLC says anything"


@pytest.mark.parametrize("epoch", [8, 9, 6, 1, EPOCHS])
def test_who_sees_another_epoch_stops_for_good(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints, epoch: int
) -> None:
    fence, told = by_the_plc(clock_s, fenced), list[str]()
    fence.term.overtaken = told.append
    fence.saw(epoch, clock_s.at_s)
    assert told == [f"the PLC is led with epoch {epoch}, not 7"]
    assert fence.refusal(setpoint) == NOT_HELD
    fence.saw(7, clock_s.at_s)
    assert fence.refusal(setpoint) == NOT_HELD


def test_a_plc_that_restarted_is_given_the_epoch_again_only_by_who_surely_leads(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    fence, told = by_the_plc(clock_s, fenced), list[str]()
    fence.term.overtaken = told.append
    fence.saw(0, clock_s.at_s)
    assert told == [], "nobody leads in its place"
    assert (fence.must_be_taken(), fence.may_be_taken()) == (True, True)
    assert fence.refusal(setpoint) == NOT_HELD
    assert fence.refusal(fenced.writable[EPOCH_POINT]) is None
    clock_s.at_s += 1000
    assert fence.may_be_taken() is False
    assert fence.refusal(fenced.writable[EPOCH_POINT]) == NO_EPOCH


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


@pytest.mark.parametrize(("before_end_s", "may"), [(1.25, True), (1.0, False), (0.75, False)])
def test_an_epoch_is_given_only_while_the_lease_outlasts_the_write(
    clock_s: Seconds, fenced: PlcPoints, before_end_s: float, may: bool
) -> None:
    for without_bus in ("stop", "continue"):
        fence = by_the_plc(clock_s, fenced, without_bus)
        fence.term.held = Held(8, 1, clock_s.at_s + before_end_s)
        assert fence.must_be_taken()
        assert fence.may_be_taken() is may
        assert fence.refusal(fenced.writable[EPOCH_POINT]) == (None if may else NO_EPOCH)


def test_where_no_register_holds_an_epoch_none_is_given(clock_s: Seconds) -> None:
    fence = by_the_clock(clock_s)
    assert (fence.must_be_taken(), fence.is_settled()) == (False, True)


def test_it_is_settled_at_the_very_end_of_the_wait_and_the_wait_is_not_begun_again(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints
) -> None:
    fence = Fence(Term("continue", Held(8, 1, clock_s.at_s + 100)), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    assert fence.refusal(setpoint) == NOT_HELD
    assert (fence.is_settled(), fence.settled_epoch) == (False, None)
    for asked_s, settled in ((0.0, False), (0.75, False), (1.0, False), (1.25, True)):
        clock_s.at_s = 100.0 + asked_s
        fence.saw(8, clock_s.at_s)
        fence.took()  # as it is when an answer was lost
        assert (fence.is_settled(), fence.settled_epoch) == (settled, 8 if settled else None)
        assert fence.refusal(setpoint) == (None if settled else NOT_HELD)
    fence.term.held = Held(9, 2, clock_s.at_s + 100)
    assert not fence.is_settled(), "the PLC holds the epoch before it"
    fence.took()
    assert not fence.is_settled(), "each epoch has its wait"
    clock_s.at_s += FRESH_S + WRITE_S
    assert fence.settled_epoch == 9


def test_who_does_not_lead_takes_no_plc_and_hears_of_epochs_all_the_same(clock_s: Seconds, fenced: PlcPoints) -> None:
    told = list[str]()
    fence = Fence(Term("continue", None, told.append), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    fence.saw(7, clock_s.at_s)
    fence.took()
    assert (fence.newest_epoch, fence.must_be_taken(), fence.is_settled()) == (7, False, False)
    fence.term.held = Held(7, 1, clock_s.at_s + 10)
    assert fence.must_be_taken()
    assert told == []


@pytest.mark.parametrize(("seen", "told"), [(2, True), (0, False)])
def test_the_first_epoch_of_all_is_lost_to_a_newer_one_and_by_a_restart_as_any_other_is(
    clock_s: Seconds, setpoint: WritablePoint, fenced: PlcPoints, seen: int, told: bool
) -> None:
    said = list[str]()
    fence = Fence(Term("stop", Held(1, 1, 200.0), said.append), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    fence.took()
    fence.saw(seen, clock_s.at_s)
    fence.saw(1, clock_s.at_s)
    assert (bool(said), fence.must_be_taken(), fence.refusal(setpoint)) == (told, True, NOT_HELD)


def test_the_newest_epoch_that_a_plc_was_seen_to_hold_is_known(clock_s: Seconds, fenced: PlcPoints) -> None:
    fence = Fence(Term("stop", Held(9, 1, 200.0)), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    assert fence.newest_epoch == 0
    for seen, newest in ((5, 5), (7, 7), (6, 7), (0, 7), (9, 9)):
        fence.saw(seen, clock_s.at_s)
        assert fence.newest_epoch == newest
    fence.term.held = Held(12, 1, 200.0)
    fence.took()
    assert fence.newest_epoch == 12


def test_before_it_was_given_the_epoch_a_plc_that_holds_an_older_one_ends_nothing(
    clock_s: Seconds, fenced: PlcPoints
) -> None:
    told = list[str]()
    fence = Fence(Term("continue", Held(7, 1, 200.0), told.append), WRITE_S, fenced.writable[EPOCH_POINT], clock_s)
    for older in (6, 5, 0):
        fence.saw(older, clock_s.at_s)
        assert (told, fence.must_be_taken()) == ([], True)
    fence.saw(8, clock_s.at_s)
    assert told == ["the PLC is led with epoch 8, not 7"], "whoever leads with a newer one leads"


def test_without_the_bus_the_plcs_word_counts_until_it_is_too_old(clock_s: Seconds, fenced: PlcPoints) -> None:
    fence = by_the_plc(clock_s, fenced)
    clock_s.at_s += 1000
    fence.saw(7, clock_s.at_s)
    for late_s, under in ((FRESH_S, 7), (FRESH_S + 0.25, None)):
        fence.saw(7, clock_s.at_s - late_s)
        assert fence.leads_under(7) == under


# ---------------------------------------------------------------- the fences of a site

AT = "site abay: control"


def ha_of(lease_s: float = 3.0, without_bus: Literal["stop", "continue"] = "stop") -> HaSection:
    return HaSection(standby=True, lease=f"{lease_s:g} s", without_bus=without_bus)


def refused(ha: HaSection, plc: PlcPoints, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fences_of("abay", ha, {"oxph-plc": plc})


def test_a_gateway_alone_has_no_fence(fenced: PlcPoints) -> None:
    for ha in (None, HaSection(standby=False)):
        assert fences_of("abay", ha, {"oxph-plc": fenced}) is None


@pytest.mark.parametrize("without_bus", ["stop", "continue"])
def test_all_fences_of_a_site_share_one_term_so_one_lease_leads_all_its_plcs(
    clock_s: Seconds, fenced: PlcPoints, without_bus: Literal["stop", "continue"]
) -> None:
    other = replace(plc_with(), plc="other", timeout_s=0.25, bridge_delay_s=0.5)
    made = fences_of("abay", ha_of(without_bus=without_bus), {"oxph-plc": fenced, "other": other})
    assert made is not None
    term, fences = made
    assert (term.without_bus, term.held) == (without_bus, None)
    assert list(fences) == ["oxph-plc", "other"]
    assert all(fence.term is term for fence in fences.values())
    assert [fence.write_s for fence in fences.values()] == [1.0, 1.0], "twice the time-out, and what a bridge keeps"
    assert [fence.point for fence in fences.values()] == [p.writable[EPOCH_POINT] for p in (fenced, other)]
    for fence in fences.values():
        fence.clock_s = clock_s
        assert not fence.may_be_taken()
    term.held = Held(1, 1, 110.0)
    assert all(fence.may_be_taken() for fence in fences.values())


def test_a_lease_is_at_least_two_and_a_half_times_what_a_write_may_take(fenced: PlcPoints) -> None:
    assert fences_of("abay", ha_of(LEAST_WRITES * 1.0), {"oxph-plc": fenced}) is not None
    message = (
        f"{AT}.ha.lease={{}} s must be at least 2.5 times what a write to oxph-plc may take, "
        "{} s (twice its timeout, and its bridge_delay)"
    )
    refused(ha_of(2.25), fenced, message.format("2.25", "1"))
    refused(ha_of(7.0), replace(fenced, bridge_delay_s=2.0), message.format("7", "3"))


def test_a_serial_bridge_says_how_long_it_keeps_a_telegram(fenced: PlcPoints) -> None:
    bridge = replace(fenced, transport="rtu_over_tcp")
    refused(
        ha_of(),
        bridge,
        f"{AT}.plcs.oxph-plc.bridge_delay is missing: ha.standby needs to know how long the bridge keeps a telegram that it "
        "has taken, such as 2 s",
    )
    made = fences_of("abay", ha_of(10.0), {"oxph-plc": replace(bridge, bridge_delay_s=2.0)})
    assert made is not None
    assert made[1]["oxph-plc"].write_s == 3.0


def test_going_on_without_the_bus_needs_a_register_for_the_epoch() -> None:
    none = without_epoch()
    refused(
        ha_of(without_bus="continue"),
        none,
        f"{AT}.ha.without_bus='continue' needs plcs.oxph-plc.shared_points.lease_epoch, a writable uint16: "
        "without it nothing tells a leader that the other one leads",
    )
    made = fences_of("abay", ha_of(), {"oxph-plc": none})
    assert made is not None
    assert made[1]["oxph-plc"].point is None


@pytest.mark.parametrize(("lowest", "highest"), [(0, EPOCHS), (-1, EPOCHS + 1)])
def test_a_register_for_the_epoch_holds_every_epoch_and_none(lowest: int, highest: int) -> None:
    assert fences_of("abay", ha_of(), {"oxph-plc": plc_with(lowest, highest)}) is not None


READ_ONLY = replace(plc_with(), writable=without_epoch().writable)


@pytest.mark.parametrize("without_bus", ["stop", "continue"])
@pytest.mark.parametrize(
    "plc",
    [
        READ_ONLY,
        plc_with(1, EPOCHS),
        plc_with(0, EPOCHS - 1),
        plc_with(1, EPOCHS - 1),
        plc_with(epoch=replace(EPOCH, scale=2)),
        plc_with(epoch=replace(EPOCH, offset=1)),
        plc_with(epoch=replace(EPOCH, step=2)),
        plc_with(epoch=replace(EPOCH, encoding=Encoding("float32"))),
    ],
)
def test_a_register_for_the_epoch_that_cannot_hold_each_is_refused(
    plc: PlcPoints, without_bus: Literal["stop", "continue"]
) -> None:
    refused(
        ha_of(without_bus=without_bus),
        plc,
        f"{AT}.plcs.oxph-plc.shared_points.lease_epoch must be a writable, whole uint16 without scale or range: it says "
        "which of two gateways leads",
    )
    assert fences_of("abay", HaSection(standby=False), {"oxph-plc": plc}) is None, "nothing rests on it"

"""Orders at two gateways whose clocks differ: the later order stands whatever the clocks say, and in doubt the stricter mode."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from gateway_rig import HandClock, PlcServer, lead_board, plc_at
from hypothesis import given
from hypothesis import strategies as st
from time_rig import NOW

from headworks.common.bus import Bus
from headworks.common.messages import ControlMode, GatewayOrders, KeptMode, SetpointOverride
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.orders import NEVER, OrderBook, mode_after, strictest, supersedes
from headworks.control_gateway.sharing import SharedOrders
from headworks.control_gateway.stop_orders import StopOrders
from headworks.control_gateway.switches import SwitchBoard

AUTO, OFF, MAINTENANCE = ControlMode.AUTO, ControlMode.OFF, ControlMode.MAINTENANCE
FAST = timedelta(minutes=10)
LATER = NOW + timedelta(minutes=5)


class Board(Protocol):
    """A site's mode, or an actuator's."""

    def order(self, mode: ControlMode, by: str, at: datetime) -> None: ...
    def tell(self, other: "Board") -> None: ...
    def hear(self, mode: KeptMode) -> None: ...
    def mode(self) -> ControlMode: ...


class OfSite:
    def __init__(self, folder: Path) -> None:
        self.board = SwitchBoard(folder, "abay")

    def order(self, mode: ControlMode, by: str, at: datetime) -> None:
        self.board.set_mode(mode, by, at)

    def tell(self, other: Board) -> None:
        other.hear(self.board.kept_mode)

    def hear(self, mode: KeptMode) -> None:
        self.board.take_over(mode)

    def mode(self) -> ControlMode:
        return self.board.now.mode


class OfActuator:
    def __init__(self, folder: Path) -> None:
        self.book = OrderBook(folder, "abay", ["OXPH"])

    def order(self, mode: ControlMode, by: str, at: datetime) -> None:
        self.book.set_mode("OXPH", mode, by, at)

    def tell(self, other: Board) -> None:
        for mode in self.book.now.modes.values():
            other.hear(mode)

    def hear(self, mode: KeptMode) -> None:
        self.book.take_over({"OXPH": mode}, {})

    def mode(self) -> ControlMode:
        return self.book.mode_of("OXPH")


@pytest.fixture(params=[OfSite, OfActuator])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Board, Board]:
    """One gateway's board, whose clock is 10 min ahead, and the other's."""
    made: Callable[[Path], Board] = request.param
    return made(tmp_path / "fast"), made(tmp_path / "right")


def test_a_later_order_stands_against_one_of_a_clock_that_is_ahead(both: tuple[Board, Board]) -> None:
    fast, right = both
    fast.order(AUTO, "ann", NOW + FAST)
    fast.tell(right)
    right.order(MAINTENANCE, "bob", LATER)
    fast.tell(right)
    assert right.mode() is MAINTENANCE
    right.tell(fast)
    assert fast.mode() is MAINTENANCE
    right.order(AUTO, "bob", LATER + timedelta(minutes=1))
    right.tell(fast)
    fast.tell(right)
    assert (fast.mode(), right.mode()) == (AUTO, AUTO), "a person's later order to let go holds too"


@pytest.mark.parametrize("first", ["fast", "right"])
@pytest.mark.parametrize(("there", "here"), [(AUTO, MAINTENANCE), (MAINTENANCE, AUTO), (OFF, MAINTENANCE)])
def test_where_neither_was_known_to_the_other_the_stricter_mode_stands_at_both(
    both: tuple[Board, Board], first: str, there: ControlMode, here: ControlMode
) -> None:
    fast, right = both
    fast.order(there, "ann", NOW + FAST)
    right.order(here, "bob", LATER)
    for teller, hearer in [(fast, right), (right, fast)] if first == "fast" else [(right, fast), (fast, right)]:
        teller.tell(hearer)
    assert fast.mode() is right.mode() is strictest(there, here)


def test_of_an_older_version_the_newer_stamp_counts_and_of_equal_ones_the_stricter() -> None:
    before, after = KeptMode(mode=OFF, by="ann", at=NOW), KeptMode(mode=AUTO, by="ann", at=LATER)
    assert (supersedes(after, before), supersedes(before, after)) == (True, False)
    same = KeptMode(mode=AUTO, by="bob", at=NOW)
    assert (supersedes(same, before), supersedes(before, same), supersedes(before, before)) == (False, True, False)


modes = st.sampled_from(list(ControlMode))
stamps = st.integers(-900, 900).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(st.lists(st.tuples(st.booleans(), modes, stamps, st.booleans()), min_size=1, max_size=12))
def test_two_gateways_come_to_the_same_mode_whatever_their_clocks_say(
    orders: list[tuple[bool, ControlMode, datetime, bool]],
) -> None:
    kept: dict[bool, KeptMode | None] = {True: None, False: None}

    def tell(teller: bool) -> None:
        told = kept[teller]
        if told is not None and supersedes(told, kept[not teller]):
            kept[not teller] = told

    for where, mode, at, is_told in orders:
        kept[where] = mode_after(kept[where], mode, "ann", at)
        if is_told:
            tell(where)
            known = kept[not where]
            assert known is not None
    for _ in range(2):
        tell(True)
        tell(False)
    one, other = kept[True], kept[False]
    assert one is not None
    assert other is not None
    assert one.mode is other.mode


def test_a_later_override_stands_against_one_of_a_clock_that_is_ahead(tmp_path: Path) -> None:
    fast, right = (OrderBook(tmp_path / name, "abay", ["OXPH"]) for name in ("fast", "right"))
    given = SetpointOverride(value=2.0, by="ann", reason="x", given_at=NOW + FAST, until=NOW + timedelta(hours=1))
    fast.override("OXPH", given)
    right.take_over({}, fast.now.overrides)
    right.override("OXPH", given.model_copy(update={"value": 3.0, "given_at": LATER}))
    right.take_over({}, fast.now.overrides)
    fast.take_over({}, right.now.overrides)
    for book in (fast, right):
        in_force = book.override_of("OXPH", LATER)
        assert in_force is not None
        assert (in_force.value, in_force.given_at) == (3.0, LATER)


async def test_orders_stamped_in_the_future_are_told_until_they_are_not(
    tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock, bus: Bus
) -> None:
    journal, board = Journal(tmp_path), EStopBoard(tmp_path)
    async with httpx.AsyncClient() as client:
        loop = ControlLoop(
            "abay", (actuator,), {"oxph-plc": plc_at(plc_server.port)}, OptimizationPlanManager("abay", client, bus, clock),
            SwitchBoard(tmp_path, "abay", board), journal, clock, 1, lead_board(tmp_path, "abay", (actuator,), NOW),
        )  # fmt: skip
    shared = SharedOrders("b", StopOrders(board, {"abay": loop}, Auditor(journal, clock)))

    def told(ahead_s: float) -> GatewayOrders:
        mode = KeptMode(mode=AUTO, by="ann", at=clock.now() + timedelta(seconds=ahead_s), after=NEVER)
        stops = EStopBoard(tmp_path / "other").now.model_dump(mode="json")
        return GatewayOrders(gateway="a", at=clock.now(), e_stops=stops, actuator_modes={"abay": {"OXPH": mode}})

    for ahead_s, found in ((60.0, False), (61.0, True), (61.0, True), (0.0, False)):
        shared.heard(told(ahead_s))
        expected = "orders of gateway a are stamped 61 s in the future: one of the two clocks is wrong"
        assert loop.state().findings == ((expected,) if found else ())
    noted = [link.body["event_type"] for link in journal.unshipped_links(1000)[0] if link.kind == "audit"]
    assert noted == ["orders_ahead"]

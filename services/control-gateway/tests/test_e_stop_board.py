"""The board of emergency stops: what is in force holds over restarts, full disks and unreadable files, at every gateway."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from time_rig import NOW

from headworks.control_gateway.e_stop import CLOCKS_APART, CONFIRM_WITHIN, Scope
from headworks.control_gateway.e_stop_board import UNREADABLE, EStopBoard

SYSTEM, SITE, UNIT = Scope(), Scope(site="abay"), Scope(site="abay", resource="OXPH")


class RealTime:
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.mark.parametrize(
    ("after", "cleared"),
    [
        (timedelta(0), True),
        (CONFIRM_WITHIN, True),
        (CONFIRM_WITHIN + timedelta(milliseconds=1), False),
        (-CLOCKS_APART, True),
        (-CLOCKS_APART - timedelta(milliseconds=1), False),
    ],
)
def test_a_second_person_confirms_in_time(tmp_path: Path, after: timedelta, cleared: bool) -> None:
    time = RealTime()
    board = EStopBoard(tmp_path, time)
    board.press(SITE, "ann", "smoke", NOW)
    assert board.clear(SITE, "bob", "no smoke") is not None
    time.at += after
    assert (board.clear(SITE, "carl", "seen") is None) is cleared
    assert (board.now.stopped("abay") is None) is cleared


def test_all_holds_over_a_restart_and_a_request_too(tmp_path: Path) -> None:
    EStopBoard(tmp_path, RealTime()).press(UNIT, "ann", "smoke", NOW)
    EStopBoard(tmp_path, RealTime()).clear(UNIT, "bob", "no smoke")
    board = EStopBoard(tmp_path, RealTime())
    assert board.now.stopped("abay", "OXPH") is not None
    assert board.clear(UNIT, "carl", "seen") is None
    assert EStopBoard(tmp_path).now.stopped("abay", "OXPH") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", b'{"presses": 1}', b'{"x": 1}'])
def test_a_file_that_cannot_be_read_stops_the_system(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "e-stops.json").write_bytes(content)
    board = EStopBoard(tmp_path)
    stop = board.now.stopped("anywhere", "anything")
    assert stop is not None
    assert stop.by == UNREADABLE
    assert board.clear(SYSTEM, "bob", "new disk") is not None
    assert board.clear(SYSTEM, "carl", "seen") is None
    assert EStopBoard(tmp_path).now.active() == ()


def test_a_press_that_came_meanwhile_at_the_other_gateway_holds_on(tmp_path: Path) -> None:
    a, b = EStopBoard(tmp_path / "a", RealTime()), EStopBoard(tmp_path / "b", RealTime())
    a.press(SITE, "ann", "smoke", NOW)
    assert b.merge(a.now)
    assert not b.merge(a.now), "nothing is new"
    b.press(SITE, "dora", "fire", NOW)
    a.clear(SITE, "bob", "no smoke")
    assert a.clear(SITE, "carl", "seen") is None
    assert a.now.active() == ()
    assert a.merge(b.now)
    assert [press.by for press in a.now.active()] == ["dora"]
    assert b.merge(a.now)
    assert [press.by for press in b.now.active()] == ["dora"]


def test_one_asks_at_one_gateway_and_another_confirms_at_the_other(tmp_path: Path) -> None:
    a, b = EStopBoard(tmp_path / "a", RealTime()), EStopBoard(tmp_path / "b", RealTime())
    a.press(SITE, "ann", "smoke", NOW)
    a.clear(SITE, "bob", "no smoke")
    b.merge(a.now)
    assert b.clear(SITE, "Bob", "seen") is not None, "it is the same person"
    assert b.clear(SITE, "carl", "seen") is None
    a.merge(b.now)
    assert a.now.active() == ()
    assert a.waiting(SITE) is None


def test_what_is_heard_holds_at_once_when_the_disk_refuses(tmp_path: Path) -> None:
    a, b = EStopBoard(tmp_path / "a"), EStopBoard(tmp_path / "b")
    a.press(SITE, "ann", "smoke", NOW)
    (tmp_path / "b" / "e-stops.part").mkdir()
    assert b.merge(a.now)
    assert (b.now.stopped("abay") is not None, b.stored) == (True, False)
    (tmp_path / "b" / "e-stops.part").rmdir()
    b.save_again()
    assert EStopBoard(tmp_path / "b").now.stopped("abay") is not None


orders = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["press", "clear", "hear"]), st.integers(0, 2), st.sampled_from("abc")
    ),
    max_size=25,
)


@given(orders)
def test_gateways_that_heard_each_other_agree_and_no_stop_is_lost(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[int, str, int, str]]
) -> None:
    boards = [EStopBoard(tmp_path_factory.mktemp("gateway"), RealTime()) for _ in range(3)]
    pressed: set[str] = set()
    ended: set[str] = set()
    for at, what, other, person in orders:
        board = boards[at]
        if what == "press":
            pressed.add(board.press((SYSTEM, SITE, UNIT)[other], person, "", NOW).press_id)
        elif what == "hear":
            board.merge(boards[other].now)
        else:
            before = {press.press_id for press in board.now.active()}
            board.clear((SYSTEM, SITE, UNIT)[other], person, "")
            ended |= before - {press.press_id for press in board.now.active()}
    for _ in range(2):
        for board in boards:
            for other_board in boards:
                board.merge(other_board.now)
    for board in boards:
        assert {press.press_id for press in board.now.active()} == pressed - ended
        assert board.now.merged(board.now) == boards[0].now.merged(boards[0].now)

"""Mode and e-stop: they hold over a restart, an unreadable file stops, and a full disk stops no e-stop."""

from pathlib import Path

import pytest
from time_rig import NOW

from headworks.common.messages import ControlMode
from headworks.control_gateway.switches import SwitchBoard


def test_a_new_installation_follows_its_plans(tmp_path: Path) -> None:
    now = SwitchBoard(tmp_path, "abay").now
    assert (now.mode, now.e_stop) == (ControlMode.AUTO, False)


def test_an_e_stop_holds_over_a_restart_until_it_is_cleared(tmp_path: Path) -> None:
    SwitchBoard(tmp_path, "abay").press_e_stop("ann: smoke", NOW)
    again = SwitchBoard(tmp_path, "abay")
    assert (again.now.e_stop, again.now.e_stop_by, again.now.changed_at) == (True, "ann: smoke", NOW)
    again.clear_e_stop("bob")
    again = SwitchBoard(tmp_path, "abay")
    assert again.now.e_stop is True
    again.clear_e_stop("carl")
    assert SwitchBoard(tmp_path, "abay").now.e_stop is False


def test_a_mode_holds_over_a_restart_and_leaves_the_e_stop_alone(tmp_path: Path) -> None:
    board = SwitchBoard(tmp_path, "abay")
    board.press_e_stop("ann", NOW)
    board.set_mode(ControlMode.MANUAL, "bob", NOW)
    now = SwitchBoard(tmp_path, "abay").now
    assert (now.mode, now.mode_by, now.e_stop) == (ControlMode.MANUAL, "bob", True)


def test_sites_are_apart(tmp_path: Path) -> None:
    SwitchBoard(tmp_path, "abay").press_e_stop("ann", NOW)
    assert SwitchBoard(tmp_path, "other").now.e_stop is False


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\x00", b"[]", b'{"e_stop": "maybe"}', b'{"mode": "fly"}', b'{"e_stop": false, "x": 1}']
)
def test_a_file_that_cannot_be_read_means_stopped(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "switches-abay.json").write_bytes(content)
    now = SwitchBoard(tmp_path, "abay").now
    assert (now.e_stop, now.e_stop_by) == (True, "unreadable switches file")


def test_a_file_that_is_none_means_stopped(tmp_path: Path) -> None:
    (tmp_path / "switches-abay.json").mkdir()
    assert SwitchBoard(tmp_path, "abay").now.e_stop is True


def test_an_e_stop_holds_at_once_when_the_disk_refuses_and_is_stored_as_soon_as_it_takes_it(tmp_path: Path) -> None:
    board = SwitchBoard(tmp_path, "abay")
    (tmp_path / "e-stops.part").mkdir()
    board.press_e_stop("ann: smoke", NOW)
    assert (board.now.e_stop, board.stored) == (True, False)
    board.save_again()
    assert board.stored is False
    (tmp_path / "e-stops.part").rmdir()
    board.save_again()
    assert board.stored is True
    assert SwitchBoard(tmp_path, "abay").now.e_stop_by == "ann: smoke"


def test_an_order_that_gives_the_lead_takes_effect_only_once_stored(tmp_path: Path) -> None:
    board = SwitchBoard(tmp_path, "abay")
    board.set_mode(ControlMode.OFF, "ann", NOW)
    board.press_e_stop("ann", NOW)
    (tmp_path / "switches-abay.part").mkdir()
    (tmp_path / "e-stops.part").mkdir()
    with pytest.raises(OSError, match="e-stops"):
        board.clear_e_stop("bob")
    with pytest.raises(OSError, match="switches-abay"):
        board.set_mode(ControlMode.AUTO, "bob", NOW)
    assert (board.now.e_stop, board.now.mode) == (True, ControlMode.OFF)

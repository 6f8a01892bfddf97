"""People's orders on single actuators: in force, over, over a restart, and where the disk does not give or take them."""

from datetime import timedelta
from pathlib import Path

import pytest
from time_rig import NOW

from headworks.common.messages import ControlMode, SetpointOverride
from headworks.control_gateway.orders import OrderBook, strictest

UNTIL = NOW + timedelta(hours=1)
BY_ANN = SetpointOverride(value=2.0, by="ann", reason="test", given_at=NOW, until=UNTIL)


def book(folder: Path) -> OrderBook:
    return OrderBook(folder, "abay", ["OXPH", "OTHER"])


def test_an_override_is_in_force_from_its_begin_to_its_end_over_a_restart(tmp_path: Path) -> None:
    book(tmp_path).override("OXPH", BY_ANN)
    again = book(tmp_path)
    for at, expected in (
        (NOW - timedelta(microseconds=1), None),
        (NOW, BY_ANN),
        (UNTIL - timedelta(microseconds=1), BY_ANN),
        (UNTIL, None),
    ):
        assert again.override_of("OXPH", at) == expected
    assert again.override_of("OTHER", NOW) is None
    assert again.end_override("OXPH", NOW) == BY_ANN
    assert again.end_override("OXPH", NOW) is None
    assert book(tmp_path).override_of("OXPH", NOW) is None


def test_a_mode_holds_over_a_restart_and_auto_leaves_it_to_the_site(tmp_path: Path) -> None:
    book(tmp_path).set_mode("OXPH", ControlMode.MAINTENANCE, "ann: bearings", NOW)
    again = book(tmp_path)
    assert (again.mode_of("OXPH"), again.mode_of("OTHER")) == (ControlMode.MAINTENANCE, ControlMode.AUTO)
    again.set_mode("OXPH", ControlMode.AUTO, "ann: done", NOW)
    assert book(tmp_path).mode_of("OXPH") is ControlMode.AUTO


def test_the_stricter_mode_counts() -> None:
    auto, manual, off, maintenance = ControlMode.AUTO, ControlMode.MANUAL, ControlMode.OFF, ControlMode.MAINTENANCE
    assert strictest(auto, auto) is auto
    assert strictest(auto, manual) is strictest(manual, auto) is manual
    assert strictest(off, manual) is off
    assert strictest(off, maintenance) is maintenance


def test_who_was_handed_to_local_control_is_remembered(tmp_path: Path) -> None:
    book(tmp_path).hand_over("OXPH", NOW)
    again = book(tmp_path)
    assert (again.handed_at("OXPH"), again.handed_at("OTHER")) == (NOW, None)
    again.take_back("OXPH")
    assert book(tmp_path).handed_at("OXPH") is None


def test_a_file_that_cannot_be_read_means_off_for_all(tmp_path: Path) -> None:
    (tmp_path / "orders-abay.json").write_text("{")
    orders = book(tmp_path)
    assert {orders.mode_of("OXPH"), orders.mode_of("OTHER")} == {ControlMode.OFF}
    assert orders.now.modes["OXPH"].by == "unreadable orders file"


def test_what_cannot_be_stored_changes_nothing(tmp_path: Path) -> None:
    orders = book(tmp_path)
    (tmp_path / "orders-abay.part").mkdir()
    with pytest.raises(OSError, match="orders-abay"):
        orders.override("OXPH", BY_ANN)
    with pytest.raises(OSError, match="orders-abay"):
        orders.set_mode("OXPH", ControlMode.OFF, "ann", NOW)
    assert orders.override_of("OXPH", NOW) is None
    assert orders.mode_of("OXPH") is ControlMode.AUTO


def test_what_is_newer_at_another_gateway_is_taken_over_and_holds_over_a_restart(tmp_path: Path) -> None:
    here, there = book(tmp_path / "here"), book(tmp_path / "there")
    later = NOW + timedelta(minutes=1)
    there.set_mode("OXPH", ControlMode.MAINTENANCE, "ann", NOW)
    there.override("OTHER", BY_ANN)
    here.take_over(there.now.modes, there.now.overrides)
    assert book(tmp_path / "here").mode_of("OXPH") is ControlMode.MAINTENANCE
    assert book(tmp_path / "here").override_of("OTHER", NOW) == BY_ANN
    here.set_mode("OXPH", ControlMode.AUTO, "ann: done", later)
    here.end_override("OTHER", later)
    here.take_over(there.now.modes, there.now.overrides)
    assert here.mode_of("OXPH") is ControlMode.AUTO
    assert here.override_of("OTHER", later) is None
    there.take_over(here.now.modes, here.now.overrides)
    assert there.mode_of("OXPH") is ControlMode.AUTO
    assert there.override_of("OTHER", later) is None

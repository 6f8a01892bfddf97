"""The mark of a clock: what time it would be at the start, had nobody set the wall clock while the gateway was down."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from gateway_rig import HandClock
from structlog.testing import capture_logs
from time_rig import NOW

from headworks.common.clock import Clock
from headworks.control_gateway import clock_mark
from headworks.control_gateway.clock_mark import ClockMark, ClockMarks, boot_id, would_be


@pytest.fixture
def clock() -> HandClock:
    """It stands at NOW."""
    return HandClock(NOW)


MARK = ClockMark(at=NOW, at_s=1000.0, boot="a")


def s(seconds: float) -> datetime:
    """So long after the mark."""
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("wall_s", [-7200.0, 0.0, 59.0, 60.0, 7200.0])
@pytest.mark.parametrize("recorded_s", [None, -5.0, 86400.0])
def test_within_one_boot_the_machines_seconds_say_it(wall_s: float, recorded_s: float | None) -> None:
    now = ClockMark(at=s(wall_s), at_s=1060.0, boot="a")
    recorded_at = None if recorded_s is None else s(recorded_s)
    assert would_be(MARK, recorded_at, now, 1.0) == s(60)
    assert would_be(MARK, recorded_at, now, 200.0) == s(12000)


@pytest.mark.parametrize(
    ("mark", "recorded_s", "wall_s", "is_s"),
    [
        (MARK, None, 0, None),
        (MARK, None, -1, 0),
        (MARK, -5, -3, 0),
        (MARK, 8, 9, None),
        (MARK, 8, 8, None),
        (MARK, 8, 7, 8),
        (MARK, 8, -7200, 8),
        (None, 8, 7, 8),
        (None, 8, 9, None),
        (None, None, -7200, None),
    ],
)
def test_after_another_boot_a_clock_before_what_was_seen_was_set_back_by_that_at_least(
    mark: ClockMark | None, recorded_s: float | None, wall_s: float, is_s: float | None
) -> None:
    recorded_at, now = None if recorded_s is None else s(recorded_s), ClockMark(at=s(wall_s), at_s=3.0, boot="b")
    assert would_be(mark, recorded_at, now, 1.0) == (None if is_s is None else s(is_s))


def test_where_no_boot_is_known_none_is_the_same() -> None:
    unknown = {"boot": ""}
    now = ClockMark(at=s(5), at_s=1060.0, boot="")
    assert would_be(MARK.model_copy(update=unknown), None, now, 1.0) is None


def test_a_mark_is_found_at_the_next_start_each_site_its_own(tmp_path: Path, clock: HandClock) -> None:
    marks = ClockMarks(tmp_path, clock, None, lambda: 1000.0, "a")
    assert marks.would_be("abay") is None
    marks.leave("abay", s(3))
    clock.forward(-7200)
    later = ClockMarks(tmp_path, clock, None, lambda: 1010.0, "a")
    assert (later.would_be("abay"), later.would_be("blominmaki")) == (s(13), None)
    assert ClockMarks(tmp_path, clock, None, lambda: 5.0, "b").would_be("abay") == s(3)


@pytest.mark.parametrize("content", [b"", b"{", b'{"at": 3}', b"\xff"])
def test_where_a_mark_cannot_be_read_the_journal_says_it(tmp_path: Path, clock: HandClock, content: bytes) -> None:
    (tmp_path / "clock-abay.json").write_bytes(content)
    with capture_logs() as logged:
        assert ClockMarks(tmp_path, clock, None).would_be("abay") is None
    [entry] = logged
    assert (entry["event"], entry["site"]) == (
        "a clock's mark cannot be read: the journal alone says what time it was",
        "abay",
    )
    assert ClockMarks(tmp_path, clock, s(1)).would_be("abay") == s(1)


def test_a_disk_that_refuses_a_mark_stops_nothing(tmp_path: Path, clock: HandClock) -> None:
    marks = ClockMarks(tmp_path / "away", clock, None)
    marks.leave("abay", NOW)
    assert marks.would_be("abay") is None


def test_a_mark_that_cannot_be_written_leaves_the_last_one(tmp_path: Path, clock: HandClock) -> None:
    marks = ClockMarks(tmp_path, clock, None, lambda: 1000.0, "a")
    marks.leave("abay", s(3))
    (tmp_path / "clock-abay.part").mkdir()
    marks.leave("abay", s(4))
    assert marks.would_be("abay") == s(3)


def test_where_the_system_does_not_say_which_boot_it_is_none_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "boot_id"
    monkeypatch.setattr(clock_mark, "BOOT_ID", file)
    assert boot_id() == "", "there is no such file"
    file.write_text("b\n")
    assert boot_id() == "b"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert boot_id() == "", "its file means nothing there"


def test_this_machine_says_which_boot_it_is(tmp_path: Path) -> None:
    marks = ClockMarks(tmp_path, Clock(), None)
    assert marks.boot == boot_id() != ""
    marks.leave("abay", NOW)
    would = marks.would_be("abay")
    assert would is not None
    assert NOW <= would < s(60)

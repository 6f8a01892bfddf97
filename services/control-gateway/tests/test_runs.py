"""Since when a pump runs or stands: as seen, kept over a restart, and just begun where nobody looked."""

from datetime import timedelta
from pathlib import Path

import pytest
from time_rig import NOW, TICK

from headworks.control_gateway.runs import Run, RunBook, run_of

UNSEEN_S = 1800.0
SINCE = NOW - timedelta(hours=3)
RAN = Run(running=True, since=SINCE, seen_at=NOW - timedelta(seconds=UNSEEN_S))


def test_what_is_seen_for_the_first_time_has_just_begun() -> None:
    assert run_of(None, False, NOW, UNSEEN_S) == Run(running=False, since=NOW, seen_at=NOW)


def test_what_goes_on_goes_on_since_it_began() -> None:
    assert run_of(RAN, True, NOW, UNSEEN_S) == Run(running=True, since=SINCE, seen_at=NOW)


def test_a_change_begins_now() -> None:
    assert run_of(RAN, False, NOW, UNSEEN_S) == Run(running=False, since=NOW, seen_at=NOW)


def test_what_was_not_seen_for_too_long_has_just_begun() -> None:
    later = NOW + TICK
    assert run_of(RAN, True, later, UNSEEN_S) == Run(running=True, since=later, seen_at=later)


@pytest.mark.parametrize("before", [None, RAN.model_copy(update={"seen_at": SINCE})])
def test_what_was_not_seen_is_as_old_as_the_plc_counts_it(before: Run | None) -> None:
    assert run_of(before, True, NOW, UNSEEN_S, in_state_s=5400.0).since == NOW - timedelta(minutes=90)


def test_what_is_seen_all_along_does_not_ask_the_plc() -> None:
    assert run_of(RAN, True, NOW, UNSEEN_S, in_state_s=60.0).since == SINCE
    assert run_of(RAN, False, NOW, UNSEEN_S, in_state_s=60.0).since == NOW


def test_a_clock_that_went_back_leaves_nothing_known() -> None:
    seen = RAN.model_copy(update={"seen_at": NOW})
    assert run_of(seen, True, NOW, UNSEEN_S).since == SINCE
    assert run_of(seen, True, NOW - TICK, UNSEEN_S).since == NOW - TICK


def test_it_holds_over_a_restart(tmp_path: Path) -> None:
    book = RunBook(tmp_path / "new", "blominmaki", UNSEEN_S)
    book.saw("P1_1", True, NOW)
    book.saw("P1_2", False, NOW + TICK)
    again = RunBook(tmp_path / "new", "blominmaki", UNSEEN_S)
    later = NOW + timedelta(seconds=1000)
    assert again.saw("P1_1", True, later) == NOW
    assert again.saw("P1_2", False, later) == NOW + TICK
    assert again.saw("P1_3", True, later) == later


def test_a_sight_is_kept_before_it_is_too_old_for_a_restart(tmp_path: Path) -> None:
    book = RunBook(tmp_path, "blominmaki", UNSEEN_S)
    for seconds in range(0, 7200, 10):
        book.saw("P1_1", True, NOW + timedelta(seconds=seconds))
    again = RunBook(tmp_path, "blominmaki", UNSEEN_S)
    assert again.saw("P1_1", True, NOW + timedelta(seconds=7190 + UNSEEN_S - UNSEEN_S / 6 - 10)) == NOW


@pytest.mark.parametrize("content", [b"", b"{", b'{"P1_1": {"running": 3}}', b"\xff"])
def test_a_file_that_cannot_be_read_leaves_all_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs-blominmaki.json").write_bytes(content)
    book = RunBook(tmp_path, "blominmaki", UNSEEN_S)
    assert book.saw("P1_1", True, NOW) == NOW
    again = RunBook(tmp_path, "blominmaki", UNSEEN_S)
    assert again.saw("P1_1", True, NOW + TICK) == NOW


@pytest.mark.parametrize("by_s", [-7200, 300])
def test_when_a_clock_is_stepped_a_run_is_as_long_as_it_was_however_often_it_is_kept(
    tmp_path: Path, by_s: float
) -> None:
    by, book = timedelta(seconds=by_s), RunBook(tmp_path, "blominmaki", UNSEEN_S)
    book.saw("P1_1", True, NOW)
    book.saw("P1_1", True, NOW + TICK)
    for _ in range(2):
        book.keep(by)
        assert RunBook(tmp_path, "blominmaki", UNSEEN_S).saw("P1_1", True, NOW + by + 2 * TICK) == NOW + by
        assert book.saw("P1_1", True, NOW + TICK) == NOW, "until the new time is recorded the old one goes on"


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    book = RunBook(tmp_path, "blominmaki", UNSEEN_S)
    (tmp_path / "runs-blominmaki.part").mkdir()
    assert book.saw("P1_1", True, NOW) == NOW
    assert book.saw("P1_1", True, NOW + TICK) == NOW

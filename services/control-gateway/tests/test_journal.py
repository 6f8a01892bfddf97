"""The journal: on the disk before anything is written, whole after a crash, and shut when the disk is."""

import asyncio
import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disk_rig import BadDisk

from headworks.common.messages import Setpoint
from headworks.control_gateway.audit_verify import Kept, verify_file
from headworks.control_gateway.files import only_user_of
from headworks.control_gateway.journal import Journal

Make = Callable[[str], Setpoint]


@contextmanager
def full_disk(largest_bytes: int) -> Iterator[None]:
    """No file of this process may grow further than this, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ids(journal: Journal, most: int = 100) -> list[str]:
    return [entry.setpoint_id for entry in journal.unshipped(most)[0]]


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    assert all(journal.append(entry(name)) for name in ("a", "b"))
    assert journal.appended.is_set()
    assert ids(Journal(tmp_path)) == ["a", "b"]


async def test_shipping_goes_on_where_it_was_left_over_a_restart(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    for name in ("a", "b", "c"):
        journal.append(entry(name))
    entries, position = journal.unshipped(2)
    assert [e.setpoint_id for e in entries] == ["a", "b"]
    await journal.mark_shipped(position)
    assert ids(journal) == ids(Journal(tmp_path)) == ["c"]
    await journal.mark_shipped(journal.unshipped()[1])
    assert ids(journal) == []


@pytest.mark.parametrize("torn", [b"{", b'{"setpoint_id": "b", "site"', b"\x00" * 40])
def test_a_line_torn_by_a_crash_is_dropped_and_the_next_one_is_whole(tmp_path: Path, entry: Make, torn: bytes) -> None:
    Journal(tmp_path).append(entry("a"))
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(torn)
    journal = Journal(tmp_path)
    assert ids(journal) == ["a"]
    assert journal.append(entry("b"))
    assert ids(journal) == ids(Journal(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("mark", ["", "garbage", "-1", "99999999"])
def test_a_mark_that_cannot_be_right_ships_all_again(tmp_path: Path, entry: Make, mark: str) -> None:
    Journal(tmp_path).append(entry("a"))
    (tmp_path / "journal.shipped").write_text(mark)
    assert ids(Journal(tmp_path)) == ["a"]


def test_a_line_spoilt_on_the_disk_is_passed_over_and_the_rest_is_shipped(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    for name in ("a", "b", "c"):
        journal.append(entry(name))
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"b"', b"!!!"))
    restarted = Journal(tmp_path)
    entries, position = restarted.unshipped()
    assert [e.setpoint_id for e in entries] == ["a", "c"]
    assert position == path.stat().st_size


@pytest.mark.parametrize("room_bytes", [0, 1, 100])
def test_a_full_disk_refuses_and_leaves_no_torn_line_behind(tmp_path: Path, entry: Make, room_bytes: int) -> None:
    journal = Journal(tmp_path)
    journal.append(entry("a"))
    with full_disk((tmp_path / "journal.jsonl").stat().st_size + room_bytes):
        assert journal.append(entry("refused")) is False
        assert journal.writable is False
        assert ids(journal) == ["a"]
    assert ids(Journal(tmp_path)) == ["a"]
    assert journal.append(entry("b")) is True
    assert journal.writable is True
    assert ids(journal) == ids(Journal(tmp_path)) == ["a", "b"]


def test_a_folder_that_went_away_refuses(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    assert journal.append(entry("a")) is False
    (tmp_path / "journal.jsonl").mkdir()
    assert journal.append(entry("a")) is False


async def test_a_large_journal_that_is_shipped_whole_is_set_aside(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path, rotate_bytes=1000)
    for number in range(6):
        journal.append(entry(f"e{number}"))
    entries, position = journal.unshipped(5)
    assert len(entries) == 5
    await journal.mark_shipped(position)
    assert ids(journal) == ["e5"], "not yet whole"
    await journal.mark_shipped(journal.unshipped()[1])
    assert (tmp_path / "journal.jsonl").stat().st_size == 0
    assert (tmp_path / "journal-before.jsonl").stat().st_size > 1000
    journal.append(entry("next"))
    assert ids(journal) == ids(Journal(tmp_path, rotate_bytes=1000)) == ["next"]


def test_a_folder_is_for_one_gateway(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    taken = pytest.raises(ValueError, match="is in use by another gateway; end that one first")
    with only_user_of(folder), taken, only_user_of(folder):
        pass
    with only_user_of(folder):
        pass


async def test_what_is_not_synced_is_not_shipped_and_one_sync_is_for_all_who_wait(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        assert journal.append(entry(f"e{number}"), sync=False)
    assert journal.unshipped() == ([], 0)
    assert all(await asyncio.gather(journal.synced(), journal.synced()))
    assert len(journal.unshipped()[0]) == 3
    assert [e.setpoint_id for e in Journal(tmp_path).unshipped()[0]] == ["e0", "e1", "e2"]


async def test_who_comes_while_it_is_synced_waits_for_the_next_sync_and_all_who_wait_share_one(
    tmp_path: Path, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, begun, may_end, fsync = Journal(tmp_path), threading.Semaphore(0), threading.Semaphore(0), os.fsync

    def slow(descriptor: int) -> None:
        begun.release()
        assert may_end.acquire(timeout=10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    journal.append(entry("a"), sync=False)
    early = asyncio.gather(*(journal.synced() for _ in range(50)))
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    journal.append(entry("b"), sync=False)
    late = asyncio.gather(*(journal.synced() for _ in range(50)))
    may_end.release()
    assert all(await early)
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    assert not late.done()
    assert ids(journal) == ["a"], "what is not on the disk is not shipped"
    may_end.release()
    assert all(await late)
    assert ids(journal) == ["a", "b"]
    assert not begun.acquire(blocking=False), "two syncs were for all hundred"


async def test_a_journal_that_cannot_be_synced_says_so(tmp_path: Path, entry: Make) -> None:
    journal = Journal(tmp_path)
    assert journal.append(entry("a"), sync=False)
    (tmp_path / "journal.jsonl").unlink()
    assert not await journal.synced()
    assert not journal.sync()
    assert not journal.writable


# ---------------------------------------------------------------- a sync that fails


async def test_what_was_not_on_the_disk_when_a_sync_failed_is_written_anew_before_a_later_sync_is_believed(
    tmp_path: Path, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    disk = BadDisk(tmp_path / "journal.jsonl", monkeypatch)
    assert journal.append(entry("a"))
    assert journal.append(entry("b"), sync=False)
    disk.bad = True
    assert not await journal.synced()
    disk.bad = False
    assert not journal.writable
    assert not journal.append(entry("refused"), sync=False), "a later sync would take the dropped one for there"
    assert not journal.append(entry("refused"))
    assert not journal.sync()
    assert ids(journal) == ["a"]
    assert await journal.synced()
    assert journal.append(entry("c"))
    assert journal.writable
    assert ids(journal) == ids(Journal(tmp_path)) == ["a", "b", "c"]
    assert isinstance(verify_file(tmp_path), Kept)


async def test_an_entry_whose_own_sync_failed_is_not_there_and_what_came_before_it_is(
    tmp_path: Path, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    disk = BadDisk(tmp_path / "journal.jsonl", monkeypatch)
    assert journal.append(entry("a"), sync=False)
    disk.bad = True
    assert not journal.append(entry("refused"))
    assert not await journal.synced(), "it was tried again, and the disk is no better"
    disk.bad = False
    assert await journal.synced()
    assert journal.append(entry("b"))
    assert ids(journal) == ids(Journal(tmp_path)) == ["a", "b"]
    assert isinstance(verify_file(tmp_path), Kept)


async def test_a_sync_that_began_before_another_failed_does_not_take_the_doubt_away(
    tmp_path: Path, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, begun, may_end, fsync = Journal(tmp_path), threading.Event(), threading.Event(), os.fsync

    def slow(descriptor: int) -> None:
        if threading.current_thread() is threading.main_thread():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        begun.set()
        assert may_end.wait(10)
        fsync(descriptor)

    journal.append(entry("a"), sync=False)
    monkeypatch.setattr(os, "fsync", slow)
    waits = asyncio.create_task(journal.synced())
    assert await asyncio.to_thread(begun.wait, 10)
    assert journal.append(entry("b"), sync=False)
    assert not journal.append(entry("refused"))
    assert not journal.append(entry("refused"), sync=False)
    may_end.set()
    assert await waits
    monkeypatch.setattr(os, "fsync", fsync)
    assert journal.append(entry("c"))
    assert ids(journal) == ids(Journal(tmp_path)) == ["a", "b", "c"]


async def test_a_disk_that_refuses_at_the_start_takes_nothing_until_what_was_left_there_is_written_anew(
    tmp_path: Path, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Journal(tmp_path)
    before.append(entry("a"))
    await before.mark_shipped(before.unshipped()[1])
    disk = BadDisk(tmp_path / "journal.jsonl", monkeypatch)
    before.sync()
    assert before.append(entry("b"), sync=False)
    disk.bad = True
    journal = Journal(tmp_path)
    assert not journal.append(entry("refused"))
    assert (ids(journal), journal.writable) == ([], False)
    disk.bad = False
    journal.try_again()
    assert await journal.synced()
    assert journal.append(entry("c"))
    assert ids(journal) == ids(Journal(tmp_path)) == ["b", "c"]
    assert isinstance(verify_file(tmp_path), Kept)

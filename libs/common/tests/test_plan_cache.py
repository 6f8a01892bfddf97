"""The file of plans: replaced whole, seldom, and with all that was heard once the manager stops."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headworks.common import plan_cache
from headworks.common.messages import GenericTargets, Plan, ResourceType, TargetType
from headworks.common.plan_cache import AT_ONCE, PlanCache
from headworks.common.tasks import in_background
from headworks.common.testing import active_plan, eventually

NOW = datetime(2026, 2, 17, tzinfo=UTC)


def plan(plan_id: int) -> Plan:
    return active_plan(
        GenericTargets(target_type=TargetType.POWER, target_value=2.0),
        station_id="abay",
        resource_id="OXPH",
        resource_type=ResourceType.TURBINE,
        begins=NOW,
        ends=NOW + timedelta(hours=1),
        made=NOW,
        plan_id=plan_id,
    )


def kept(file: Path) -> list[int]:
    return [p.plan_id for p in PlanCache(file, list).read()]


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many plans stood in the file each time that it was replaced."""
    lengths: list[int] = []
    replace = Path.replace

    def counted(part: Path, target: Path) -> Path:
        moved = replace(part, target)
        lengths.append(len(kept(target)))
        return moved

    monkeypatch.setattr(Path, "replace", counted)
    return lengths


async def test_a_hundred_changes_in_a_moment_are_stored_at_most_twice_and_the_last_when_it_stops(
    tmp_path: Path, stored: list[int]
) -> None:
    held: list[Plan] = []
    cache = PlanCache(tmp_path / "plans.json", lambda: held)
    async with in_background(cache.keep()):
        for plan_id in range(100):
            held.append(plan(plan_id))
            cache.changed()
            await asyncio.sleep(0)
        await eventually(lambda: bool(stored))
        held.append(plan(100))
        cache.changed()
    assert stored[-1] == 101
    assert len(stored) == 2
    assert kept(tmp_path / "plans.json") == list(range(101))


async def test_who_made_the_change_goes_on_before_it_is_told(
    tmp_path: Path, stored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_cache, "GATHER_S", 3600)
    cache = PlanCache(tmp_path / "plans.json", lambda: [plan(1)])
    async with in_background(cache.keep()):
        cache.changed()
        for _ in range(100):
            await asyncio.sleep(0)
        assert stored == []
    assert stored == [1], "nothing is lost where it is told to stop meanwhile"


async def test_it_goes_on_storing_what_changes(
    tmp_path: Path, stored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_cache, "GATHER_S", 0)
    monkeypatch.setattr(plan_cache, "EVERY_S", 0.01)
    monkeypatch.setattr(plan_cache, "REST", 0)
    held: list[Plan] = []
    cache = PlanCache(tmp_path / "plans.json", lambda: held)
    async with in_background(cache.keep()):
        for number in (1, AT_ONCE, 2 * AT_ONCE + 1):
            held[:] = [plan(k) for k in range(number)]
            cache.changed()
            await eventually(lambda number=number: stored[-1:] == [number])
            assert kept(tmp_path / "plans.json") == list(range(number))
    assert stored == [1, AT_ONCE, 2 * AT_ONCE + 1]  # nothing changed since, so nothing is stored when it stops


async def test_what_changes_while_it_is_told_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache, "GATHER_S", 0)
    monkeypatch.setattr(plan_cache, "EVERY_S", 0.01)
    held = [plan(k) for k in range(3 * AT_ONCE)]
    cache = PlanCache(tmp_path / "plans.json", lambda: held)
    cache.changed()
    async with in_background(cache.keep()):
        await asyncio.sleep(0)
        held.append(plan(9999))
        cache.changed()
        await eventually(lambda: 9999 in kept(tmp_path / "plans.json"))


async def test_what_was_told_and_not_stored_is_stored_when_it_stops(
    tmp_path: Path, stored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [plan(k) for k in range(3 * AT_ONCE)]
    cache = PlanCache(tmp_path / "plans.json", lambda: held)
    telling = asyncio.Event()
    yielded = asyncio.sleep

    async def between_pieces(seconds: float) -> None:
        if seconds == 0:
            telling.set()
        await yielded(seconds or 3600)

    monkeypatch.setattr(asyncio, "sleep", between_pieces)
    cache.changed()
    async with in_background(cache.keep()):
        await telling.wait()
        assert stored == []
    assert stored == [3 * AT_ONCE]


async def test_a_crash_while_it_is_stored_leaves_the_file_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, held = tmp_path / "plans.json", [plan(1)]
    cache = PlanCache(file, lambda: held)
    cache.changed()
    cache.store()

    def refuse(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", refuse)
    held.append(plan(2))
    cache.changed()
    cache.store()
    assert kept(file) == [1]
    monkeypatch.undo()
    cache.changed()
    cache.store()
    assert kept(file) == [1, 2]


async def test_a_thread_that_comes_late_does_not_undo_what_was_stored_after_it_began(tmp_path: Path) -> None:
    file, held = tmp_path / "plans.json", [plan(1)]
    cache = PlanCache(file, lambda: held)
    number, content = await cache._tell()
    held.append(plan(2))
    cache.changed()
    cache.store()
    cache._store(number, content)
    assert kept(file) == [1, 2]

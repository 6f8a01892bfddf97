"""What a manager knows of the plans outlives a restart with all else down, in a file that may be corrupt or not writable."""

from pathlib import Path

import pytest
from managed_plans import HOUR, NOW, Plans, current_id, managing, plan, silent

from headworks.common.bus import Bus
from headworks.common.testing import eventually


async def test_after_a_restart_with_all_else_down_it_goes_on_with_the_file_and_says_that_nobody_confirmed_it(
    plans: Plans, bus: Bus, tmp_path: Path
) -> None:
    cache = tmp_path / "state" / "plans.json"
    plans.active = [plan(1), plan(2, start_h=1), plan(3, start_h=-9)]
    async with managing(plans, bus, cache) as manager:
        await eventually(lambda: current_id(manager) == 1)
    plans.status = 503
    again = silent(plans, bus, cache)
    assert not await again.refresh()
    assert current_id(again) == 1
    assert again.confirmed_at is None
    assert again.current("abay", "OXPH", NOW + 2 * HOUR) is not None
    assert "s3" not in cache.read_text()  # the past is not kept


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\x00\xff", b'[{"plan_id": 1}]'])
async def test_a_corrupt_cache_is_passed_over_and_replaced(
    plans: Plans, bus: Bus, tmp_path: Path, content: bytes
) -> None:
    cache = tmp_path / "plans.json"
    cache.write_bytes(content)
    manager = silent(plans, bus, cache)
    assert current_id(manager) is None
    plans.active = [plan(1)]
    async with managing(plans, bus, cache) as manager:
        await eventually(lambda: current_id(manager) == 1)
    assert current_id(silent(plans, bus, cache)) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("plans")] == ["plans.json"]


async def test_a_cache_that_cannot_be_written_stops_nothing(plans: Plans, bus: Bus, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    plans.active = [plan(1)]
    async with managing(plans, bus, blocked / "plans.json") as manager:
        await eventually(lambda: current_id(manager) == 1)
    assert current_id(manager) == 1

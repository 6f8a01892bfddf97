"""The client's view of the plans: current by events and refreshes, and what it knows outlives bus, service and restart."""

import asyncio
import contextlib
from datetime import timedelta

import httpx
import pytest
from managed_plans import CLOCK, HOUR, NOW, Plans, current_id, managing, plan, silent, tell
from pydantic import TypeAdapter

from headworks.common.bus import Bus
from headworks.common.embedded.nats import NatsServer
from headworks.common.messages import (
    Plan,
    PumpTargets,
    ResourceType,
)
from headworks.common.plan_manager import AT_ONCE, OptimizationPlanManager, PlanUpdate
from headworks.common.tasks import end, in_background
from headworks.common.testing import eventually

# ---------------------------------------------------------------- which plan is in force


async def test_the_plan_in_force_holds_now_and_has_the_highest_priority_then_is_the_newest(
    plans: Plans, bus: Bus
) -> None:
    manager = silent(plans, bus)
    plans.active = [
        plan(1, start_h=-3, hours=2),
        plan(2),
        plan(3),
        plan(4, plan_priority=5, publisher="vendor"),
        plan(5, start_h=1),
        plan(6, resource_id="OTHER"),
    ]
    assert await manager.refresh()
    assert current_id(manager) == 4
    plans.active = plans.active[:3]
    await manager.refresh()
    assert current_id(manager) == 3
    assert manager.current("abay", "OXPH", NOW + 5 * HOUR) is None
    assert manager.current("elsewhere", "OXPH", NOW) is None
    assert manager.confirmed_at == NOW


async def test_an_interval_begins_with_its_start_and_ends_before_its_end(plans: Plans, bus: Bus) -> None:
    manager = silent(plans, bus)
    plans.active = [plan(1, start_h=0, hours=1), plan(2, start_h=1, hours=1)]
    await manager.refresh()
    found = [
        manager.current("abay", "OXPH", NOW + offset) for offset in (timedelta(0), HOUR - timedelta.resolution, HOUR)
    ]
    assert [p.plan_id if p else None for p in found] == [1, 1, 2]


async def test_pump_plans_and_generic_plans_are_told_apart(plans: Plans, bus: Bus) -> None:
    manager = silent(plans, bus)
    pump = plan(1, resource_id="P1", resource_type=ResourceType.PUMP, targets=PumpTargets(suggested_speed_hz=42.3))
    plans.active = [pump, plan(2)]
    updates: list[tuple[PlanUpdate, int | None, int]] = []
    manager.register_callback(lambda update, old, new, _plan: updates.append((update, old, new)))
    await manager.refresh()
    assert manager.get_current_pump_plan("abay", "P1") == pump
    assert manager.get_current_pump_plan("abay", "OXPH") is None
    assert manager.get_current_generic_plan("abay", "P1") is None
    plans.active = [pump.model_copy(update={"plan_id": 3, "plan_version": 2}), plan(4, 2)]
    await manager.refresh()
    assert manager.resources == {"P1", "OXPH"}
    assert updates == [
        (PlanUpdate.NEW_PUMP_PLAN, None, 1),
        (PlanUpdate.NEW_GENERIC_PLAN, None, 1),
        (PlanUpdate.PUMP_PLAN_UPDATE, 1, 2),
        (PlanUpdate.GENERIC_PLAN_UPDATE, 1, 2),
    ]


# ---------------------------------------------------------------- events


async def test_events_bring_a_new_version_at_once(plans: Plans, bus: Bus) -> None:
    plans.active = [plan(1)]
    async with managing(plans, bus, refresh_s=3600) as manager:
        await eventually(lambda: current_id(manager) == 1)
        await heard_from_now_on(manager, bus)
        await tell(bus, "e1", plan(2, 2), ended=(1,))
        await eventually(lambda: current_id(manager) == 2)
        await tell(bus, "e2", plan(3, 3), ended=(2,))
        await eventually(lambda: current_id(manager) == 3)


async def heard_from_now_on(manager: OptimizationPlanManager, bus: Bus) -> None:
    """Until the manager listens: an event that says nothing of OXPH's present is told until it is heard."""
    for i in range(1000):
        await tell(bus, f"listen{i}", plan(10_000, resource_id="LISTEN"))
        with contextlib.suppress(AssertionError):
            await eventually(lambda: "LISTEN" in manager.resources, timeout_s=0.1)
            return


async def test_a_roll_back_is_a_new_version_with_old_content(plans: Plans, bus: Bus) -> None:
    first = plan(1)
    plans.active = [first]
    async with managing(plans, bus, refresh_s=3600) as manager:
        await eventually(lambda: current_id(manager) == 1)
        await heard_from_now_on(manager, bus)
        await tell(bus, "e1", plan(2, 2), ended=(1,))
        await tell(bus, "e2", plan(3, 3, targets=first.targets), ended=(2,))
        await eventually(lambda: current_id(manager) == 3)
        found = manager.get_current_generic_plan("abay", "OXPH")
    assert found is not None
    assert (found.targets, found.plan_version) == (first.targets, 3)


async def test_events_out_of_order_or_twice_end_the_same(plans: Plans, bus: Bus) -> None:
    async with managing(plans, bus, refresh_s=3600) as manager:
        await heard_from_now_on(manager, bus)
        await tell(bus, "e2", plan(2, 2), ended=(1,))
        await tell(bus, "e1", plan(1))
        await tell(bus, "e1-again", plan(1))
        await tell(bus, "e3", ended=(2,))  # cancelled
        await tell(bus, "e2-again", plan(2, 2), ended=(1,))
        await tell(bus, "last", plan(9, start_h=5))
        await eventually(lambda: manager.current("abay", "OXPH", NOW + 5 * HOUR) is not None)
        assert current_id(manager) is None


async def test_a_gap_in_the_events_is_closed_by_the_next_refresh(plans: Plans, bus: Bus) -> None:
    plans.active = [plan(1)]
    async with managing(plans, bus) as manager:
        await eventually(lambda: current_id(manager) == 1)
        plans.active = [plan(7, 4)]  # whatever was said of it in between was not heard
        await eventually(lambda: current_id(manager) == 7)
        plans.active = []
        await eventually(lambda: current_id(manager) is None)


async def test_a_plan_that_a_refresh_found_gone_does_not_come_back_with_a_late_event(plans: Plans, bus: Bus) -> None:
    plans.active = [plan(1)]
    manager = silent(plans, bus)
    await manager.refresh()
    assert current_id(manager) == 1
    plans.active = []
    await manager.refresh()
    hearing = asyncio.create_task(manager._hear_events())
    await heard_from_now_on(manager, bus)
    await tell(bus, "e1", plan(1))
    await tell(bus, "last", plan(9, start_h=5))
    await eventually(lambda: manager.current("abay", "OXPH", NOW + 5 * HOUR) is not None)
    assert current_id(manager) is None
    await end(hearing)


async def test_an_answer_that_was_under_way_does_not_undo_an_event(plans: Plans, bus: Bus) -> None:
    manager = silent(plans, bus)
    plans.active = [plan(1)]
    await manager.refresh()
    hearing = asyncio.create_task(manager._hear_events())
    await heard_from_now_on(manager, bus)
    answer_may_come = asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = plans.answer(request)
            await answer_may_come.wait()
            return answer

    manager._client = httpx.AsyncClient(transport=Slow(), base_url="http://plans")
    refreshing = asyncio.create_task(manager.refresh())
    await tell(bus, "e1", plan(2, 2), ended=(1,))
    await eventually(lambda: current_id(manager) == 2)
    answer_may_come.set()
    assert await refreshing
    assert current_id(manager) == 2
    await end(hearing)


async def test_plans_that_are_the_same_as_before_are_not_sent_again_and_still_mend_what_is_held(
    plans: Plans, bus: Bus
) -> None:
    manager = silent(plans, bus)
    plans.active = [plan(1)]
    assert [await manager.refresh() for _ in range(3)] == [True] * 3
    assert plans.answered == [200, 304, 304]
    manager._hold([plan(2, 2)], ended={1})  # as no event can do that the service knows of
    assert current_id(manager) == 2
    assert await manager.refresh()
    assert (plans.answered[-1], current_id(manager)) == (304, 1)
    plans.active = [plan(3, 3)]
    assert await manager.refresh()
    assert (plans.answered[-1], current_id(manager)) == (200, 3)


async def test_who_asked_for_nothing_new_and_has_nothing_takes_no_304(plans: Plans, bus: Bus) -> None:
    plans.status, plans.active = 304, [plan(1)]
    assert not await silent(plans, bus).refresh()


async def test_an_answer_of_many_plans_is_read_in_pieces_while_others_go_on(plans: Plans, bus: Bus) -> None:
    manager, turns = silent(plans, bus), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    for more in (range(1, 8 * AT_ONCE), range(8 * AT_ONCE, 8 * AT_ONCE + 3)):  # nothing is held yet, then nearly all
        plans.active += [plan(k, start_h=k) for k in more]
        content, begun = TypeAdapter(list[Plan]).dump_json(plans.active), turns
        async with in_background(others()):
            assert await manager._read(content) == plans.active
            assert turns - begun >= 6
        assert await manager.refresh()
    assert manager.resources == {"OXPH"}
    assert len(manager._by_id) == 8 * AT_ONCE + 2


# ---------------------------------------------------------------- what is away


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (401, b"[]"),
        (200, b"<html>"),
        (200, b'[{"plan_id": 1}]'),
        (200, b"\xff"),
        (200, b"{}"),
        (200, b"null"),
        (200, b"[1]"),
        (200, b"[[]"),
        (200, b"[] x"),
        (200, b"[[] []]"),
        (200, b"[[],]"),
    ],
)
async def test_what_is_known_stays_while_the_service_does_not_answer_or_talks_nonsense(
    plans: Plans, bus: Bus, status: int, body: bytes
) -> None:
    manager = silent(plans, bus)
    plans.active = [plan(1)]
    assert await manager.refresh()
    plans.status, plans.body = status, body
    assert not await manager.refresh()
    assert current_id(manager) == 1
    assert manager.confirmed_at == NOW


async def test_it_goes_on_without_bus_and_service_and_is_current_when_they_are_back(
    plans: Plans, bus: Bus, nats_server: NatsServer
) -> None:
    plans.active = [plan(1)]
    async with managing(plans, bus) as manager:
        await eventually(lambda: current_id(manager) == 1)
        nats_server.stop()
        plans.status = 503
        await eventually(lambda: not bus.is_connected)
        assert current_id(manager) == 1
        nats_server.start()
        plans.status, plans.active = 200, [plan(2, 2)]
        await eventually(lambda: current_id(manager) == 2)


async def test_monitoring_that_is_turned_off_asks_nothing(plans: Plans, bus: Bus) -> None:
    plans.active = [plan(1)]
    client = httpx.AsyncClient(transport=httpx.MockTransport(plans.answer), base_url="http://plans")
    manager = OptimizationPlanManager("abay", client, bus, CLOCK, optimization_monitoring_enabled=False)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(manager.start_monitoring(), 0.1)
    assert manager.confirmed_at is None
    assert current_id(manager) is None

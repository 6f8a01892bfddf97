"""The control loop as it runs: a PLC's turns at their times, at once for a plan, and none held up by another's; how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from gateway_rig import HandClock, PlcServer, plan_of
from loop_rig import Gateway
from sites_rig import Raw, site_of, with_second
from time_rig import NOW

from headworks.common.bus import Bus
from headworks.common.messages import Outcome
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.loop import TOLD_AT_ONCE, next_due_s
from headworks.control_gateway.switches import SwitchBoard


@contextlib.asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[None]:
    async with in_background(gateway.loop.run()):
        yield


async def test_a_new_plan_is_followed_at_once_not_at_the_next_tick(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(2.0))
    async with running(gateway):
        await eventually(gateway.loop.is_alive)
        gateway.clock.forward(20)
        gateway.follow(plan_of(4.0, plan_id=2))
        await eventually(lambda: plc_server.writes == [201], timeout_s=30)


async def test_an_actuator_with_a_new_plan_waits_for_no_other_of_its_plc(gateway: Gateway, raw: Raw) -> None:
    gateway.begin_by(site_of(with_second(raw)))
    second = plan_of(2.0, plan_id=2).model_copy(update={"resource_id": "SECOND"})
    gateway.follow(plan_of(4.0), second)
    await gateway.tick(after_s=15, times=3)

    async def written() -> list[str]:
        """Who was written in the next turn, one after the other."""
        told = len(gateway.told())
        await gateway.tick(after_s=15)
        return [entry.resource for entry in gateway.told()[told:] if entry.outcome is Outcome.VERIFIED]

    for number in (3, 4):
        newer = second.model_copy(update={"plan_id": number, "targets": plan_of(1.0 * number).targets})
        gateway.plans._hold([newer], ended={number - 1})
        assert await written() == ["SECOND", "OXPH"]
        assert await written() == ["OXPH", "SECOND"]


async def test_an_e_stop_that_was_not_stored_is_stored_as_soon_as_the_disk_takes_it(gateway: Gateway) -> None:
    gateway.loop.tick_s = 0.01
    (gateway.folder / "e-stops.part").mkdir()
    gateway.loop.switches.press_e_stop("ann", NOW)
    async with running(gateway):
        (gateway.folder / "e-stops.part").rmdir()
        await eventually(lambda: SwitchBoard(gateway.folder, "abay").now.e_stop)


async def test_a_hung_plc_delays_no_other(
    tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock
) -> None:
    hung = PlcServer(fault="hang")
    await hung.start()
    two = (actuator, replace_actuator(actuator, resource="OTHER", plc="other-plc"))
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        ports = {"oxph-plc": plc_server.port, "other-plc": hung.port}
        gateway = Gateway(tmp_path / "two", two, ports, clock, bus, client, tick_s=0.01, timeout_s=60)
        gateway.follow(plan_of(2.5))
        async with running(gateway):
            await eventually(lambda: gateway.loop.state().resources[0].link_up)
            for counts in range(201, 211):
                clock.forward(15)
                await eventually(written(plc_server, counts), timeout_s=30)
                await eventually(lambda: gateway.outcomes()[-1] == "verified", timeout_s=30)
            assert [r.reason == "starting" for r in gateway.loop.state().resources] == [False, True]
            assert not gateway.loop.is_alive()
    await hung.stop()


def written(plc_server: PlcServer, counts: int) -> Callable[[], bool]:
    return lambda: plc_server.writes[-1:] == [counts]


def replace_actuator(actuator: Actuator, **changes: str) -> Actuator:
    return actuator.model_copy(update=changes)


@pytest.mark.parametrize(
    ("now_s", "due_s"), [(9.9, 10.0), (10.0, 11.0), (10.4, 11.0), (11.0, 12.0), (13.2, 14.0), (4.0, 10.0)]
)
def test_a_turn_that_came_late_or_took_long_leaves_the_next_ones_at_their_own_times(now_s: float, due_s: float) -> None:
    assert next_due_s(10.0, now_s, 1.0) == due_s


async def test_an_end_that_comes_before_the_loop_has_begun_is_kept_until_it_may_run_again(gateway: Gateway) -> None:
    gateway.loop.end_after_this_turn()
    async with asyncio.timeout(30):
        await gateway.loop.run()
    assert not gateway.loop.is_alive(), "it ended without a turn"
    gateway.loop.may_run_again()
    async with running(gateway):
        await eventually(gateway.loop.is_alive)


async def test_a_loop_that_has_not_run_is_not_alive(gateway: Gateway) -> None:
    assert not gateway.loop.is_alive()
    state = gateway.loop.state().resources[0]
    assert (state.reason, state.link_up, state.read_back) == ("starting", False, None)


async def test_the_state_that_is_gathered_in_pieces_is_the_same_and_lets_others_go_on(gateway: Gateway) -> None:
    [actuator] = gateway.actuators
    gateway.actuators = tuple(actuator.model_copy(update={"resource": f"A{k}"}) for k in range(4 * TOLD_AT_ONCE))
    gateway.begin()
    await gateway.tick()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with in_background(others()):
        in_pieces = await gateway.loop.state_in_pieces()
    assert in_pieces == gateway.loop.state()
    assert turns >= 3

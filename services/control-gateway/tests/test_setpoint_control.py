"""A setpoint on a real PLC: no jump, no write unrecorded, and every state said once."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from disk_rig import BadDisk
from gateway_rig import HandClock, PlcServer, plan_of
from loop_rig import Gateway, with_limits
from time_rig import NOW

from headworks.common.messages import ControlMode, Outcome, Plan, TargetType
from headworks.control_gateway.audit_verify import Kept, verify_file
from headworks.control_gateway.movement import MaxChange
from headworks.control_gateway.plausibility import PlausibleLimits


async def test_a_new_gateway_writes_nothing_until_its_own_rate_allows_a_step(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    state = await gateway.tick()
    assert (state.reason, state.read_back, state.requested) == ("the rate allows no step yet", 2.0, 5.8)
    await gateway.tick(times=14)
    assert plc_server.writes == []
    await gateway.tick()
    assert plc_server.writes == [201]


async def test_the_plan_is_reached_exactly_at_the_rate_with_each_write_recorded_before_and_after(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(2.5))
    state = await gateway.tick(after_s=10, times=100)
    assert plc_server.writes[-1] == 250
    assert len(plc_server.writes) == 50
    assert all(b - a == 1 for a, b in pairwise([200, *plc_server.writes]))
    assert gateway.outcomes() == ["intended", "verified"] * 50
    assert (state.reason, state.read_back, state.plan_id) == ("at the plan's setpoint", 2.5, 1)
    intended, verified = gateway.told()[-2:]
    assert (intended.enforced, intended.read_back) == (2.5, 2.49)
    assert (verified.enforced, verified.read_back, verified.plan_id, verified.plan_version) == (2.5, 2.5, 1, 1)


async def test_a_machine_at_rest_begins_the_next_ramp_at_once_with_one_count(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(2.0))
    await gateway.tick(times=60)
    gateway.follow(plan_of(5.0, plan_id=2))
    state = await gateway.tick(after_s=0.001)
    assert plc_server.writes == [201]
    assert state.reason == "moving toward the plan at the allowed rate"
    await gateway.tick(times=14)
    assert plc_server.writes == [201]


async def test_a_restarted_gateway_makes_no_jump(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick(after_s=20, times=5)
    held = plc_server.writes[-1]
    gateway.close()
    gateway.clock.forward(7200)
    gateway.begin()
    state = await gateway.tick()
    assert state.requested == 5.8, "the plan is known from the cache"
    assert plc_server.writes[-1] == held
    await gateway.tick(after_s=20)
    assert plc_server.writes[-1] == held + 1


async def test_a_lost_link_is_told_once_each_time_and_earns_no_rate(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick(times=5)
    for times in (1, 2):
        await plc_server.stop()
        state = await gateway.tick(times=3)
        assert gateway.outcomes() == ["link_lost"] * times
        assert (state.link_up, state.read_back, state.reason) == (False, None, "the PLC does not answer")
        gateway.clock.forward(3600)
        await gateway.tick()
        await plc_server.start()
        state = await gateway.tick()
        assert (state.link_up, state.read_back) == (True, 2.0)
        assert plc_server.writes == []


async def test_a_link_lost_in_the_middle_of_a_write_is_told_once_and_read_before_all_else(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    plc_server.fault = "hang_on_write"
    state = await gateway.tick(after_s=20)
    assert gateway.outcomes() == ["intended", "link_lost"]
    assert state.link_up is False
    plc_server.fault = "hang"
    await gateway.tick(times=2)
    assert gateway.outcomes() == ["intended", "link_lost"]
    plc_server.fault = "none"
    state = await gateway.tick(after_s=3600)
    assert (state.link_up, state.read_back, plc_server.writes) == (True, 2.0, [])


async def test_a_plc_that_restarted_is_led_on_from_what_the_machine_gives(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick(times=5)
    plc_server.restart()
    await gateway.tick()
    assert plc_server.writes == [200]
    await gateway.tick(after_s=20)
    assert plc_server.writes == [200, 201]


async def test_a_plc_that_holds_what_is_not_allowed_is_left_alone_and_told_once(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    plc_server.read_back = 700
    state = await gateway.tick(after_s=20, times=5)
    assert plc_server.writes == []
    assert gateway.outcomes() == ["refused"]
    assert state.refused
    assert "the PLC holds 700 counts, outside 80 to 580" in state.reason


async def test_an_e_stop_holds_everything_and_after_it_there_is_no_jump(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    gateway.loop.switches.press_e_stop("ann", NOW)
    state = await gateway.tick(after_s=3600, times=3)
    assert (state.reason, plc_server.writes) == ("e-stop is active", [])
    gateway.close()
    gateway.begin()
    assert (await gateway.tick(after_s=3600)).reason == "e-stop is active"
    gateway.loop.switches.clear_e_stop("bob")
    gateway.loop.switches.clear_e_stop("carl")
    state = await gateway.tick()
    assert (state.reason, plc_server.writes) == ("the rate allows no step yet", [])
    await gateway.tick(after_s=14.3)
    assert plc_server.writes == [201]


@pytest.mark.parametrize("mode", [ControlMode.MANUAL, ControlMode.OFF])
async def test_a_person_who_leads_is_left_alone_and_what_he_set_is_where_the_plan_goes_on(
    gateway: Gateway, plc_server: PlcServer, mode: ControlMode
) -> None:
    gateway.follow(plan_of(5.8))
    gateway.loop.switches.set_mode(mode, "ann", NOW)
    plc_server.read_back = plc_server.actual = 400
    assert (await gateway.tick(after_s=600, times=3)).reason == f"mode is {mode.value}"
    gateway.loop.switches.set_mode(ControlMode.AUTO, "ann", NOW)
    await gateway.tick()
    assert plc_server.writes == []
    await gateway.tick(after_s=20)
    assert plc_server.writes == [401]


async def test_an_e_stop_that_comes_while_the_disk_takes_the_intent_stops_the_write(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    gateway.loop.journal.appended.clear()
    turn = asyncio.create_task(gateway.tick(after_s=20))
    await gateway.loop.journal.appended.wait()
    gateway.loop.switches.press_e_stop("ann", NOW)
    await turn
    assert plc_server.writes == []
    assert gateway.outcomes() == ["intended", "held"]
    assert (await gateway.tick()).reason == "e-stop is active"


async def test_the_rate_is_earned_from_the_verified_write_on_not_from_its_decision(
    gateway: Gateway, plc_server: PlcServer, clock: HandClock
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    gateway.loop.journal.appended.clear()
    turn = asyncio.create_task(gateway.tick(after_s=20))
    await gateway.loop.journal.appended.wait()
    clock.forward(200)  # as where the process is frozen between its decision and its write
    await turn
    assert plc_server.writes == [201]
    await gateway.tick(after_s=0.1)
    assert plc_server.writes == [201], "201 was held for a tenth of a second only"


async def test_a_late_write_that_the_plc_does_not_take_gains_the_next_one_no_rate(
    gateway: Gateway, plc_server: PlcServer, clock: HandClock
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    plc_server.fault = "ignore"
    gateway.loop.journal.appended.clear()
    turn = asyncio.create_task(gateway.tick(after_s=20))
    await gateway.loop.journal.appended.wait()
    clock.forward(200)
    await turn
    assert gateway.outcomes() == ["intended", "read_back_differs"]
    plc_server.fault = "none"
    await gateway.tick(after_s=0.1)
    assert plc_server.writes == [201]
    await gateway.tick(after_s=20)
    assert plc_server.writes == [201, 201]


async def test_a_write_that_the_plc_takes_over_late_counts_from_when_it_is_seen(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    plc_server.fault = "ignore"
    await gateway.tick(after_s=20)
    assert gateway.outcomes() == ["intended", "read_back_differs"]
    await gateway.tick(after_s=10)
    plc_server.fault, plc_server.setpoint, plc_server.read_back = "none", 201, 201
    await gateway.tick(after_s=5)
    assert plc_server.writes == [201], "201 was not seen before"
    await gateway.tick(after_s=14)
    assert plc_server.writes == [201]
    await gateway.tick()
    assert plc_server.writes == [201, 202]


async def test_without_a_journal_nothing_is_written_and_with_it_control_goes_on(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    path = gateway.folder / "journal.jsonl"
    path.rename(path.with_name("away"))
    state = await gateway.tick(after_s=20, times=3)
    assert (state.refused, state.reason) == (True, "the journal cannot be written")
    assert plc_server.writes == []
    path.with_name("away").rename(path)
    await gateway.tick(after_s=20)
    assert gateway.outcomes() == ["refused"]
    await gateway.tick(after_s=20)
    assert plc_server.writes == [201]


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (plan_of(5.81), "581 counts is outside the station's 80 to 580"),
        (plan_of(0.79), "79 counts is outside the station's 80 to 580"),
        (plan_of(0), "0 counts is outside the hardware's 50 to 600"),
        (plan_of(3, made=NOW - timedelta(hours=27)), "the plan is older than 93600 s"),
        (plan_of(3, target_type=TargetType.SPEED), "the plan asks nothing that this actuator can do"),
        (plan_of(3, target_type=TargetType.POSITION), "the plan asks nothing that this actuator can do"),
        (plan_of(3, target_type=None), "the plan asks nothing that this actuator can do"),
    ],
)
async def test_a_plan_that_is_not_allowed_is_refused_once_and_told(
    gateway: Gateway, plc_server: PlcServer, plan: Plan, reason: str
) -> None:
    gateway.follow(plan)
    state = await gateway.tick(after_s=20, times=3)
    assert plc_server.writes == []
    assert (state.refused, state.reason) == (True, reason)
    [entry] = gateway.told()
    assert (entry.outcome, entry.violations) == (Outcome.REFUSED, (reason,))


async def test_when_the_plan_runs_out_the_machine_is_held_where_it_is(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(5.8, ends=NOW + timedelta(seconds=60)))
    await gateway.tick(after_s=20, times=2)
    written = list(plc_server.writes)
    state = await gateway.tick(after_s=30, times=5)
    assert plc_server.writes == written
    assert (state.fail_safe, state.reason) == (True, "no plan is in force")
    assert gateway.outcomes()[-1] == "held"
    assert gateway.outcomes().count("held") == 1
    assert gateway.told()[-1].reason == "fail-safe: no plan is in force"


async def test_another_read_back_is_told_with_what_the_plc_holds(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    plc_server.fault = "differ"
    state = await gateway.tick(after_s=20)
    entry = gateway.told()[-1]
    assert (entry.outcome, entry.enforced, entry.read_back) == (Outcome.READ_BACK_DIFFERS, 2.01, 2.08)
    assert state.read_back == 2.08
    plc_server.fault = "exception_on_write"
    await gateway.tick(after_s=20)
    assert "exception" in gateway.told()[-1].reason
    plc_server.fault = "none"
    await gateway.tick(after_s=20)
    assert plc_server.writes == [201, 209], "from what the PLC held"


async def test_after_a_sync_that_failed_nothing_is_written_until_what_it_left_is_on_the_disk(
    gateway: Gateway, plc_server: PlcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.follow(plan_of(2.2))
    await gateway.tick(after_s=15, times=2)
    disk = BadDisk(gateway.folder / "journal.jsonl", monkeypatch)
    assert gateway.loop.journal.sync()
    written = list(plc_server.writes)
    disk.bad = True
    state = await gateway.tick(after_s=15, times=3)
    assert (state.refused, state.reason, plc_server.writes) == (True, "the journal cannot be written", written)
    disk.bad = False
    async with asyncio.timeout(60):
        while plc_server.setpoint != 220:
            await gateway.tick(after_s=15)
    entries = gateway.told()
    intended = [round(100 * e.enforced) for e in entries if e.outcome is Outcome.INTENDED and e.enforced is not None]
    assert set(plc_server.writes) <= set(intended), "each write is in the file"
    assert isinstance(verify_file(gateway.folder), Kept)


async def test_orders_are_in_the_journal(gateway: Gateway) -> None:
    gateway.follow(plan_of(3.0))
    await gateway.tick()
    assert gateway.loop.record_order("e-stop pressed by ann: smoke")
    [entry] = gateway.told()
    assert (entry.outcome, entry.reason, entry.requested) == (Outcome.HELD, "e-stop pressed by ann: smoke", 3.0)


async def test_within_a_window_the_setpoint_moves_no_further_over_restarts_too(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    with_limits(gateway, max_change=MaxChange(10, 600))
    gateway.follow(plan_of(2.5))
    state = await gateway.tick(after_s=15, times=12)
    assert plc_server.setpoint == 210
    assert state.reason == "the change within the window allows no step yet"
    gateway.close()
    gateway.begin()
    state = await gateway.tick(after_s=15, times=24)
    assert (plc_server.setpoint, state.reason) == (210, "the change within the window allows no step yet")
    await gateway.tick(after_s=15, times=9)
    assert 210 < plc_server.setpoint <= 214
    await gateway.tick(after_s=15, times=200)
    assert plc_server.setpoint == 250


async def test_a_measured_value_that_jumps_is_refused_until_it_is_believed_again(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    with_limits(gateway, plausible=PlausibleLimits(2, 60, 2, 600, 50, 900))
    gateway.follow(plan_of(2.5))
    await gateway.tick(times=30)
    written = len(plc_server.writes)
    plc_server.actual = 20
    state = await gateway.tick(times=10)
    assert (state.refused, len(plc_server.writes)) == (True, written)
    assert state.reason == "the measured value jumped to 20 counts, faster than the machine can change"
    refused = [e for e in gateway.told() if e.outcome is Outcome.REFUSED]
    assert len(refused) == 1, "it is told once"
    plc_server.actual = plc_server.setpoint
    state = await gateway.tick(times=90)
    assert not state.refused
    assert len(plc_server.writes) > written

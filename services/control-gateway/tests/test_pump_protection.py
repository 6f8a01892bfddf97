"""What stands above the plan of pumps on two real PLCs: the minimum of pumps, the level interlocks, e-stop and people."""

import pytest
from pump_rig import PumpGateway, PumpPlcServer
from time_rig import NOW

from headworks.common.messages import ControlMode, Interlock
from headworks.common.tasks import in_background
from headworks.common.testing import eventually


@pytest.fixture
def gateway(pump_gateway: PumpGateway) -> PumpGateway:
    return pump_gateway


# ---------------------------------------------------------------- never without pumps


async def test_the_last_pump_is_not_stopped_by_a_plan_of_none(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan()
    states = await gateway.tick(times=5)
    assert len(gateway.running()) == 1
    [last] = gateway.running()
    assert states[last].reason == "too few others run for it to stop"


async def test_two_plcs_do_not_stop_the_last_two_pumps_at_once(gateway: PumpGateway) -> None:
    gateway.run("P1_1", "P2_1")
    await gateway.settle()
    gateway.plan()
    gateway.loop.tick_s = 0.01
    async with in_background(gateway.loop.run()):
        await eventually(lambda: len(gateway.running()) == 1)
        for _ in range(3):
            gateway.loop._ticked_s.clear()
            await eventually(gateway.loop.is_alive)
    assert len(gateway.running()) == 1


async def test_a_station_that_stands_still_starts_a_pump_by_itself(gateway: PumpGateway) -> None:
    gateway.run()
    await gateway.tick()
    assert gateway.running() == set(), "the second PLC was not heard before the first one's turn"
    await gateway.tick()
    assert gateway.running() == {"P1_2"}
    assert gateway.told()[-1].reason == "too few pumps run"


async def test_while_a_plc_is_away_its_pumps_count_as_they_were_and_then_no_more(
    gateway: PumpGateway, pump_servers: tuple[PumpPlcServer, PumpPlcServer]
) -> None:
    await gateway.settle()
    await pump_servers[0].stop()
    await gateway.tick(after_s=60, times=9)
    assert gateway.written() == []
    states = await gateway.tick(after_s=60, times=3)
    assert gateway.written() == [("P2_2", "speed", 5000), ("P2_2", "run", 1)]
    assert (states["P1_1"].link_up, states["P1_1"].running) == (False, None)


async def test_a_pump_whose_partner_s_plc_is_away_is_not_stopped(
    gateway: PumpGateway, pump_servers: tuple[PumpPlcServer, PumpPlcServer]
) -> None:
    gateway.run("P1_1", "P2_1")
    await gateway.settle()
    await pump_servers[0].stop()
    gateway.plan("P1_1")
    states = await gateway.tick(times=3)
    assert gateway.written() == []
    assert states["P2_1"].reason == "too few others run for it to stop"


# ---------------------------------------------------------------- interlocks


async def test_at_low_low_every_pump_stops_and_none_starts_until_it_is_released(gateway: PumpGateway) -> None:
    gateway.plan("P1_1", "P1_4", "P2_2")
    await gateway.tick()
    gateway.set_level(49)
    await gateway.tick(times=2)
    assert gateway.running() == set()
    state = gateway.loop.state()
    assert (state.interlock, state.level_m) == (Interlock.LOW_LOW, 0.049)
    assert state.resources[0].reason == "stopped: the level is low-low: no pump may run"
    gateway.set_level(1000)
    await gateway.tick(times=20)
    assert gateway.running() == set()
    gateway.set_level(1001)
    await gateway.tick(times=2)
    assert len(gateway.running()) == 1, "the minimum, which waits for no rest"


async def test_at_high_high_the_configured_pumps_start_in_order_whatever_the_plan_says(gateway: PumpGateway) -> None:
    gateway.run("P1_1")
    await gateway.settle()
    gateway.plan("P1_1")
    gateway.set_level(7401)
    order = []
    for _ in range(8):
        before = gateway.running()
        await gateway.tick(after_s=30)
        order += sorted(gateway.running() - before)
    assert order == ["P1_2", "P2_2", "P1_4"]
    assert len(gateway.running()) == 4
    assert gateway.pump("P1_2").setpoint == 5000
    assert gateway.loop.state().interlock is Interlock.HIGH_HIGH
    gateway.set_level(7000)
    gateway.plan()
    await gateway.tick(after_s=600, times=20)
    assert len(gateway.running()) == 4, "held until it is released"
    assert gateway.pump("P1_1").setpoint == 5000
    gateway.set_level(6999)
    gateway.plan()
    await gateway.tick(times=3)
    assert len(gateway.running()) == 1


async def test_a_pump_that_fails_at_high_high_is_replaced_by_the_next(gateway: PumpGateway) -> None:
    gateway.run("P1_1")
    gateway.pump("P1_2").broken = True
    gateway.set_level(7500)
    await gateway.tick(after_s=30, times=12)
    assert gateway.running() == {"P1_1", "P2_2", "P1_4", "P2_3"}


async def test_at_high_high_one_plc_alone_does_what_it_can(
    gateway: PumpGateway, pump_servers: tuple[PumpPlcServer, PumpPlcServer]
) -> None:
    await pump_servers[0].stop()
    gateway.set_level(7500)
    await gateway.tick(after_s=60, times=20)
    assert {p for p in gateway.running() if p.startswith("P2")} == {"P2_1", "P2_2", "P2_3", "P2_4"}


async def test_the_higher_of_two_readings_leads(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan("P1_1", "P1_4")
    gateway.servers[0].level = 0
    await gateway.tick(times=3)
    assert gateway.running() == {"P1_1", "P1_4"}
    gateway.servers[0].level = 7500
    await gateway.tick()
    assert gateway.loop.state().interlock is Interlock.HIGH_HIGH


async def test_without_a_level_what_runs_is_held_and_one_pump_at_least_runs(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.set_level(65535)
    gateway.plan("P1_4", "P2_2")
    await gateway.tick(after_s=300, times=2)
    assert gateway.loop.state().level_m == 2.0, "the last reading holds for a while"
    gateway.run("P1_1", "P1_4")
    states = await gateway.tick(after_s=300, times=2)
    assert gateway.loop.state().level_m is None
    gateway.plan("P2_2", "P1_4")
    gateway.servers[0].writes.clear()
    gateway.servers[1].writes.clear()
    states = await gateway.tick(after_s=300)
    assert states["P1_1"].reason == "the tunnel's level is not known: what runs is held"
    gateway.run()
    await gateway.tick(after_s=60, times=3)
    assert len(gateway.running()) == 1


# ---------------------------------------------------------------- people


async def test_an_e_stop_stops_every_pump_at_once_and_nothing_starts_it(gateway: PumpGateway) -> None:
    gateway.plan("P1_1", "P1_4", "P2_2")
    await gateway.tick()
    gateway.loop.switches.press_e_stop("ann", NOW)
    await gateway.tick()
    assert gateway.running() == set()
    gateway.set_level(7900)
    states = await gateway.tick(after_s=600, times=5)
    assert gateway.running() == set()
    assert {s.reason for s in states.values()} == {"e-stop is active"}
    gateway.close()
    gateway.begin()
    await gateway.tick(after_s=600, times=5)
    assert gateway.running() == set()
    gateway.loop.switches.clear_e_stop("bob")
    gateway.loop.switches.clear_e_stop("carl")
    await gateway.tick()
    assert gateway.running() == {"P1_2"}, "high-high"


async def test_an_e_stop_stops_pumps_without_a_journal_too(gateway: PumpGateway) -> None:
    await gateway.tick()
    path = gateway.folder / "journal.jsonl"
    path.rename(path.with_name("away"))
    gateway.loop.switches.press_e_stop("ann", NOW)
    await gateway.tick()
    assert gateway.running() == set()


@pytest.mark.parametrize("mode", [ControlMode.MANUAL, ControlMode.OFF])
async def test_while_a_person_leads_nothing_is_written_not_even_by_an_interlock(
    gateway: PumpGateway, mode: ControlMode
) -> None:
    await gateway.settle()
    gateway.loop.switches.set_mode(mode, "ann", NOW)
    gateway.plan("P2_2")
    for level in (7900, 100):
        gateway.set_level(level)
        await gateway.tick(after_s=600, times=3)
    gateway.run()
    states = await gateway.tick(after_s=600, times=3)
    assert gateway.written() == []
    assert states["P2_2"].reason == f"mode is {mode.value}"

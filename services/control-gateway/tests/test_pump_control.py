"""Pumps on two real PLCs as a plan wants them: speed before start, run and rest times, what is refused, and faults."""

from datetime import timedelta
from math import ceil
from typing import Any

import pytest
from pump_rig import PumpGateway, PumpPlcServer, pump_plan

from headworks.common.messages import Outcome, Quantity
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site


@pytest.fixture
def gateway(pump_gateway: PumpGateway) -> PumpGateway:
    return pump_gateway


# ---------------------------------------------------------------- as planned


async def test_the_speed_is_set_and_read_back_before_the_start_and_both_are_recorded(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan("P1_1", "P1_4", "P2_2", speed_hz=49.5)
    await gateway.tick()
    assert gateway.servers[1].writes == [(2, "speed", 4950), (2, "run", 1)]
    assert gateway.running() == {"P1_1", "P1_4", "P2_2"}
    of_pump = [entry for entry in gateway.told() if entry.resource == "P2_2"]
    assert [(e.quantity, e.outcome, e.enforced, e.unit) for e in of_pump] == [
        (Quantity.SETPOINT, Outcome.INTENDED, 49.5, "Hz"),
        (Quantity.SETPOINT, Outcome.VERIFIED, 49.5, "Hz"),
        (Quantity.RUN, Outcome.INTENDED, 1.0, "on"),
        (Quantity.RUN, Outcome.VERIFIED, 1.0, "on"),
    ]
    assert (of_pump[-1].reason, of_pump[-1].requested, of_pump[-1].read_back) == ("the plan", 1.0, 1.0)
    state = (await gateway.tick())["P2_2"]
    assert (state.running, state.run_commanded, state.actual, state.read_back) == (True, True, 49.5, 49.5)
    assert state.power_kw == pytest.approx(388.1)
    assert state.reason == "it runs as planned; at the plan's setpoint"


async def test_the_speed_of_what_runs_moves_at_its_rate(gateway: PumpGateway) -> None:
    gateway.run("P1_1")
    await gateway.settle()
    gateway.plan("P1_1", speed_hz=50)
    await gateway.tick(after_s=4, times=3)
    assert gateway.written() == [("P1_1", "speed", 4940), ("P1_1", "speed", 4980), ("P1_1", "speed", 5000)]


async def test_a_plan_that_turns_off_stops_a_pump_and_leaves_its_speed(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan("P1_4")
    states = await gateway.tick(times=2)
    assert gateway.written() == [("P1_1", "run", 0)]
    assert (states["P1_1"].running, states["P1_1"].read_back) == (False, 49.0)
    assert states["P1_1"].reason == "it stands as planned"


async def test_starts_come_one_at_a_time(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan(*(actuator.resource for actuator in gateway.actuators))
    running = []
    for _ in range(7):
        await gateway.tick(after_s=30)
        running.append(len(gateway.running()))
    assert running == [3, 3, 4, 4, 5, 5, 6]


async def test_a_flush_has_all_pumps_together_for_its_two_hours_although_they_start_one_by_one(
    gateway: PumpGateway, station_site: Site
) -> None:
    """As planned: for as long as the site file's window, in whole quarter hours, with what the starts take."""
    window, every = planning(station_site)["flush"]["window"], [actuator.resource for actuator in gateway.actuators]
    length_s, starts_s = in_unit(window["length"], "s"), in_unit(window["starts_take"], "s")
    assert starts_s >= (len(every) - 1) * gateway.limits.runs.start_every_s
    planned_s = ceil((length_s + starts_s) / 900) * 900
    gateway.run("P1_4")
    await gateway.settle()
    passed_s, together_s = 0.0, 0.0
    while passed_s < planned_s:
        gateway.plan(*every)
        tick_s = 30.0 if passed_s < 600 else 300.0
        together_s += tick_s if gateway.running() == set(every) else 0.0
        await gateway.tick(after_s=tick_s)
        passed_s += tick_s
    assert together_s >= length_s
    gateway.plan("P1_4")
    await gateway.tick(times=2)
    assert gateway.running() == {"P1_4"}, "the last to start has run for its minimum too"


def planning(site: Site) -> dict[str, Any]:
    found = (site.model_extra or {})["planning"]
    assert isinstance(found, dict)
    return found


async def test_no_pump_runs_or_rests_too_short_even_over_a_restart(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan("P1_1", "P1_4", "P2_2")
    await gateway.tick(times=2)
    started = gateway.clock.now()
    gateway.plan("P1_1", "P1_4")
    await gateway.tick(after_s=600, times=5)
    gateway.close()
    gateway.begin()
    gateway.plan("P1_1", "P1_4")
    while "P2_2" in gateway.running():
        states = await gateway.tick(after_s=60)
        assert "P2_2" not in gateway.running() or "it has not run for 7200 s yet" in states["P2_2"].reason
    run_s = (gateway.clock.now() - started).total_seconds()
    assert 7200 <= run_s <= 7200 + 60 + 60
    stopped = gateway.clock.now()
    while "P2_2" not in gateway.running():
        gateway.plan("P1_1", "P1_4", "P2_2")
        states = await gateway.tick(after_s=60)
        assert "P2_2" in gateway.running() or "it has not stood for 7200 s yet" in states["P2_2"].reason
    assert 7200 <= (gateway.clock.now() - stopped).total_seconds() <= 7200 + 60 + 60


async def test_the_plc_s_own_count_says_how_long_a_pump_has_run_before_the_gateway_saw_it(gateway: PumpGateway) -> None:
    gateway.servers[0].pumps[0].minutes_in_state = 120
    gateway.servers[0].pumps[3].minutes_in_state = 119
    gateway.servers[1].pumps[1].minutes_in_state = 120
    gateway.plan("P2_2")
    await gateway.tick()
    first_tick = gateway.clock.now()
    states = await gateway.tick(times=2)
    assert gateway.running() == {"P1_4", "P2_2"}
    assert "it has not run for 7200 s yet" in states["P1_4"].reason
    assert states["P1_4"].run_since == first_tick - timedelta(minutes=119)


async def test_what_a_restarted_gateway_did_not_see_for_long_counts_as_just_begun(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.close()
    gateway.clock.forward(1900)
    gateway.begin()
    gateway.plan("P1_4")
    states = await gateway.tick()
    assert states["P1_1"].run_since == gateway.clock.now()
    assert gateway.running() == {"P1_1", "P1_4"}


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("speed_hz", "layer"),
    [
        (30.0, "the station's 4780 to 5000"),
        (47.79, "the station's 4780 to 5000"),
        (50.01, "the station's 4780 to 5000"),
        (-1.0, "the hardware's 1500 to 5500"),
    ],
)
async def test_a_speed_out_of_range_starts_nothing_and_is_told_once(
    gateway: PumpGateway, speed_hz: float, layer: str
) -> None:
    await gateway.settle()
    gateway.follow(pump_plan("P2_2", speed_hz, made=gateway.clock.now()))
    states = await gateway.tick(times=3)
    assert gateway.written() == []
    assert states["P2_2"].refused
    [entry] = [e for e in gateway.told() if e.resource == "P2_2"]
    assert (entry.outcome, entry.quantity) == (Outcome.REFUSED, Quantity.RUN)
    assert f"is outside {layer}" in entry.violations[0]


async def test_without_a_plan_what_runs_is_held(gateway: PumpGateway) -> None:
    await gateway.settle()
    states = await gateway.tick(times=3)
    assert gateway.written() == []
    assert [name for name, state in states.items() if state.fail_safe] == [
        actuator.resource for actuator in gateway.actuators
    ]
    assert states["P1_1"].reason == "no plan is in force: what runs is held; no plan is in force"


async def test_a_plan_too_old_is_refused_and_what_runs_is_held(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.follow(pump_plan("P1_1", 0, made=gateway.clock.now() - timedelta(hours=3)))
    states = await gateway.tick(times=3)
    assert (gateway.running(), gateway.written()) == ({"P1_1", "P1_4"}, [])
    assert states["P1_1"].reason == "the plan is older than 7200 s"


async def test_without_a_journal_no_wish_is_followed_but_the_tunnel_is_kept_from_flooding(gateway: PumpGateway) -> None:
    await gateway.settle()
    path = gateway.folder / "journal.jsonl"
    path.rename(path.with_name("away"))
    gateway.plan("P1_4", "P2_2")
    states = await gateway.tick(times=3)
    assert (gateway.written(), states["P2_2"].reason) == ([], "the journal cannot be written")
    gateway.set_level(7500)
    await gateway.tick()
    assert gateway.written() == [("P1_2", "run", 1)]


async def test_feedback_that_is_neither_0_nor_1_is_not_acted_on(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.pump("P2_2").running = 7
    gateway.plan("P1_1", "P1_4", "P2_2")
    states = await gateway.tick(times=2)
    assert gateway.written() == []
    assert (states["P2_2"].link_up, states["P2_2"].running) == (False, None)
    [entry] = [e for e in gateway.told() if e.resource == "P2_2"]
    assert entry.reason == "the run feedback reads 7, which is neither 0 nor 1"


async def test_a_pump_that_does_not_start_is_told(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.pump("P2_2").broken = True
    gateway.plan("P1_1", "P1_4", "P2_2")
    states = await gateway.tick(times=5)
    assert states["P2_2"].reason == "the last command takes effect"
    states = await gateway.tick(times=3)
    assert states["P2_2"].reason == "it stands although it is commanded to run"
    assert gateway.written() == [("P2_2", "run", 1)]


async def test_a_run_command_that_is_not_taken_over_is_told(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.servers[1].fault = "refuse"
    gateway.plan("P1_1", "P1_4", "P2_2")
    await gateway.tick()
    entry = gateway.told()[-1]
    assert (entry.outcome, entry.quantity, entry.read_back) == (Outcome.READ_BACK_DIFFERS, Quantity.RUN, 0.0)
    assert "the PLC holds another run command than was written; exception" in entry.reason


# ---------------------------------------------------------------- faults


async def test_a_plc_that_restarted_gets_its_commands_again_while_the_pumps_run_on(gateway: PumpGateway) -> None:
    await gateway.settle()
    gateway.plan("P1_1", "P1_4")
    gateway.servers[0].restart()
    states = await gateway.tick(times=2)
    assert gateway.running() == {"P1_1", "P1_4"}
    assert [w for w in gateway.written() if w[0] == "P1_1"] == [("P1_1", "speed", 4900), ("P1_1", "run", 1)]
    assert (states["P1_1"].run_commanded, states["P1_1"].read_back) == (True, 49.0)


async def test_a_hung_plc_delays_no_pump_of_the_other(
    gateway: PumpGateway, pump_servers: tuple[PumpPlcServer, PumpPlcServer]
) -> None:
    await gateway.settle()
    pump_servers[0].fault = "hang"
    gateway.close()
    gateway.timeout_s = 60
    gateway.begin()
    gateway.loop.tick_s = 0.01
    gateway.plan("P1_1", "P1_4", "P2_2")
    async with in_background(gateway.loop.run()):
        await eventually(lambda: "P2_2" in gateway.running())


async def test_a_lost_link_is_told_once_for_each_pump(
    gateway: PumpGateway, pump_servers: tuple[PumpPlcServer, PumpPlcServer]
) -> None:
    await gateway.tick()
    await pump_servers[0].stop()
    await gateway.tick(times=3)
    lost = [e.resource for e in gateway.told() if e.outcome is Outcome.LINK_LOST]
    assert lost == ["P1_1", "P1_2", "P1_3", "P1_4"]

"""Whatever is ordered between a decision and its write holds: here while the PLC takes its time to say who leads."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from gateway_rig import EPOCH, PlcServer, changed, plan_of
from loop_rig import Gateway
from pump_rig import EPOCH as EPOCH_OF_PUMPS
from pump_rig import PumpGateway
from time_rig import NOW

from headworks.common.messages import ControlMode, Outcome, Quantity, SetpointOverride
from headworks.control_gateway.fencing import EPOCH_POINT, Fence, Term
from headworks.control_gateway.known import Stood
from headworks.control_gateway.last_word import ANOTHER_LEADS, DECIDED_AT_MOST_S, E_STOP, TOO_OLD
from headworks.control_gateway.lease import Held
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.plc import Snapshot
from headworks.control_gateway.pump_safety import LOW_LOW
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.watchdog import WatchLimits
from headworks.waterway.site import Site

LED_WITH = 7
STOOD = Stood(None, None, 100.0)
OVERRIDE = SetpointOverride(value=3.0, by="ann", reason="test", given_at=NOW, until=NOW + timedelta(hours=1))
MAINTENANCE = "mode became maintenance before the write"


class Seconds:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def asks_who_leads(loop: ControlLoop, site: Site, plc: str, address: int) -> None:
    """Have the PLC asked who leads before every write to it; by its fence this gateway does, whatever the time."""
    point = {"table": "holding", "address": address, "type": "uint16", "writable": True}
    site = changed(site, f"plcs.{plc}.shared_points.{EPOCH_POINT}", point)
    port = loop.plcs[plc]
    points = plc_points(site.site, control_section(site))[plc]
    port.points = replace(points, timeout_s=port.points.timeout_s)
    port.fence = Fence(Term("stop", Held(LED_WITH, 1, 10.0)), 1.0, points.writable[EPOCH_POINT], lambda: 0.0)
    port.fence.took()


def time_of(loop: ControlLoop) -> Seconds:
    """The clock by which decisions grow old, moved by hand from now on."""
    clock_s = Seconds()
    object.__setattr__(loop._last_word, "clock_s", clock_s)
    return clock_s


def once(happens: Callable[[], object]) -> Callable[[], None]:
    """What happens the first time alone."""
    left = [happens]

    def happened() -> None:
        if left:
            left.pop()()

    return happened


def press(loop: ControlLoop) -> None:
    loop.switches.press_e_stop("ann", NOW)


def clear(loop: ControlLoop) -> None:
    loop.switches.clear_e_stop("bob")
    loop.switches.clear_e_stop("carl")


# ---------------------------------------------------------------- a setpoint


@pytest.fixture
async def ramping(gateway: Gateway, plc_server: PlcServer, site: Site) -> Gateway:
    """A gateway whose next turn writes 201; its PLC is asked who leads before."""
    plc_server.epoch = LED_WITH
    gateway.begin_by(changed(site, "interlocks", [TRIPS]))
    asks_who_leads(gateway.loop, site, "oxph-plc", EPOCH)
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    assert plc_server.writes == []
    return gateway


TRIPS = {"name": "low", "when": "elevation < 1166 ft", "then": "hold", "applies_to": ["OXPH"]}


def maintained(loop: ControlLoop) -> None:
    loop.leads.orders.set_mode("OXPH", ControlMode.MAINTENANCE, "ann", NOW)


def of_the_site(loop: ControlLoop) -> None:
    loop.switches.set_mode(ControlMode.MANUAL, "ann", NOW)


def overridden(loop: ControlLoop) -> None:
    loop.leads.orders.override("OXPH", OVERRIDE)


def tripped(loop: ControlLoop) -> None:
    now = loop.clock.now()
    loop.leads.trips.saw("oxph-plc", Snapshot({"elevation": (6000,)}, 0), now)
    assert loop.leads.trips.judge(now)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (press, E_STOP),
        (maintained, MAINTENANCE),
        (of_the_site, "mode became manual before the write"),
        (overridden, ANOTHER_LEADS),
        (tripped, ANOTHER_LEADS),
    ],
)
async def test_an_order_that_comes_while_the_plc_says_who_leads_stops_the_setpoint(
    ramping: Gateway, plc_server: PlcServer, happens: Callable[[ControlLoop], None], why: str
) -> None:
    plc_server.while_asked = once(lambda: happens(ramping.loop))
    state = await ramping.tick(after_s=20)
    assert plc_server.writes == []
    assert [(e.outcome, e.enforced, e.reason) for e in ramping.told()] == [
        (Outcome.INTENDED, 2.01, ""),
        (Outcome.HELD, 2.01, f"not written: {why}"),
    ]
    assert state.reason == why
    assert state.setpoint is None


async def test_an_override_that_ends_while_the_plc_says_who_leads_is_not_followed_any_more(
    ramping: Gateway, plc_server: PlcServer
) -> None:
    orders, now = ramping.loop.leads.orders, ramping.clock.now()
    orders.override("OXPH", OVERRIDE)
    plc_server.while_asked = once(lambda: orders.end_override("OXPH", now))
    await ramping.tick(after_s=20)
    assert plc_server.writes == []
    assert ramping.told()[-1].reason == f"not written: {ANOTHER_LEADS}"
    assert (await ramping.tick(after_s=20)).leader == "plan"
    assert plc_server.writes == [201], "the next turn decides anew"


async def test_an_order_that_comes_while_the_disk_takes_the_intent_stops_the_setpoint(
    ramping: Gateway, plc_server: PlcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = ramping.loop.journal.synced

    async def slowly() -> bool:
        maintained(ramping.loop)
        return await synced()

    monkeypatch.setattr(ramping.loop.journal, "synced", slowly)
    await ramping.tick(after_s=20)
    assert plc_server.writes == []
    assert ramping.told()[-1].reason == f"not written: {MAINTENANCE}"


@pytest.mark.parametrize(("late_s", "written"), [(DECIDED_AT_MOST_S, [201]), (DECIDED_AT_MOST_S + 0.001, [])])
async def test_a_decision_that_grew_old_before_its_write_is_not_written(
    ramping: Gateway, plc_server: PlcServer, late_s: float, written: list[int]
) -> None:
    clock_s = time_of(ramping.loop)

    def takes_long() -> None:
        clock_s.at_s += late_s

    plc_server.while_asked = once(takes_long)
    await ramping.tick(after_s=20)
    assert plc_server.writes == written
    assert (ramping.told()[-1].reason == f"not written: {TOO_OLD}") is not bool(written)
    await ramping.tick(after_s=20)
    assert plc_server.writes == [*written, 202 if written else 201], "the next turn decides anew"


async def test_what_is_pressed_while_another_call_has_the_plc_stops_the_setpoint(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(5.8))
    await gateway.tick()
    plc = gateway.loop.plcs["oxph-plc"]
    gateway.loop.journal.appended.clear()
    turn = gateway.tick(after_s=20)

    async def pressed() -> None:
        await gateway.loop.journal.appended.wait()
        async with plc._lock:
            while not plc._lock._waiters:  # the write waits for its turn
                await gateway.loop.journal.synced()
            press(gateway.loop)

    await asyncio.gather(turn, pressed())
    assert plc_server.writes == []
    assert gateway.told()[-1].reason == f"not written: {E_STOP}"


# ---------------------------------------------------------------- local control


async def test_an_e_stop_that_comes_while_it_is_handed_to_local_control_stops_that_and_leaves_no_trace(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    plc_server.epoch = LED_WITH
    for role, address in {"local": 102, "local_readback": 103}.items():
        point = {"table": "holding", "address": address, "type": "uint16", "writable": role == "local"}
        site = changed(site, f"plcs.oxph-plc.points.OXPH.{role}", point)
    site = changed(changed(site, "actuators.OXPH.fail_safe", "hand_to_local"), "interlocks", [])
    gateway.watch = WatchLimits(600.0)
    gateway.begin_by(site)
    asks_who_leads(gateway.loop, site, "oxph-plc", EPOCH)
    gateway.follow(plan_of(2.0))
    await gateway.tick()
    plc_server.while_asked = once(lambda: press(gateway.loop))
    await gateway.tick(after_s=601)
    assert plc_server.local == 0
    assert [(e.outcome, e.reason) for e in gateway.told() if e.quantity is Quantity.LOCAL][1:] == [
        (Outcome.HELD, f"not written: {E_STOP}")
    ]
    plc_server.local = 1  # by somebody at the plant
    clear(gateway.loop)
    gateway.follow(plan_of(2.0, made=gateway.clock.now()))
    assert (await gateway.tick(times=3)).leader == "plant"
    assert plc_server.local == 1


# ---------------------------------------------------------------- pumps


@pytest.fixture
async def pumping(pump_gateway: PumpGateway, station_site: Site) -> PumpGateway:
    """P1_1 and P1_4 run; each PLC is asked who leads before a write to it."""
    for server in pump_gateway.servers:
        server.epoch = LED_WITH
        asks_who_leads(pump_gateway.loop, station_site, f"pumps-{server.unit_id}", EPOCH_OF_PUMPS)
    await pump_gateway.settle()
    return pump_gateway


def run_orders(gateway: PumpGateway, resource: str) -> list[tuple[Outcome, float | None, str]]:
    """What was told of a pump's run command."""
    mine = [e for e in gateway.journal() if e.quantity is Quantity.RUN and e.resource == resource]
    return [(entry.outcome, entry.enforced, entry.reason) for entry in mine]


def of_p2_2(loop: ControlLoop) -> None:
    loop.leads.orders.set_mode("P2_2", ControlMode.MAINTENANCE, "ann", NOW)


def runs_dry(loop: ControlLoop) -> None:
    assert loop.station is not None
    for plc in loop.plcs:
        loop.station.saw_level(plc, 10, loop.clock.now())


@pytest.mark.parametrize(("happens", "why"), [(press, E_STOP), (of_p2_2, MAINTENANCE), (runs_dry, LOW_LOW)])
async def test_an_order_that_comes_while_the_plc_says_who_leads_stops_a_start(
    pumping: PumpGateway, happens: Callable[[ControlLoop], None], why: str
) -> None:
    pumping.plan("P1_1", "P1_4", "P2_2")
    pumping.servers[1].while_asked = once(lambda: happens(pumping.loop))
    state = (await pumping.tick())["P2_2"]
    assert pumping.servers[1].writes == []
    assert run_orders(pumping, "P2_2") == [
        (Outcome.INTENDED, 1.0, "the plan"),
        (Outcome.HELD, 1.0, f"not written: {why}"),
    ]
    assert why in state.reason


async def test_a_start_that_was_not_written_was_not_ordered_and_the_next_turn_may_do_it(pumping: PumpGateway) -> None:
    pumping.plan("P1_1", "P1_4", "P2_2")
    pumping.servers[1].while_asked = once(lambda: of_p2_2(pumping.loop))
    await pumping.tick()
    assert pumping.loop.station is not None
    assert pumping.loop.station.order_of("P2_2") is None
    assert pumping.loop.station.started_at is None
    pumping.loop.leads.orders.set_mode("P2_2", ControlMode.AUTO, "ann", NOW)
    await pumping.tick(after_s=1)
    assert pumping.servers[1].writes == [(2, "run", 1)]


async def test_a_stop_goes_out_although_an_e_stop_comes_before_its_write(pumping: PumpGateway) -> None:
    pumping.plan("P1_4")
    pumping.servers[0].while_asked = once(lambda: press(pumping.loop))
    await pumping.tick()
    assert pumping.servers[0].writes == [(1, "run", 0), (4, "run", 0)]


async def test_the_stop_of_an_e_stop_goes_out_in_whatever_mode_and_however_late(pumping: PumpGateway) -> None:
    clock_s = time_of(pumping.loop)
    press(pumping.loop)

    def happens() -> None:
        clock_s.at_s += 1000
        pumping.loop.switches.set_mode(ControlMode.MAINTENANCE, "ann", NOW)

    pumping.servers[0].while_asked = once(happens)
    await pumping.tick()
    assert pumping.servers[0].writes == [(1, "run", 0), (4, "run", 0)]


async def test_a_planned_stop_is_not_written_to_a_pump_that_a_person_took_over(pumping: PumpGateway) -> None:
    pumping.plan("P1_4")

    def happens() -> None:
        pumping.loop.leads.orders.set_mode("P1_1", ControlMode.MAINTENANCE, "ann", NOW)

    pumping.servers[0].while_asked = once(happens)
    await pumping.tick()
    assert pumping.servers[0].writes == []
    assert run_orders(pumping, "P1_1")[-1] == (Outcome.HELD, 0.0, f"not written: {MAINTENANCE}")


async def test_a_start_that_protects_goes_out_however_late_but_not_into_an_e_stop(pumping: PumpGateway) -> None:
    clock_s = time_of(pumping.loop)

    def takes_long() -> None:
        clock_s.at_s += 1000

    pumping.set_level(7900)
    for server in pumping.servers:
        server.while_asked = takes_long
    await pumping.tick()
    [started] = [pump for pump, what, on in pumping.written() if (what, on) == ("run", 1)]
    for server in pumping.servers:
        server.while_asked = once(lambda: press(pumping.loop))
    await pumping.tick(after_s=120)
    assert [pump for pump, what, on in pumping.written() if (what, on) == ("run", 1)] == [started]

"""What gateways tell each other: an order at one holds at the other, after an outage too, and nothing heard ends a press."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from gateway_rig import HandClock, PlcServer, lead_board, plc_at
from time_rig import NOW

from headworks.common.bus import Bus
from headworks.common.embedded.nats import NatsServer
from headworks.common.messages import ControlMode, GatewayOrders
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.subjects import GATEWAY_ORDERS
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop import Scope
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.sharing import SharedOrders
from headworks.control_gateway.stop_orders import StopOrders
from headworks.control_gateway.switches import SwitchBoard

SITE = Scope(site="abay")


@pytest.fixture
def make(tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock, bus: Bus) -> "type[Gateway]":
    class Made(Gateway):
        def __init__(self, name: str) -> None:
            folder = tmp_path / name
            board, journal = EStopBoard(folder), Journal(folder, gateway=name)
            self.loops: dict[str, ControlLoop] = {}
            super().__init__(name, StopOrders(board, self.loops, Auditor(journal, clock)))
            plans = OptimizationPlanManager("abay", httpx.AsyncClient(), bus, clock)
            switches, plc = SwitchBoard(folder, "abay", board), plc_at(plc_server.port)
            leads = lead_board(folder, "abay", (actuator,), clock.now())
            self.loops["abay"] = ControlLoop(
                "abay", (actuator,), {"oxph-plc": plc}, plans, switches, journal, clock, 1, leads
            )

    return Made


class Gateway(SharedOrders):
    """What of a gateway has to do with orders."""

    def stopped(self) -> bool:
        return self.stops.board.now.stopped("abay") is not None

    def noted(self) -> list[tuple[str, str]]:
        links = self.stops.auditor.journal.unshipped_links(1000)[0]
        return [(link.body["event_type"], link.body["actor"]) for link in links if link.kind == "audit"]


async def test_an_order_at_one_holds_at_the_other_and_is_noted_at_both(make: "type[Gateway]", bus: Bus) -> None:
    a, b = make("a"), make("b")  # type: ignore[call-arg]  # the fixture's class makes the rest
    async with in_background(a.share(bus), b.share(bus)):
        a.stops.press(SITE, "ann", "smoke", "api")
        assert a.place is None, "it is not told yet"
        await eventually(b.stopped)
        await eventually(lambda: a.place is not None and b.has_heard("a", a.place))
        a.stops.clear(SITE, "bob", "no smoke", "api")
        await eventually(lambda: b.stops.board.waiting(SITE) is not None)
        b.stops.clear(SITE, "carl", "seen", "api")
        await eventually(lambda: not a.stopped())
        a.stops.loops["abay"].switches.set_mode(ControlMode.MANUAL, "ann", NOW)
        await eventually(lambda: b.stops.loops["abay"].switches.now.mode is ControlMode.MANUAL)
        b.stops.loops["abay"].switches.set_mode(ControlMode.OFF, "bob", NOW + timedelta(seconds=1))
        await eventually(lambda: a.stops.loops["abay"].switches.now.mode is ControlMode.OFF)
    assert ("e_stop_heard", "ann") in b.noted()
    assert ("e_stop_clearing_heard", "b") in a.noted()
    assert ("second_gateway", "b") in a.noted(), "there is no lease between these two, which a person must know"


async def test_what_was_ordered_while_the_bus_was_down_is_told_on_its_return(
    make: "type[Gateway]", bus: Bus, nats_server: NatsServer
) -> None:
    a, b = make("a"), make("b")  # type: ignore[call-arg]
    async with in_background(a.share(bus), b.share(bus)):
        await eventually(lambda: a.place is not None)
        nats_server.stop()
        a.stops.press(SITE, "ann", "smoke", "local")
        await eventually(lambda: a.place is None)
        assert not b.stopped()
        nats_server.start()
        await eventually(b.stopped, timeout_s=40)


async def test_an_order_that_cannot_be_read_is_none_that_was_heard(make: "type[Gateway]") -> None:
    b = make("b")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="presses"):
        b.heard(GatewayOrders(gateway="a", at=NOW, e_stops={"presses": 1}))
    assert not b.has_heard("a", 0)
    assert GATEWAY_ORDERS.filter(gateway="a") == "control.orders.a"

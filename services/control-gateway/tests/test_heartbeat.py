"""The heartbeat changes every turn; where two gateways could lead a slow PLC gets it, and who may not write has missed none."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest
from gateway_rig import EPOCH, PlcServer, changed
from loop_rig import Gateway
from pymodbus.constants import ExcCodes

from headworks.control_gateway.fencing import EPOCH_POINT, FRESH_S, Fence, Term
from headworks.control_gateway.heartbeat import LOST_AFTER
from headworks.control_gateway.lease import Held
from headworks.waterway.site import Site

LED_WITH = 7


@dataclass
class SlowPlc(PlcServer):
    """By the fences' clock each request takes its time: three of them longer than the PLC's word on who leads counts."""

    at_s: float = 100.0
    request_s: float = 0.1

    async def _on_access(self, *args: Any, **kwargs: Any) -> ExcCodes | None:
        self.at_s += self.request_s
        return await super()._on_access(*args, **kwargs)


@pytest.fixture
async def plc_server() -> AsyncIterator[SlowPlc]:
    server = SlowPlc()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def fence(gateway: Gateway, plc_server: SlowPlc, site: Site, monkeypatch: pytest.MonkeyPatch) -> Fence:
    """Of the only PLC; this gateway leads with an epoch that the PLC holds."""
    point = {"table": "holding", "address": EPOCH, "type": "uint16", "writable": True}
    gateway.term = Term("stop", Held(LED_WITH, 1, inf))
    gateway.begin_by(changed(site, f"plcs.oxph-plc.shared_points.{EPOCH_POINT}", point))
    [fence] = gateway.loop.fences.values()
    fence.clock_s = lambda: plc_server.at_s
    monkeypatch.setattr("headworks.control_gateway.loop.seconds", fence.clock_s)
    return fence


async def test_a_slow_plc_of_a_pair_gets_its_heartbeat(gateway: Gateway, plc_server: SlowPlc, fence: Fence) -> None:
    await gateway.tick()
    begun_s, heartbeat = plc_server.at_s, plc_server.heartbeat
    await gateway.tick(times=4)
    assert plc_server.at_s - begun_s > 4 * FRESH_S, "its turns take too long for the word that they begin with"
    assert plc_server.epoch == LED_WITH
    assert plc_server.heartbeat == heartbeat + 4
    assert gateway.loop.state().heartbeat_lost == ()


async def test_a_heartbeat_that_this_gateway_may_not_write_is_none_that_was_missed(
    gateway: Gateway, plc_server: SlowPlc, fence: Fence
) -> None:
    await gateway.tick(times=2)
    heartbeat, leads = plc_server.heartbeat, fence.term.held
    questions: list[None] = []

    def loses_the_lease() -> None:
        """At the second question of a turn, the one before the heartbeat."""
        questions.append(None)
        if len(questions) % 2 == 0:
            fence.term.held = None

    plc_server.while_asked = loses_the_lease
    for _ in range(LOST_AFTER + 1):
        fence.term.held = leads
        await gateway.tick()
    assert len(questions) == 2 * (LOST_AFTER + 1)
    assert plc_server.heartbeat == heartbeat
    assert gateway.loop.state().heartbeat_lost == ()


async def test_a_leader_whose_beats_a_plc_is_too_slow_for_is_told(
    gateway: Gateway, plc_server: SlowPlc, fence: Fence
) -> None:
    await gateway.tick(times=2)
    heartbeat, plc_server.request_s = plc_server.heartbeat, 2 * FRESH_S
    await gateway.tick(times=LOST_AFTER - 1)
    assert gateway.loop.state().heartbeat_lost == ()
    await gateway.tick()
    assert (plc_server.heartbeat, gateway.loop.state().heartbeat_lost) == (heartbeat, ("oxph-plc",))


# ---------------------------------------------------------------- with or without another gateway


async def test_the_heartbeat_changes_every_turn_and_a_plc_that_does_not_hold_it_is_told(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    await gateway.tick(times=3)
    assert plc_server.heartbeat == 3
    assert gateway.loop.state().heartbeat_lost == ()
    plc_server.deaf = True
    await gateway.tick(times=2)
    assert gateway.loop.state().heartbeat_lost == ()
    await gateway.tick()
    assert gateway.loop.state().heartbeat_lost == ("oxph-plc",)
    plc_server.deaf = False
    await gateway.tick()
    assert (plc_server.heartbeat, gateway.loop.state().heartbeat_lost) == (7, ())


async def test_a_heartbeat_is_never_0_as_after_a_restart_of_the_plc(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    gateway.begin_by(changed(site, "plcs.oxph-plc.shared_points.heartbeat.maximum", "3"))
    beats = []
    for _ in range(5):
        await gateway.tick()
        beats.append(plc_server.heartbeat)
    assert beats == [1, 2, 3, 1, 2]

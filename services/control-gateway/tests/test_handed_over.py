"""In silence a PLC is handed to its own control and taken back; what people at the plant switched is never taken back."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from gateway_rig import PlcServer, changed
from leads_rig import led, silent, wakes
from loop_rig import Gateway

from headworks.common.messages import Outcome
from headworks.waterway.site import Site

LOCAL = {
    "local": {"table": "holding", "address": 102, "type": "uint16", "writable": True},
    "local_readback": {"table": "holding", "address": 103, "type": "uint16"},
}


async def handed(gateway: Gateway, site: Site) -> None:
    for role, point in LOCAL.items():
        site = changed(site, f"plcs.oxph-plc.points.OXPH.{role}", point)
    site = changed(changed(site, "actuators.OXPH.fail_safe", "hand_to_local"), "interlocks", [])
    gateway.begin_by(site)
    await silent(gateway)


async def test_in_silence_it_is_handed_to_local_control_and_taken_back_at_the_rate_from_what_the_plc_holds(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    await handed(gateway, site)
    state = await gateway.tick(times=2)
    assert (plc_server.local, state.leader, state.fail_safe) == (1, "local", True)
    plc_server.setpoint = plc_server.read_back = plc_server.actual = 260
    written = list(plc_server.writes)
    gateway.close()
    gateway.begin()
    state = await gateway.tick(after_s=60, times=5)
    assert (plc_server.local, state.leader, plc_server.writes) == (1, "local", written)
    await wakes(gateway)
    state = await gateway.tick(times=2)
    assert (plc_server.local, state.leader) == (0, "plan")
    state = await gateway.tick(after_s=15, times=60)
    assert plc_server.setpoint == 230
    assert all(abs(b - a) <= 2 for a, b in pairwise([260, *plc_server.writes[len(written) :]]))
    told = [(e.outcome, e.enforced) for e in gateway.told() if e.unit == "local"]
    assert told == [
        (Outcome.INTENDED, 1.0),
        (Outcome.VERIFIED, 1.0),
        (Outcome.INTENDED, 0.0),
        (Outcome.VERIFIED, 0.0),
    ]


async def test_what_people_switched_to_local_at_the_plant_is_not_taken_back(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    plc_server.local = 1
    await handed(gateway, site)
    await wakes(gateway)
    state = await gateway.tick(after_s=60, times=5)
    assert (plc_server.local, state.leader, plc_server.writes) == (1, "plant", [])
    assert state.reason == "the PLC is in local control: somebody at the plant leads"
    assert led(gateway) == ["the PLC is in local control: somebody at the plant leads"]


def without_a_journal(gateway: Gateway, _server: PlcServer) -> None:
    (gateway.folder / "journal.jsonl").rename(gateway.folder / "away")


def with_a_journal(gateway: Gateway) -> None:
    (gateway.folder / "away").rename(gateway.folder / "journal.jsonl")


def unremembered(gateway: Gateway, _server: PlcServer) -> None:
    (gateway.folder / "orders-abay.json").mkdir()


def remembered(gateway: Gateway) -> None:
    (gateway.folder / "orders-abay.json").rmdir()


def lost(gateway: Gateway, server: PlcServer) -> None:
    """As soon as the intent is recorded."""
    told, plc = gateway.loop._local.recorder, gateway.loop.plcs["oxph-plc"]
    record = told.local

    def record_and_lose(*args: Any, **fields: Any) -> bool:
        plc.close()
        return record(*args, **fields)

    setattr(told, "local", record_and_lose)  # noqa: B010 - mypy lets no method be set


def found(gateway: Gateway) -> None:
    del gateway.loop._local.recorder.__dict__["local"]


@pytest.mark.parametrize(
    ("begins", "ends"), [(without_a_journal, with_a_journal), (unremembered, remembered), (lost, found)]
)
async def test_what_was_not_written_was_not_handed_over_and_a_person_at_the_plant_keeps_it(
    gateway: Gateway,
    plc_server: PlcServer,
    site: Site,
    begins: Callable[[Gateway, PlcServer], None],
    ends: Callable[[Gateway], None],
) -> None:
    await handed(gateway, site)
    begins(gateway, plc_server)
    await gateway.tick(times=3)
    assert plc_server.local == 0
    plc_server.local = 1  # somebody at the plant
    ends(gateway)
    await wakes(gateway)
    state = await gateway.tick(after_s=60, times=5)
    assert (plc_server.local, state.leader) == (1, "plant")
    told = [(e.outcome, e.enforced) for e in gateway.told() if e.unit == "local"]
    assert (Outcome.INTENDED, 0.0) not in told


async def test_a_disk_that_cannot_forget_what_was_handed_over_does_not_end_control(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    await handed(gateway, site)
    await gateway.tick(times=2)
    assert plc_server.local == 1
    (gateway.folder / "orders-abay.json").unlink()
    unremembered(gateway, plc_server)
    await wakes(gateway)
    state = await gateway.tick(after_s=60, times=3)
    assert (plc_server.local, state.leader) == (0, "plan")
    assert gateway.loop.leads.orders.handed_at("OXPH") is not None
    remembered(gateway)
    await gateway.tick()
    assert gateway.loop.leads.orders.handed_at("OXPH") is None


async def test_a_plc_that_does_not_take_it_over_is_told_again_after_a_while_only(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    plc_server.deaf = True
    await handed(gateway, site)
    await gateway.tick(after_s=10, times=5)
    tried = [e.outcome for e in gateway.told() if e.unit == "local"]
    assert tried.count(Outcome.READ_BACK_DIFFERS) == tried.count(Outcome.INTENDED)
    await gateway.tick(after_s=10, times=5)
    again = [e.outcome for e in gateway.told() if e.unit == "local"]
    assert 0 < len(again) - len(tried) <= 2

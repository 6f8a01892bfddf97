"""Discovery while a real loop runs on a real PLC: what is new begins, and what controls already is left as it is."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from gateway_rig import HandClock, PlcServer, plan_of
from sites_rig import Raw, Running, with_second
from time_rig import NOW

from headworks.common.messages import PlannedActuator
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway import controlled
from headworks.control_gateway.discovering import UNKNOWN
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.watchdog import Measured, WatchLimits


async def test_a_new_site_begins_and_the_other_is_not_touched(running: Running, raw: Raw) -> None:
    before = running.loop
    running.write("other.yaml", raw | {"site": "other"})
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("other"))
    assert running.loop is before
    assert await running.discovery.look() == ()


async def test_a_new_actuator_begins_and_the_setpoint_of_the_old_goes_on_without_a_jump(
    running: Running, raw: Raw, plc_server: PlcServer, clock: HandClock
) -> None:
    running.follow(plan_of(2.5))
    for counts in (201, 202, 203):
        running.live(15)
        await eventually(lambda counts=counts: plc_server.writes[-1:] == [counts])
    running.write("abay.yaml", with_second(raw))
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("abay"))
    assert [a.resource for a in running.loop.actuators] == ["OXPH", "SECOND"]
    assert plc_server.writes == [201, 202, 203]
    running.live(15)
    await eventually(lambda: plc_server.writes == [201, 202, 203, 204])


async def test_what_is_discovered_is_noted_with_the_hash_of_its_file(running: Running, raw: Raw) -> None:
    running.write("abay.yaml", with_second(raw))
    running.write("new.yaml", raw | {"site": "other"})
    assert await running.discovery.look() == ()
    await running.journal.synced()
    noted = [link.body for link in running.journal.unshipped_links(1000)[0]]
    assert {
        (event["subject"], event["details"]["sha256"])
        for event in noted
        if event.get("event_type") == "site_discovered"
    } == {
        (site, hashlib.sha256((running.sites / file).read_bytes()).hexdigest())
        for site, file in (("abay", "abay.yaml"), ("other", "new.yaml"))
    }


async def test_a_broken_file_disturbs_nothing_and_is_told_until_it_is_mended(
    running: Running, raw: Raw, plc_server: PlcServer, clock: HandClock
) -> None:
    before = running.loop
    running.follow(plan_of(2.5))
    (running.sites / "abay.yaml").write_text("site: [")
    [told] = await running.discovery.look()
    assert told.startswith("abay.yaml cannot be read")
    assert running.loop is before
    assert running.loop.state().findings == (told,)
    running.live(15)
    await eventually(lambda: plc_server.writes == [201])
    running.write("abay.yaml", raw)
    assert await running.discovery.look() == ()
    assert running.loop.state().findings == ()


async def test_a_site_that_cannot_be_reached_is_told_and_the_others_go_on(running: Running, raw: Raw) -> None:
    running.refused = "other"
    running.write("other.yaml", raw | {"site": "other"})
    [told] = await running.discovery.look()
    assert told == "HEADWORKS_PLC_ADDRESSES lacks the PLC of other; nothing new of site other begins"
    assert running.controlled.loops.keys() == {"abay"}
    running.refused = ""
    assert await running.discovery.look() == ()
    await eventually(lambda: running.is_up("other"))


async def test_a_hung_plc_holds_no_discovery_up_for_long(running: Running, raw: Raw, plc_server: PlcServer) -> None:
    plc_server.fault = "hang"
    running.write("abay.yaml", with_second(raw))
    assert await running.discovery.look() == ()
    plc_server.fault = "none"
    await eventually(lambda: running.is_up("abay"))
    assert len(running.loop.actuators) == 2


async def test_a_site_that_begins_anew_before_its_loop_has_begun_waits_for_no_turn(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlled, "TURN_S", 120.0)
    site = running.controlled.sites["abay"]
    async with asyncio.timeout(60):
        await running.controlled.begin(site)
        await running.controlled.begin(site)
    await eventually(lambda: running.is_up("abay"))


async def test_a_plan_for_an_unknown_actuator_stands_in_the_state(running: Running) -> None:
    plan = plan_of(2.5).model_copy(update={"resource_id": "GATE_1", "interval_end": NOW + timedelta(days=1)})
    running.follow(plan)
    [told] = await running.discovery.look()
    assert "plans name GATE_1" in told


async def test_a_station_that_has_plans_and_no_file_is_told_until_it_has_one(running: Running, raw: Raw) -> None:
    running.planned = [
        PlannedActuator(station_id=station, resource_id=resource)
        for station, resource in (("abay", "OXPH"), ("other", "OXPH"), ("other", "GATE_1"), ("elsewhere", "OXPH"))
    ]
    [told] = await running.discovery.look()
    assert told == "plans name site other, which has no file here; not controlled: GATE_1, OXPH"
    assert running.loop.state().findings == (told,)
    running.write("other.yaml", raw | {"site": "other"})
    assert await running.discovery.look() == (
        "site other: plans name GATE_1, which its file does not list; it is not controlled",
    )


@pytest.mark.parametrize("status", [500, 401, 200])
async def test_a_plans_service_that_does_not_answer_is_told_and_files_are_read_all_the_same(
    running: Running, raw: Raw, status: int
) -> None:
    running.planned = status
    running.write("other.yaml", raw | {"site": "other"})
    assert await running.discovery.look() == (UNKNOWN,)
    await eventually(lambda: running.is_up("other"))
    running.planned = []
    assert await running.discovery.look() == ()


async def test_a_loop_that_dies_ends_the_whole(ready: Running) -> None:
    whole = asyncio.create_task(ready.controlled.run())
    await eventually(lambda: ready.is_up("abay"))
    ready.loop.end_after_this_turn()
    with pytest.raises(RuntimeError, match="control-abay ended by itself"):
        await whole


@pytest.mark.parametrize(
    ("watch", "told"),
    [(WatchLimits(1200), ["abay"]), (WatchLimits(1200, 1200, (Measured("pi", "elevation_m"),)), [])],
)
async def test_a_site_that_begins_without_a_watchdog_over_measurements_is_told_once(
    ready: Running, watch: WatchLimits, told: list[str]
) -> None:
    ready.loop.leads = replace(ready.loop.leads, watch=watch)
    with structlog.testing.capture_logs() as logs:
        async with in_background(ready.controlled.run()):
            await eventually(lambda: ready.is_up("abay"))
            await ready.turns()
    assert [log["site"] for log in logs if log["log_level"] == "warning" and "no watchdog" in log["event"]] == told


def test_addresses_may_stand_in_a_file_that_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    settings = GatewaySettings(plc_addresses={"a": "a:502"}, plc_addresses_file=file)
    with pytest.raises(ValueError, match=r"^HEADWORKS_PLC_ADDRESSES_FILE=.* cannot be read; it must be a JSON object"):
        settings.plc_address("b")
    file.write_text('{"b": "b:502"}')
    assert [settings.plc_address(name) for name in ("a", "b")] == [("a", 502), ("b", 502)]
    file.write_text('{"b": "c:503"}')
    assert settings.plc_address("b") == ("c", 503)
    with pytest.raises(ValueError, match="HEADWORKS_PLC_ADDRESSES lacks 'c'"):
        settings.plc_address("c")

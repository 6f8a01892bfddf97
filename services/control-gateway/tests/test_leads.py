"""Who leads, on a real PLC: interlocks by condition, overrides, modes of an actuator, fail-safes and the way back, told once."""

from datetime import timedelta

import pytest
import structlog
from gateway_rig import PlcServer, changed, good, plan_of
from leads_rig import keeps_to_the_rate, led, silent, wakes
from loop_rig import Gateway
from time_rig import NOW

from headworks.common.messages import ControlMode, Outcome, SetpointOverride
from headworks.control_gateway.watchdog import Measured, WatchLimits
from headworks.waterway.site import Site

LOW = {
    "name": "low_afterbay",
    "when": "elevation < 1166 ft for 30 s",
    "release": "elevation > 1167 ft",
    "then": "value 0.8 MW",
    "applies_to": ["OXPH"],
}
LOW_FT, BETWEEN_FT, HIGH_FT = 6500, 6660, 6800


def with_interlock(site: Site, **changes: object) -> Site:
    return changed(site, "interlocks", [LOW | changes])


async def test_an_interlock_leads_from_its_condition_to_its_release_at_the_rate_and_is_told_once(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    gateway.begin_by(with_interlock(site))
    gateway.follow(plan_of(2.1))
    await gateway.tick(after_s=15, times=20)
    assert plc_server.setpoint == 210
    plc_server.elevation = LOW_FT
    state = await gateway.tick(after_s=15, times=2)
    assert state.leader == "plan"
    state = await gateway.tick(after_s=15, times=20)
    assert (state.leader, state.leads_because) == ("interlock", "interlock low_afterbay: elevation < 1166 ft for 30 s")
    assert [tripped.name for tripped in gateway.loop.state().interlocks] == ["low_afterbay"]
    assert plc_server.setpoint < 200
    plc_server.elevation = BETWEEN_FT
    state = await gateway.tick(after_s=15, times=3)
    assert state.leader == "interlock", "it holds until its release"
    plc_server.elevation = HIGH_FT
    state = await gateway.tick(after_s=15, times=60)
    assert (state.leader, plc_server.setpoint) == ("plan", 210)
    assert keeps_to_the_rate(plc_server, 2)
    assert led(gateway) == ["interlock low_afterbay: elevation < 1166 ft for 30 s", "the plan leads again"]
    moved = [e for e in gateway.told() if e.outcome is Outcome.VERIFIED and e.reason.startswith("interlock")]
    assert moved, "each write says who led"


async def test_a_tripped_interlock_is_remembered_over_a_restart(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    gateway.begin_by(with_interlock(site, then="hold"))
    gateway.follow(plan_of(2.5))
    plc_server.elevation = LOW_FT
    await gateway.tick(after_s=15, times=5)
    written = list(plc_server.writes)
    plc_server.elevation = BETWEEN_FT
    gateway.close()
    gateway.begin()
    state = await gateway.tick(after_s=15, times=5)
    assert (state.leader, plc_server.writes) == ("interlock", written)
    assert state.reason == "interlock low_afterbay: elevation < 1166 ft for 30 s"


async def test_a_trip_that_the_disk_refuses_is_told_once_and_kept_as_soon_as_the_disk_takes_it(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    gateway.begin_by(with_interlock(site, then="hold"))
    (gateway.folder / "interlocks-abay.part").mkdir()
    plc_server.elevation = LOW_FT
    with structlog.testing.capture_logs() as logs:
        await gateway.tick(after_s=15, times=5)
    assert [(log["log_level"], log["file"]) for log in logs if "interlocks" in log["event"]] == [
        ("error", "interlocks-abay.json")
    ]
    assert not gateway.loop.leads.trips.stored
    plc_server.elevation = BETWEEN_FT
    (gateway.folder / "interlocks-abay.part").rmdir()
    await gateway.tick(after_s=15)
    assert gateway.loop.leads.trips.stored
    gateway.close()
    gateway.begin()
    assert (await gateway.tick(after_s=15, times=3)).leader == "interlock"


async def test_a_release_that_the_disk_refuses_is_kept_as_soon_as_the_disk_takes_it(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    gateway.begin_by(with_interlock(site, then="hold"))
    gateway.follow(plan_of(2.5))
    plc_server.elevation = LOW_FT
    await gateway.tick(after_s=15, times=5)
    (gateway.folder / "interlocks-abay.part").mkdir()
    plc_server.elevation = HIGH_FT
    assert (await gateway.tick(after_s=15)).leader == "plan"
    (gateway.folder / "interlocks-abay.part").rmdir()
    await gateway.tick(after_s=15)
    plc_server.elevation = BETWEEN_FT
    gateway.close()
    gateway.begin()
    assert (await gateway.tick(after_s=15, times=3)).leader == "plan"


async def test_a_file_of_interlocks_that_cannot_be_read_trips_all_until_their_release(
    gateway: Gateway, plc_server: PlcServer, site: Site
) -> None:
    (gateway.folder / "interlocks-abay.json").write_text("[")
    plc_server.elevation = BETWEEN_FT
    gateway.begin_by(with_interlock(site, then="refuse"))
    gateway.follow(plan_of(2.5))
    state = await gateway.tick(times=3)
    assert state.refused
    assert "the file of interlocks cannot be read" in state.reason
    plc_server.elevation = HIGH_FT
    state = await gateway.tick(times=3)
    assert (state.leader, state.refused) == ("plan", False)


@pytest.mark.parametrize(("when_unknown", "leader"), [("trip", "interlock"), ("ignore", "plan")])
async def test_a_point_that_cannot_be_read_trips_or_is_ignored_as_the_site_says(
    gateway: Gateway, site: Site, when_unknown: str, leader: str
) -> None:
    beside = changed(site, "plcs.oxph-plc.shared_points.elevation.minimum", "1190 ft")
    gateway.begin_by(with_interlock(beside, then="hold", when_unknown=when_unknown))
    gateway.follow(plan_of(2.5))
    state = await gateway.tick(times=3)
    assert state.leads_because == "interlock low_afterbay: its points have not been read yet"
    assert led(gateway) == []
    state = await gateway.tick(after_s=310, times=3)
    assert state.leader == leader
    if leader == "interlock":
        assert state.leads_because == "interlock low_afterbay: it is not known whether elevation < 1166 ft for 30 s"


def by_ann(value: float, minutes: float = 60) -> SetpointOverride:
    return SetpointOverride(
        value=value, by="ann", reason="a test", given_at=NOW, until=NOW + timedelta(minutes=minutes)
    )


async def test_an_override_leads_until_it_expires_then_the_plan_again_at_the_rate(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    gateway.follow(plan_of(2.0))
    await gateway.tick(times=5)
    gateway.loop.leads.orders.override("OXPH", by_ann(2.2))
    state = await gateway.tick(after_s=15, times=30)
    assert (state.leader, state.override, plc_server.setpoint) == ("override", by_ann(2.2), 220)
    gateway.close()
    gateway.begin()
    state = await gateway.tick(after_s=15, times=3)
    assert (state.leader, plc_server.setpoint) == ("override", 220), "over a restart too"
    state = await gateway.tick(after_s=60, times=90)
    assert (state.leader, state.override, plc_server.setpoint) == ("plan", None, 200)
    assert keeps_to_the_rate(plc_server, 5)
    text = "override by ann until 2026-02-17 09:00 UTC, 2.2 MW: a test"
    assert led(gateway) == [text, text, "the plan leads again"], "told again after the restart"


async def test_an_interlock_stands_over_an_override(gateway: Gateway, plc_server: PlcServer, site: Site) -> None:
    gateway.begin_by(with_interlock(site, then="hold"))
    gateway.loop.leads.orders.override("OXPH", by_ann(2.2))
    plc_server.elevation = LOW_FT
    await gateway.tick(after_s=15, times=4)
    written = list(plc_server.writes)
    state = await gateway.tick(after_s=15, times=10)
    assert (state.leader, plc_server.writes) == ("interlock", written)


async def test_in_a_mode_of_its_own_nothing_is_written(gateway: Gateway, plc_server: PlcServer) -> None:
    gateway.follow(plan_of(2.5))
    gateway.loop.leads.orders.set_mode("OXPH", ControlMode.MAINTENANCE, "ann: bearings", NOW)
    state = await gateway.tick(after_s=60, times=5)
    assert (state.mode, state.reason, plc_server.writes) == (ControlMode.MAINTENANCE, "mode is maintenance", [])
    gateway.loop.leads.orders.set_mode("OXPH", ControlMode.AUTO, "ann: done", NOW)
    await gateway.tick(after_s=15, times=10)
    assert plc_server.writes


# ---------------------------------------------------------------- silence and the way back


async def test_in_silence_the_setpoint_is_held_and_the_return_is_at_the_rate(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    await silent(gateway, fail_safe="hold")
    state = await gateway.tick()
    assert (state.leader, state.fail_safe, state.reason) == ("fail_safe", True, "no plan update for 1200 s")
    written = list(plc_server.writes)
    await gateway.tick(after_s=60, times=10)
    assert plc_server.writes == written
    await wakes(gateway)
    await gateway.tick(after_s=15, times=1)
    assert abs(plc_server.setpoint - 210) <= 2
    state = await gateway.tick(after_s=15, times=40)
    assert (state.leader, plc_server.setpoint) == ("plan", 230)
    assert led(gateway) == ["fail-safe: no plan update for 1200 s", "the plan leads again"]


async def test_in_silence_the_configured_value_is_led_to_and_back_at_the_rate(
    gateway: Gateway, plc_server: PlcServer
) -> None:
    await silent(gateway, fail_safe="value", fail_safe_counts=190)
    state = await gateway.tick(after_s=15, times=60)
    assert (state.leader, state.fail_safe, plc_server.setpoint) == ("fail_safe", True, 190)
    await wakes(gateway)
    await gateway.tick(after_s=15, times=60)
    assert plc_server.setpoint == 230
    assert keeps_to_the_rate(plc_server, 5)
    assert led(gateway) == ["fail-safe: no plan update for 1200 s", "the plan leads again"]


async def test_a_new_plan_of_a_publisher_that_does_not_lead_is_no_sign_of_life_of_the_one_that_does(
    gateway: Gateway,
) -> None:
    gateway.watch = WatchLimits(1200)
    gateway.begin()
    beside = plan_of(3.0).model_copy(update={"publisher": "other", "plan_priority": 0})
    gateway.follow(plan_of(2.1, plan_id=1), beside.model_copy(update={"plan_id": 2}))
    assert (await gateway.tick(after_s=600, times=2)).leader == "plan"
    newer = beside.model_copy(update={"plan_created_at": gateway.clock.now()})
    gateway.follow(plan_of(2.1, plan_id=3), newer.model_copy(update={"plan_id": 4}))
    state = await gateway.tick()
    assert (state.leader, state.reason) == ("fail_safe", "no plan update for 1200 s")
    for_later = plan_of(2.2, plan_id=5, made=gateway.clock.now(), begins=NOW + timedelta(hours=12))
    gateway.follow(plan_of(2.1, plan_id=6), newer.model_copy(update={"plan_id": 7}), for_later)
    assert (await gateway.tick()).leader == "plan", "whoever leads lives: it made a plan for later"


async def test_when_measurements_are_silent_the_fail_safe_is_taken(gateway: Gateway) -> None:
    gateway.watch = WatchLimits(1e6, 600, (Measured("pi", "elevation_m"),))
    gateway.begin()
    gateway.follow(plan_of(2.1))
    assert (await gateway.tick(after_s=300, times=2)).leader == "plan"
    assert (await gateway.tick()).reason == "no measurement of elevation_m by pi for 600 s"
    leads, now = gateway.loop.leads, gateway.clock.now()
    leads.hear(good("pi", "elevation_m", now), now)
    assert (await gateway.tick()).leader == "plan"

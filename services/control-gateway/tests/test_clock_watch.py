"""A step of the wall clock, of a gateway that runs and of one that is down: no rate is earned, nothing forgotten, all told."""

import copy
import json
from collections.abc import Coroutine
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import HandClock, plan_of
from pump_rig import PumpGateway
from sites_rig import Raw, Running
from time_rig import NOW

from headworks.common.tasks import in_background
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.clock_mark import ClockMarks
from headworks.control_gateway.clock_watch import ClockWatch
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.journal import CLOCK_STEPPED, Journal
from headworks.control_gateway.steady_clock import SteadyClock
from headworks.waterway.site import Site


@pytest.mark.parametrize("by_s", [-7200.0, 7200.0])
async def test_a_step_of_the_wall_clock_earns_no_rate_and_forgets_nothing_of_the_window_and_the_site_begins_anew(
    ready: Running, raw: Raw, by_s: float
) -> None:
    async with in_background(bound(ready, raw)):
        await ready.moved_to(205)
        ready.clock.forward(by_s)
        await ready.turns()
        before = ready.loop
        await ready.watch.look()
        assert ready.loop is not before
        assert ready.loop.clock.now() == ready.clock.now()
        assert [f"stepped by {by_s:+.0f} s" in told for told in ready.loop.state().findings] == [True]
        await stands_until_the_window_moves_on(ready)
    assert steps_noted(ready.state) == [by_s]


async def test_until_a_step_of_the_wall_clock_is_recorded_the_site_goes_on_by_the_time_it_has(
    running: Running,
) -> None:
    running.follow(plan_of(2.5))
    running.clock.forward(3600)
    now, path = running.loop.clock.now(), running.state / "journal.jsonl"
    path.rename(path.with_name("away"))
    with pytest.raises(OSError, match=r"the wall clock was stepped by \+3600 s: .* could not be recorded"):
        await running.watch.look()
    assert running.loop.clock.now() == now
    path.with_name("away").rename(path)
    await running.turns()
    await running.watch.look()
    assert running.loop.clock.now() == now + timedelta(hours=1)
    await running.turns()


async def test_until_a_step_is_recorded_the_runs_of_pumps_are_kept_in_the_time_the_site_has(
    pump_gateway: PumpGateway, station_site: Site, clock: HandClock
) -> None:
    await pump_gateway.tick()
    folder, loop = pump_gateway.folder, pump_gateway.loop
    loop.clock = SteadyClock.beside(clock, lambda: 0.0)
    controlled = ControlledSites(lambda _: (loop, {}), {"blominmaki": loop}, {"blominmaki": station_site})
    watch = ClockWatch(controlled, Auditor(loop.journal, clock), ClockMarks(folder, clock, None))
    since = kept_runs(folder)
    clock.forward(-7200)
    journal = folder / "journal.jsonl"
    journal.rename(folder / "away")
    for _ in range(2):
        with pytest.raises(OSError, match="could not be recorded"):
            await watch.look()
        assert kept_runs(folder) == since
    (folder / "away").rename(journal)
    await watch.look()
    assert kept_runs(folder) == {name: at - timedelta(hours=2) for name, at in since.items()}


@pytest.mark.parametrize(
    ("by_s", "boot", "noted_s"), [(-7200.0, "first", -7200.0), (7200.0, "first", 7200.0), (-7200.0, "second", -7140.0)]
)
async def test_a_step_while_the_gateway_is_down_does_no_more_than_one_while_it_runs(
    ready: Running, raw: Raw, by_s: float, boot: str, noted_s: float
) -> None:
    async with in_background(bound(ready, raw)):
        await ready.moved_to(205)
        ready.watch.leave_marks()
    ready.live(60)
    ready.clock.forward(by_s)
    ready.boot = boot
    ready.begin()
    async with in_background(ready.controlled.run()):
        await ready.turns()
        await ready.watch.look()
        assert ready.loop.clock.now() == ready.clock.now()
        assert [f"stepped by {noted_s:+.0f} s" in told for told in ready.loop.state().findings] == [True]
        await stands_until_the_window_moves_on(ready)
        await ready.watch.look()
    assert steps_noted(ready.state) == [noted_s], "once"


async def test_a_clock_that_stands_before_the_journals_last_entry_was_stepped_though_there_is_no_mark(
    ready: Running, raw: Raw
) -> None:
    async with in_background(bound(ready, raw)):
        await ready.moved_to(205)
    assert list(ready.state.glob("clock-*")) == []
    ready.clock.forward(-7200)
    ready.begin()
    async with in_background(ready.controlled.run()):
        await ready.turns()
        await ready.watch.look()
        await stands_until_the_window_moves_on(ready)
    [noted_s] = steps_noted(ready.state)
    assert noted_s == pytest.approx(-7200, abs=15)


async def test_a_step_is_told_for_an_hour_whatever_discovery_finds_meanwhile(running: Running) -> None:
    running.clock.forward(7200)
    await running.watch.look()
    [told] = running.loop.state().findings
    running.live(1800)
    (running.sites / "abay.yaml").write_text("site: [")
    [found] = await running.discovery.look()
    assert running.loop.state().findings == (found, told)
    running.live(1801)
    running.loop.changed.clear()
    await running.watch.look()
    assert running.loop.state().findings == (found,)
    assert running.loop.changed.is_set()


async def test_a_restart_alone_is_no_step(ready: Running, raw: Raw) -> None:
    async with in_background(bound(ready, raw)):
        await ready.moved_to(205)
        ready.watch.leave_marks()
    for boot in ("first", "second"):
        ready.live(60)
        ready.boot = boot
        ready.begin()
        async with in_background(ready.controlled.run()):
            await ready.turns()
            await ready.watch.look()
            assert ready.loop.state().findings == ()
            ready.watch.leave_marks()
    assert steps_noted(ready.state) == []


async def test_a_site_that_begins_anew_later_begins_by_the_wall_clock(running: Running) -> None:
    running.watch.leave_marks()
    running.clock.forward(-7200)
    await running.controlled.begin(running.controlled.sites["abay"])
    assert running.loop.clock.now() == running.clock.now()


def bound(ready: Running, raw: Raw) -> Coroutine[Any, Any, None]:
    """The gateway follows a plan to 2.5 MW, by 5 counts within 10 min at most; to be run."""
    site = copy.deepcopy(raw)
    site["control"]["actuators"]["OXPH"]["max_change"] = {"at_most": "0.05 MW", "within": "10 min"}
    ready.write("abay.yaml", site)
    ready.begin()
    ready.follow(plan_of(2.5, made=NOW - timedelta(hours=3), begins=NOW - timedelta(hours=3)))
    return ready.controlled.run()


async def stands_until_the_window_moves_on(ready: Running) -> None:
    """The PLC holds 205, the last that the window allows, for minutes; then it is led on, and never by more than a count."""
    await ready.turns()
    plc_server = ready.plc_server
    written = len(plc_server.writes)
    for _ in range(10):
        ready.live(15)
        await ready.turns()
    assert (plc_server.setpoint, len(plc_server.writes)) == (205, written), "the window is as full as it was"
    await ready.moved_to(206)
    assert all(abs(b - a) <= 1 for a, b in pairwise([200, *plc_server.writes])), "no step but by the rate"


def kept_runs(folder: Path) -> dict[str, datetime]:
    """Since when each pump runs or stands, as a restart finds it."""
    kept = json.loads((folder / "runs-blominmaki.json").read_text())
    return {name: datetime.fromisoformat(run["since"]) for name, run in kept.items()}


def steps_noted(folder: Path) -> list[float]:
    """By how much the clock was stepped each time, as the journal has it."""
    links = Journal(folder).unshipped_links(10_000)[0]
    return [link.body["details"]["by_s"] for link in links if link.body.get("event_type") == CLOCK_STEPPED]

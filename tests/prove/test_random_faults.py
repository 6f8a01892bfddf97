"""Hours of operation, at a scaled clock, while services, servers, links and PLCs fail at random: what may never happen did not.

The seed gives the faults: HEADWORKS_FAULT_SEED, and HEADWORKS_FAULT_SECONDS for how long. A failure names both, and the faults.
The registers are watched by processes that share no code with the gateway.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import plan_books
import pytest
import register_rules as rules
from e2e_system import BLOMINMAKI, System
from killer import Fault, Killer, schedule
from links import links_to
from register_rules import Look, Watched
from vendor import Vendor, Wish

from headworks.common.audit import read_link
from headworks.common.embedded.process import spawn, stop
from headworks.common.stack import PLCS, SERVICES, Options, Stack

SEED = int(os.environ.get("HEADWORKS_FAULT_SEED", "4"))
SECONDS = float(os.environ.get("HEADWORKS_FAULT_SECONDS", "360"))
pytestmark = [pytest.mark.prove, pytest.mark.timeout(SECONDS + 900)]
RECOVERY_S = float(os.environ.get("HEADWORKS_FAULT_RECOVERY_SECONDS", "90"))
"""So long after the last fault all must be well again. A service starts in 5 s on an idle machine."""
RULES_S = {"run": 30 * 60.0, "rest": 30 * 60.0}
PUMPS = {f"P{group}_{k}": (f"pumps-{group}", 10 * (k - 1)) for group in (1, 2) for k in (1, 2, 3, 4)}
CHANGES = {
    **dict(BLOMINMAKI.changes),
    **{f"control.actuators.{pump}.max_rate": "0.1 Hz/min" for pump in PUMPS},
    **{f"control.actuators.{pump}.rate_window": "5 min" for pump in PUMPS},
}
"""At sixty times the clock a rate of the real station would be one of nothing: each second has a minute's way."""
STATION = replace(BLOMINMAKI, changes=CHANGES)
SPEED = STATION.speed
WATCHED = (
    Watched("OXPH", "plc", 0, False, 80, 580, 4.2 / 60 * SPEED, 300 / SPEED),
    *(Watched(pump, plc, at, True, 4780, 5000, 10 / 60 * SPEED, 300 / SPEED) for pump, (plc, at) in PUMPS.items()),
)
REGISTERS = {"plc": (1, 2, 2), "pumps-1": (1, 34, 101), "pumps-2": (2, 34, 101)}
"""Unit id, and how many holding and input registers are looked at from 100 on."""
TURBINE_WISHES = (Wish("OXPH", "TURBINE", 0.8, 5.8),)
PUMP_WISHES = tuple(Wish(pump, "PUMP", 47.8, 50.0, may_stop=True) for pump in PUMPS)
TAKES_EFFECT = timedelta(minutes=5)
"""So long before the machine's own change its command was given: it ramps, it reports late, and a look takes its time."""
LEVEL = 100
"""Where the tunnel's level [mm] is among a PLC's input registers."""


@dataclass
class Story:
    """What happened in a run, for those who judge it."""

    system: System
    afterbay: System
    folder: Path
    began_s: float
    faults: list[tuple[float, float, Fault]] = field(default_factory=list)
    """With when each was done, and when it was undone [s, wall]."""
    died: list[str] = field(default_factory=list)
    recovery_s: float = 0.0
    ended_s: float = 0.0
    """When the gateway was stopped at the end: so far the run is judged."""
    vendors: list[Vendor] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    """The decisions in the gateway's file when it was stopped at the end."""
    written: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """What each PLC's order registers held at the start and were given until then, by PLC and address."""

    def looks(self, plc: str) -> list[Look]:
        """All that was seen of a PLC; a look that the end cut short is none."""
        lines = (self.folder / f"watched-{plc}.jsonl").read_text().splitlines()
        looks = (Look(*json.loads(line)) for line in lines if line.startswith("[") and line.endswith("]"))
        return [look for look in looks if look.asked_s <= self.ended_s]

    def restarts(self, plc: str) -> list[tuple[float, float]]:
        """When its registers were emptied."""
        return [(a, b) for a, b, fault in self.faults if fault.target == plc and fault.kind in {"restart", "down"}]

    def told(self, breaches: list[str]) -> str:
        """Breaches with what is needed to see them again."""
        last = [f"{a:.2f} to {b:.2f}: {fault.kind} {fault.target}" for a, b, fault in self.faults]
        again = f"HEADWORKS_FAULT_SEED={SEED} HEADWORKS_FAULT_SECONDS={SECONDS:g}"
        return "\n".join([again, f"began at {self.began_s:.2f}", *breaches[:20], "faults:", *last, "died:", *self.died])


@contextmanager
def running_stack(folder: Path, sites_folder: Path) -> Iterator[tuple[Stack, dict[str, Any]]]:
    """Both sites in one system, each PLC behind a link that can break, and a watcher at each PLC itself."""
    sites = folder / "sites"
    sites.mkdir()
    (sites / "blominmaki.yaml").write_text(STATION.site_file(sites_folder / "blominmaki.yaml"), encoding="utf-8")
    (sites / "abay.yaml").write_text((sites_folder / "abay.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    services = tuple(name for name in SERVICES if name != "dashboard")
    stack = Stack(
        folder / "run", Options(sites=sites, epoch=STATION.epoch, speed=SPEED, services=services, start_s=240)
    )
    with ExitStack() as ends:
        ends.callback(stack.stop)
        links = {}
        for step in stack.start():
            if step == "the outside world":
                ports = {plc: int(stack.world[plc]) for plc in PLCS.values()}
                links = ends.enter_context(links_to(ports))
                stack.world |= {plc: link.port for plc, link in links.items()}
                for plc, port in ports.items():
                    ends.callback(stop, _watch(folder, plc, port))
        yield stack, {f"link of {plc}": link for plc, link in links.items()}


def _watch(folder: Path, plc: str, port: int) -> subprocess.Popen[bytes]:
    program = Path(__file__).parent / "rig" / "plc_watcher.py"
    command = [sys.executable, str(program), str(port), *map(str, REGISTERS[plc])]
    return spawn(command, folder / f"watched-{plc}.jsonl")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, sites_folder: Path) -> Iterator[Story]:
    """A whole run: faults, recovery, the gateway's end and its new beginning."""
    folder = tmp_path_factory.mktemp("faults")
    with running_stack(folder, sites_folder) as (stack, links):
        system, afterbay = System(stack, "blominmaki"), System(stack, "abay")
        for each in (system, afterbay):
            each.wait(each.all_planned, f"{each.site} has a first plan", 180)
        rng = random.Random(SEED)
        vendors = [Vendor(system, PUMP_WISHES, rng), Vendor(afterbay, TURBINE_WISHES, random.Random(SEED + 1))]
        found = Story(system, afterbay, folder, time.time(), vendors=vendors)
        threads = [threading.Thread(target=vendor.run, daemon=True) for vendor in vendors]
        for thread in threads:
            thread.start()
        killer = Killer(system, links)
        try:
            live_through(found, killer, schedule(SEED, SECONDS))
        finally:
            killer.thaw()
            for vendor in vendors:
                vendor.stop()
            for thread in threads:
                thread.join(30)
        recover(found)
        end_quietly(found)
        yield found


def live_through(story: Story, killer: Killer, faults: list[Fault]) -> None:
    """Begin and end every fault at its time. A service that ended by itself is told of and begun again, as a supervisor would."""
    turns = sorted([(f.at_s, 1, f) for f in faults] + [(f.until_s, 2, f) for f in faults])
    begun: dict[Fault, float] = {}
    for at_s, turn, fault in turns:
        while time.time() < story.began_s + at_s:
            supervise(story)
            time.sleep(0.05)
        if turn == 1:
            begun[fault] = time.time()
            killer.begin(fault)
        else:
            killer.end(fault)
            story.faults.append((begun[fault], time.time(), fault))


def supervise(story: Story) -> None:
    """Begin a service again that ended by itself."""
    stack = story.system.stack
    for line in stack.dead():
        name = line.split(" ", 1)[0]
        story.died.append(f"{time.time():.2f}: {line}")
        stack.end(name)
        stack.launch(name)


def recover(story: Story) -> None:
    """Wait until every service is ready, every link is up, and what is submitted now reaches the registers."""
    stack, started_s = story.system.stack, time.monotonic()
    for name in stack.options.services:
        supervise(story)
        stack.await_ready(name, RECOVERY_S)
    for vendor in story.vendors:
        _plan_once_more(story, vendor)
    story.recovery_s = time.monotonic() - started_s


def _plan_once_more(story: Story, vendor: Vendor) -> None:
    system, last = vendor.system, f"{vendor.system.site}-last"
    system.wait(lambda: _answered(vendor), "every submission has an answer", RECOVERY_S)
    system.wait(lambda: _linked(system), "every link is up", RECOVERY_S)
    near = {wish: value for wish in vendor.wishes if (value := _near(system, wish)) is not None}
    vendor.write(last, near)
    system.wait(lambda: _answered(vendor), "the last submission is accepted", RECOVERY_S)
    assert last in vendor.accepted, story.told([str(vendor.refused)])
    reached = {wish.resource: value for wish, value in near.items()}
    system.wait(lambda: _reached(system, reached), f"registers reach {reached}", RECOVERY_S)


def _answered(vendor: Vendor) -> bool:
    vendor.ask_again()
    return not vendor.open


def _linked(system: System) -> bool:
    return all(resource["link_up"] for resource in system.resources().values())


def _near(system: System, wish: Wish) -> float | None:
    """A target a little from where the actuator is; none for a pump that stands."""
    known = system.resources()[wish.resource]
    if wish.may_stop and not known["running"]:
        return None
    middle = (wish.lowest + wish.highest) / 2
    present = float(known["read_back"])
    return round(present + (0.2 if present < middle else -0.2), 2)


def _reached(system: System, targets: dict[str, float]) -> bool:
    known = system.resources()
    return all(abs(known[resource]["read_back"] - value) <= 0.021 for resource, value in targets.items())


def end_quietly(story: Story) -> None:
    """Stop the gateway, so that registers and journal stand still; keep what it wrote; let another ship the rest."""
    stack = story.system.stack
    stack.end("control_gateway")
    time.sleep(0.5)  # the watchers look once more
    story.ended_s = time.time()
    for system in (story.system, story.afterbay):
        story.written |= system.world(f"/plants/{system.site}/writes")
    links = [read_link(line) for line in _journal_lines(stack)]
    assert None not in links
    story.journal = [dict(link.body) for link in links if link is not None and link.kind == "setpoint"]
    stack.launch("control_gateway")
    stack.await_ready("control_gateway", RECOVERY_S)


def _journal_lines(stack: Stack) -> list[str]:
    folder = stack.folder / "state" / "control-gateway"
    return [
        line
        for name in ("journal-before.jsonl", "journal.jsonl")
        if (folder / name).exists()
        for line in (folder / name).read_text().splitlines()
    ]


# ---------------------------------------------------------------- the run itself


def test_every_kind_of_fault_came_and_plans_were_made_meanwhile(story: Story) -> None:
    if SECONDS >= 360:
        assert {fault.target for _, _, fault in story.faults} == {f.target for f in schedule(0, 3600)}
    assert min(len(vendor.accepted) for vendor in story.vendors) >= SECONDS / 12, [
        len(v.accepted) for v in story.vendors
    ]
    for plc in REGISTERS:
        looks = story.looks(plc)
        assert len(looks) > SECONDS * 3, f"{plc} was looked at {len(looks)} times only"


def test_no_service_ended_by_itself_and_all_were_well_again_in_time(story: Story) -> None:
    assert story.died == [], story.told([])
    assert story.recovery_s < RECOVERY_S, story.told([f"{story.recovery_s:.0f} s"])


# ---------------------------------------------------------------- registers


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.resource)
def test_no_setpoint_register_was_ever_outside_its_limits(story: Story, watched: Watched) -> None:
    breaches = rules.limit_breaches(watched, story.looks(watched.plc), story.restarts(watched.plc))
    written = story.written[watched.plc][str(100 + watched.at)]
    breaches += [f"{counts} was written" for counts in written if not watched.minimum <= counts <= watched.maximum]
    assert not breaches, story.told(breaches)


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.resource)
def test_no_setpoint_register_moved_faster_than_its_rate(story: Story, watched: Watched) -> None:
    looks = story.looks(watched.plc)
    breaches = rules.rate_breaches(watched, looks) + rules.return_breaches(watched, looks)
    assert not breaches, story.told(breaches)


@pytest.mark.parametrize("watched", WATCHED[1:], ids=lambda watched: watched.resource)
def test_every_run_and_rest_was_long_enough_unless_an_interlock_asked(story: Story, watched: Watched) -> None:
    breaches = [
        f"{'ran' if stretch.running else 'rested'} {stretch.most_s:.2f} s until {stretch.ended_s:.2f}: {reason!r}"
        for stretch in rules.stretches(watched, story.looks(watched.plc))
        if stretch.most_s < RULES_S["run" if stretch.running else "rest"] / SPEED
        and not _protects(story, stretch, reason := _reason_before(story, watched, stretch))
    ]
    assert not breaches, story.told(breaches)


def _reason_before(story: Story, watched: Watched, stretch: rules.Stretch) -> str:
    """Why the command was given that ended a run or a rest, as the journal has it."""
    until = STATION.epoch + timedelta(seconds=(stretch.ended_s - story.system.clock.wall_epoch_s) * SPEED)
    given = [
        entry
        for entry in story.journal
        if (entry["resource"], entry["quantity"], entry["outcome"]) == (watched.resource, "run", "intended")
        and bool(entry["enforced"]) != stretch.running
        and until - TAKES_EFFECT <= datetime.fromisoformat(entry["at"]) <= until
    ]
    return str(given[-1]["reason"]) if given else "no command"


def _protects(story: Story, stretch: rules.Stretch, reason: str) -> bool:
    """Whether what stands above minimum runs and rests asked for a command; of the level, whether the registers say so too."""
    since_s = stretch.ended_s - 600 / SPEED
    seen = (look for plc in ("pumps-1", "pumps-2") for look in story.looks(plc))
    levels_mm = [look.measured[LEVEL] for look in seen if since_s <= look.asked_s <= stretch.ended_s]
    if reason.startswith("the level is low-low"):
        return min(levels_mm) <= 1000  # its release
    if reason.startswith("the level is high-high"):
        return max(levels_mm) >= 7000
    return reason in {"too few pumps run", "it runs without its command"}


# ---------------------------------------------------------------- books


def test_nothing_accepted_is_lost_and_versions_are_whole(story: Story) -> None:
    rows = asyncio.run(plan_books.plan_rows(story.system.stack.postgres.dsn()))
    wrong = plan_books.broken_versions(rows) + plan_books.holes_and_overlaps(rows)
    for vendor in story.vendors:
        wrong += plan_books.lost(rows, vendor.accepted) + plan_books.kept_though_refused(rows, vendor.refused)
        assert vendor.refused == {}, story.told([str(vendor.refused)])
    assert not wrong, story.told(wrong)


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.resource)
def test_the_journal_intended_all_that_was_written_and_ends_with_what_the_register_holds(
    story: Story, watched: Watched
) -> None:
    scale = 100.0
    mine = [e for e in story.journal if e["resource"] == watched.resource and e["quantity"] == "setpoint"]
    intended = [round(e["enforced"] * scale) for e in mine if e["outcome"] == "intended"]
    _first, *written = story.written[watched.plc][str(100 + watched.at)]
    assert rules.is_subsequence(written, intended), story.told([f"written {written}", f"intended {intended}"])
    verified = [e for e in mine if e["outcome"] == "verified"]
    assert verified, story.told(["nothing was ever verified"])
    last = story.looks(watched.plc)[-1]
    if _emptied_since(story, watched, verified[-1]) and not watched.runs(last):
        assert watched.setpoint(last) == 0, "a pump that stands is given a speed with its next start"
    else:
        assert round(verified[-1]["read_back"] * scale) == watched.setpoint(last), story.told([str(mine[-5:])])


def _emptied_since(story: Story, watched: Watched, entry: dict[str, Any]) -> bool:
    """Whether the PLC began anew, with empty registers, after what an entry tells of."""
    at_s = (datetime.fromisoformat(entry["at"]) - STATION.epoch).total_seconds() / SPEED
    return any(undone_s > story.system.clock.wall_epoch_s + at_s for _, undone_s in story.restarts(watched.plc))


def test_the_database_has_every_link_of_the_file_and_the_chain_is_whole(story: Story) -> None:
    stack = story.system.stack

    def whole() -> bool:
        verify = "from headworks.control_gateway.audit_cli import app; app(['verify'])"
        command = [sys.executable, "-c", verify]
        done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, story.told([done.stdout, done.stderr])
        # The plans' chain, which is verified too, stands in the table alone.
        ends = {line.rsplit(" ", 1)[1] for line in done.stdout.splitlines() if not line.startswith("table: plans ")}
        return len(ends) == 1

    story.system.wait(whole, "the table ends where the file ends", 60)

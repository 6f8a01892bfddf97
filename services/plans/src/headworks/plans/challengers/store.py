"""Keeps a challenger's plans: every version stays as it came, and none is ever in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import PlanInterval, PlanReply, PlanSubmission
from headworks.plans.challengers.tables import challenger_plans
from headworks.plans.standing import hold, or_overtaken
from headworks.plans.store import PlanStore, reply_to
from headworks.plans.versions import lock


async def accept_in_shadow(
    database: Database, store: PlanStore, submission: PlanSubmission, now: datetime, notes: Sequence[str]
) -> PlanReply:
    """Store a checked submission's intervals as the challenger's next versions, and answer it. No event tells of them.

    Raises Overtaken for a vendor that is in shadow no more, or may not plan so.
    """
    with or_overtaken():
        reply = await _accept(database, store, submission, now, notes)
    store.outbox.wake()
    return reply


async def _accept(
    database: Database, store: PlanStore, submission: PlanSubmission, now: datetime, notes: Sequence[str]
) -> PlanReply:
    async with database.transaction() as connection:
        await hold(connection, submission.publisher, submission.site, submission.priority, shadow=True)
        await lock(connection, [(f"challenger/{submission.publisher}", submission.site)])
        versions = await _versions(connection, submission)
        rows = [
            _row(submission, interval, versions.get(interval.resource, 0) + 1, now) for interval in submission.intervals
        ]
        inserted = await connection.execute(insert(challenger_plans).returning(challenger_plans.c.plan_id), rows)
        plan_ids = tuple(sorted(row.plan_id for row in inserted))
        reply = reply_to(submission, now, plan_ids=plan_ids, notes=tuple(notes), shadow=True)
        await store.record(connection, submission, reply)
        return reply


async def _versions(connection: AsyncConnection, submission: PlanSubmission) -> dict[str, int]:
    """The highest version of each resource within the submission's span."""
    t = challenger_plans
    first = min(interval.interval_start for interval in submission.intervals)
    last = max(interval.interval_end for interval in submission.intervals)
    query = select(t.c.resource_id, func.max(t.c.plan_version)).where(
        t.c.publisher == submission.publisher,
        t.c.station_id == submission.site,
        t.c.interval_start < last,
        t.c.interval_end > first,
    )
    return {row[0]: row[1] for row in await connection.execute(query.group_by(t.c.resource_id))}


def _row(submission: PlanSubmission, interval: PlanInterval, version: int, now: datetime) -> dict[str, Any]:
    return {
        "publisher": submission.publisher,
        "submission_id": submission.submission_id,
        "station_id": submission.site,
        "resource_id": interval.resource,
        "resource_type": interval.resource_type,
        "interval_start": interval.interval_start,
        "interval_end": interval.interval_end,
        "targets": interval.targets.model_dump(mode="json"),
        "plan_version": version,
        "plan_created_at": now,
    }

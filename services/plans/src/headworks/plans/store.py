"""Keeps plans by Strategy B: a change inserts new versions and marks the old ones, in one transaction with its event.

Writers of one actuator wait for each other at an advisory lock; the database itself makes overlapping active plans of one
publisher impossible.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import (
    Plan,
    PlanChange,
    PlanEvent,
    PlanInterval,
    PlanReply,
    PlanStatus,
    PlanSubmission,
    Refusal,
)
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_EVENT, PLAN_REPLY
from headworks.plans.rows import KINDS, Kind, content_hash, kind_of, plan_of, target_columns
from headworks.plans.tables import outbox, submissions


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes new versions, by what submission and run, with what priority and why."""

    publisher: str
    submission_id: str
    run_id: str | None
    priority: int
    reason: str
    at: datetime


class PlanStore:
    """The plans schema."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(outbox)

    async def known_reply(self, submission: PlanSubmission) -> PlanReply | None:
        """The reply that this submission had before, or a refusal when its id was used for other content."""
        t = submissions
        query = select(t).where(t.c.publisher == submission.publisher, t.c.submission_id == submission.submission_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        reply = PlanReply.model_validate(row["reply"])
        if row["content_hash"] == _digest(submission):
            return reply
        refusal = Refusal(
            field="submission_id", value=submission.submission_id, expected="a new id: this one had other content"
        )
        return reply.model_copy(update={"accepted": False, "plan_ids": (), "refusals": (refusal,)})

    async def refuse(self, submission: PlanSubmission, refusals: Sequence[Refusal], now: datetime) -> PlanReply:
        """Record a refusal and answer it."""
        reply = _reply(submission, now, refusals=tuple(refusals))
        async with self._database.transaction() as connection:
            await self._record(connection, submission, reply)
        self.outbox.wake()
        return reply

    async def accept(self, submission: PlanSubmission, now: datetime) -> PlanReply:
        """Store a checked submission's versions with their events, and answer it."""
        origin = Origin(
            submission.publisher,
            submission.submission_id,
            submission.run_id,
            submission.priority,
            submission.reason,
            now,
        )
        async with self._database.transaction() as connection:
            plan_ids: list[int] = []
            for resource in sorted({interval.resource for interval in submission.intervals}):
                intervals = [i for i in submission.intervals if i.resource == resource]
                event = await self._replace(connection, submission.site, intervals, origin, PlanChange.SUBMITTED, now)
                plan_ids += [plan.plan_id for plan in event.plans]
            reply = _reply(submission, now, plan_ids=tuple(plan_ids))
            await self._record(connection, submission, reply)
        self.outbox.wake()
        return reply

    async def _record(self, connection: AsyncConnection, submission: PlanSubmission, reply: PlanReply) -> None:
        await connection.execute(
            insert(submissions).values(
                publisher=submission.publisher,
                submission_id=submission.submission_id,
                site=submission.site,
                content_hash=_digest(submission),
                accepted=reply.accepted,
                reply=reply.model_dump(mode="json"),
            )
        )
        message_id = f"reply:{reply.publisher}:{reply.submission_id}"
        await self.outbox.add(
            connection, PLAN_REPLY, reply, message_id, publisher=submission.publisher, site=submission.site
        )

    async def answer_again(self, reply: PlanReply, sequence: int) -> None:
        """Publish an answer once more, for a submission that came again at this place in its stream."""
        async with self._database.transaction() as connection:
            message_id = f"reply-again:{sequence}"
            await self.outbox.add(connection, PLAN_REPLY, reply, message_id, publisher=reply.publisher, site=reply.site)
        self.outbox.wake()

    async def _replace(
        self,
        connection: AsyncConnection,
        site: str,
        intervals: Sequence[PlanInterval],
        origin: Origin,
        change: PlanChange,
        now: datetime,
        by: str | None = None,
    ) -> PlanEvent:
        """New versions over the intervals' span; what an old version covers outside it goes on in a copy."""
        kind, resource = kind_of(intervals[0].targets), intervals[0].resource
        await _lock(connection, site, resource)
        start, end = intervals[0].interval_start, intervals[-1].interval_end
        old = await _overlapping(connection, kind, site, resource, origin.publisher, start, end)
        await _end_plans(connection, kind, [row["plan_id"] for row in old], PlanStatus.SUPERSEDED)
        version = max((row["plan_version"] for row in old), default=0) + 1
        rows = [_new_row(kind, site, interval, origin, version) for interval in intervals]
        rows += [copy for row in old for copy in _leftovers(kind, row, start, end)]
        inserted = await connection.execute(
            insert(kind.table).returning(kind.table, sort_by_parameter_order=True), rows
        )
        plans = [plan_of(kind, row) for row in inserted.mappings()]
        await _mark_superseded(connection, kind, old, plans[: len(intervals)])
        event = PlanEvent(
            event_id=uuid.uuid4().hex,
            site=site,
            resource=resource,
            at=now,
            change=change,
            by=by or origin.publisher,
            plans=tuple(plans),
            ended_plan_ids=tuple(row["plan_id"] for row in old),
        )
        await self.outbox.add(connection, PLAN_EVENT, event, event.event_id, site=site, resource=resource)
        return event

    async def find(self, plan_id: int) -> Plan | None:
        """A plan by its id."""
        async with self._database.transaction() as connection:
            return await _find(connection, plan_id)

    async def revise(
        self, plan: Plan, interval: PlanInterval, change: PlanChange, by: str, reason: str, now: datetime
    ) -> PlanEvent:
        """A new version of one plan: changed content, or an old version's content again."""
        submission_id = f"{change.value}-{uuid.uuid4().hex}"
        origin = Origin(plan.publisher, submission_id, plan.optimization_run_id, plan.plan_priority, reason, now)
        async with self._database.transaction() as connection:
            event = await self._replace(connection, plan.station_id, [interval], origin, change, now, by)
        self.outbox.wake()
        return event

    async def cancel(self, plan_id: int, by: str, now: datetime) -> PlanEvent | None:
        """End an active plan without a successor; None when it is not active."""
        async with self._database.transaction() as connection:
            plan = await _find(connection, plan_id)
            if plan is None:
                return None
            await _lock(connection, plan.station_id, plan.resource_id)
            plan = await _find(connection, plan_id)
            if plan is None or plan.plan_status is not PlanStatus.ACTIVE:
                return None
            await _end_plans(connection, kind_of(plan.targets), [plan_id], PlanStatus.CANCELLED)
            event = PlanEvent(
                event_id=uuid.uuid4().hex,
                site=plan.station_id,
                resource=plan.resource_id,
                at=now,
                change=PlanChange.CANCELLED,
                by=by,
                plans=(),
                ended_plan_ids=(plan_id,),
            )
            await self.outbox.add(
                connection, PLAN_EVENT, event, event.event_id, site=plan.station_id, resource=plan.resource_id
            )
        self.outbox.wake()
        return event

    async def active(self, site: str, now: datetime, resource: str | None = None) -> list[Plan]:
        """The active plans that have not ended, of all publishers, by resource and time."""
        plans: list[Plan] = []
        async with self._database.transaction() as connection:
            for kind in KINDS:
                t = kind.table
                query = select(t).where(t.c.station_id == site, text("plan_status = 'ACTIVE'"), t.c.interval_end > now)
                if resource is not None:
                    query = query.where(t.c[kind.resource] == resource)
                rows = await connection.execute(query.order_by(t.c[kind.resource], t.c.interval_start))
                plans += [plan_of(kind, row) for row in rows.mappings()]
        return plans

    async def current(self, site: str, resource: str, at: datetime) -> Plan | None:
        """The plan in force: of those active at the instant the highest priority, then the newest version."""
        holding = [p for p in await self.active(site, at, resource) if p.interval_start <= at]
        return max(holding, key=lambda p: (p.plan_priority, p.plan_id), default=None)

    async def history(self, site: str, resource: str, limit: int, before_plan_id: int | None) -> list[Plan]:
        """All versions of a resource, newest first."""
        plans: list[Plan] = []
        async with self._database.transaction() as connection:
            for kind in KINDS:
                t = kind.table
                query = select(t).where(t.c.station_id == site, t.c[kind.resource] == resource)
                if before_plan_id is not None:
                    query = query.where(t.c.plan_id < before_plan_id)
                rows = await connection.execute(query.order_by(t.c.plan_id.desc()).limit(limit))
                plans += [plan_of(kind, row) for row in rows.mappings()]
        return sorted(plans, key=lambda p: -p.plan_id)[:limit]


def _digest(submission: PlanSubmission) -> str:
    return hashlib.sha256(submission.model_dump_json(exclude={"created_at"}).encode()).hexdigest()


def _reply(
    submission: PlanSubmission, now: datetime, *, plan_ids: tuple[int, ...] = (), refusals: tuple[Refusal, ...] = ()
) -> PlanReply:
    return PlanReply(
        submission_id=submission.submission_id,
        publisher=submission.publisher,
        site=submission.site,
        at=now,
        accepted=not refusals,
        plan_ids=plan_ids,
        refusals=refusals[:50],
    )


async def _lock(connection: AsyncConnection, site: str, resource: str) -> None:
    """One writer an actuator at a time, until the transaction ends."""
    key = func.hashtextextended(f"{site}/{resource}", 0)
    await connection.execute(select(func.pg_advisory_xact_lock(key)))


async def _overlapping(
    connection: AsyncConnection,
    kind: Kind,
    site: str,
    resource: str,
    publisher: str,
    start: datetime,
    end: datetime,
) -> list[dict[str, Any]]:
    t = kind.table
    query = select(t).where(
        t.c.station_id == site,
        t.c[kind.resource] == resource,
        t.c.publisher == publisher,
        text("plan_status = 'ACTIVE'"),
        t.c.interval_start < end,
        t.c.interval_end > start,
    )
    return [dict(row) for row in (await connection.execute(query.order_by(t.c.interval_start))).mappings()]


async def _end_plans(connection: AsyncConnection, kind: Kind, plan_ids: list[int], status: PlanStatus) -> None:
    if plan_ids:
        t = kind.table
        changed = update(t).where(t.c.plan_id.in_(plan_ids))
        await connection.execute(changed.values(plan_status=status.value, plan_updated_at=func.now()))


def _new_row(kind: Kind, site: str, interval: PlanInterval, origin: Origin, version: int) -> dict[str, Any]:
    return {
        "station_id": site,
        kind.resource: interval.resource,
        "interval_start": interval.interval_start,
        "interval_end": interval.interval_end,
        **target_columns(interval.targets, interval.resource_type),
        "plan_version": version,
        "plan_created_at": origin.at,
        "optimization_run_id": origin.run_id,
        "plan_priority": origin.priority,
        "publisher": origin.publisher,
        "submission_id": origin.submission_id,
        "reason": origin.reason[:500],
        "content_hash": content_hash(interval.targets),
    }


def _leftovers(kind: Kind, row: dict[str, Any], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Copies of an old version for what it covers before `start` and after `end`, so that no hole opens."""
    kept = {k: v for k, v in row.items() if k not in {"plan_id", "during", "plan_updated_at"}}
    kept |= {"plan_status": PlanStatus.ACTIVE.value, "superseded_by": None, "plan_version": row["plan_version"] + 1}
    copies = []
    if row["interval_start"] < start:
        copies.append({**kept, "interval_end": start})
    if row["interval_end"] > end:
        copies.append({**kept, "interval_start": end})
    return copies


async def _mark_superseded(
    connection: AsyncConnection, kind: Kind, old: Sequence[dict[str, Any]], plans: Sequence[Plan]
) -> None:
    """Each old version points to the new one that first covers its time."""
    t = kind.table
    by_successor: dict[int, list[int]] = {}
    for row in old:
        successor = next(p for p in plans if p.interval_end > row["interval_start"])
        by_successor.setdefault(successor.plan_id, []).append(row["plan_id"])
    for successor_id, plan_ids in by_successor.items():
        await connection.execute(update(t).where(t.c.plan_id.in_(plan_ids)).values(superseded_by=successor_id))


async def _find(connection: AsyncConnection, plan_id: int) -> Plan | None:
    for kind in KINDS:
        row = (await connection.execute(select(kind.table).where(kind.table.c.plan_id == plan_id))).mappings().first()
        if row is not None:
            return plan_of(kind, row)
    return None

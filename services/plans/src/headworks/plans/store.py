"""Keeps plans by Strategy B: a change inserts new versions and marks the old ones, in one transaction with its event.

Writers of one actuator wait for each other at an advisory lock; the database itself makes overlapping active plans of one
publisher impossible, within a table and across the two.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Integer, func, insert, literal, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import (
    Plan,
    PlanChange,
    PlanEvent,
    PlanInterval,
    PlannedActuator,
    PlanReply,
    PlanStatus,
    PlanSubmission,
    Refusal,
    id_of_edit,
)
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_EVENT, PLAN_REPLY
from headworks.plans.actuator_table import register
from headworks.plans.actuators import Actuator
from headworks.plans.effective import EffectiveSpan, effective_spans
from headworks.plans.queries import CURRENT, CURRENT_OF_ALL, KNOWN
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.rows import KINDS, kind_of, plan_of
from headworks.plans.standing import hold, or_overtaken
from headworks.plans.tables import outbox, submissions
from headworks.plans.together import Asked, Together
from headworks.plans.typed_targets import Schema
from headworks.plans.versions import Origin, end_plans, find, lock, replace, replace_all


class PlanStore:
    """The plans schema."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(database)
        self.outbox = Outbox(outbox)

    async def register(
        self, actuators: Iterable[Actuator], now: datetime, schemas: Mapping[str, Schema] = SCHEMAS
    ) -> None:
        """Make these the actuators that may be planned for; those known before and not among them are retired."""
        async with self._database.transaction() as connection:
            await register(connection, actuators, now, schemas)

    async def known_reply(self, submission: PlanSubmission) -> PlanReply | None:
        """The reply that this submission had before, or a refusal when its id was used for other content."""
        rows = await self._database.fetch(KNOWN, submission.publisher, submission.submission_id)
        if not rows:
            return None
        return _known(PlanReply.model_validate_json(rows[0]["reply"]), rows[0]["content_hash"], _digest(submission))

    async def refuse(
        self, submission: PlanSubmission, refusals: Sequence[Refusal], now: datetime, notes: Sequence[str] = ()
    ) -> PlanReply:
        """Record a refusal and answer it; one sent again at once has its answer again."""
        reply = reply_to(submission, now, refusals=tuple(refusals), notes=tuple(notes))
        try:
            async with self._database.transaction() as connection:
                await self.record(connection, submission, reply)
        except IntegrityError:
            if (known := await self.known_reply(submission)) is None:
                raise
            return known
        self.outbox.wake()
        return reply

    async def accept(
        self, submission: PlanSubmission, now: datetime, notes: Sequence[str] = (), *, of_vendor: bool = False
    ) -> PlanReply:
        """Store a checked submission's versions with their events, and answer it; one sent again has its answer again.

        Raises Overtaken for a vendor that may not any more.
        """
        origin = Origin(
            site=submission.site,
            publisher=submission.publisher,
            submission_id=submission.submission_id,
            run_id=submission.run_id,
            priority=submission.priority,
            reason=submission.reason,
            at=now,
            change=PlanChange.SUBMITTED,
            by=submission.publisher,
        )
        digest = _digest(submission)
        row = {
            "content": digest,
            "answer": reply_to(submission, now, notes=tuple(notes)).model_dump(mode="json", exclude={"plan_ids"}),
            "reply_subject": PLAN_REPLY.at(publisher=submission.publisher, site=submission.site),
        }
        with or_overtaken():
            done = await self._together.accept(Asked(origin, submission.intervals, row, of_vendor))
        self.outbox.wake()
        return _known(PlanReply.model_validate_json(done.reply), done.known or digest, digest)

    async def record(self, connection: AsyncConnection, submission: PlanSubmission, reply: PlanReply) -> None:
        """Keep an answer, and send it, in the caller's transaction."""
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

    async def tell(self, reply: PlanReply, message_id: str) -> None:
        """Publish an answer that is not kept: once more, for a submission that came again, or to what is none."""
        async with self._database.transaction() as connection:
            await self.outbox.add(connection, PLAN_REPLY, reply, message_id, publisher=reply.publisher, site=reply.site)
        self.outbox.wake()

    async def find(self, plan_id: int) -> Plan | None:
        """A plan by its id."""
        async with self._database.transaction() as connection:
            return await find(connection, plan_id)

    async def revise(
        self, plan: Plan, interval: PlanInterval, change: PlanChange, by: str, reason: str, now: datetime
    ) -> PlanEvent | None:
        """A new version of one plan: changed content, or an old version's content again. None when it is not as given.

        Raises Overtaken for a plan of a vendor that may not any more.
        """
        origin = Origin(
            site=plan.station_id,
            publisher=plan.publisher,
            submission_id=id_of_edit(change),
            run_id=plan.optimization_run_id,
            priority=plan.plan_priority,
            reason=reason,
            at=now,
            change=change,
            by=by,
        )
        with or_overtaken():
            event = await self._revised(plan, interval, origin)
        self.outbox.wake()
        return event

    async def _revised(self, plan: Plan, interval: PlanInterval, origin: Origin) -> PlanEvent | None:
        async with self._database.transaction() as connection:
            await hold(connection, plan.publisher, plan.station_id, plan.plan_priority)
            await lock(connection, [(plan.station_id, plan.resource_id)])
            if await find(connection, plan.plan_id) != plan:
                return None
            return await replace(connection, interval, origin)

    async def of_submission(self, publisher: str, submission_id: str) -> list[Plan]:
        """The versions that an accepted submission made, as it sent them, by their end; what is left of them in copies aside."""
        rows = await self._database.fetch(KNOWN, publisher, submission_id)
        reply = PlanReply.model_validate_json(rows[0]["reply"]) if rows else None
        if reply is None or reply.shadow:
            return []
        plans: list[Plan] = []
        async with self._database.transaction() as connection:
            for kind in KINDS:
                t = kind.table
                mine = (t.c.publisher == publisher) & (t.c.submission_id == submission_id)
                query = select(t).where(t.c.plan_id == func.any(literal(list(reply.plan_ids), ARRAY(Integer))), mine)
                plans += [plan_of(kind, row) for row in (await connection.execute(query)).mappings()]
        return sorted(plans, key=lambda plan: (plan.interval_end, plan.resource_id))

    async def restore(self, wanted: PlanSubmission, by: str, now: datetime) -> list[PlanEvent]:
        """New versions of many plans at once, in their publisher's name, as a person asks for them. Raises Overtaken."""
        origin = Origin(
            site=wanted.site,
            publisher=wanted.publisher,
            submission_id=wanted.submission_id,
            run_id=wanted.run_id,
            priority=wanted.priority,
            reason=wanted.reason,
            at=now,
            change=PlanChange.ROLLED_BACK,
            by=by,
        )
        with or_overtaken():
            async with self._database.transaction() as connection:
                await hold(connection, wanted.publisher, wanted.site, wanted.priority)
                await lock(connection, {(wanted.site, interval.resource) for interval in wanted.intervals})
                events = await replace_all(connection, wanted.intervals, origin)
        self.outbox.wake()
        return events

    async def cancel(
        self, plan_id: int, by: str, now: datetime, unless_changed: Plan | None = None
    ) -> PlanEvent | None:
        """End an active plan without a successor. None when it is not active, or not as it is given in `unless_changed`."""
        async with self._database.transaction() as connection:
            plan = await find(connection, plan_id)
            if plan is None:
                return None
            await lock(connection, [(plan.station_id, plan.resource_id)])
            plan = await find(connection, plan_id)
            if plan is None or plan.plan_status is not PlanStatus.ACTIVE or plan != (unless_changed or plan):
                return None
            await end_plans(connection, kind_of(plan.targets), [plan_id], PlanStatus.CANCELLED, now)
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

    async def planned(self, now: datetime) -> list[PlannedActuator]:
        """The actuators of every station that have an active plan which has not ended, by station and name."""
        found: set[tuple[str, str]] = set()
        async with self._database.transaction() as connection:
            for kind in KINDS:
                t = kind.table
                query = select(t.c.station_id, t.c[kind.resource]).distinct()
                query = query.where(text("plan_status = 'ACTIVE'"), t.c.interval_end > now)
                found |= {(station, resource) for station, resource in await connection.execute(query)}
        return [PlannedActuator(station_id=station, resource_id=resource) for station, resource in sorted(found)]

    async def current(self, site: str, resource: str, at: datetime) -> Plan | None:
        """The plan in force: of those active at the instant the highest priority, then the newest version."""
        rows = await self._database.fetch(CURRENT, site, resource, at)
        return Plan.model_validate_json(rows[0]["message"]) if rows else None

    async def current_of_all(self, site: str, at: datetime) -> str:
        """The plan in force of every actuator of a site that has one, by resource, as a JSON list of plans."""
        [row] = await self._database.fetch(CURRENT_OF_ALL, site, at)
        messages: str = row["messages"]
        return messages

    async def effective(self, site: str, resource: str | None, start: datetime, end: datetime) -> list[EffectiveSpan]:
        """Who leads when within [start, end) as known now, of one actuator or all of a site; the losers beside."""
        plans: list[Plan] = []
        async with self._database.transaction() as connection:
            for kind in KINDS:
                t = kind.table
                query = select(t).where(t.c.station_id == site, text("plan_status = 'ACTIVE'"))
                query = query.where(t.c.interval_end > start, t.c.interval_start < end)
                if resource is not None:
                    query = query.where(t.c[kind.resource] == resource)
                plans += [plan_of(kind, row) for row in (await connection.execute(query)).mappings()]
        return effective_spans(plans, start, end)

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


def _known(reply: PlanReply, content: str, digest: str) -> PlanReply:
    """A reply given before, to this content; a refusal when the id was used for other content."""
    if content == digest:
        return reply
    refusal = Refusal(field="submission_id", value=reply.submission_id, expected="a new id: this one had other content")
    return reply.model_copy(update={"accepted": False, "plan_ids": (), "refusals": (refusal,)})


def _digest(submission: PlanSubmission) -> str:
    return hashlib.sha256(submission.model_dump_json(exclude={"created_at"}).encode()).hexdigest()


def reply_to(
    submission: PlanSubmission,
    now: datetime,
    *,
    plan_ids: tuple[int, ...] = (),
    refusals: tuple[Refusal, ...] = (),
    notes: tuple[str, ...] = (),
    shadow: bool = False,
) -> PlanReply:
    """The answer to a submission."""
    return PlanReply(
        submission_id=submission.submission_id,
        publisher=submission.publisher,
        site=submission.site,
        at=now,
        accepted=not refusals,
        plan_ids=plan_ids,
        refusals=refusals[:50],
        notes=notes,
        shadow=shadow,
    )

"""Keeps plans that wait for an approval, apart from the plan tables: none is active before it is approved."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    RowMapping,
    Sequence,
    String,
    Table,
    UniqueConstraint,
    and_,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from headworks.common.database import Database
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_REPLY
from headworks.plans.approvals import Approval, ApprovalRule, ApprovalState
from headworks.plans.tables import metadata

UNFINISHED = timedelta(seconds=30)
"""After so long somebody else carries out what was decided: who decided it was cut off by a fault."""
approval_ids = Sequence("approval_id_seq", metadata=metadata)
approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", Integer, approval_ids, server_default=approval_ids.next_value(), primary_key=True),
    Column("publisher", String(64), nullable=False),
    Column("submission_id", String(128), nullable=False),
    Column("site", String(50), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("submission", JSONB, nullable=False),
    Column("over_bus", Boolean, nullable=False),
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("state", String(20), nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", DateTime(timezone=True)),
    Column("settled_by", DateTime(timezone=True)),
    Column("reason", String(500), nullable=False, server_default=""),
    Column("reply", JSONB),
    UniqueConstraint("publisher", "submission_id"),
)
Index("ix_approvals_waiting", approvals.c.expires_at, postgresql_where=text("state = 'WAITING'"))
Index("ix_approvals_unsettled", approvals.c.settled_by, postgresql_where=text("reply is null"))


class WaitingRoom:
    """The approvals table, with the rules of the sites."""

    def __init__(self, database: Database, outbox: Outbox, rules: Mapping[str, ApprovalRule]) -> None:
        self._database, self._outbox, self._rules = database, outbox, rules

    def rule_for(self, submission: PlanSubmission) -> ApprovalRule | None:
        """The rule that a submission waits by; None when it need not."""
        rule = self._rules.get(submission.site)
        return rule if rule and rule.covers(each.resource for each in submission.intervals) else None

    async def hold(
        self, submission: PlanSubmission, rule: ApprovalRule, now: datetime, *, asked_by: str, over_bus: bool
    ) -> PlanReply:
        """Let a submission wait, and answer so. One that waits already is answered alike."""
        new = insert(approvals).values(
            publisher=submission.publisher,
            submission_id=submission.submission_id,
            site=submission.site,
            content_hash=_digest(submission),
            submission=submission.model_dump(mode="json"),
            over_bus=over_bus,
            asked_by=asked_by,
            asked_at=now,
            expires_at=now + rule.time_limit,
            roles=sorted(rule.roles),
            state=ApprovalState.WAITING.value,
        )
        async with self._database.transaction() as connection:
            await connection.execute(new.on_conflict_do_nothing())
            own = _same(submission.publisher, submission.submission_id)
            row = (await connection.execute(select(approvals).where(own))).mappings().one()
            reply = _waiting(row)
            message_id = f"reply-waits:{reply.publisher}:{reply.submission_id}"
            await self._outbox.add(
                connection, PLAN_REPLY, reply, message_id, publisher=reply.publisher, site=reply.site
            )
        self._outbox.wake()
        return _unless_other(submission, row, reply)

    async def waiting_reply(self, submission: PlanSubmission) -> PlanReply | None:
        """The answer of a submission that waits, or a refusal when its id has other content there."""
        own = _same(submission.publisher, submission.submission_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(approvals).where(own))).mappings().first()
        return None if row is None else _unless_other(submission, row, _waiting(row))

    async def find(self, approval_id: int) -> tuple[Approval, PlanSubmission, bool] | None:
        """An approval with its submission, and whether that came over the bus."""
        query = select(approvals).where(approvals.c.approval_id == approval_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        return _approval(row), PlanSubmission.model_validate(row["submission"]), row["over_bus"]

    async def page(
        self, site: str | None, state: ApprovalState | None, limit: int, before: int | None
    ) -> list[Approval]:
        """Approvals, newest first."""
        t = approvals
        query = select(t).order_by(t.c.approval_id.desc()).limit(limit)
        query = query.where(
            *([t.c.site == site] if site else []),
            *([t.c.state == state.value] if state else []),
            *([t.c.approval_id < before] if before is not None else []),
        )
        async with self._database.transaction() as connection:
            return [_approval(row) for row in (await connection.execute(query)).mappings()]

    async def decide(self, approval_id: int, state: ApprovalState, by: str, reason: str, now: datetime) -> bool:
        """Decide for good what still waits; False when another was first, or the time is over (or is not, for EXPIRED)."""
        t = approvals
        in_time = t.c.expires_at <= now if state is ApprovalState.EXPIRED else t.c.expires_at > now
        mine = update(t).where(t.c.approval_id == approval_id, t.c.state == ApprovalState.WAITING.value, in_time)
        values = {"state": state.value, "decided_by": by, "decided_at": now, "reason": reason[:500]}
        decided = mine.values(**values, settled_by=func.now() + UNFINISHED).returning(t.c.approval_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(decided)).first() is not None

    async def settle(self, approval_id: int, reply: PlanReply) -> None:
        """Note what became of what was decided."""
        mine = update(approvals).where(approvals.c.approval_id == approval_id)
        async with self._database.transaction() as connection:
            await connection.execute(mine.values(reply=reply.model_dump(mode="json")))

    async def expired(self, now: datetime) -> list[int]:
        """What has waited too long."""
        return await self._ids(approvals.c.state == ApprovalState.WAITING.value, approvals.c.expires_at <= now)

    async def cut_off(self) -> list[int]:
        """What was decided and not carried out."""
        t = approvals
        late = t.c.settled_by < func.now()
        return await self._ids(t.c.state != ApprovalState.WAITING.value, t.c.reply.is_(None), late)

    async def _ids(self, *conditions: ColumnElement[bool]) -> list[int]:
        query = select(approvals.c.approval_id).where(*conditions).order_by(approvals.c.approval_id).limit(100)
        async with self._database.transaction() as connection:
            return [*(await connection.execute(query)).scalars()]


def _same(publisher: str, submission_id: str) -> Any:
    return and_(approvals.c.publisher == publisher, approvals.c.submission_id == submission_id)


def _digest(submission: PlanSubmission) -> str:
    return hashlib.sha256(submission.model_dump_json(exclude={"created_at"}).encode()).hexdigest()


def _waiting(row: RowMapping) -> PlanReply:
    return PlanReply(
        submission_id=row["submission_id"],
        publisher=row["publisher"],
        site=row["site"],
        at=row["asked_at"],
        accepted=False,
        approval_id=row["approval_id"],
        waits_until=row["expires_at"],
    )


def _unless_other(submission: PlanSubmission, row: RowMapping, reply: PlanReply) -> PlanReply:
    if row["content_hash"] == _digest(submission):
        return reply
    expected = "a new id: this one had other content"
    refusal = Refusal(field="submission_id", value=submission.submission_id, expected=expected)
    return reply.model_copy(update={"refusals": (refusal,), "approval_id": None, "waits_until": None})


def _approval(row: RowMapping) -> Approval:
    intervals: Iterable[Mapping[str, Any]] = row["submission"]["intervals"]
    return Approval(
        **{name: row[name] for name in Approval.model_fields if name in row},
        resources=tuple(sorted({each["resource"] for each in intervals})),
        begins=min(each["interval_start"] for each in intervals),
        ends=max(each["interval_end"] for each in intervals),
    )

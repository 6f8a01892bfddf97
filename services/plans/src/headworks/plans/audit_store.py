"""Who changed what: every write as two links of one hash chain, one before it is done and one with how it ended.

A write without its second link was cut off by a fault, and what became of it stands in the plans themselves. The table can only
grow: a trigger refuses any other change.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.audit import AuditEvent, Broken, Head, Link, Whole, read_link, verify
from headworks.common.database import Database
from headworks.common.messages import Instant
from headworks.plans.tables import metadata

CHAIN, KIND = "plans", "audit"
BATCH = 1000
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("line", Text, nullable=False),
    Column("write_id", String(64), nullable=False, index=True),
    Column("answers", Boolean, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("station_id", String(64)),
    Column("plan_id", Integer),
)
Index("ix_audit_plan_id", audit.c.plan_id, postgresql_where=audit.c.plan_id.is_not(None))


@dataclass(frozen=True, slots=True)
class About:
    """What a write is on, as far as it says so."""

    write_id: str
    station_id: str | None = None
    plan_id: int | None = None


class Write(BaseModel):
    """One write: what was asked, and how it ended; no answer yet, or none ever where a fault cut it off."""

    sequence: int
    asked: AuditEvent
    answered: AuditEvent | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which writes to list; None asks for all."""

    station_id: str | None = None
    plan_id: int | None = None
    actor: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class AuditStore:
    """The chain in the plans' schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, event: AuditEvent, about: About, *, answers: bool) -> None:
        """Add an event at the end of the chain."""
        async with self._database.transaction() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("plans.audit"))))
            link = (await _head(connection)).link(KIND, event.model_dump(mode="json"))
            await connection.execute(insert(audit).values(**_row(link, event, about), answers=answers))

    async def writes(self, wanted: Wanted, limit: int, before: int | None) -> list[Write]:
        """What was asked, newest first, each with its answer."""
        asked, answer = audit.alias("asked"), audit.alias("answer")
        conditions = [
            ~asked.c.answers,
            *([asked.c.sequence < before] if before is not None else []),
            *([asked.c.station_id == wanted.station_id] if wanted.station_id else []),
            *([asked.c.plan_id == wanted.plan_id] if wanted.plan_id else []),
            *([asked.c.actor == wanted.actor] if wanted.actor else []),
            *([asked.c.at >= wanted.since] if wanted.since else []),
            *([asked.c.at < wanted.until] if wanted.until else []),
        ]
        with_answer = asked.outerjoin(answer, (answer.c.write_id == asked.c.write_id) & answer.c.answers)
        query = select(asked.c.sequence, asked.c.line, answer.c.line.label("answer")).select_from(with_answer)
        query = query.where(*conditions).order_by(asked.c.sequence.desc()).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [Write(sequence=r.sequence, asked=_event(r.line), answered=r.answer and _event(r.answer)) for r in rows]

    async def verify(self) -> Whole | Broken:
        """Whether the chain is as it was written, from its first link on."""
        async with self._database.transaction() as connection:
            lines = await connection.stream(
                select(audit.c.sequence, audit.c.line).order_by(audit.c.sequence).execution_options(yield_per=BATCH)
            )
            return await _verified(lines.partitions())


async def verify_in(url: str) -> Whole | Broken | None:
    """Whether the chain in a database is as it was written; None where the plans have no table there."""
    database = Database(url)
    try:
        [found] = await database.fetch("select to_regclass('plans.audit') is not null as is_there")
        return await AuditStore(database).verify() if found["is_there"] else None
    finally:
        await database.close()


async def _verified(batches: AsyncIterator[Any]) -> Whole | Broken:
    head = Head(CHAIN)
    async for batch in batches:
        links = [(f"row {row.sequence}", read_link(row.line)) for row in batch]
        found = verify(links, begins=head)
        if isinstance(found, Broken):
            return found
        head = Head(CHAIN, found.last, found.hash)
    return Whole(1, head.sequence, head.hash)


async def _head(connection: AsyncConnection) -> Head:
    last = select(audit.c.sequence, audit.c.hash).order_by(text("sequence desc")).limit(1)
    row = (await connection.execute(last)).first()
    return Head(CHAIN) if row is None else Head(CHAIN, row.sequence, row.hash)


def _row(link: Link, event: AuditEvent, about: About) -> dict[str, object]:
    at: datetime = event.at
    return {
        "sequence": link.sequence,
        "hash": link.hash,
        "line": link.line(),
        "write_id": about.write_id,
        "at": at,
        "actor": event.actor[:200],
        "station_id": about.station_id,
        "plan_id": about.plan_id,
    }


def _event(line: str) -> AuditEvent:
    return AuditEvent.model_validate(Link.model_validate_json(line).body)

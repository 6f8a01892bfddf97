"""A request that is sent again with its Idempotency-Key is answered again, not done again. By the caller's name, for a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, DateTime, Integer, LargeBinary, String, Table, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from headworks.common.database import Database
from headworks.plans.tables import metadata

KEPT = timedelta(days=1)
GIVEN_UP = timedelta(seconds=60)
"""A request that is unanswered for so long was cut off by a fault: no route takes half as long."""
keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", String(200), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("headers", JSONB),
    Column("body", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Mine:
    """Nobody has used the key: the request is to be done, and its answer kept."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same request is being done."""


@dataclass(frozen=True, slots=True)
class OtherContent:
    """The key belongs to another request."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer that the same request had."""

    status: int
    headers: dict[str, str]
    body: bytes


Claim = Mine | UnderWay | OtherContent | Answered


class IdempotencyKeys:
    """The keys and their answers. They live on the machine's clock, as callers' retries do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, caller: str, key: str, fingerprint: str, now: datetime) -> Claim:
        """Take the key for a request, or say what has become of the request that has it."""
        t = keys
        over = or_(t.c.created_at < now - KEPT, and_(t.c.status.is_(None), t.c.created_at < now - GIVEN_UP))
        fresh = {"fingerprint": fingerprint, "status": None, "headers": None, "body": None, "created_at": now}
        taken = insert(t).values(caller=caller, key=key, **fresh)
        taken = taken.on_conflict_do_update(index_elements=[t.c.caller, t.c.key], set_=fresh, where=over)
        async with self._database.transaction() as connection:
            await connection.execute(delete(t).where(t.c.created_at < now - KEPT))
            if (await connection.execute(taken.returning(t.c.key))).first() is not None:
                return Mine()
            row = (await connection.execute(select(t).where(t.c.caller == caller, t.c.key == key))).first()
        if row is None:
            return UnderWay()
        if row.fingerprint != fingerprint:
            return OtherContent()
        return UnderWay() if row.status is None else Answered(row.status, dict(row.headers), row.body)

    async def keep(self, caller: str, key: str, answer: Answered) -> None:
        """Keep the answer for whoever asks again."""
        mine = update(keys).where(keys.c.caller == caller, keys.c.key == key)
        values: Mapping[str, object] = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        async with self._database.transaction() as connection:
            await connection.execute(mine.values(values))

    async def release(self, caller: str, key: str) -> None:
        """Let the request be tried again with its key: it was not done."""
        async with self._database.transaction() as connection:
            mine = delete(keys).where(keys.c.caller == caller, keys.c.key == key, keys.c.status.is_(None))
            await connection.execute(mine)

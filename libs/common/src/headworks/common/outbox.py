"""The transactional outbox: a database change and its message go together, or not at all.

A service adds the message to its outbox table in the transaction of the change; the relay publishes what is unsent, in
order, and marks it. A crash in between publishes twice with one message id, which the stream stores once. Where strangers
publish to the stream too the message goes without one: an id of theirs could have the stream drop it. What was sent long
ago is cleared away.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.bus import Bus
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.link import BusUnavailable
from headworks.common.messages import Message
from headworks.common.subjects import Subject, takes_ids
from headworks.common.tasks import wait_at_most
from headworks.common.telemetry import outgoing_headers

M = TypeVar("M", bound=Message)
log = structlog.get_logger(__name__)
BATCH = 100
POLL_S = 1.0
CLEAR_BATCH = 1000
"""Rows deleted in one transaction."""
CLEAR_EVERY_S = 600.0
UNSENT = """
    select outbox_id, subject, in_stream, message_id, headers, body from {}
    where sent_at is null order by outbox_id limit $1 for update skip locked"""
MARK_SENT = "update {} set sent_at = now() where outbox_id = any($1::bigint[])"


def outbox_table(metadata: MetaData) -> Table:
    """The outbox of a service's schema."""
    return Table(
        "outbox",
        metadata,
        Column("outbox_id", BigInteger, primary_key=True, autoincrement=True),
        Column("subject", String(200), nullable=False),
        Column("in_stream", String(1), nullable=False, server_default="y"),
        Column("message_id", String(200), nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("sent_at", DateTime(timezone=True), index=True),
    )


@dataclass
class Outbox:
    """Adds messages inside transactions, and relays them. One relay a process; several processes may share a table."""

    table: Table
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def add(
        self, connection: AsyncConnection, subject: Subject[M], message: M, message_id: str, **parts: str
    ) -> None:
        """Queue a message in the caller's transaction. Call `wake()` after its commit to send at once."""
        await self.add_all(connection, [row_of(subject, message, message_id, **parts)])

    async def add_all(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Queue several messages in this order, each as `row_of` gives it, by one statement."""
        if rows:
            await connection.execute(insert(self.table), rows)

    def wake(self) -> None:
        """Say that something was committed."""
        self._wake.set()

    async def relay(self, database: Database, bus: Bus) -> None:
        """Publish unsent messages for ever; run it as a task. Waits while the bus or the database is away."""
        while True:
            self._wake.clear()
            try:
                sent = await self._send_batch(database, bus)
            except BusUnavailable as error:
                log.warning("outbox waits for the bus", error=str(error))
                sent = 0
            except DatabaseUnavailable as error:
                log.warning("outbox waits for the database", error=repr(error))
                sent = 0
            if sent < BATCH:
                await wait_at_most(self._wake, POLL_S)

    async def keep_cleared(self, database: Database, days: int) -> None:
        """Delete for ever what was sent longer ago than so many days; run it as a task. Waits while the database is away."""
        while True:
            try:
                cleared = await self._clear(database, timedelta(days=days))
            except DatabaseUnavailable as error:
                log.warning("outbox not cleared; tried again later", error=repr(error), again_in_s=CLEAR_EVERY_S)
            else:
                if cleared:
                    log.info("outbox cleared", rows_deleted=cleared, sent_before_days=days)
            await asyncio.sleep(CLEAR_EVERY_S)

    async def _clear(self, database: Database, after: timedelta) -> int:
        """Batch after batch, until nothing is left that may go. By the database's clock, as `sent_at` is."""
        t, cleared = self.table, 0
        old = select(t.c.outbox_id).where(t.c.sent_at < func.now() - after).limit(CLEAR_BATCH)
        while True:
            async with database.transaction() as connection:
                skipping = old.with_for_update(skip_locked=True)  # another process may clear the same table
                rows = (await connection.execute(delete(t).where(t.c.outbox_id.in_(skipping)))).rowcount
            cleared += rows
            if rows < CLEAR_BATCH:
                return cleared

    async def _send_batch(self, database: Database, bus: Bus) -> int:
        """Publish up to BATCH messages in order; those before a failure are marked for good. Raises BusUnavailable."""
        failure, sent = None, list[int]()
        async with database.driver_transaction() as connection:
            try:
                for row in await connection.fetch(UNSENT.format(self.table), BATCH):
                    own_id = {"Nats-Msg-Id": row["message_id"]} if takes_ids(row["subject"]) else {}
                    headers = {**json.loads(row["headers"]), **own_id}
                    await bus.publish_raw(row["subject"], row["body"], headers, in_stream=row["in_stream"] == "y")
                    sent.append(row["outbox_id"])
            except BusUnavailable as error:
                failure = error  # raised after the commit of what was sent
            if sent:
                await connection.execute(MARK_SENT.format(self.table), sent)
        if failure is not None:
            raise failure
        return len(sent)


def row_of(subject: Subject[M], message: M, message_id: str, **parts: str) -> dict[str, Any]:
    """A message as it waits in an outbox."""
    return {
        "subject": subject.at(**parts),
        "in_stream": "y" if subject.stream else "n",
        "message_id": message_id,
        "headers": outgoing_headers(),
        "body": message.model_dump_json().encode(),
    }

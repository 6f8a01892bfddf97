"""Sends the notices that wait: each attempt is kept, a failed one is tried again later, and none is lost.

Waiting and back-off are on the machine's clock: people and mail servers do not live at a scaled plant's speed.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog
from prometheus_client import Counter
from sqlalchemy import Row, func, insert, select, update

from headworks.alerts import tables
from headworks.alerts.channels.outcome import Channel, Delivered, NotDelivered, Outcome
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.service import Task

log = structlog.get_logger(__name__)
ATTEMPTS = Counter("headworks_notice_attempts", "attempts to hand a notice over, by outcome", ["channel", "outcome"])
POLL_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S, MAX_ATTEMPTS = 2.0, 300.0, 20
HOLD_S = 60.0
"""How long a notice in hand is out of others' reach; a process that dies in an attempt gives it back after this."""


class NoticeDesk:
    """The queue of notices in the database. Several processes may work on it."""

    def __init__(self, database: Database, channels: Mapping[str, Channel]) -> None:
        self._database, self.channels = database, channels

    def tasks(self) -> dict[str, Task]:
        """What must run for ever."""
        return {"notices": self._keep_sending}

    async def add_test(self, channel: str, by: str, at: datetime) -> list[int]:
        """A test notice to every recipient of a channel; their ids."""
        text = f"This is a test of the channel {channel}, asked for by {by}. Nothing is wrong."
        async with self._database.transaction() as connection:
            rows = [
                {
                    "channel": channel,
                    "recipient": recipient,
                    "subject": "[TEST] Headworks test notice",
                    "text": text,
                    "at": at,
                    "status": "PENDING",
                }
                for recipient in self.channels[channel].recipients
            ]
            added = await connection.execute(insert(tables.notices).returning(tables.notices.c.notice_id), rows)
            return [int(notice_id) for notice_id in added.scalars()]

    async def newest(self, site: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest notices as rows, each with its attempts."""
        n, a = tables.notices, tables.attempts
        query = select(n).order_by(n.c.notice_id.desc()).limit(limit)
        if site is not None:
            query = query.where(n.c.site == site)
        async with self._database.transaction() as connection:
            found = (await connection.execute(query)).mappings().all()
            of_these = select(a).where(a.c.notice_id.in_([row["notice_id"] for row in found])).order_by(a.c.attempt_id)
            tried = (await connection.execute(of_these)).mappings().all()
        return [dict(row) | {"attempts": [t for t in tried if t["notice_id"] == row["notice_id"]]} for row in found]

    async def send_next(self) -> bool:
        """Send one notice that is due. False when none is."""
        notice = await self._take()
        if notice is None:
            return False
        channel = self.channels.get(notice.channel)
        if channel is None:
            outcome: Outcome = NotDelivered(f"the channel {notice.channel!r} is not set up any more")
        else:
            outcome = await channel.send(notice.recipient, notice.subject, notice.text)
        await self._keep(notice, outcome)
        return True

    async def _keep_sending(self) -> None:
        while True:
            try:
                worked = await self.send_next()
            except DatabaseUnavailable as error:
                log.warning("notices wait for the database", error=repr(error))
                worked = False
            if not worked:
                await asyncio.sleep(POLL_S)

    async def _take(self) -> Row[Any] | None:
        n = tables.notices
        due = select(n).where(n.c.status == "PENDING", n.c.due_at <= func.now()).order_by(n.c.due_at).limit(1)
        async with self._database.transaction() as connection:
            notice = (await connection.execute(due.with_for_update(skip_locked=True))).first()
            if notice is not None:
                held = func.now() + timedelta(seconds=HOLD_S)
                await connection.execute(update(n).where(n.c.notice_id == notice.notice_id).values(due_at=held))
        return notice

    async def _keep(self, notice: Row[Any], outcome: Outcome) -> None:
        n, tried = tables.notices, notice.attempts + 1
        values: dict[str, Any] = {"attempts": tried}
        match outcome:
            case Delivered(detail=detail):
                delivered = True
                values |= {"status": "SENT", "sent_at": func.now()}
                log.info("notice sent", notice_id=notice.notice_id, channel=notice.channel, alarm=notice.alarm)
            case NotDelivered(reason=detail):
                delivered = False
                given_up = tried >= MAX_ATTEMPTS
                wait = timedelta(seconds=min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (tried - 1)))
                values |= {"status": "FAILED"} if given_up else {"due_at": func.now() + wait}
                say = log.error if given_up else log.warning
                say("notice not sent", notice_id=notice.notice_id, attempt=tried, reason=detail, given_up=given_up)
            case _:
                assert_never(outcome)
        ATTEMPTS.labels(notice.channel, "delivered" if delivered else "not_delivered").inc()
        async with self._database.transaction() as connection:
            await connection.execute(
                insert(tables.attempts).values(
                    notice_id=notice.notice_id, delivered=delivered, detail=detail[:500] or "no word"
                )
            )
            await connection.execute(update(n).where(n.c.notice_id == notice.notice_id).values(**values))

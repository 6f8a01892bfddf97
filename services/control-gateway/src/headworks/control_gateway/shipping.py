"""Ships the local journal to PostgreSQL and the bus, and the gateway's state to the bus; control never waits for it."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.audit import Link, canonical
from headworks.common.bus import Bus
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.link import BusUnavailable
from headworks.common.messages import Setpoint
from headworks.common.outbox import Outbox, row_of
from headworks.common.subjects import CONTROL_STATE, SETPOINT
from headworks.common.tasks import wait_at_most
from headworks.control_gateway.journal import SETPOINT as DECISION
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.tables import chain as chain_table
from headworks.control_gateway.tables import journal as journal_table
from headworks.control_gateway.tables import outbox

log = structlog.get_logger(__name__)
BATCH = 100
SHIP_EVERY_S = 1.0
GATHER_S = 0.1
"""An entry waits so long for others, as for what became of its write: a transaction for each takes more than control itself."""
STATE_EVERY_S = 5.0
STATE_AT_LEAST_EVERY_S = 1.0
"""However long it takes to tell, what changed is told so often."""


class Shipper:
    """Moves journal entries on, each with its message, once."""

    def __init__(self, journal: Journal, database: Database) -> None:
        self._journal, self._database = journal, database
        self.outbox = Outbox(outbox)

    async def ship(self) -> None:
        """Ship for ever; run it as a task. While the database or the journal's disk is away, entries wait."""
        while True:
            self._journal.appended.clear()
            shipped = 0
            try:
                shipped = await self._ship_batch()
            except DatabaseUnavailable as error:
                log.warning("journal waits for the database", error=repr(error))
            except OSError:
                log.exception("the journal cannot be read or marked; what is not marked is shipped again")
            if shipped:
                self.outbox.wake()
            if shipped < BATCH:
                await wait_at_most(self._journal.appended, SHIP_EVERY_S)
                await asyncio.sleep(GATHER_S)

    async def _ship_batch(self) -> int:
        """Ship what is next; how many links. A crash after the commit ships again, which the ids make harmless."""
        await self._journal.synced()
        links, position = self._journal.unshipped_links(BATCH)
        if not links:
            await self._journal.mark_shipped(position)
            return 0
        decisions = [Setpoint.model_validate(link.body) for link in links if link.kind == DECISION]
        async with self._database.transaction() as connection:
            await self._add_links(connection, links)
            if decisions:
                await self._add_decisions(connection, decisions)
        await self._journal.mark_shipped(position)
        return len(links)

    async def _add_links(self, connection: AsyncConnection, links: Sequence[Link]) -> None:
        """The links, each once. What stands in a link's place already must be that link; where it is another, people are told."""
        t = chain_table
        new = insert(t).on_conflict_do_nothing().returning(t.c.chain, t.c.sequence)
        added = set(await connection.execute(new, [_row(link) for link in links]))
        there = {(link.chain, link.sequence): link.hash for link in links if (link.chain, link.sequence) not in added}
        if not there:
            return
        held = select(t.c.chain, t.c.sequence, t.c.hash).where(tuple_(t.c.chain, t.c.sequence).in_(list(there)))
        other = [row for row in await connection.execute(held) if there[row.chain, row.sequence] != row.hash]
        if other:
            first = min(other, key=lambda row: row.sequence)
            log.error(
                "the chain is forked: the table holds other entries than the journal",
                chain=first.chain,
                first_sequence=first.sequence,
                entries=len(other),
            )

    async def _add_decisions(self, connection: AsyncConnection, entries: Sequence[Setpoint]) -> None:
        """The decisions for those who ask, each with its message, once."""
        new = insert(journal_table).on_conflict_do_nothing(index_elements=["setpoint_id"])
        rows = [
            {
                "setpoint_id": entry.setpoint_id,
                "site": entry.site,
                "resource": entry.resource,
                "at": entry.at,
                "outcome": entry.outcome.value,
                "entry": entry.model_dump(mode="json"),
            }
            for entry in entries
        ]
        added = set((await connection.execute(new.returning(journal_table.c.setpoint_id), rows)).scalars())
        messages = [
            row_of(SETPOINT, entry, entry.setpoint_id, site=entry.site, resource=entry.resource)
            for entry in entries
            if entry.setpoint_id in added
        ]
        await self.outbox.add_all(connection, messages)

    async def entries(self, site: str, resource: str | None, limit: int) -> list[Setpoint]:
        """The newest shipped entries."""
        t = journal_table
        query = select(t.c.entry).where(t.c.site == site).order_by(t.c.entry_id.desc()).limit(limit)
        if resource is not None:
            query = query.where(t.c.resource == resource)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).scalars().all()
        return [Setpoint.model_validate(row) for row in rows]


def _row(link: Link) -> dict[str, object]:
    """A link as its table holds it."""
    row = link.model_dump(include={"chain", "sequence", "previous", "hash", "kind"})
    at = datetime.fromisoformat(str(link.body["at"]))
    return {**row, "body": canonical(link.body), "category": link.body.get("category"), "at": at}


async def publish_state(loop: ControlLoop, bus: Bus) -> None:
    """Tell the bus the gateway's state on every change and at a steady beat; run it as a task."""
    while True:
        loop.changed.clear()
        began_s = time.monotonic()
        with contextlib.suppress(BusUnavailable):
            if not loop.is_standby:  # whoever leads tells it
                await bus.publish(CONTROL_STATE, await loop.state_in_pieces(), site=loop.site)
        took_s = time.monotonic() - began_s
        await wait_at_most(loop.changed, STATE_EVERY_S)
        # To tell of a thousand actuators takes long: it may take a tenth of the time, the rest is for control.
        await asyncio.sleep(min(STATE_AT_LEAST_EVERY_S, max(0.05, 9 * took_s)))

"""Ships the local journal to PostgreSQL and the bus, and the gateway's state to the bus; control never waits for it."""

import asyncio
import contextlib
import time
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.audit import Link, canonical
from headworks.common.bus import Bus, BusUnavailable
from headworks.common.database import Database, is_away
from headworks.common.messages import Setpoint
from headworks.common.outbox import Outbox
from headworks.common.subjects import CONTROL_STATE, SETPOINT
from headworks.common.tasks import wait_at_most
from headworks.control_gateway.journal import SETPOINT as DECISION
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.tables import chain as chain_table
from headworks.control_gateway.tables import journal as journal_table
from headworks.control_gateway.tables import outbox

log = structlog.get_logger(__name__)
SHIP_EVERY_S = 1.0
STATE_EVERY_S = 5.0
STATE_AT_LEAST_EVERY_S = 1.0
"""However long it takes to tell, what changed is told so often."""


class Shipper:
    """Moves journal entries on, each with its message, once."""

    def __init__(self, journal: Journal, database: Database) -> None:
        self._journal, self._database = journal, database
        self.outbox = Outbox(outbox)

    async def ship(self) -> None:
        """Ship for ever; run it as a task. While the database is away, entries wait in the file."""
        while True:
            self._journal.appended.clear()
            try:
                while await self._ship_batch():
                    self.outbox.wake()
            except Exception as error:  # drivers name an outage in many ways; what is none is raised again
                if not is_away(error):
                    raise
                log.warning("journal waits for the database", error=repr(error))
            await wait_at_most(self._journal.appended, SHIP_EVERY_S)

    async def _ship_batch(self) -> bool:
        """Ship what is next; False when nothing was. A crash after the commit ships again, which the ids make harmless."""
        await self._journal.synced()
        links, position = self._journal.unshipped_links()
        if not links:
            self._journal.mark_shipped(position)
            return False
        async with self._database.transaction() as connection:
            for link in links:
                await connection.execute(insert(chain_table).values(**_row(link)).on_conflict_do_nothing())
                if link.kind == DECISION:
                    await self._add_decision(connection, Setpoint.model_validate(link.body))
        self._journal.mark_shipped(position)
        return True

    async def _add_decision(self, connection: AsyncConnection, entry: Setpoint) -> None:
        """The decision for those who ask, with its message, once."""
        added = await connection.execute(
            insert(journal_table)
            .values(
                setpoint_id=entry.setpoint_id,
                site=entry.site,
                resource=entry.resource,
                at=entry.at,
                outcome=entry.outcome.value,
                entry=entry.model_dump(mode="json"),
            )
            .on_conflict_do_nothing(index_elements=["setpoint_id"])
        )
        if added.rowcount:
            await self.outbox.add(
                connection, SETPOINT, entry, entry.setpoint_id, site=entry.site, resource=entry.resource
            )

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
                await bus.publish(CONTROL_STATE, loop.state(), site=loop.site)
        took_s = time.monotonic() - began_s
        await wait_at_most(loop.changed, STATE_EVERY_S)
        # To tell of a thousand actuators takes long: it may take a tenth of the time, the rest is for control.
        await asyncio.sleep(min(STATE_AT_LEAST_EVERY_S, max(0.05, 9 * took_s)))

"""Keeps the strategy documents of stations: every version stays, and a change queues its run with it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, text

from headworks.common.database import Database
from headworks.common.messages import SolveJob
from headworks.optimizer.station.case import StrategyPeriod
from headworks.optimizer.station.strategies import StrategyDocument
from headworks.optimizer.store import RunStore
from headworks.optimizer.tables import strategies


class StrategyStore:
    """The strategies of the optimizer schema."""

    def __init__(self, database: Database, runs: RunStore) -> None:
        self._database = database
        self._runs = runs

    async def newest(self, site: str) -> StrategyDocument | None:
        """The document in force; None where nobody has given one."""
        t = strategies
        query = select(t).where(t.c.site == site).order_by(t.c.version.desc()).limit(1)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else StrategyDocument.model_validate({k: v for k, v in row.items() if k != "site"})

    async def change(
        self, site: str, periods: Sequence[StrategyPeriod], changed_by: str, changed_at: datetime
    ) -> tuple[StrategyDocument, SolveJob]:
        """Store the next version and queue the run that uses it, both or neither."""
        t = strategies
        async with self._database.transaction() as connection:
            lock = text("select pg_advisory_xact_lock(hashtext(:key))")
            await connection.execute(lock, {"key": f"optimizer.strategies:{site}"})
            last = await connection.execute(select(func.max(t.c.version)).where(t.c.site == site))
            document = StrategyDocument(
                version=(last.scalar() or 0) + 1, changed_by=changed_by, changed_at=changed_at, periods=tuple(periods)
            )
            await connection.execute(insert(t).values(site=site, **_row(document)))
            job = SolveJob(
                run_id=f"{site}-strategies-{document.version}",
                site=site,
                requested_at=changed_at,
                requested_by=changed_by,
                reason=f"strategies, version {document.version}",
            )
            await self._runs.queue_in(connection, job)
        self._runs.outbox.wake()
        return document, job


def _row(document: StrategyDocument) -> dict[str, object]:
    return {
        "version": document.version,
        "changed_by": document.changed_by,
        "changed_at": document.changed_at,
        "periods": document.model_dump(mode="json")["periods"],
    }

"""Keeps what an import brings: every value and the note of who brought it, all or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pydantic import BaseModel
from sqlalchemy import insert, select, text

from headworks.common.database import Database
from headworks.common.historian.record import Record
from headworks.common.historian.report import RecordReport
from headworks.common.messages import Instant
from headworks.ingest.store import add_samples
from headworks.ingest.tables import imports

PART = 10_000
"""So many values go in one statement."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file as it came: its name, the hash of its content, and by whom."""

    file_name: str
    sha256: str
    by: str


class ImportNote(BaseModel):
    """An import that was stored."""

    import_id: int
    file_name: str
    sha256: str
    imported_by: str
    known_at: Instant
    report: RecordReport


class ImportStore:
    """Imports in the ingest schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self,
        record: Record,
        report: RecordReport,
        brought: Brought,
        known_at: datetime,
        progress: Callable[[float], None] = lambda _: None,
    ) -> RecordReport:
        """Store every value that is new or differs from what is known, and the import itself; gives the report with the count."""
        lock = text("select pg_advisory_xact_lock(hashtext(:key))")
        samples, total, done, stored = record.samples(), record.count, 0, 0
        async with self._database.transaction() as connection:
            await connection.execute(lock, {"key": f"ingest.import:{record.site}"})
            while part := list(islice(samples, PART)):
                stored += len(await add_samples(connection, record.site, source_of(report.mapping), part, known_at))
                done += len(part)
                progress(done / total)
            kept = report.model_copy(update={"stored": stored})
            await connection.execute(
                insert(imports).values(
                    site=record.site,
                    mapping=report.mapping,
                    file_name=brought.file_name[:200],
                    sha256=brought.sha256,
                    imported_by=brought.by[:200],
                    known_at=known_at,
                    report=kept.model_dump(mode="json"),
                )
            )
        return kept

    async def notes(self, site: str, limit: int) -> list[ImportNote]:
        """The newest imports of a site."""
        t = imports
        query = select(t).where(t.c.site == site).order_by(t.c.import_id.desc()).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [ImportNote.model_validate({name: row[name] for name in ImportNote.model_fields}) for row in rows]


def source_of(mapping: str) -> str:
    """What imported values are said to come from."""
    return f"import-{mapping}"

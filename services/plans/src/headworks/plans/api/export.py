"""Plans for other programs: all versions of a span as CSV."""

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from headworks.common.auth import Viewer
from headworks.common.database import Database
from headworks.plans.csv_export import csv_of
from headworks.plans.parameters import End, Resource, Responses, Start, Station, check_span
from headworks.plans.record import versions

CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "the plans as CSV"}}


class Csv(StreamingResponse):
    """A stream of CSV."""

    media_type = "text/csv"


def add_export_routes(app: FastAPI, database: Database) -> None:
    """The export."""

    @app.get("/plans/export.csv", response_class=Csv, responses=CSV)
    async def export(
        station: Station, start: Start, end: End, _caller: Viewer, resource: Resource | None = None
    ) -> StreamingResponse:
        """Every version that covers some of a span, as CSV. Texts that a spreadsheet would compute begin with an apostrophe."""
        check_span(start, end)
        stream = csv_of(versions(database, station, resource, start, end))
        head, first = await anext(stream), await anext(stream, b"")

        async def body() -> AsyncIterator[bytes]:
            yield head + first
            async for lines in stream:
                yield lines

        name = f"attachment; filename=plans-{station}.csv"
        return Csv(body(), headers={"Content-Disposition": name})

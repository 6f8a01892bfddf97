"""The routes for historian files: a file is judged, stored whole or not at all, and answered with what was found in it.

A client that accepts text/event-stream hears how far it is (event `progress`), and at the end `report` or `problem`.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.datastructures import UploadFile

from headworks.common.auth import Caller, Engineer, Viewer
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.historian.files import ExaminedRecord, examine
from headworks.common.historian.mapping import mappings_of
from headworks.common.historian.report import LevelVolumeReport, RecordReport
from headworks.common.messages import Name
from headworks.common.problems import FieldProblem, Problem
from headworks.common.tasks import end
from headworks.ingest.asked_site import asked_site
from headworks.ingest.import_store import Brought, ImportNote, ImportStore
from headworks.waterway.site import Site

Report = RecordReport | LevelVolumeReport
MOST_BYTES = 32 << 20
MULTIPART_BYTES = 64 << 10
"""What a multipart body may have beside the file."""
TELLS_EVERY_S = 0.25
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "CSV or XLSX"}},
                }
            }
        },
    }
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Report, "description": "The file was only checked"},
    201: {"model": Report, "description": "The file is stored"},
    409: {"description": "The site has no import mapping"},
    411: {"description": "The length of the body is not stated"},
    413: {"description": "The file is too large"},
}


@dataclass
class _Job:
    """One import under way: what is done of it."""

    stage: str = "reading"
    share: float = 0.0

    def told(self, stage: str) -> Callable[[float], None]:
        """What a stage tells its share to."""

        def tell(share: float) -> None:
            self.stage, self.share = stage, share

        return tell


def add_import_routes(app: FastAPI, sites: Mapping[str, Site], store: ImportStore, clock: Clock) -> None:
    """Add the routes. Raises ValueError where a site file's mappings are wrong."""
    mappings = {name: mappings_of(site) for name, site in sites.items()}

    def importing_site(site: str) -> Site:
        found = asked_site(sites, site)
        if not mappings[site]:
            raise Problem(409, "The site has no import mapping", f"the site file of {site} has no section 'import'")
        return found

    @app.post(
        "/sites/{site}/imports", response_model=None, status_code=201, openapi_extra=FILE_BODY, responses=RESPONSES
    )
    async def import_file(
        site: str,
        request: Request,
        caller: Engineer,
        mapping: Annotated[Name | None, Query(description="of the site file; its first where left out")] = None,
        check: Annotated[bool, Query(description="judge the file and store nothing")] = False,
    ) -> Response:
        """Import a historian file by one of the site file's mappings."""
        known = importing_site(site)
        content, name = await _file_of(request)
        brought = None if check else _brought(content, name, caller)
        job = _Job()
        work = _import(job, store, clock, known, mapping, content, brought)
        if "text/event-stream" in request.headers.get("accept", ""):
            return EventSourceResponse(_events(job, asyncio.create_task(work)))
        report = await work
        stored = isinstance(report, RecordReport) and report.stored is not None
        return JSONResponse(report.model_dump(mode="json"), 201 if stored else 200)

    @app.get("/sites/{site}/imports")
    async def imports(site: str, _caller: Viewer, limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> list[ImportNote]:
        """The newest imports, each with who brought it and what was found."""
        return await store.notes(asked_site(sites, site).site, limit)


async def _import(
    job: _Job,
    store: ImportStore,
    clock: Clock,
    site: Site,
    mapping: str | None,
    content: bytes,
    brought: Brought | None,
) -> Report:
    """Judge a file and, with `brought`, store it."""
    try:
        examined = await asyncio.to_thread(examine, content, site, mapping, job.told("reading"))
    except ValueError as error:
        raise Problem(422, "The file cannot be imported", str(error)) from error
    match examined:
        case ExaminedRecord(record, report) if brought is not None:
            return await store.keep(record, report, brought, clock.now(), job.told("storing"))
        case _:
            return examined.report


async def _file_of(request: Request) -> tuple[bytes, str]:
    """The one file of a multipart body and its name. Raises Problem; what is too large is refused before it is read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise Problem(411, "The length of the body is not stated", "send Content-Length")
    if int(length) > MOST_BYTES + MULTIPART_BYTES:
        raise Problem(413, "The file is too large", f"{MOST_BYTES} bytes are the most; the body has {length}")
    async with request.form(max_files=1, max_fields=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            wrong = FieldProblem(field="file", value=None, expected="one file, as multipart/form-data")
            raise Problem(422, "The request is not valid", errors=[wrong])
        return await file.read(), file.filename or "unnamed"


def _brought(content: bytes, name: str, caller: Caller) -> Brought:
    return Brought(name, hashlib.sha256(content).hexdigest(), caller.name)


async def _events(job: _Job, task: asyncio.Task[Report]) -> AsyncIterator[ServerSentEvent]:
    """How far it is, until it ends; a client that goes away ends it, and then nothing is stored."""
    try:
        while not task.done():
            await asyncio.wait([task], timeout=TELLS_EVERY_S)
            yield ServerSentEvent(json.dumps({"stage": job.stage, "share": round(job.share, 3)}), event="progress")
        yield _outcome(task)
    finally:
        await end(task)


def _outcome(task: asyncio.Task[Report]) -> ServerSentEvent:
    """The event that a job ends with. Raises what nobody can name."""
    error = task.exception()
    if error is None:
        return ServerSentEvent(task.result().model_dump_json(), event="report")
    if isinstance(error, DatabaseUnavailable):
        error = Problem(503, "What this needs is away", "Try again later; nothing is stored")
    if not isinstance(error, Problem):
        raise error
    return ServerSentEvent(error.details.model_dump_json(), event="problem")

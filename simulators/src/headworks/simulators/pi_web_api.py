"""The PI Web API as AVEVA documents it, over the plants' history: attributes, streamsets, streams; paging; bad points."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from headworks.simulators.historian import Historian, Tag
from headworks.simulators.web import hang

PAGE = 10
"""So many items of a stream a reply holds at most, unless told: small, so that whoever reads a day must follow the pages."""
STATES = {"bad_quality": ("Bad Input", 255), "io_timeout": ("I/O Timeout", 246), "pt_created": ("Pt Created", 253)}
"""System digital states that stand in place of values, by fault."""

WebIds = Annotated[list[str], Query(alias="webId", min_length=1)]
StartTime = Annotated[str, Query(alias="startTime")]
EndTime = Annotated[str, Query(alias="endTime")]
StartIndex = Annotated[int, Query(alias="startIndex", ge=0)]
MaxCount = Annotated[int, Query(alias="maxCount", ge=1)]


@dataclass(frozen=True, slots=True)
class Stream:
    """One attribute: its path within the database, and where its values are kept."""

    path: str
    tag: Tag
    historian: Historian


def create_pi(
    databases: Mapping[str, Historian],
    now: Callable[[], datetime],
    credentials: str,
    fault: Callable[[], str],
    page: int = PAGE,
) -> FastAPI:
    """The server of some databases, by name. `credentials` is user:password for Basic; `fault` names what goes wrong now."""
    app = FastAPI(openapi_url=None)
    streams = {
        _web_id(database, path): Stream(path, tag, historian)
        for database, historian in databases.items()
        for path, tag in historian.tags.items()
    }
    _guard(app, "Basic " + base64.b64encode(credentials.encode()).decode(), fault)
    _add_attributes(app, streams)
    _add_streamsets(app, streams, now, fault, page)
    return app


def _guard(app: FastAPI, expected: str, fault: Callable[[], str]) -> None:
    """Answer in place of the routes: to whoever has no right to ask, and while a fault is ordered."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Any:
        kind = fault()
        if kind == "refuse_auth" or request.headers.get("authorization") != expected:
            return _error(401, "Authorization has been denied for this request.")
        if kind == "garbage":
            return JSONResponse({"Items": [{"Timestamp": "yesterday", "Value": {"x": []}}]})
        if kind == "unavailable":
            return _error(503, "The PI Data Archive is not reachable.")
        if kind == "hang":
            await hang(request)
        return await call_next(request)

    @app.exception_handler(HTTPException)
    async def on_error(_request: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail))


def _add_attributes(app: FastAPI, streams: Mapping[str, Stream]) -> None:
    @app.get("/attributes")
    async def attribute(path: str) -> dict[str, str]:
        _server, database, tag_path = [*path.removeprefix("\\\\").split("\\", 2), "", ""][:3]
        web_id = _web_id(database, tag_path)
        if web_id not in streams:
            raise HTTPException(404, f"The specified attribute was not found: {path}")
        return {"WebId": web_id, "Path": path}


def _add_streamsets(
    app: FastAPI, streams: Mapping[str, Stream], now: Callable[[], datetime], fault: Callable[[], str], page: int
) -> None:
    @app.get("/streamsets/interpolated")
    async def interpolated(
        request: Request,
        web_ids: WebIds,
        start: StartTime,
        end: EndTime,
        interval: str = "60m",
        first: StartIndex = 0,
        count: MaxCount = page,
    ) -> dict[str, Any]:
        instants = [at for at in _instants(_time(start), _time(end), _interval(interval)) if at <= now()]
        wanted = _known(streams, web_ids)
        return _streamset(request, wanted, instants, first, min(count, page), lambda s, at: _point(s, at, fault()))

    @app.get("/streamsets/summary")
    async def summary(
        request: Request,
        web_ids: WebIds,
        start: StartTime,
        end: EndTime,
        duration: Annotated[str, Query(alias="summaryDuration")] = "60m",
        first: StartIndex = 0,
        count: MaxCount = page,
    ) -> dict[str, Any]:
        step, last = _interval(duration), min(_time(end), now())
        starts = [at for at in _instants(_time(start), _time(end), step) if at < last]

        def average(stream: Stream, at: datetime) -> dict[str, Any]:
            return {"Type": "Average", "Value": _average(stream, at, min(at + step, last), fault())}

        return _streamset(request, _known(streams, web_ids), starts, first, min(count, page), average)

    @app.get("/streamsets/value")
    async def value(web_ids: WebIds) -> dict[str, Any]:
        points = [
            {"WebId": web_id, "Name": stream.path, "Value": _point(stream, now(), fault())}
            for web_id, stream in _known(streams, web_ids).items()
        ]
        return {"Links": {}, "Items": points}


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"Errors": [text]}, status)


def _web_id(database: str, path: str) -> str:
    return "F1Ab" + base64.urlsafe_b64encode(f"{database}\\{path}".encode()).decode().rstrip("=")


def _known(streams: Mapping[str, Stream], web_ids: list[str]) -> dict[str, Stream]:
    if not set(web_ids) <= set(streams):
        raise HTTPException(404, "Unknown WebId")
    return {web_id: streams[web_id] for web_id in web_ids}


def _streamset(
    request: Request,
    streams: Mapping[str, Stream],
    times: list[datetime],
    first: int,
    count: int,
    item: Callable[[Stream, datetime], dict[str, Any]],
) -> dict[str, Any]:
    """One page of several streams, and where the next page is."""
    last = first + count
    more = str(request.url.include_query_params(startIndex=last)) if last < len(times) else None
    return {
        "Links": {"Next": more} if more else {},
        "Items": [
            {"WebId": web_id, "Name": stream.path, "Items": [item(stream, at) for at in times[first:last]]}
            for web_id, stream in streams.items()
        ],
    }


def _point(stream: Stream, at: datetime, fault: str) -> dict[str, Any]:
    tag = stream.tag
    value = None if fault in STATES else stream.historian.value_at(tag.name, at)
    if value is None:
        return _state(at, *STATES.get(fault, ("No Data", 248)))
    if tag.states is not None:
        state = {"Name": tag.states[int(value)], "Value": int(value), "IsSystem": False}
        return {"Timestamp": _stamp(at), "Value": state, "UnitsAbbreviation": "", "Good": True}
    return {"Timestamp": _stamp(at), "Value": value, "UnitsAbbreviation": tag.unit, "Good": True}


def _average(stream: Stream, start: datetime, end: datetime, fault: str) -> dict[str, Any]:
    value = None if fault in STATES else stream.historian.mean(stream.tag.name, start, end)
    if value is None:
        return _state(start, "No Data", 248)
    return {"Timestamp": _stamp(start), "Value": value, "UnitsAbbreviation": stream.tag.unit, "Good": True}


def _state(at: datetime, name: str, code: int) -> dict[str, Any]:
    """A bad point: a system digital state in place of a value."""
    state = {"Name": name, "Value": code, "IsSystem": True}
    return {"Timestamp": _stamp(at), "Value": state, "UnitsAbbreviation": "", "Good": False}


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise HTTPException(400, f"The time {text} is not valid.") from error


def _interval(text: str) -> timedelta:
    if not text.endswith("m") or not text[:-1].isdigit() or int(text[:-1]) == 0:
        raise HTTPException(400, f"The interval {text} is not valid.")
    return timedelta(minutes=int(text[:-1]))


def _instants(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += step


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

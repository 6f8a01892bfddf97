"""The PI Web API as AVEVA documents it, over the plant's history: attributes, streamsets, streams; paging; bad points."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from headworks.simulators.plant import Plant
from headworks.simulators.web import hang

TAGS = {
    r"Reservoirs\Afterbay|Elevation": ("elevation", "ft"),
    r"Reservoirs\Afterbay|Elevation Setpoint": ("float", "ft"),
    r"Generation Units\Oxbow|Power": ("oxph_power", "MW"),
    r"Generation Units\Oxbow|Gov Setpoint": ("oxph_setpoint", "MW"),
    r"Misc Tags|GEN_MDFK_and_RA": ("mfra_power", "MW"),
    r"Additions for PI Vision|CCS Mode": ("mode", ""),
    **{rf"Gauging Stations\{g}|Flow": (g, "cfs") for g in ("R4", "R20", "R5L", "R26", "R11")},
    r"Gauging Stations\R30|Flow_EM": ("R30", "cfs"),
}
MODE_NAMES = {0: "GEN", 1: "SPILL"}
PAGE = 10
"""So many items of a stream a reply holds at most: small, so that whoever reads a day must follow the pages."""
STATES = {"bad_quality": ("Bad Input", 255), "io_timeout": ("I/O Timeout", 246), "pt_created": ("Pt Created", 253)}
"""System digital states that stand in place of values, by fault."""

WebIds = Annotated[list[str], Query(alias="webId", min_length=1)]
StartTime = Annotated[str, Query(alias="startTime")]
EndTime = Annotated[str, Query(alias="endTime")]
StartIndex = Annotated[int, Query(alias="startIndex", ge=0)]
MaxCount = Annotated[int, Query(alias="maxCount", ge=1)]


def create_pi(plant: Plant, now: Callable[[], datetime], credentials: str, fault: Callable[[], str]) -> FastAPI:
    """The server. `credentials` is user:password for Basic; `fault` names what goes wrong now."""
    app = FastAPI(openapi_url=None)
    expected = "Basic " + base64.b64encode(credentials.encode()).decode()

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

    @app.get("/attributes")
    async def attribute(path: str) -> dict[str, str]:
        tag = path.removeprefix("\\\\").split("\\", 2)[-1]
        if tag not in TAGS:
            raise HTTPException(404, f"The specified attribute was not found: {path}")
        return {"WebId": _web_id(tag), "Path": path}

    @app.get("/streamsets/interpolated")
    async def interpolated(
        request: Request,
        web_ids: WebIds,
        start: StartTime,
        end: EndTime,
        interval: str = "60m",
        first: StartIndex = 0,
        count: MaxCount = PAGE,
    ) -> dict[str, Any]:
        instants = [at for at in _instants(_time(start), _time(end), _interval(interval)) if at <= now()]
        return _streamset(request, web_ids, instants, first, count, lambda tag, at: _point(plant, tag, at, fault()))

    @app.get("/streamsets/summary")
    async def summary(
        request: Request,
        web_ids: WebIds,
        start: StartTime,
        end: EndTime,
        duration: Annotated[str, Query(alias="summaryDuration")] = "60m",
        first: StartIndex = 0,
        count: MaxCount = PAGE,
    ) -> dict[str, Any]:
        step, last = _interval(duration), min(_time(end), now())
        starts = [at for at in _instants(_time(start), _time(end), step) if at < last]

        def average(tag: str, at: datetime) -> dict[str, Any]:
            return {"Type": "Average", "Value": _average(plant, tag, at, min(at + step, last), fault())}

        return _streamset(request, web_ids, starts, first, count, average)

    @app.get("/streamsets/value")
    async def value(web_ids: WebIds) -> dict[str, Any]:
        points = [
            {"WebId": web_id, "Name": _tag(web_id), "Value": _point(plant, _tag(web_id), now(), fault())}
            for web_id in web_ids
        ]
        return {"Links": {}, "Items": points}

    return app


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"Errors": [text]}, status)


def _web_id(tag: str) -> str:
    return "F1Ab" + base64.urlsafe_b64encode(tag.encode()).decode().rstrip("=")


def _tag(web_id: str) -> str:
    try:
        text = web_id.removeprefix("F1Ab")
        tag = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError as error:
        raise HTTPException(404, "Unknown WebId") from error
    if tag not in TAGS:
        raise HTTPException(404, "Unknown WebId")
    return tag


def _streamset(
    request: Request,
    web_ids: list[str],
    times: list[datetime],
    first: int,
    count: int,
    item: Callable[[str, datetime], dict[str, Any]],
) -> dict[str, Any]:
    """One page: `count` items of every stream from the `first` on, and where the next page is."""
    tags, last = {web_id: _tag(web_id) for web_id in web_ids}, first + min(count, PAGE)
    more = str(request.url.include_query_params(startIndex=last)) if last < len(times) else None
    return {
        "Links": {"Next": more} if more else {},
        "Items": [
            {"WebId": web_id, "Name": tag, "Items": [item(tag, at) for at in times[first:last]]}
            for web_id, tag in tags.items()
        ],
    }


def _point(plant: Plant, tag: str, at: datetime, fault: str) -> dict[str, Any]:
    name, unit = TAGS[tag]
    value = None if fault in STATES else plant.value_at(name, at)
    if value is None:
        return _state(at, *STATES.get(fault, ("No Data", 248)))
    if name == "mode":
        state = {"Name": MODE_NAMES[int(value)], "Value": int(value), "IsSystem": False}
        return {"Timestamp": _stamp(at), "Value": state, "UnitsAbbreviation": "", "Good": True}
    return {"Timestamp": _stamp(at), "Value": value, "UnitsAbbreviation": unit, "Good": True}


def _average(plant: Plant, tag: str, start: datetime, end: datetime, fault: str) -> dict[str, Any]:
    name, unit = TAGS[tag]
    value = None if fault in STATES else plant.mean(name, start, end)
    if value is None:
        return _state(start, "No Data", 248)
    return {"Timestamp": _stamp(start), "Value": value, "UnitsAbbreviation": unit, "Good": True}


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

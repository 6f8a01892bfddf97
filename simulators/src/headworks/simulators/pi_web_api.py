"""The PI Web API as AVEVA documents it, over the plant's history: attributes, streamsets, streams; paging; bad points."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from headworks.simulators.plant import Plant

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
PAGE = 1000


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
        web_ids: Annotated[list[str], Query(alias="webId")],
        start: Annotated[str, Query(alias="startTime")],
        end: Annotated[str, Query(alias="endTime")],
        interval: str = "60m",
    ) -> dict[str, Any]:
        instants = list(_instants(_time(start), _time(end), _interval(interval)))
        return _streamset(web_ids, lambda tag: [_point(plant, tag, at, fault()) for at in instants if at <= now()])

    @app.get("/streamsets/summary")
    async def summary(
        web_ids: Annotated[list[str], Query(alias="webId")],
        start: Annotated[str, Query(alias="startTime")],
        end: Annotated[str, Query(alias="endTime")],
        duration: Annotated[str, Query(alias="summaryDuration")] = "60m",
    ) -> dict[str, Any]:
        step, last = _interval(duration), min(_time(end), now())
        starts = [at for at in _instants(_time(start), _time(end), step) if at < last]
        return _streamset(
            web_ids,
            lambda tag: [
                {"Type": "Average", "Value": _average(plant, tag, at, min(at + step, last), fault())} for at in starts
            ],
        )

    @app.get("/streamsets/value")
    async def value(web_ids: Annotated[list[str], Query(alias="webId")]) -> dict[str, Any]:
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


def _streamset(web_ids: list[str], items: Callable[[str], list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "Links": {},
        "Items": [{"WebId": web_id, "Name": _tag(web_id), "Items": items(_tag(web_id))[:PAGE]} for web_id in web_ids],
    }


def _point(plant: Plant, tag: str, at: datetime, fault: str) -> dict[str, Any]:
    name, unit = TAGS[tag]
    value = None if fault == "bad_quality" else plant.value_at(name, at)
    if value is None:
        return {"Timestamp": _stamp(at), "Value": {"Name": "Bad Input", "Value": 255}, "Good": False}
    if name == "mode":
        return {"Timestamp": _stamp(at), "Value": {"Name": MODE_NAMES[int(value)], "Value": int(value)}, "Good": True}
    return {"Timestamp": _stamp(at), "UnitsAbbreviation": unit, "Value": value, "Good": True}


def _average(plant: Plant, tag: str, start: datetime, end: datetime, fault: str) -> dict[str, Any]:
    name, unit = TAGS[tag]
    value = None if fault == "bad_quality" else plant.mean(name, start, end)
    if value is None:
        return {"Timestamp": _stamp(start), "Value": {"Name": "No Data", "Value": 248}, "Good": False}
    return {"Timestamp": _stamp(start), "UnitsAbbreviation": unit, "Value": value, "Good": True}


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

"""HydroForecast's API: hourly streamflow with quantiles, issued every six hours, from the true hydrology with growing error."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel

from headworks.simulators.hydrology import BASE_CFS, Hydrology
from headworks.simulators.web import hang

HOURS = 240
STALE = timedelta(hours=30)
"""How far back the newest issue lies while its maker is late."""
Z = {0.05: -1.645, 0.1: -1.2816, 0.25: -0.6745, 0.5: 0.0, 0.75: 0.6745, 0.9: 1.2816, 0.95: 1.645}


class ForecastQuery(BaseModel):
    """One query of the body."""

    source: str
    siteId: str  # noqa: N815 - the vendor's spelling
    columns: list[str]
    issueTimeAfterDate: AwareDatetime | None = None  # noqa: N815


class Body(BaseModel):
    """The body."""

    queries: list[ForecastQuery]


def create_hydroforecast(
    hydrology: Hydrology, now: Callable[[], datetime], key: str, fault: Callable[[], str]
) -> FastAPI:
    """The server; the Authorization header is the bare key."""
    app = FastAPI(openapi_url=None)

    @app.post("/api/v2/timeseries/forecasts")
    async def forecasts(body: Body, request: Request) -> Any:
        kind = fault()
        if kind == "refuse_auth" or request.headers.get("authorization") != key:
            return JSONResponse({"error": "invalid API key"}, 401)
        if kind == "garbage":
            return JSONResponse({"data": "soon"})
        if kind == "unavailable":
            return JSONResponse({"error": "try later"}, 503, headers={"Retry-After": "0"})
        if kind == "hang":
            await hang(request)
        return {"data": [_answer(query, hydrology, now(), kind) for query in body.queries]}

    return app


def _answer(query: ForecastQuery, hydrology: Hydrology, now: datetime, fault: str) -> dict[str, Any]:
    """The newest issue of the site's gauge; none of a site that nobody knows, or older than was asked."""
    gauge, echo = query.siteId.rsplit("-", 1)[-1].upper(), query.model_dump(mode="json")
    issued = now.replace(hour=now.hour // 6 * 6, minute=0, second=0, microsecond=0)
    if query.source != "cnrfc" and fault == "stale":
        issued -= STALE
    after = query.issueTimeAfterDate
    silent = fault == "no_data" or (fault == "no_primary" and query.source != "cnrfc")
    if silent or gauge not in BASE_CFS or (after is not None and issued <= after):
        return {"query": echo, "forecasts": []}
    starts = [issued + timedelta(hours=h) for h in range(HOURS)]
    return {
        "query": echo,
        "forecasts": [
            {
                "issueTime": f"{issued:%Y-%m-%dT%H:%M:%SZ}",
                "initializationTime": f"{issued:%Y-%m-%dT%H:%M:%SZ}",
                "validTimes": [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in starts],
                "data": _columns(query, hydrology, gauge, issued, starts),
            }
        ],
    }


def _columns(
    query: ForecastQuery, hydrology: Hydrology, gauge: str, issued: datetime, starts: list[datetime]
) -> dict[str, list[float]]:
    """The truth, wrong by a slowly drifting factor whose spread grows with the lead."""
    rng = np.random.default_rng([int(issued.timestamp()), *gauge.encode()])
    spread = np.minimum(0.3, 0.03 + 0.004 * np.arange(len(starts)))
    drift = np.cumsum(rng.normal(0, 0.15, len(starts))) / np.sqrt(np.arange(1, len(starts) + 1))
    truth = np.array([hydrology.flow_cfs(gauge, at + timedelta(minutes=30)) for at in starts])
    mean = truth * np.exp(spread * drift)
    known = {"discharge_mean": mean, "ensemble_forecast_avg": mean}
    known |= {f"discharge_q{q:g}": mean * np.exp(z * spread) for q, z in Z.items()}
    return {column: [round(float(v), 3) for v in known[column]] for column in query.columns if column in known}

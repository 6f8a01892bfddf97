"""The HydroForecast simulator: issues every six hours, quantiles in order, error that grows with the lead."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from headworks.simulators.hydroforecast import HOURS, Z, create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.web import WebServer

NOW, HOUR = datetime(2026, 2, 17, 21, 30, tzinfo=UTC), timedelta(hours=1)


@dataclass
class Vendor:
    """A client of the server, its time, and what goes wrong there."""

    http: httpx.AsyncClient
    now: datetime = NOW
    fault: str = "none"

    async def ask(self, site_id: str = "abay-r30", source: str = "hydroforecast-short-term", **more: str) -> Any:
        columns = ["ensemble_forecast_avg"] if source == "cnrfc" else ["discharge_mean", *_quantiles()]
        query = {"source": source, "siteId": site_id, "columns": columns, **more}
        answer = await self.http.post("/api/v2/timeseries/forecasts", json={"queries": [query]})
        assert answer.status_code == 200
        [only] = answer.json()["data"]
        assert only["query"]["siteId"] == site_id
        return only["forecasts"]


def _quantiles() -> list[str]:
    return [f"discharge_q{q:g}" for q in Z]


@pytest.fixture
async def vendor(serve: Callable[[FastAPI], Awaitable[WebServer]], hydrology: Hydrology) -> AsyncIterator[Vendor]:
    app = create_hydroforecast(hydrology, lambda: found.now, "key", lambda: found.fault)
    async with httpx.AsyncClient(base_url=(await serve(app)).url, headers={"Authorization": "key"}) as http:
        found = Vendor(http)
        yield found


@pytest.mark.parametrize(("hour", "issued"), [(0, 0), (5, 0), (6, 6), (23, 18)])
async def test_an_issue_comes_every_six_hours(vendor: Vendor, hour: int, issued: int) -> None:
    vendor.now = NOW.replace(hour=hour, minute=59)
    [issue] = await vendor.ask()
    assert issue["issueTime"] == f"2026-02-17T{issued:02d}:00:00Z"
    assert len(issue["validTimes"]) == HOURS
    assert issue["validTimes"][1] == f"2026-02-17T{issued + 1:02d}:00:00Z"


async def test_quantiles_are_in_order_around_the_mean_and_wider_with_the_lead(vendor: Vendor) -> None:
    [issue] = await vendor.ask()
    columns = np.array([issue["data"][name] for name in _quantiles()])
    assert np.all(np.diff(columns, axis=0) > 0)
    assert columns[3] == pytest.approx(np.array(issue["data"]["discharge_mean"]))
    width = (columns[-1] - columns[0]) / columns[3]
    assert width[48] > 2 * width[0]


async def test_the_forecast_is_about_the_truth_and_the_same_when_asked_again(
    vendor: Vendor, hydrology: Hydrology
) -> None:
    [issue] = await vendor.ask()
    truth = hydrology.flow_cfs("R30", NOW.replace(hour=18, minute=30))
    assert issue["data"]["discharge_mean"][0] == pytest.approx(truth, rel=0.1)
    assert await vendor.ask() == [issue]


async def test_cnrfc_has_its_own_column_alone(vendor: Vendor) -> None:
    [issue] = await vendor.ask(source="cnrfc")
    assert issue["data"].keys() == {"ensemble_forecast_avg"}


async def test_a_site_that_nobody_knows_and_an_issue_that_is_too_old_are_none(vendor: Vendor) -> None:
    assert await vendor.ask("abay-r99") == []
    assert await vendor.ask(issueTimeAfterDate="2026-02-17T18:00:00Z") == []
    assert len(await vendor.ask(issueTimeAfterDate="2026-02-17T17:59:59Z")) == 1


async def test_faults_silence_one_source_or_both_or_make_the_first_late(vendor: Vendor) -> None:
    vendor.fault = "no_primary"
    assert await vendor.ask() == []
    assert len(await vendor.ask(source="cnrfc")) == 1
    vendor.fault = "no_data"
    assert await vendor.ask(source="cnrfc") == []
    vendor.fault = "stale"
    assert (await vendor.ask())[0]["issueTime"] == "2026-02-16T12:00:00Z"


@pytest.mark.parametrize(("fault", "status"), [("refuse_auth", 401), ("unavailable", 503), ("garbage", 200)])
async def test_faults_of_the_server(vendor: Vendor, fault: str, status: int) -> None:
    vendor.fault = fault
    answer = await vendor.http.post("/api/v2/timeseries/forecasts", json={"queries": []})
    assert answer.status_code == status


async def test_the_key_stands_bare_in_the_header(vendor: Vendor) -> None:
    for key in ("Bearer key", "", "other"):
        answer = await vendor.http.post(
            "/api/v2/timeseries/forecasts", json={"queries": []}, headers={"Authorization": key}
        )
        assert answer.status_code == 401

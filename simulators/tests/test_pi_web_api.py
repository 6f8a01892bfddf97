"""The PI Web API simulator, asked as AVEVA documents it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from headworks.simulators.pi_web_api import PAGE, create_pi
from headworks.simulators.plant import TAGS, Plant
from headworks.simulators.web import WebServer

NOW, HOUR = datetime(2026, 2, 17, 21, 30, tzinfo=UTC), timedelta(hours=1)
ELEVATION, MODE = r"Reservoirs\Afterbay|Elevation", r"Additions for PI Vision|CCS Mode"


@dataclass
class Pi:
    """A client of the server, and what goes wrong there."""

    http: httpx.AsyncClient
    fault: str = "none"

    async def web_id(self, tag: str) -> str:
        answer = await self.http.get("/attributes", params={"path": rf"\\PISERVER\ABAY\{tag}"})
        return str(answer.json()["WebId"])


@pytest.fixture
async def pi(serve: Callable[[FastAPI], Awaitable[WebServer]], plant: Plant) -> AsyncIterator[Pi]:
    server = await serve(create_pi({"ABAY": plant}, lambda: NOW, "demo:demo", lambda: found.fault))
    async with httpx.AsyncClient(base_url=server.url, auth=("demo", "demo"), timeout=20) as http:
        found = Pi(http)
        yield found


async def test_every_tag_has_a_web_id_and_an_unknown_one_is_404_with_errors(pi: Pi) -> None:
    ids = [await pi.web_id(tag) for tag in TAGS]
    assert len(set(ids)) == len(TAGS) == 12
    unknown = await pi.http.get("/attributes", params={"path": r"\\PISERVER\ABAY\Reservoirs\Other|Elevation"})
    assert unknown.status_code == 404
    assert "was not found" in unknown.json()["Errors"][0]
    for path in (rf"\\PISERVER\OTHER\{ELEVATION}", r"\\PISERVER\ABAY", "", "Elevation"):
        assert (await pi.http.get("/attributes", params={"path": path})).status_code == 404
    for web_id in ("F1AbXXXX", "é", ""):
        assert (await pi.http.get("/streamsets/value", params={"webId": web_id})).status_code == 404


async def test_interpolated_values_come_page_by_page_each_once_and_in_order(pi: Pi, plant: Plant) -> None:
    ids = [await pi.web_id(ELEVATION), await pi.web_id(MODE)]
    url, pages = "/streamsets/interpolated", []
    query = {"webId": ids, "startTime": "2026-02-16T19:00:00Z", "endTime": "2026-02-17T21:00:00Z", "interval": "60m"}
    answer = (await pi.http.get(url, params=query)).json()
    pages.append(answer)
    while "Next" in answer["Links"]:
        answer = (await pi.http.get(answer["Links"]["Next"])).json()
        pages.append(answer)
    assert [len(page["Items"][0]["Items"]) for page in pages] == [PAGE, PAGE, 7]
    assert all([stream["WebId"] for stream in page["Items"]] == ids for page in pages)
    points = [point for page in pages for point in page["Items"][0]["Items"]]
    start = datetime(2026, 2, 16, 19, tzinfo=UTC)
    assert [datetime.fromisoformat(p["Timestamp"]) for p in points] == [start + h * HOUR for h in range(27)]
    assert points[-1]["Value"] == plant.value_at("elevation", datetime(2026, 2, 17, 21, tzinfo=UTC))
    modes = [point["Value"] for page in pages for point in page["Items"][1]["Items"]]
    assert modes[0] == {"Name": "GEN", "Value": 0, "IsSystem": False}


async def test_a_client_may_ask_for_smaller_pages_and_not_for_larger(pi: Pi) -> None:
    query = {
        "webId": await pi.web_id(ELEVATION),
        "startTime": "2026-02-16T19:00:00Z",
        "endTime": "2026-02-17T21:00:00Z",
    }
    for asked, given in (("4", 4), ("100000", PAGE)):
        answer = (await pi.http.get("/streamsets/interpolated", params={**query, "maxCount": asked})).json()
        assert len(answer["Items"][0]["Items"]) == given
        assert f"startIndex={given}" in answer["Links"]["Next"]


async def test_summaries_are_stamped_at_the_start_of_their_hour(pi: Pi, plant: Plant) -> None:
    query = {
        "webId": await pi.web_id(r"Gauging Stations\R4|Flow"),
        "startTime": "2026-02-17T19:00:00Z",
        "endTime": "2026-02-17T21:00:00Z",
        "summaryType": "Average",
        "summaryDuration": "60m",
    }
    [stream] = (await pi.http.get("/streamsets/summary", params=query)).json()["Items"]
    starts = [datetime(2026, 2, 17, h, tzinfo=UTC) for h in (19, 20)]
    assert [datetime.fromisoformat(i["Value"]["Timestamp"]) for i in stream["Items"]] == starts
    assert {i["Type"] for i in stream["Items"]} == {"Average"}
    assert [i["Value"]["Value"] for i in stream["Items"]] == [plant.mean("R4", s, s + HOUR) for s in starts]


async def test_nothing_of_the_future_is_given(pi: Pi) -> None:
    query = {
        "webId": await pi.web_id(ELEVATION),
        "startTime": "2026-02-17T21:00:00Z",
        "endTime": "2026-02-18T21:00:00Z",
    }
    [stream] = (await pi.http.get("/streamsets/interpolated", params=query)).json()["Items"]
    assert [i["Timestamp"] for i in stream["Items"]] == ["2026-02-17T21:00:00.0000000Z"]


@pytest.mark.parametrize(
    ("fault", "name", "code"),
    [("bad_quality", "Bad Input", 255), ("io_timeout", "I/O Timeout", 246), ("pt_created", "Pt Created", 253)],
)
async def test_a_bad_point_has_a_system_state_in_place_of_its_value(pi: Pi, fault: str, name: str, code: int) -> None:
    pi.fault = fault
    query = {"webId": await pi.web_id(ELEVATION)}
    [stream] = (await pi.http.get("/streamsets/value", params=query)).json()["Items"]
    assert stream["Value"]["Good"] is False
    assert stream["Value"]["Value"] == {"Name": name, "Value": code, "IsSystem": True}


@pytest.mark.parametrize(
    "change",
    [{"startTime": "yesterday"}, {"interval": "1h"}, {"interval": "0m"}, {"startIndex": "-1"}, {"webId": None}],
)
async def test_what_cannot_be_read_is_refused(pi: Pi, change: dict[str, str | None]) -> None:
    query = {
        "webId": await pi.web_id(ELEVATION),
        "startTime": "2026-02-17T19:00:00Z",
        "endTime": "2026-02-17T21:00:00Z",
    }
    wanted = {k: v for k, v in {**query, **change}.items() if v is not None}
    assert (await pi.http.get("/streamsets/interpolated", params=wanted)).status_code in {400, 422}


@pytest.mark.parametrize(("fault", "status"), [("refuse_auth", 401), ("unavailable", 503)])
async def test_faults_answer_with_errors(pi: Pi, fault: str, status: int) -> None:
    pi.fault = fault
    answer = await pi.http.get("/attributes", params={"path": "x"})
    assert answer.status_code == status
    assert answer.json()["Errors"]


async def test_a_caller_without_the_password_is_refused_and_a_server_that_hangs_says_nothing(pi: Pi) -> None:
    assert (await pi.http.get("/attributes", params={"path": "x"}, auth=("demo", "no"))).status_code == 401
    pi.fault = "hang"
    with pytest.raises(httpx.ReadTimeout):
        await pi.http.get("/attributes", params={"path": "x"}, timeout=0.5)

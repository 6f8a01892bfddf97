"""HydroForecast: quantiles, the fallback to CNRFC with its reason, stale and broken issues, servers that misbehave."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from collect_rig import Serve
from fastapi import FastAPI, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.ingest.sections import HydroForecastSection
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.sources.hydroforecast import HydroForecast, NoIssue
from headworks.simulators.hydroforecast import create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.web import WebServer

NOW, HOUR = datetime(2026, 2, 17, 21, 30, tzinfo=UTC), timedelta(hours=1)
ISSUED = datetime(2026, 2, 17, 18, tzinfo=UTC)
CFS = 0.3048**3
OFFLINE = httpx.AsyncClient()
PATIENCE_S = 20.0
"""However busy the machine is. A server that says nothing is waited for half a second."""
SERIES = ("r30_flow_m3s", "r4_flow_m3s", "r20_flow_m3s")


@dataclass
class Vendor:
    """The vendor's server, what goes wrong there, and a client of it."""

    server: WebServer
    source: HydroForecast
    fault: str = "none"


@pytest.fixture
async def vendor(
    serve: Serve, hydrology: Hydrology, hydroforecast_section: HydroForecastSection
) -> AsyncIterator[Vendor]:
    server = await serve(create_hydroforecast(hydrology, lambda: NOW, "demo-key", lambda: found.fault))
    async with client_of(server.url, hydroforecast_section) as source:
        found = Vendor(server, source)
        yield found


@asynccontextmanager
async def client_of(
    url: str, hydroforecast_section: HydroForecastSection, key: str = "demo-key", mark: str = "start"
) -> AsyncIterator[HydroForecast]:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
        yield HydroForecast(http, key, hydroforecast_section.model_copy(update={"valid_times_mark": mark}))


# ---------------------------------------------------------------- what a well server gives


async def test_every_stream_comes_in_one_call_with_its_quantiles_in_order(vendor: Vendor) -> None:
    newest = await vendor.source.newest("abay", NOW)
    assert tuple(newest.forecasts) == SERIES
    assert newest.flaws == ()
    forecast = newest.forecasts["r30_flow_m3s"]
    assert (forecast.source, forecast.issued_at, forecast.known_at) == ("hydroforecast-short-term", ISSUED, NOW)
    assert forecast.substituted is None
    assert [s.valid_at for s in forecast.steps] == [ISSUED + h * HOUR for h in range(240)]
    for step in forecast.steps:
        assert list(step.quantiles) == ["0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95"]
        assert list(step.quantiles.values()) == sorted(step.quantiles.values())
        assert step.value == pytest.approx(step.quantiles["0.5"])


async def test_flows_come_in_si(vendor: Vendor, hydrology: Hydrology) -> None:
    forecast = (await vendor.source.newest("abay", NOW)).forecasts["r30_flow_m3s"]
    truth = hydrology.flow_cfs("R30", ISSUED + HOUR / 2) * CFS
    assert forecast.steps[0].value == pytest.approx(truth, rel=0.1)


async def test_times_that_mark_the_end_of_the_hour_are_moved_to_its_start(
    vendor: Vendor, hydroforecast_section: HydroForecastSection
) -> None:
    async with client_of(vendor.server.url, hydroforecast_section, mark="end") as source:
        forecast = (await source.newest("abay", NOW)).forecasts["r30_flow_m3s"]
    assert forecast.steps[0].valid_at == ISSUED - HOUR


# ---------------------------------------------------------------- the fallback


async def test_cnrfc_stands_in_where_hydroforecast_has_none_and_says_so(vendor: Vendor) -> None:
    vendor.fault = "no_primary"
    newest = await vendor.source.newest("abay", NOW)
    assert {f.source for f in newest.forecasts.values()} == {"cnrfc"}
    forecast = newest.forecasts["r4_flow_m3s"]
    assert forecast.substituted == "CNRFC, for hydroforecast-short-term has none"
    assert forecast.steps[0].quantiles == {}
    assert "r4_flow_m3s: hydroforecast-short-term has none" in newest.flaws


async def test_a_stale_issue_is_none(vendor: Vendor) -> None:
    vendor.fault = "stale"
    newest = await vendor.source.newest("abay", NOW)
    assert newest.forecasts["r4_flow_m3s"].substituted == (
        "CNRFC, for hydroforecast-short-term has no fresh issue; the newest is of 2026-02-16T12:00Z"
    )


async def test_without_any_source_the_fault_says_why(vendor: Vendor) -> None:
    vendor.fault = "no_data"
    with pytest.raises(SourceFault, match="hydroforecast-short-term has none; cnrfc has none"):
        await vendor.source.newest("abay", NOW)


# ---------------------------------------------------------------- issues that cannot be used


def issue(**changes: object) -> dict[str, Any]:
    times = [f"{ISSUED + h * HOUR:%Y-%m-%dT%H:%M:%SZ}" for h in range(3)]
    data = {"discharge_mean": [100.0, 110.0, 120.0], "discharge_q0.1": [90.0, None, 100.0], "discharge_q0.9": None}
    return {"issueTime": "2026-02-17T18:00:00Z", "validTimes": times, "data": data} | changes


def read(hydroforecast_section: HydroForecastSection, *issues: object, **answer: object) -> Any:
    source = HydroForecast(OFFLINE, "", hydroforecast_section)
    raw = {"query": {"siteId": "abay-r30"}, "forecasts": list(issues), **answer}
    return source._newest_issue(raw, "abay", "r30_flow_m3s", "abay-r30", "hydroforecast-short-term", NOW)


def test_quantiles_that_are_null_are_left_out(hydroforecast_section: HydroForecastSection) -> None:
    forecast = read(hydroforecast_section, issue())
    assert [s.value / CFS for s in forecast.steps] == pytest.approx([100, 110, 120])
    assert [list(s.quantiles) for s in forecast.steps] == [["0.1"], [], ["0.1"]]


def test_an_hour_whose_mean_is_null_is_left_out_and_not_made_up(hydroforecast_section: HydroForecastSection) -> None:
    forecast = read(hydroforecast_section, issue(data={"discharge_mean": [100.0, None, 120.0]}))
    assert [s.valid_at for s in forecast.steps] == [ISSUED, ISSUED + 2 * HOUR]


def test_the_newest_issue_that_can_be_used_is_taken_whatever_the_order(
    hydroforecast_section: HydroForecastSection,
) -> None:
    older = issue(issueTime="2026-02-17T12:00:00Z")
    assert read(hydroforecast_section, older, issue()).issued_at == ISSUED
    assert read(hydroforecast_section, issue(data={"discharge_mean": None}), older).issued_at == ISSUED - 6 * HOUR


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": {"discharge_mean": None}}, "no values in discharge_mean"),
        ({"data": {"discharge_mean": []}}, "no values in discharge_mean"),
        ({"data": {}}, "no values in discharge_mean"),
        ({"data": {"discharge_mean": [None] * 3}}, "no values in discharge_mean"),
        ({"data": {"discharge_mean": [1.0]}}, "1 values of discharge_mean for 3 validTimes"),
        ({"issueTime": "2026-02-16T21:30:00Z"}, "no fresh issue; the newest is of 2026-02-16T21:30Z"),
        ({"issueTime": "2026-02-18T21:30:00Z"}, "no fresh issue; the newest is of 2026-02-18T21:30Z"),
        ({"validTimes": [f"2026-02-17T{h}:00:00Z" for h in (18, 18, 19)]}, "do not go by the hour"),
        ({"validTimes": [f"2026-02-17T18:{m}:00Z" for m in (10, 20, 30)]}, "do not go by the hour"),
        ({"validTimes": ["2026-02-17T18:00:00"] * 3}, r"unknown form: forecasts\.0\.validTimes\.0: .*timezone"),
        ({"issueTime": "2026-02-17T18:00:00"}, r"unknown form: forecasts\.0\.issueTime: .*timezone"),
        ({"data": {"discharge_mean": [float("nan")] * 3}}, "unknown form: .*finite"),
        ({"data": 5}, r"unknown form: forecasts\.0\.data"),
    ],
)
def test_an_issue_that_cannot_be_used_is_none_with_its_reason(
    hydroforecast_section: HydroForecastSection, changes: dict[str, object], says: str
) -> None:
    found = read(hydroforecast_section, issue(**changes))
    assert isinstance(found, NoIssue)
    with pytest.raises(ValueError, match=says):
        raise ValueError(found.reason)


def test_the_answer_of_another_site_is_not_taken(hydroforecast_section: HydroForecastSection) -> None:
    found = read(hydroforecast_section, issue(), query={"siteId": "abay-r4"})
    assert found == NoIssue("hydroforecast-short-term answered for site 'abay-r4' where 'abay-r30' was asked")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["2026-02-17T18:00:00Z", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["query", "forecasts", "issueTime", "validTimes", "data", "discharge_mean", "siteId"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(JSON)
def test_no_answer_whatever_raises(raw: Any) -> None:
    section = HydroForecastSection.model_validate(
        {
            "kind": "hydroforecast",
            "poll_every": "1 h",
            "valid_times_mark": "start",
            "quantiles": [],
            "sites": [{"series": "r30_flow", "site_id": "a", "cnrfc_id": "a"}],
        }
    )
    found = HydroForecast(OFFLINE, "", section)._newest_issue(raw, "abay", "x", "s", "cnrfc", NOW)
    assert isinstance(found, NoIssue)


# ---------------------------------------------------------------- servers that misbehave


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse_auth", "HydroForecast answered 401: .*invalid API key"),
        ("garbage", "HydroForecast answered in an unknown form: data: Input should be a valid list"),
        ("unavailable", "HydroForecast answered 503: .*try later"),
        ("hang", "HydroForecast does not answer: ReadTimeout"),
    ],
)
async def test_what_goes_wrong_is_named(vendor: Vendor, fault: str, says: str) -> None:
    vendor.fault = fault
    vendor.source._client.timeout = 0.5 if fault == "hang" else PATIENCE_S
    with pytest.raises(SourceFault, match=says):
        await vendor.source.newest("abay", NOW)


async def test_a_wrong_key_is_refused(vendor: Vendor, hydroforecast_section: HydroForecastSection) -> None:
    async with client_of(vendor.server.url, hydroforecast_section, key="Bearer demo-key") as source:
        with pytest.raises(SourceFault, match="answered 401"):
            await source.newest("abay", NOW)


async def test_a_server_that_is_gone_is_named(vendor: Vendor) -> None:
    await vendor.server.stop()
    with pytest.raises(SourceFault, match="HydroForecast does not answer: ConnectError"):
        await vendor.source.newest("abay", NOW)


def scripted(answer: Callable[[list[dict[str, Any]]], Response]) -> FastAPI:
    app = FastAPI()

    @app.post("/api/v2/timeseries/forecasts")
    async def forecasts(request: Request) -> Response:
        return answer((await request.json())["queries"])

    return app


def json_response(content: object) -> Response:
    return Response(httpx.Response(200, json=content).content, media_type="application/json")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"null", b"[]", b'{"data": []}', b'{"data": [1, 2, 3, 4]}', b"[" * 100_000]
)
async def test_garbage_is_named_whatever_it_is(
    serve: Serve, hydroforecast_section: HydroForecastSection, content: bytes
) -> None:
    server = await serve(scripted(lambda _: Response(content)))
    async with client_of(server.url, hydroforecast_section) as source:
        with pytest.raises(SourceFault, match=r"HydroForecast (answered|gave)"):
            await source.newest("abay", NOW)


async def test_one_broken_answer_leaves_the_others_whole(
    serve: Serve, hydroforecast_section: HydroForecastSection
) -> None:
    def answer(queries: list[dict[str, Any]]) -> Response:
        good = {"forecasts": [issue()]}
        return json_response({"data": [5 if q["siteId"] == "abay-r4" else good for q in queries]})

    server = await serve(scripted(answer))
    async with client_of(server.url, hydroforecast_section) as source:
        newest = await source.newest("abay", NOW)
    assert newest.forecasts.keys() == {"r30_flow_m3s", "r20_flow_m3s"}
    [flaw] = newest.flaws
    assert flaw.startswith("r4_flow_m3s: hydroforecast-short-term answered in an unknown form")


async def test_when_the_substitute_fails_too_what_there_is_is_kept(
    serve: Serve, hydroforecast_section: HydroForecastSection
) -> None:
    def answer(queries: list[dict[str, Any]]) -> Response:
        if queries[0]["source"] == "cnrfc":
            return Response("no such source", 400)
        return json_response({"data": [{"forecasts": [issue()] if q["siteId"] == "abay-r30" else []} for q in queries]})

    server = await serve(scripted(answer))
    async with client_of(server.url, hydroforecast_section) as source:
        newest = await source.newest("abay", NOW)
    assert newest.forecasts.keys() == {"r30_flow_m3s"}
    assert newest.flaws == tuple(
        f"{name}: hydroforecast-short-term has none; HydroForecast answered 400: no such source"
        for name in ("r4_flow_m3s", "r20_flow_m3s")
    )

"""The API: closed without a caller, values as of any time, awards fetched on demand, what is wrong named."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from collect_rig import Serve
from fastapi.routing import APIRoute

from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import Basis, Forecast, ForecastStep, Quality, Sample
from headworks.common.settings import ServiceSettings
from headworks.ingest.api import create_api
from headworks.ingest.collect import AwardCollector, Collector
from headworks.ingest.import_store import ImportStore
from headworks.ingest.main import documented_api
from headworks.ingest.sections import CaisoSection
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import Client
from headworks.ingest.store import SeriesStore
from headworks.simulators.caiso import create_caiso
from headworks.waterway.site import Site

NOW, HOUR = datetime(2026, 2, 17, 21, 30, tzinfo=UTC), timedelta(hours=1)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-20)
SECRET = "a-secret-of-these-tests-that-is-long-enough"


class Caller:
    """Calls the API in a role."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.market_fault = "none"

    async def __call__(
        self, path: str, role: Role | None = Role.VIEWER, method: str = "GET", **parameters: str
    ) -> httpx.Response:
        headers = {}
        if role is not None:
            token = Issuer(SECRET, "headworks", "headworks").issue("ann", role, timedelta(minutes=1))
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, params=parameters or None)

    async def get(self, path: str, **parameters: str) -> Any:
        answer = await self(path, Role.VIEWER, "GET", **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def call(
    serve: Serve,
    site: Site,
    station: Site,
    caiso_section: CaisoSection,
    store: SeriesStore,
    database: Database,
    client_files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Caller]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    server = await serve(create_caiso(lambda: NOW, client_files[0].read_bytes(), lambda: caller.market_fault))
    settings = IngestSettings()
    async with httpx.AsyncClient(base_url=server.url) as http:
        market = Client.from_files(
            http, *client_files, settings.caiso_path, settings.caiso_soap_action, settings.caiso_request_body
        )
        collector = Collector(site, store, CLOCK)
        app = create_api(
            {"abay": site, "blominmaki": station},
            store,
            ImportStore(database),
            {"abay": AwardCollector(collector, market, caiso_section)},
            CLOCK,
        )
        app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client:
            caller = Caller(client)
            yield caller


def sample(value: float | None, at: datetime, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(series="elevation_m", valid_at=at, value=value, quality=quality)


ROUTES = [
    (method, route.path)
    for route in documented_api().routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_is_closed_without_a_token(call: Caller, method: str, path: str) -> None:
    filled = path.format(site="abay", series="elevation_m", trade_date="2026-02-17") if "{" in path else path
    assert (await call(filled, None, method)).status_code == 401


async def test_fetching_is_for_operators(call: Caller) -> None:
    assert (await call("/sites/abay/awards/2026-02-17", Role.VIEWER, "POST")).status_code == 403


@pytest.mark.parametrize(
    "path", ["series", "series/elevation_m/latest", "forecasts/r4_flow_m3s", "awards/2026-02-17", "sources"]
)
async def test_a_site_that_is_not_there_is_named_with_those_that_are(call: Caller, path: str) -> None:
    answer = await call(f"/sites/elsewhere/{path}")
    assert answer.status_code == 404
    assert answer.json()["errors"] == [
        {"field": "site", "value": "elsewhere", "expected": "one of ['abay', 'blominmaki']"}
    ]


# ---------------------------------------------------------------- series


async def test_values_are_given_as_of_any_time(call: Caller, store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0, NOW - HOUR)], NOW - HOUR)
    await store.add_samples("abay", "pi", [sample(356.0, NOW - HOUR)], NOW)
    path = "/sites/abay/series/elevation_m/values"
    window = {"start": "2026-02-17T20:00:00Z", "end": "2026-02-17T22:00:00Z"}
    assert [v["value"] for v in await call.get(path, **window)] == [356.0]
    before = await call.get(path, **window, known_at="2026-02-17T12:45:00-08:00")
    assert [(v["value"], v["quality"], v["valid_at"]) for v in before] == [(357.0, "GOOD", "2026-02-17T20:30:00Z")]
    assert await call.get(path, **window, known_at="2026-02-17T20:29:59Z") == []
    assert await call.get(path, **window, basis=Basis.HOUR_MEAN.value) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-02-17T20:00:00Z", "2026-02-17T20:00:00Z"),
        ("2026-02-17T20:00:00Z", "2026-02-16T20:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-03-04T00:00:01Z"),
        ("9999-12-31T23:00:00Z", "9999-12-31T22:00:00Z"),
        ("2026-02-17T20:00:00", "2026-02-17T21:00:00"),
        ("soon", "later"),
        ("0001-01-01T00:00:00+05:00", "0001-01-02T00:00:00Z"),
    ],
)
async def test_a_window_that_cannot_be_is_refused(call: Caller, start: str, end: str) -> None:
    answer = await call("/sites/abay/series/elevation_m/values", start=start, end=end)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in {"end", "query.start"}


async def test_the_widest_window_is_62_days(call: Caller) -> None:
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-03-04T00:00:00Z"}
    assert await call.get("/sites/abay/series/elevation_m/values", **window) == []


async def test_latest_is_the_newest_or_the_newest_good_value(call: Caller, store: SeriesStore) -> None:
    path = "/sites/abay/series/elevation_m/latest"
    unknown = await call(path)
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "series elevation_m of abay has no value")
    missing = sample(None, NOW, Quality.MISSING)
    await store.add_samples("abay", "pi", [sample(357.0, NOW - HOUR), missing], NOW)
    assert (await call.get(path))["quality"] == "MISSING"
    assert (await call.get(path, good_only="true"))["value"] == 357.0


async def test_series_are_listed_with_how_fresh_they_are(call: Caller, store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0, NOW - HOUR), sample(357.1, NOW)], NOW)
    assert await call.get("/sites/abay/series") == [
        {"series": "elevation_m", "basis": "instant", "newest_valid_at": "2026-02-17T21:30:00Z", "values": 2}
    ]


async def test_prices_of_the_future_are_values_but_not_the_latest(call: Caller, store: SeriesStore) -> None:
    quarter = timedelta(minutes=15)
    prices = [
        Sample(
            series="day_ahead_price_eur_per_mwh",
            valid_at=NOW + i * quarter,
            value=float(i),
            quality=Quality.GOOD,
            basis=Basis.QUARTER_HOUR_MEAN,
        )
        for i in range(4)
    ]
    await store.add_samples("blominmaki", "entsoe", prices, NOW)
    path = "/sites/blominmaki/series/day_ahead_price_eur_per_mwh"
    assert (await call.get(f"{path}/latest"))["value"] == 0.0
    window = {"start": "2026-02-17T21:30:00Z", "end": "2026-02-17T22:30:00Z"}
    assert [v["value"] for v in await call.get(f"{path}/values", **window)] == [0.0, 1.0, 2.0, 3.0]
    assert len(await call.get(f"{path}/values", **window, basis="15min_mean")) == 4
    assert await call.get(f"{path}/values", **window, basis="hour_mean") == []


# ---------------------------------------------------------------- forecasts


async def test_forecasts_are_given_by_issue_and_as_of_any_time(call: Caller, store: SeriesStore) -> None:
    path = "/sites/abay/forecasts/r4_flow_m3s"
    assert (await call(path)).status_code == 404
    for hours, value in ((-9, 1.0), (-3, 2.0)):
        issued_at = NOW + hours * HOUR
        step = ForecastStep(valid_at=NOW, value=value, quantiles={"0.1": value / 2})
        issue = Forecast(
            site="abay",
            series="r4_flow_m3s",
            source="hydroforecast-short-term",
            issued_at=issued_at,
            known_at=issued_at,
            step_s=3600,
            steps=(step,),
        )
        await store.add_forecast(issue)
    assert (await call.get(path))["steps"][0]["quantiles"] == {"0.1": 1.0}
    assert (await call.get(path, known_at="2026-02-17T15:00:00Z"))["steps"][0]["value"] == 1.0
    assert (await call.get(path, issued_at="2026-02-17T12:30:00Z"))["steps"][0]["value"] == 1.0
    assert await call.get(f"{path}/issues") == ["2026-02-17T18:30:00Z", "2026-02-17T12:30:00Z"]
    assert await call.get(f"{path}/issues", limit="1") == ["2026-02-17T18:30:00Z"]
    assert (await call(f"{path}/issues", limit="0")).status_code == 422


# ---------------------------------------------------------------- awards


async def test_an_award_is_fetched_on_demand_and_then_known_by_its_trade_date(call: Caller) -> None:
    path = "/sites/abay/awards/2026-02-17"
    assert (await call(path)).status_code == 404
    fetched = (await call(path, Role.OPERATOR, "POST")).json()
    assert fetched["published"]
    assert len(fetched["award"]["intervals"]) == 24
    assert await call.get(path) == fetched["award"]
    assert (await call(path, known_at="2026-02-17T21:29:59Z")).status_code == 404
    assert (await call(path, Role.OPERATOR, "POST")).json() == fetched


async def test_an_award_not_yet_published_is_no_error(call: Caller) -> None:
    answer = await call("/sites/abay/awards/2026-03-30", Role.OPERATOR, "POST")
    assert (answer.status_code, answer.json()) == (200, {"published": False, "award": None})


async def test_a_market_that_fails_is_named(call: Caller) -> None:
    call.market_fault = "refuse_auth"
    answer = await call("/sites/abay/awards/2026-02-17", Role.OPERATOR, "POST")
    assert answer.status_code == 502
    assert answer.json()["detail"] == "CAISO answered 403: the certificate has no access"


@pytest.mark.parametrize("day", ["2026-02-30", "tomorrow", "17.02.2026"])
async def test_a_date_that_cannot_be_is_refused(call: Caller, day: str) -> None:
    assert (await call(f"/sites/abay/awards/{day}")).status_code == 422


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_the_ends_of_the_calendar_break_nothing(call: Caller, day: str) -> None:
    assert (await call(f"/sites/abay/awards/{day}")).status_code == 404
    assert (await call(f"/sites/abay/awards/{day}", Role.OPERATOR, "POST")).status_code in {200, 422, 502}


async def test_a_site_without_a_market_says_so(call: Caller) -> None:
    for method, role in (("GET", Role.VIEWER), ("POST", Role.OPERATOR)):
        answer = await call("/sites/blominmaki/awards/2026-02-17", role, method)
        assert answer.status_code == 409
        assert answer.json()["detail"] == "the site file of blominmaki names no CAISO source"


# ---------------------------------------------------------------- health


async def test_health_shows_last_success_lag_and_error(call: Caller, store: SeriesStore) -> None:
    await store.note_success("abay", "pi", NOW - HOUR, NOW - 2 * HOUR)
    await store.note_fault("abay", "pi", NOW, "PI does not answer")
    [health] = await call.get("/sites/abay/sources")
    assert health == {
        "site": "abay",
        "source": "pi",
        "last_attempt_at": "2026-02-17T21:30:00Z",
        "last_success_at": "2026-02-17T20:30:00Z",
        "newest_valid_at": "2026-02-17T19:30:00Z",
        "lag_s": 7200.0,
        "error": "PI does not answer",
    }

"""PI Web API: streamsets by pages, states for what they are, WebIds that change, and servers that misbehave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from collect_rig import Serve
from fastapi import FastAPI, Request, Response

from headworks.common.messages import Basis, Quality, Sample
from headworks.ingest.sections import PiSection
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.asking import Reply
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.wiring import pi_auth
from headworks.simulators.pi_web_api import PAGE, create_pi
from headworks.simulators.plant import Plant
from headworks.simulators.web import WebServer

NOW = datetime(2026, 2, 17, 21, 30, tzinfo=UTC)
END, HOUR = NOW.replace(minute=0), timedelta(hours=1)
PATIENCE_S = 20.0
"""However busy the machine is. A server that says nothing is waited for half a second."""
BASIC = httpx.BasicAuth("demo", "demo")


@dataclass
class Historian:
    """A PI on a port over the plant, what goes wrong there, what it was asked, and a client of it."""

    server: WebServer
    pi: PiWebApi
    fault: str = "none"
    asked: list[httpx.URL] = field(default_factory=list)

    def count(self, path: str) -> int:
        return sum(url.path == path for url in self.asked)


@asynccontextmanager
async def connected(url: str, section: PiSection) -> AsyncIterator[tuple[PiWebApi, list[httpx.URL]]]:
    asked: list[httpx.URL] = []

    async def note(request: httpx.Request) -> None:
        asked.append(request.url)

    async with httpx.AsyncClient(base_url=url, auth=BASIC, timeout=PATIENCE_S, event_hooks={"request": [note]}) as http:
        yield PiWebApi(http, section), asked


@pytest.fixture
async def historian(serve: Serve, plant: Plant, pi_section: PiSection) -> AsyncIterator[Historian]:
    server = await serve(create_pi({"ABAY": plant}, lambda: NOW, "demo:demo", lambda: found.fault))
    async with connected(server.url, pi_section) as (pi, asked):
        found = Historian(server, pi, asked=asked)
        yield found


def of(samples: list[Sample], series: str, basis: Basis = Basis.INSTANT) -> dict[datetime, Sample]:
    return {s.valid_at: s for s in samples if s.series == series and s.basis is basis}


# ---------------------------------------------------------------- what a well server gives


async def test_instants_and_hourly_means_of_a_day_come_in_si_page_by_page(historian: Historian, plant: Plant) -> None:
    gathered = await historian.pi.steps(END - 26 * HOUR, END)
    assert gathered.flaws == []
    elevations = of(gathered.samples, "elevation_m")
    assert list(elevations) == [END - (26 - h) * HOUR for h in range(27)]
    feet = plant.value_at("elevation", END)
    assert feet is not None
    assert elevations[END].value == pytest.approx(feet * 0.3048)
    powers = of(gathered.samples, "oxph_power_mw", Basis.HOUR_MEAN)
    assert list(powers) == [END - (26 - h) * HOUR for h in range(26)]
    assert powers[END - HOUR].value == pytest.approx(plant.mean("oxph_power", END - HOUR, END))
    cfs = plant.mean("R4", END - HOUR, END)
    assert cfs is not None
    assert of(gathered.samples, "r4_flow_m3s", Basis.HOUR_MEAN)[END - HOUR].value == pytest.approx(cfs * 0.3048**3)
    assert {s.quality for s in gathered.samples} == {Quality.GOOD}
    assert historian.count("/streamsets/interpolated") == -(-27 // PAGE)
    assert historian.count("/streamsets/summary") == -(-26 // PAGE)


async def test_present_values_and_enumerations_by_value(historian: Historian) -> None:
    gathered = await historian.pi.latest(NOW)
    assert {s.series: s.quality for s in gathered.samples}.keys() >= {"elevation_m", "mode", "r30_flow_m3s"}
    [mode] = [s for s in gathered.samples if s.series == "mode"]
    assert (mode.value, mode.quality, mode.valid_at) == (0.0, Quality.GOOD, NOW)


async def test_web_ids_are_asked_for_once(historian: Historian) -> None:
    await historian.pi.latest(NOW)
    await historian.pi.steps(END - HOUR, END)
    assert historian.count("/attributes") == 12


# ---------------------------------------------------------------- bad points


@pytest.mark.parametrize(
    ("fault", "quality"),
    [("bad_quality", Quality.BAD), ("io_timeout", Quality.BAD), ("pt_created", Quality.MISSING)],
)
async def test_a_system_state_is_never_a_number(historian: Historian, fault: str, quality: Quality) -> None:
    historian.fault = fault
    gathered = await historian.pi.latest(NOW)
    assert {(s.value, s.quality) for s in gathered.samples} == {(None, quality)}
    assert len(gathered.samples) == 12


# ---------------------------------------------------------------- servers that misbehave


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse_auth", "PI answered 401, the credentials have no access"),
        ("unavailable", "PI answered 503: .*The PI Data Archive is not reachable"),
        ("garbage", "PI gave no WebId for .*Elevation"),
        ("hang", "PI does not answer: ReadTimeout"),
    ],
)
async def test_what_goes_wrong_is_named(historian: Historian, fault: str, says: str) -> None:
    historian.fault = fault
    historian.pi._client.timeout = 0.5 if fault == "hang" else PATIENCE_S
    with pytest.raises(SourceFault, match=says):
        await historian.pi.latest(NOW)


async def test_a_server_that_is_gone_is_named_and_one_that_is_back_answers(historian: Historian) -> None:
    await historian.server.stop()
    with pytest.raises(SourceFault, match="PI does not answer: ConnectError"):
        await historian.pi.latest(NOW)
    await historian.server.start()
    assert len((await historian.pi.latest(NOW)).samples) == 12


async def test_garbage_after_the_web_ids_are_known_is_named(historian: Historian) -> None:
    await historian.pi.latest(NOW)
    historian.fault = "garbage"
    with pytest.raises(SourceFault, match=r"PI answered in an unknown form: Items\.0\.WebId: Field required"):
        await historian.pi.latest(NOW)


@dataclass
class Scripted:
    """A server that answers /attributes, and streamsets as the test says; what it was asked, in order."""

    answers: list[Response]
    unknown: frozenset[str] = frozenset()
    epoch: int = 1
    asked: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/attributes")
        async def attributes(path: str) -> Response:
            self.asked.append("attributes")
            tag = path.split("\\", 4)[-1]
            if tag in self.unknown:
                return json_response({"Errors": [f"no such attribute: {tag}"]}, 404)
            return json_response({"WebId": f"{self.epoch}:{tag}"})

        @app.get("/streamsets/{kind}")
        async def streamsets(request: Request, kind: str) -> Response:
            self.asked.append(kind)
            ids = request.query_params.getlist("webId")
            if any(not web_id.startswith(f"{self.epoch}:") for web_id in ids):
                return json_response({"Errors": ["unknown WebId"]}, 404)
            if self.answers:
                return self.answers.pop(0)
            point = {"Timestamp": "2026-02-17T21:30:00Z", "Value": 1171.0, "Good": True}
            return json_response({"Items": [{"WebId": web_id, "Value": point} for web_id in ids]})

        return app


def json_response(content: object, status: int = 200) -> Response:
    return Response(httpx.Response(status, json=content).content, status, media_type="application/json")


async def test_web_ids_that_pi_knows_no_more_are_asked_for_anew(serve: Serve, pi_section: PiSection) -> None:
    script = Scripted([])
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        await pi.latest(NOW)
        script.epoch = 2
        assert len((await pi.latest(NOW)).samples) == 12
    assert script.asked.count("attributes") == 24


async def test_one_tag_that_pi_does_not_know_is_a_flaw_and_the_others_come(serve: Serve, pi_section: PiSection) -> None:
    script = Scripted([], unknown=frozenset({r"Gauging Stations\R4|Flow"}))
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        gathered = await pi.latest(NOW)
    assert len(gathered.samples) == 11
    assert "r4_flow_m3s" not in {s.series for s in gathered.samples}
    assert len(gathered.flaws) == 1
    assert gathered.flaws[0].startswith("r4_flow: PI answered 404")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_server_is_asked_again_and_then_believed(serve: Serve, pi_section: PiSection, status: int) -> None:
    busy = [Response(status_code=status, headers={"Retry-After": "0"}) for _ in range(2)]
    script = Scripted(busy)
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        assert len((await pi.latest(NOW)).samples) == 12
    assert script.asked.count("value") == 3


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_what_time_does_not_mend_is_not_asked_again(serve: Serve, pi_section: PiSection, status: int) -> None:
    script = Scripted([Response("no", status)])
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        with pytest.raises(SourceFault, match=f"PI answered {status}"):
            await pi.latest(NOW)
    assert script.asked.count("value") == 1


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:1/streamsets/value", "https://elsewhere.example/", "http://[", "//x"]
)
async def test_a_next_page_on_another_server_is_refused_for_it_would_get_the_password(
    serve: Serve, pi_section: PiSection, link: str
) -> None:
    script = Scripted([json_response({"Links": {"Next": link}, "Items": []})])
    async with connected((await serve(script.app())).url, pi_section) as (pi, asked):
        with pytest.raises(SourceFault, match=r"Links\.Next"):
            await pi.latest(NOW)
    assert {url.host for url in asked} == {"127.0.0.1"}


async def test_pages_without_end_are_refused(serve: Serve, pi_section: PiSection) -> None:
    page = json_response({"Links": {"Next": "/streamsets/value"}, "Items": []})
    script = Scripted([page] * 60)
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        with pytest.raises(SourceFault, match="more than 50 pages for /streamsets/value"):
            await pi.latest(NOW)


@pytest.mark.parametrize(
    "content",
    [b"<html>login</html>", b"", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"Items": 5}', b'{"Items": [{"WebId": 1}]}'],
)
async def test_garbage_is_named_whatever_it_is(serve: Serve, pi_section: PiSection, content: bytes) -> None:
    script = Scripted([Response(content)])
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        with pytest.raises(SourceFault, match="PI answered"):
            await pi.latest(NOW)


async def test_a_reply_without_end_is_cut(serve: Serve, pi_section: PiSection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.ingest.sources.asking.MAX_REPLY_BYTES", 1 << 16)
    script = Scripted([Response(b" " * (1 << 17))])
    async with connected((await serve(script.app())).url, pi_section) as (pi, _):
        with pytest.raises(SourceFault, match="PI answered with more than 65536 bytes"):
            await pi.latest(NOW)


def test_a_reply_shows_its_start_for_people() -> None:
    assert Reply("PI", 200, "", b"\xff" + b"x" * 300).start == "\ufffd" + "x" * 199


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("given_settings", "header"),
    [
        ({}, None),
        ({"pi_username": "demo", "pi_password": "demo"}, "Basic ZGVtbzpkZW1v"),
        ({"pi_token": "abc", "pi_username": "demo"}, "Bearer abc"),
    ],
)
async def test_credentials_are_basic_bearer_or_none(given_settings: dict[str, str], header: str | None) -> None:
    auth = pi_auth(IngestSettings.model_validate(given_settings))
    request = httpx.Request("GET", "http://pi")
    if auth is not None:
        request = next(auth.sync_auth_flow(request))
    assert request.headers.get("Authorization") == header

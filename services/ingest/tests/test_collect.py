"""Collecting over real sockets into a real database and bus: what a down, flawed or late source leaves behind."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.embedded.nats import NatsServer
from headworks.common.handling import Delivery
from headworks.common.messages import Award, Basis, Forecast, Measurements, Quality
from headworks.common.subjects import FORECAST, MARKET, TELEMETRY
from headworks.common.tasks import end, in_background
from headworks.common.testing import eventually
from headworks.ingest.collect import AwardCollector, Collector, ForecastCollector, PiCollector, Polled
from headworks.ingest.sections import CaisoSection, HydroForecastSection, PiSection
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import Client
from headworks.ingest.sources.hydroforecast import HydroForecast
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.store import SeriesStore, SourceHealth
from headworks.simulators.caiso import create_caiso
from headworks.simulators.hydroforecast import create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.pi_web_api import create_pi
from headworks.simulators.plant import Plant
from headworks.simulators.web import WebServer
from headworks.waterway.site import Site

Serve = Callable[..., Awaitable[WebServer]]
START = datetime(2026, 2, 17, 20, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Outside:
    """The three sources on ports, the time of all, what goes wrong, and Headworks' collectors of them."""

    site: Site
    store: SeriesStore
    now: datetime = START
    faults: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("pi", "hydroforecast", "caiso"), "none"))
    servers: dict[str, WebServer] = field(default_factory=dict)
    pollers: dict[str, PiCollector | ForecastCollector | AwardCollector] = field(default_factory=dict)
    collector: Collector = field(init=False)

    async def poll(self, source: str) -> str | None:
        self.collector.clock = stopped(self.now)
        return await self.collector.poll_once(source, self.pollers[source].poll)

    async def health(self, source: str) -> SourceHealth:
        return {h.source: h for h in await self.store.health("abay", self.now)}[source]


def stopped(now: datetime) -> Clock:
    return Clock(now, wall_epoch_s=0.0, speed=1e-20)


@pytest.fixture
async def outside(
    serve: Serve,
    plant: Plant,
    hydrology: Hydrology,
    site: Site,
    pi_section: PiSection,
    hydroforecast_section: HydroForecastSection,
    caiso_section: CaisoSection,
    store: SeriesStore,
    bus: Bus,
    client_files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Outside]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    found = Outside(site, store)
    found.collector = Collector(site, store, stopped(found.now))
    apps = {
        "pi": create_pi({"ABAY": plant}, lambda: found.now, "demo:demo", lambda: found.faults["pi"]),
        "hydroforecast": create_hydroforecast(
            hydrology, lambda: found.now, "demo-key", lambda: found.faults["hydroforecast"]
        ),
        "caiso": create_caiso(lambda: found.now, client_files[0].read_bytes(), lambda: found.faults["caiso"]),
    }
    found.servers = {name: await serve(app) for name, app in apps.items()}
    async with clients({name: server.url for name, server in found.servers.items()}) as http:
        settings = IngestSettings()
        pi = PiWebApi(http["pi"], pi_section)
        hydroforecast = HydroForecast(http["hydroforecast"], "demo-key", hydroforecast_section)
        caiso = Client.from_files(
            http["caiso"],
            *client_files,
            settings.caiso_path,
            settings.caiso_soap_action,
            settings.caiso_request_body,
        )
        found.pollers = {
            "pi": PiCollector(found.collector, bus, pi, pi_section),
            "hydroforecast": ForecastCollector(found.collector, hydroforecast, hydroforecast_section),
            "caiso": AwardCollector(found.collector, caiso, caiso_section),
        }
        yield found


@asynccontextmanager
async def clients(urls: dict[str, str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    opened = {
        name: httpx.AsyncClient(base_url=url, timeout=2, auth=("demo", "demo") if name == "pi" else None)
        for name, url in urls.items()
    }
    yield opened
    for client in opened.values():
        await client.aclose()


@asynccontextmanager
async def hearing(bus: Bus) -> AsyncIterator[list[Measurements]]:
    """What is told of measurements, from the beginning."""
    heard: list[Measurements] = []

    async def hear(message: Measurements, _delivery: Delivery) -> None:
        heard.append(message)

    async with in_background(bus.consume(TELEMETRY, hear, durable="test-telemetry", deliver=Deliver.ALL, site="abay")):
        yield heard


# ---------------------------------------------------------------- PI


async def test_a_first_poll_fills_the_history_tells_it_and_is_healthy(outside: Outside, bus: Bus) -> None:
    assert await outside.poll("pi") is None
    hours = await outside.store.values("abay", "elevation_m", START - 26 * HOUR, START, Basis.INSTANT, None)
    assert {h.quality for h in hours} == {Quality.GOOD}
    assert len(hours) == 26
    health = await outside.health("pi")
    assert (health.error, health.last_success_at, health.lag_s) == (None, START, 0.0)
    async with hearing(bus) as heard:
        await eventually(lambda: bool(heard))
        assert {s.series for s in heard[0].samples} >= {"elevation_m", "mode", "oxph_power_mw"}


async def test_the_same_again_is_not_told_again(outside: Outside, bus: Bus) -> None:
    await outside.poll("pi")
    await outside.poll("pi")
    outside.now += 5 * MINUTE
    await outside.poll("pi")
    async with hearing(bus) as heard:
        await eventually(lambda: len(heard) == 2)
        assert {s.valid_at for s in heard[1].samples} == {outside.now}


async def test_a_source_that_is_down_leaves_every_series_missing_and_says_why(outside: Outside, bus: Bus) -> None:
    await outside.poll("pi")
    await outside.servers["pi"].stop()
    outside.now += 10 * MINUTE
    error = await outside.poll("pi")
    assert error is not None
    assert "PI does not answer" in error
    for series in ("elevation_m", "mode", "r30_flow_m3s"):
        latest = await outside.store.latest("abay", series, outside.now, good_only=False)
        assert latest is not None
        assert (latest.value, latest.quality, latest.valid_at) == (None, Quality.MISSING, outside.now)
    good = await outside.store.latest("abay", "elevation_m", outside.now, good_only=True)
    assert good is not None
    assert good.valid_at == START
    health = await outside.health("pi")
    assert (health.error, health.last_success_at, health.lag_s) == (error, START, 600.0)
    async with hearing(bus) as heard:
        await eventually(lambda: len(heard) == 2)
        assert {s.quality for s in heard[1].samples} == {Quality.MISSING}


async def test_a_source_that_is_back_is_healthy_and_the_hours_between_are_filled(outside: Outside) -> None:
    outside.now -= 3 * HOUR
    await outside.poll("pi")
    await outside.servers["pi"].stop()
    outside.now += 2 * HOUR
    await outside.poll("pi")
    await outside.servers["pi"].start()
    outside.now += HOUR
    assert await outside.poll("pi") is None
    assert (await outside.health("pi")).error is None
    between = await outside.store.values("abay", "elevation_m", START - 3 * HOUR, START, Basis.INSTANT, None)
    on_the_hour = [s.quality for s in between if s.valid_at.minute == 0]
    assert on_the_hour == [Quality.GOOD] * 3
    latest = await outside.store.latest("abay", "elevation_m", outside.now, good_only=False)
    assert latest is not None
    assert (latest.quality, latest.valid_at) == (Quality.GOOD, START)


async def test_a_long_gap_is_filled_in_parts(outside: Outside) -> None:
    await outside.poll("pi")
    outside.now += timedelta(days=11)
    for _ in range(2):
        assert await outside.poll("pi") is None
    means = {s.series: s for s in await outside.store.series("abay") if s.basis is Basis.HOUR_MEAN}
    assert means["oxph_power_mw"].newest_valid_at == outside.now.replace(minute=0) - HOUR
    assert means["oxph_power_mw"].values >= 11 * 24


async def test_bad_points_are_kept_as_bad_and_the_source_gives_nothing_new(outside: Outside) -> None:
    await outside.poll("pi")
    outside.faults["pi"] = "io_timeout"
    outside.now += 5 * MINUTE
    assert await outside.poll("pi") is None
    latest = await outside.store.latest("abay", "elevation_m", outside.now, good_only=False)
    assert latest is not None
    assert (latest.value, latest.quality) == (None, Quality.BAD)
    assert (await outside.health("pi")).lag_s == 300


def old_snapshots(snapshot_at: datetime, unknown: str) -> FastAPI:
    """A PI whose tags have not changed since an instant, and which does not know one of them."""
    app = FastAPI()

    @app.get("/attributes")
    async def attributes(path: str) -> Response:
        known = not path.endswith(unknown)
        return json_response({"WebId": path} if known else {"Errors": ["unknown"]}, 200 if known else 404)

    @app.get("/streamsets/{kind}")
    async def streamsets(request: Request, kind: str) -> Response:
        ids = request.query_params.getlist("webId")
        point = {"Timestamp": snapshot_at.isoformat(), "Value": 1, "Good": True}
        present: dict[str, object] = {"Value": point} if kind == "value" else {"Items": []}
        return json_response({"Items": [{"WebId": web_id, **present} for web_id in ids]})

    return app


def json_response(content: object, status: int = 200) -> Response:
    return Response(httpx.Response(status, json=content).content, status, media_type="application/json")


async def test_a_tag_that_seldom_changes_is_not_missing_for_ever_after_an_outage(
    serve: Serve, outside: Outside, pi_section: PiSection, bus: Bus
) -> None:
    server = await serve(old_snapshots(START - HOUR, unknown="R4|Flow"))
    async with clients({"pi": server.url}) as http:
        outside.pollers["pi"] = PiCollector(outside.collector, bus, PiWebApi(http["pi"], pi_section), pi_section)
        await outside.poll("pi")
        await server.stop()
        outside.now += 5 * MINUTE
        await outside.poll("pi")
        missing = await outside.store.latest("abay", "mode", outside.now, good_only=False)
        assert missing is not None
        assert missing.quality is Quality.MISSING
        await server.start()
        outside.now += 5 * MINUTE
        flaw = await outside.poll("pi")
        bridged = await outside.store.latest("abay", "mode", outside.now, good_only=False)
        assert bridged is not None
        assert (bridged.value, bridged.quality, bridged.valid_at) == (1.0, Quality.SUSPECT, START + 5 * MINUTE)
        assert bridged.substituted == "PI's value of 2026-02-17 19:30Z; PI did not answer then"
        # what one tag lacks is said, and the tag itself is missing
        assert flaw is not None
        assert flaw.startswith("r4_flow: PI answered 404")
        assert (await outside.health("pi")).error == flaw
        unknown = await outside.store.latest("abay", "r4_flow_m3s", outside.now, good_only=False)
        assert unknown is not None
        assert (unknown.quality, unknown.valid_at) == (Quality.MISSING, outside.now)


async def test_what_could_not_be_told_is_told_when_the_bus_is_back(
    outside: Outside, bus: Bus, nats_server: NatsServer
) -> None:
    nats_server.stop()
    await eventually(lambda: not bus.is_connected)
    assert await outside.poll("pi") is None
    assert (await outside.health("pi")).error is None
    nats_server.start()
    await eventually(lambda: bus.is_connected)
    outside.now += 5 * MINUTE
    await outside.poll("pi")
    async with hearing(bus) as heard:
        await eventually(lambda: bool(heard))
        told = {s.valid_at for s in heard[0].samples if s.series == "elevation_m"}
    assert {START, START + 5 * MINUTE, START.replace(minute=0) - 26 * HOUR} <= told


async def test_a_database_that_is_away_does_not_end_the_collector(outside: Outside) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"postgresql+asyncpg://x@127.0.0.1:{probe.getsockname()[1]}/x"
    lost = Database(nowhere)
    outside.collector.store = SeriesStore(lost)
    assert await outside.poll("pi") == "the database is away"
    await lost.close()
    outside.collector.store = outside.store
    assert await outside.poll("pi") is None


async def test_polling_goes_on_after_a_fault(outside: Outside) -> None:
    outside.faults["pi"] = "refuse_auth"
    errors: list[str | None] = []

    async def poll() -> Polled:
        try:
            return await outside.pollers["pi"].poll()
        finally:
            errors.append((await outside.health("pi")).error if errors else None)
            outside.faults["pi"] = "none"

    outside.collector.clock = Clock(START, wall_epoch_s=time.time(), speed=1.0)
    async with in_background(outside.collector.keep_polling("pi", 0.001, poll)):
        await eventually(lambda: len(errors) >= 2)
    assert "PI answered 401" in str(errors[1])


# ---------------------------------------------------------------- HydroForecast


async def test_forecasts_are_stored_and_told_once_an_issue(outside: Outside, bus: Bus, database: Database) -> None:
    heard: list[Forecast] = []

    async def hear(message: Forecast, _delivery: Delivery) -> None:
        heard.append(message)

    assert await outside.poll("hydroforecast") is None
    assert await outside.poll("hydroforecast") is None
    tasks = [
        asyncio.create_task(outside.store.outbox.relay(database, bus)),
        asyncio.create_task(bus.consume(FORECAST, hear, durable="test-forecast", site="abay")),
    ]
    await eventually(lambda: len(heard) == 3)
    assert {f.source for f in heard} == {"hydroforecast-short-term"}
    await end(*tasks)
    health = await outside.health("hydroforecast")
    assert (health.error, health.lag_s) == (None, 2.5 * 3600)


async def test_cnrfc_is_marked_and_the_flaw_is_shown_until_hydroforecast_is_back(outside: Outside) -> None:
    outside.faults["hydroforecast"] = "no_primary"
    flaw = await outside.poll("hydroforecast")
    assert flaw is not None
    assert "r4_flow_m3s: hydroforecast-short-term has none" in flaw
    stands = await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now)
    assert stands is not None
    assert (stands.source, stands.substituted) == ("cnrfc", "CNRFC, for hydroforecast-short-term has none")
    outside.faults["hydroforecast"] = "none"
    outside.now += MINUTE
    assert await outside.poll("hydroforecast") is None
    stands = await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now)
    assert stands is not None
    assert (stands.source, stands.substituted) == ("hydroforecast-short-term", None)


async def test_without_any_forecast_the_last_good_observation_is_held_and_marked(outside: Outside) -> None:
    outside.faults["hydroforecast"] = "no_data"
    assert await outside.poll("hydroforecast") is not None
    assert await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now) is None
    await outside.poll("pi")
    error = await outside.poll("hydroforecast")
    assert error == "hydroforecast-short-term has none; cnrfc has none"
    assert (await outside.health("hydroforecast")).last_success_at is None
    held = await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now)
    observed = await outside.store.latest("abay", "r4_flow_m3s", outside.now, good_only=True)
    assert held is not None
    assert observed is not None
    assert held.source == "held"
    assert held.substituted == "no forecast; the observation of 2026-02-17 20:30Z held"
    assert len(held.steps) == 168
    assert {s.value for s in held.steps} == {observed.value}
    outside.faults["hydroforecast"] = "none"
    outside.now += MINUTE
    assert await outside.poll("hydroforecast") is None
    back = await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now)
    assert back is not None
    assert back.source == "hydroforecast-short-term"


async def test_an_outage_lives_on_the_last_issue_for_a_day_and_then_on_what_was_observed(outside: Outside) -> None:
    await outside.poll("pi")
    await outside.poll("hydroforecast")
    await outside.servers["hydroforecast"].stop()
    issued = datetime(2026, 2, 17, 18, tzinfo=UTC)
    for age, source in ((timedelta(hours=23, minutes=59), "hydroforecast-short-term"), (timedelta(hours=24), "held")):
        outside.now = issued + age
        assert "does not answer" in str(await outside.poll("hydroforecast"))
        stands = await outside.store.forecast("abay", "r4_flow_m3s", None, outside.now)
        assert stands is not None
        assert stands.source == source


# ---------------------------------------------------------------- CAISO


async def test_todays_award_is_fetched_and_tomorrows_when_it_is_due(
    outside: Outside, bus: Bus, database: Database
) -> None:
    heard: list[Award] = []

    async def hear(message: Award, _delivery: Delivery) -> None:
        heard.append(message)

    tasks = [
        asyncio.create_task(outside.store.outbox.relay(database, bus)),
        asyncio.create_task(bus.consume(MARKET, hear, durable="test-market", site="abay")),
    ]
    assert await outside.poll("caiso") is None
    await eventually(lambda: [a.trade_date for a in heard] == [date(2026, 2, 17)])
    outside.now = datetime(2026, 2, 17, 21, 0, tzinfo=UTC)
    assert await outside.poll("caiso") is None
    assert await outside.poll("caiso") is None
    await eventually(lambda: [a.trade_date for a in heard] == [date(2026, 2, 17), date(2026, 2, 18)])
    await end(*tasks)
    assert (await outside.health("caiso")).lag_s == 0


async def test_an_award_that_is_not_published_yet_is_no_error_and_comes_later(outside: Outside) -> None:
    outside.now = datetime(2026, 2, 17, 21, 5, tzinfo=UTC)
    outside.faults["caiso"] = "no_data"
    assert await outside.poll("caiso") is None
    assert (await outside.health("caiso")).error is None
    assert await outside.store.award("abay", date(2026, 2, 18)) is None
    outside.faults["caiso"] = "none"
    assert await outside.poll("caiso") is None
    assert await outside.store.award("abay", date(2026, 2, 18)) is not None


async def test_a_market_that_is_down_is_shown_and_asked_again(outside: Outside) -> None:
    outside.faults["caiso"] = "bad_hash"
    assert "does not match its hash" in str(await outside.poll("caiso"))
    assert "does not match its hash" in str((await outside.health("caiso")).error)
    outside.faults["caiso"] = "none"
    assert await outside.poll("caiso") is None
    assert (await outside.health("caiso")).error is None


async def test_an_award_fetched_again_is_the_one_that_was_known(outside: Outside) -> None:
    market = outside.pollers["caiso"]
    assert isinstance(market, AwardCollector)
    first = await market.fetch(date(2026, 2, 17))
    outside.now += HOUR
    outside.collector.clock = stopped(outside.now)
    assert await market.fetch(date(2026, 2, 17)) == first

"""Collecting over real sockets into a real database and bus: what a down, flawed or late source leaves behind."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx
from collect_rig import HOUR, MINUTE, START, Outside, Serve, clients
from fastapi import FastAPI, Request, Response

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.embedded.nats import NatsServer
from headworks.common.handling import Delivery
from headworks.common.messages import Basis, Measurements, Quality
from headworks.common.subjects import TELEMETRY
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.ingest.collect import PiCollector, Polled
from headworks.ingest.sections import PiSection
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.store import SeriesStore


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

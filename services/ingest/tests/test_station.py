"""The station's sources into a real database and bus: quarter hours from PI, and day-ahead prices that are known ahead."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from collect_rig import Serve

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.handling import Delivery
from headworks.common.messages import Basis, Measurements, Quality, Sample
from headworks.common.subjects import TELEMETRY
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.ingest.collect import Collector
from headworks.ingest.sections import sources_of
from headworks.ingest.settings import IngestSettings
from headworks.ingest.store import SeriesStore, SourceHealth
from headworks.ingest.wiring import Polling, Wiring
from headworks.simulators.entsoe import create_entsoe
from headworks.simulators.pi_web_api import create_pi
from headworks.simulators.station_plant import StationPlant
from headworks.simulators.web import WebServer
from headworks.waterway.series import PRICE, STATION_OUTFLOW, TUNNEL_INFLOW, TUNNEL_LEVEL
from headworks.waterway.site import Site

START = datetime(2026, 2, 17, 9, 7, tzinfo=UTC)
MIDNIGHT = datetime(2026, 2, 16, 22, tzinfo=UTC)
MINUTE, QUARTER, HOUR, DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
PAST, HISTORY = timedelta(hours=6), timedelta(hours=2)


@dataclass
class Outside:
    """PI and the price platform on ports, the time of all, what goes wrong there, and the station's pollers as wired."""

    collector: Collector
    plant: StationPlant
    servers: dict[str, WebServer]
    pollers: dict[str, Polling]
    now: datetime = START
    dearer_eur: float = 0.0
    faults: dict[str, str] = field(default_factory=lambda: {"pi": "none", "entsoe": "none"})

    @property
    def store(self) -> SeriesStore:
        return self.collector.store

    async def poll(self, source: str) -> str | None:
        self.collector.clock = stopped(self.now)
        return await self.collector.poll_once(source, self.pollers[source].poller.poll)

    async def prices(self, start: datetime, end: datetime) -> list[Sample]:
        return await self.store.values("blominmaki", PRICE, start, end, None, None)

    async def health(self, source: str) -> SourceHealth:
        return {h.source: h for h in await self.store.health("blominmaki", self.now)}[source]


def stopped(now: datetime) -> Clock:
    return Clock(now, wall_epoch_s=0.0, speed=1e-20)


@pytest.fixture(scope="module")
def plant(sites_folder: Path) -> StationPlant:
    content = yaml.safe_load((sites_folder / "blominmaki.yaml").read_text(encoding="utf-8"))
    return StationPlant(content, lambda _at: 5000.0, START, past=PAST)


@pytest.fixture
async def outside(
    serve: Serve, plant: StationPlant, station: Site, store: SeriesStore, bus: Bus
) -> AsyncIterator[Outside]:
    def fault(name: str) -> Callable[[], str]:
        return lambda: found.faults[name]

    apps = {
        "pi": create_pi({"BLOMINMAKI": plant}, lambda: found.now, "demo:demo", fault("pi"), page=100),
        "entsoe": create_entsoe(lambda: found.now, "t", fault("entsoe"), lambda at: at.hour + found.dearer_eur),
    }
    servers = {name: await serve(app) for name, app in apps.items()}
    settings = IngestSettings.model_validate(
        {
            "pi_url": servers["pi"].url,
            "pi_username": "demo",
            "pi_password": "demo",
            "entsoe_url": servers["entsoe"].url,
            "entsoe_token": "t",
            "caiso_url": "https://localhost",
            "hydroforecast_url": "http://localhost",
        }
    )
    collector = Collector(station, store, stopped(START))
    section = sources_of(station)
    assert section.pi is not None
    short = section.model_copy(update={"pi": section.pi.model_copy(update={"history": HISTORY.total_seconds()})})
    async with AsyncExitStack() as stack:
        pollers = Wiring(settings, bus, stack).pollers(collector, short)
        found = Outside(collector, plant, servers, pollers)
        yield found


def test_the_sources_that_the_site_names_are_polled_at_their_pace(outside: Outside) -> None:
    assert {name: polling.every_s for name, polling in outside.pollers.items()} == {"pi": 60.0, "entsoe": 600.0}


async def test_a_source_without_an_address_is_not_polled(station: Site, store: SeriesStore, bus: Bus) -> None:
    async with AsyncExitStack() as stack:
        wiring = Wiring(IngestSettings(), bus, stack)
        assert wiring.pollers(Collector(station, store, stopped(START)), sources_of(station)) == {}


# ---------------------------------------------------------------- PI by the quarter hour


async def test_flows_are_kept_as_means_of_quarter_hours_and_levels_as_instants(outside: Outside) -> None:
    assert await outside.poll("pi") is None
    last = START.replace(minute=0)
    means = await outside.store.values("blominmaki", STATION_OUTFLOW, last - HOUR, last, Basis.QUARTER_HOUR_MEAN, None)
    assert [s.valid_at for s in means] == [last - HOUR + i * QUARTER for i in range(4)]
    m3h = outside.plant.mean("outflow", last - QUARTER, last)
    assert m3h is not None
    assert means[-1].value == pytest.approx(m3h / 3600)
    levels = await outside.store.values("blominmaki", TUNNEL_LEVEL, last - HOUR, START, Basis.INSTANT, None)
    assert [s.valid_at for s in levels] == [last - HOUR + i * QUARTER for i in range(5)]
    assert {s.quality for s in (*means, *levels)} == {Quality.GOOD}
    assert await outside.store.values("blominmaki", TUNNEL_LEVEL, MIDNIGHT, START, Basis.HOUR_MEAN, None) == []


async def test_every_pumps_frequency_flow_and_power_is_there_now(outside: Outside) -> None:
    await outside.poll("pi")
    for resource in ("p1_1", "p2_4"):
        for name, unit in (("frequency", "hz"), ("flow", "m3s"), ("power", "mw")):
            latest = await outside.store.latest("blominmaki", f"{resource}_{name}_{unit}", outside.now, good_only=True)
            assert latest is not None
            assert (latest.valid_at, latest.basis) == (START, Basis.INSTANT)


async def test_the_next_quarter_hour_comes_when_it_is_whole(outside: Outside, plant: StationPlant) -> None:
    await outside.poll("pi")
    outside.now = START + 7 * MINUTE  # 09:14
    await outside.poll("pi")
    counted = await outside.store.values(
        "blominmaki", TUNNEL_INFLOW, MIDNIGHT, START + HOUR, Basis.QUARTER_HOUR_MEAN, None
    )
    assert counted[-1].valid_at == START.replace(minute=0) - QUARTER
    plant.advance(START + 8 * MINUTE)
    outside.now = START + 8 * MINUTE  # 09:15
    await outside.poll("pi")
    more = await outside.store.values(
        "blominmaki", TUNNEL_INFLOW, MIDNIGHT, START + HOUR, Basis.QUARTER_HOUR_MEAN, None
    )
    assert more[-1].valid_at == START.replace(minute=0)
    assert more[-1].quality is Quality.GOOD


# ---------------------------------------------------------------- prices


async def test_prices_of_the_local_day_are_kept_and_told(outside: Outside, bus: Bus) -> None:
    assert await outside.poll("entsoe") is None
    found = await outside.prices(MIDNIGHT, MIDNIGHT + DAY)
    assert [s.valid_at for s in found] == [MIDNIGHT + i * QUARTER for i in range(96)]
    assert {s.basis for s in found} == {Basis.QUARTER_HOUR_MEAN}
    latest = await outside.store.latest("blominmaki", PRICE, outside.now, good_only=True)
    assert latest is not None
    assert (latest.valid_at, latest.value) == (START.replace(minute=0), 9.0)
    health = await outside.health("entsoe")
    assert (health.error, health.lag_s) == (None, 0.0)
    heard: list[Measurements] = []

    async def hear(message: Measurements, _delivery: Delivery) -> None:
        heard.append(message)

    listening = bus.consume(TELEMETRY, hear, durable="test-prices", deliver=Deliver.ALL, site="blominmaki")
    async with in_background(listening):
        await eventually(lambda: bool(heard))
    assert heard[0].source == "entsoe"
    assert {s.source for s in found} == {"entsoe"}
    assert {s.model_copy(update={"source": None}) for s in found} <= set(heard[0].samples)


async def test_tomorrows_prices_come_after_the_hour_of_their_publication(outside: Outside) -> None:
    tomorrow = MIDNIGHT + DAY + 2 * HOUR
    await outside.poll("entsoe")
    assert await outside.prices(tomorrow, tomorrow + HOUR) == []
    outside.now = datetime(2026, 2, 17, 12, 0, tzinfo=UTC)  # 14:00 in Helsinki, 13:00 in Brussels
    assert await outside.poll("entsoe") is None
    assert len(await outside.prices(MIDNIGHT, MIDNIGHT + 2 * DAY)) == 192


async def test_the_same_prices_again_are_not_told_again_and_corrected_ones_are_new(outside: Outside) -> None:
    await outside.poll("entsoe")
    outside.now += HOUR
    await outside.poll("entsoe")
    first = await outside.store.values("blominmaki", PRICE, START - HOUR, START, None, START)
    assert first == await outside.prices(START - HOUR, START)
    outside.dearer_eur = 5.0
    outside.now += HOUR
    await outside.poll("entsoe")
    corrected = await outside.prices(START - HOUR, START)
    assert [s.value for s in corrected] == [(s.value or 0) + 5 for s in first]
    assert first == await outside.store.values("blominmaki", PRICE, START - HOUR, START, None, START + HOUR)


@pytest.mark.parametrize(
    ("fault", "says"), [("refuse_auth", "401"), ("garbage", "no price document"), ("unavailable", "503")]
)
async def test_when_the_platform_fails_the_known_prices_stay(outside: Outside, fault: str, says: str) -> None:
    await outside.poll("entsoe")
    outside.faults["entsoe"] = fault
    outside.now += HOUR
    error = await outside.poll("entsoe")
    assert error is not None
    assert says in error
    latest = await outside.store.latest("blominmaki", PRICE, outside.now, good_only=True)
    assert latest is not None
    assert latest.value == 10.0
    assert (await outside.health("entsoe")).error == error


async def test_a_platform_that_is_down_and_back_is_healthy_again(outside: Outside) -> None:
    await outside.servers["entsoe"].stop()
    error = await outside.poll("entsoe")
    assert error is not None
    assert "ENTSO-E does not answer" in error
    await outside.servers["entsoe"].start()
    assert await outside.poll("entsoe") is None
    assert (await outside.health("entsoe")).error is None


async def test_nothing_published_is_no_fault_but_said(outside: Outside) -> None:
    outside.faults["entsoe"] = "no_data"
    assert await outside.poll("entsoe") == "no price of 2026-02-17T09:07Z is published"
    health = await outside.health("entsoe")
    assert health.last_success_at == START

"""When a run is due by itself: every hour of plant time and for news, one run for one reason."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
import structlog

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.embedded.process import free_port
from headworks.common.handling import Delivery
from headworks.common.messages import Award, AwardInterval, Forecast, ForecastStep
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.optimizer.scheduler import Scheduler
from headworks.optimizer.store import RunStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.station_site import StationSite

DELIVERY = Delivery("market.abay.EN", "m1", 1, 1, datetime(2026, 2, 17, tzinfo=UTC))


@pytest.fixture
def scheduler(site: AfterbaySite, store: RunStore, clock: Clock) -> Scheduler:
    return Scheduler(site, store, clock)


async def queued(store: RunStore) -> list[tuple[str, str]]:
    """Every run with its reason, oldest first."""
    return [(run.run_id, run.reason) for run in reversed(await store.newest("abay", 100))]


@asynccontextmanager
async def scheduling(scheduler: Scheduler) -> AsyncIterator[None]:
    async with in_background(scheduler.every_period()):
        yield


def award(known_at: datetime, day: date = date(2026, 2, 18)) -> Award:
    start = datetime(2026, 2, 18, 8, tzinfo=UTC)
    interval = AwardInterval(start=start, end=start + timedelta(hours=1), power_mw=40.0)
    return Award(
        site="abay", resource="MDFKRL_2_PROJCT", product="EN", trade_date=day, known_at=known_at, intervals=(interval,)
    )


def forecast(issued_at: datetime, known_at: datetime, series: str = "r4_flow_m3s", source: str = "cnrfc") -> Forecast:
    return Forecast(
        site="abay",
        series=series,
        source=source,
        issued_at=issued_at,
        known_at=known_at,
        step_s=3600,
        steps=(ForecastStep(valid_at=issued_at, value=1.0),),
    )


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-02-17T18:01:59Z", "2026-02-17T17:00:00Z"),
        ("2026-02-17T18:02:00Z", "2026-02-17T18:00:00Z"),
        ("2026-02-17T18:59:59Z", "2026-02-17T18:00:00Z"),
        ("2026-02-18T00:02:00Z", "2026-02-18T00:00:00Z"),
    ],
)
def test_a_run_is_due_two_minutes_after_the_hour(scheduler: Scheduler, at: str, due: str) -> None:
    assert scheduler.period_begun(datetime.fromisoformat(at)) == datetime.fromisoformat(due)


async def test_every_hour_of_plant_time_gets_one_run_however_many_schedulers(
    site: AfterbaySite, store: RunStore
) -> None:
    # An hour of plant time a second, from a minute past six.
    clock = Clock(datetime(2026, 2, 17, 18, 30, tzinfo=UTC), wall_epoch_s=time.time(), speed=3600)
    async with scheduling(Scheduler(site, store, clock)), scheduling(Scheduler(site, store, clock)):

        async def three_begun() -> bool:
            begun = [run_id for run_id, _ in await queued(store) if await store.begin(run_id)]
            return len(begun) >= 3

        await eventually(three_begun)
    runs = await queued(store)
    assert [run_id for run_id, _ in runs[:3]] == ["abay-20260217T1800", "abay-20260217T1900", "abay-20260217T2000"]
    assert {reason for _, reason in runs} == {"scheduled"}


async def test_while_a_run_waits_no_other_is_queued_until_it_must_be_lost(site: AfterbaySite, store: RunStore) -> None:
    clock = Clock(datetime(2026, 2, 17, 18, 30, tzinfo=UTC), wall_epoch_s=time.time(), speed=3600)
    async with scheduling(Scheduler(site, store, clock)):

        async def another() -> bool:
            return len(await queued(store)) == 2

        await eventually(another)
    first, second = [run_id for run_id, _ in await queued(store)]
    assert (first, second) == ("abay-20260217T1800", "abay-20260217T2300")


async def test_a_station_is_due_a_minute_after_every_quarter_hour(station_site: StationSite, store: RunStore) -> None:
    scheduler = Scheduler(station_site, store, Clock(datetime(2026, 3, 10, tzinfo=UTC), wall_epoch_s=0.0, speed=1e-18))
    for at, due in (
        ("2026-03-10T11:00:59Z", "2026-03-10T10:45:00Z"),
        ("2026-03-10T11:01:00Z", "2026-03-10T11:00:00Z"),
        ("2026-03-10T11:15:59Z", "2026-03-10T11:00:00Z"),
        ("2026-03-10T11:16:00Z", "2026-03-10T11:15:00Z"),
    ):
        assert scheduler.period_begun(datetime.fromisoformat(at)) == datetime.fromisoformat(due)


async def test_a_new_award_is_a_reason_and_the_same_one_heard_again_is_not(
    scheduler: Scheduler, store: RunStore, now: datetime
) -> None:
    for _ in range(2):
        await scheduler.on_award(award(now), DELIVERY)
    await scheduler.on_award(award(now - timedelta(minutes=5)), DELIVERY)
    reason = "new award of 2026-02-18"
    assert sorted(await queued(store)) == [
        ("abay-award-20260218-20260217T181500", reason),
        ("abay-award-20260218-20260217T182000", reason),
    ]


async def test_one_issue_of_all_series_is_one_reason(scheduler: Scheduler, store: RunStore, now: datetime) -> None:
    issued_at = now - timedelta(hours=3)
    for series in ("r4_flow_m3s", "r20_flow_m3s", "r30_flow_m3s"):
        await scheduler.on_forecast(forecast(issued_at, now, series), DELIVERY)
    assert await queued(store) == [("abay-forecast-20260217T1520", "new forecast of 2026-02-17 15:20Z")]


async def test_what_is_held_for_want_of_a_forecast_is_no_news(
    scheduler: Scheduler, store: RunStore, now: datetime
) -> None:
    await scheduler.on_forecast(forecast(now, now, source="held"), DELIVERY)
    assert await queued(store) == []


@pytest.mark.parametrize(("age", "runs"), [(timedelta(hours=1), 2), (timedelta(hours=1, seconds=1), 0)])
async def test_what_a_scheduled_run_has_used_already_is_no_news(
    scheduler: Scheduler, store: RunStore, now: datetime, age: timedelta, runs: int
) -> None:
    await scheduler.on_award(award(now - age), DELIVERY)
    await scheduler.on_forecast(forecast(now - age, now - age), DELIVERY)
    assert len(await queued(store)) == runs


async def test_without_the_database_the_scheduler_waits(
    site: AfterbaySite, store: RunStore, clock: Clock, database_url: str, postgres_server: PostgresServer
) -> None:
    port = free_port()
    beyond = Database(re.sub(r":\d+/", f":{port}/", database_url))
    with structlog.testing.capture_logs() as logs:
        async with scheduling(Scheduler(site, RunStore(beyond), clock)):
            await eventually(lambda: any("waits for the database" in log["event"] for log in logs))
            async with link(port, postgres_server.port):

                async def came() -> bool:
                    return bool(await queued(store))

                await eventually(came)
                await beyond.close()


@asynccontextmanager
async def link(port: int, to_port: int) -> AsyncIterator[None]:
    """A way from one loopback port to another."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to_port)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    async with await asyncio.start_server(on_client, "127.0.0.1", port):
        yield

"""Collecting awards: today's, tomorrow's when it is due, and a market that is late or down."""

import asyncio
from datetime import UTC, date, datetime

from collect_rig import HOUR, Outside, stopped

from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.handling import Delivery
from headworks.common.messages import Award
from headworks.common.subjects import MARKET
from headworks.common.tasks import end
from headworks.common.testing import eventually
from headworks.ingest.collect import AwardCollector


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

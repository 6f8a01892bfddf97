"""Collecting forecasts: each issue stored and told once, and what stands in where a forecaster is away."""

import asyncio
from datetime import UTC, datetime, timedelta

from collect_rig import MINUTE, Outside

from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.handling import Delivery
from headworks.common.messages import Forecast
from headworks.common.subjects import FORECAST
from headworks.common.tasks import end
from headworks.common.testing import eventually


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

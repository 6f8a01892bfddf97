"""From the bus to a raised alarm: real NATS, real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from headworks.alerts.monitor import Monitor
from headworks.alerts.sections import Alarm
from headworks.alerts.store import AlarmStore
from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.messages import AlarmState, Basis, Measurements, PlanReply, Quality, Refusal, Sample
from headworks.common.service import Task
from headworks.common.subjects import PLAN_REPLY, TELEMETRY
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.waterway.site_file import AnySite

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-12)


async def _run(task: Task) -> None:
    await task()


@asynccontextmanager
async def watching(monitor: Monitor, bus: Bus) -> AsyncIterator[None]:
    async with in_background(*(_run(task) for task in monitor.tasks(bus).values())):
        yield


def elevation(value_m: float) -> Measurements:
    sample = Sample(series="elevation_m", valid_at=NOW, value=value_m, quality=Quality.GOOD)
    return Measurements(site="abay", source="pi", known_at=NOW, samples=(sample,))


async def test_a_low_reservoir_is_raised_and_returns(
    site: AnySite, alarms: dict[str, Alarm], store: AlarmStore, bus: Bus
) -> None:
    async with watching(Monitor(site, alarms, store, CLOCK), bus):
        await bus.publish(TELEMETRY, elevation(355.0), site="abay", source="pi")
        await eventually(lambda: is_in(store, "reservoir_low", AlarmState.ACTIVE_UNACKNOWLEDGED))
        await bus.publish(TELEMETRY, elevation(356.5), site="abay", source="pi")
        await eventually(lambda: is_in(store, "reservoir_low", AlarmState.RETURNED_UNACKNOWLEDGED))


async def test_a_station_hears_of_its_level_and_its_prices(
    station: AnySite, station_alarms: dict[str, Alarm], store: AlarmStore, bus: Bus
) -> None:
    level = Sample(series="tunnel_level_m", valid_at=NOW, value=7.5, quality=Quality.GOOD)
    monitor = Monitor(station, station_alarms, store, CLOCK)
    async with watching(monitor, bus):
        told = Measurements(site="blominmaki", source="pi", known_at=NOW, samples=(level,))
        await bus.publish(TELEMETRY, told, site="blominmaki", source="pi")
        await eventually(lambda: is_in(store, "tunnel_high", AlarmState.ACTIVE_UNACKNOWLEDGED, "blominmaki"))
        assert await holds(store, "price_missing", "blominmaki")
        hours = [NOW + timedelta(hours=hour) for hour in range(24)]
        prices = tuple(
            Sample(
                series="day_ahead_price_eur_per_mwh",
                valid_at=hour,
                value=9.0,
                quality=Quality.GOOD,
                basis=Basis.HOUR_MEAN,
            )
            for hour in hours
        )
        known = Measurements(site="blominmaki", source="entsoe", known_at=NOW, samples=prices)
        await bus.publish(TELEMETRY, known, site="blominmaki", source="entsoe")

        async def prices_are_known() -> bool:
            return not await holds(store, "price_missing", "blominmaki")

        await eventually(prices_are_known)


async def test_what_was_measured_before_the_start_is_known(
    site: AnySite, alarms: dict[str, Alarm], store: AlarmStore, bus: Bus
) -> None:
    await bus.publish(TELEMETRY, elevation(355.0), site="abay", source="pi")
    async with watching(Monitor(site, alarms, store, CLOCK), bus):
        await eventually(lambda: is_in(store, "reservoir_low", AlarmState.ACTIVE_UNACKNOWLEDGED))


async def test_a_refusal_while_the_alerts_were_down_is_not_lost(
    site: AnySite, alarms: dict[str, Alarm], store: AlarmStore, bus: Bus
) -> None:
    refusal = Refusal(field="intervals.0.targets.target_value", value=9.0, expected="at most 5.8 MW")
    refused = PlanReply(
        submission_id="s1", publisher="vendor", site="abay", at=NOW, accepted=False, refusals=(refusal,)
    )
    accepted = PlanReply(submission_id="s0", publisher="vendor", site="abay", at=NOW, accepted=True)

    async def refused_is_heard() -> bool:
        await bus.publish(PLAN_REPLY, refused, publisher="vendor", site="abay")
        return await is_in(store, "plan_refused", AlarmState.ACTIVE_UNACKNOWLEDGED)

    async with watching(Monitor(site, alarms, store, CLOCK), bus):
        # The consumer's place in the stream is made at its first start; hearing a message shows that it is there.
        await eventually(refused_is_heard, every_s=0.2)
        await bus.publish(PLAN_REPLY, accepted, publisher="vendor", site="abay")
        await eventually(lambda: is_in(store, "plan_refused", AlarmState.RETURNED_UNACKNOWLEDGED))
    await bus.publish(PLAN_REPLY, refused, publisher="vendor", site="abay")
    async with watching(Monitor(site, alarms, store, CLOCK), bus):
        await eventually(lambda: is_in(store, "plan_refused", AlarmState.ACTIVE_UNACKNOWLEDGED), timeout_s=20)


async def is_in(store: AlarmStore, name: str, state: AlarmState, site: str = "abay") -> bool:
    return (await store.records(site, [name], NOW))[name].state is state


async def holds(store: AlarmStore, name: str, site: str) -> bool:
    return (await store.records(site, [name], NOW))[name].holds

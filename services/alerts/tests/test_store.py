"""A change of state, its journal entry, its message and its notices are one; on a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from headworks.alerts import tables
from headworks.alerts.conditions import Cause, Reading
from headworks.alerts.lifecycle import Changed, Denied, Record, acknowledge, observe
from headworks.alerts.sections import Alarm
from headworks.alerts.store import AlarmStore
from headworks.common.bus import Bus
from headworks.common.messages import AlarmState, AlarmTransition
from headworks.common.subjects import ALARM
from headworks.common.tasks import in_background

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAME = "e_stop"


async def see(store: AlarmStore, alarms: dict[str, Alarm], holds: bool, at: datetime = NOW) -> Changed | Denied:
    reading = Reading(holds, "pressed by ann")
    decide: Callable[[Record], Changed] = lambda record: observe(alarms[NAME], record, reading, at)  # noqa: E731
    return (await store.change("abay", alarms, {NAME: decide}, at))[NAME]


async def statuses(store: AlarmStore) -> list[str]:
    async with store.database.transaction() as connection:
        found = await connection.execute(select(tables.notices.c.status).order_by(tables.notices.c.notice_id))
        return list(found.scalars())


async def test_a_raised_alarm_is_kept_journalled_and_addressed(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    await see(store, alarms, True)
    record = (await store.records("abay", [NAME], NOW))[NAME]
    assert (record.state, record.text) == (AlarmState.ACTIVE_UNACKNOWLEDGED, "pressed by ann")
    [entry] = await store.journal("abay", 10, None)
    assert (entry.from_state, entry.to_state, entry.by) == (
        AlarmState.NORMAL,
        AlarmState.ACTIVE_UNACKNOWLEDGED,
        "monitor",
    )
    assert await statuses(store) == ["PENDING"]


async def test_seeing_the_same_again_changes_nothing(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    for _ in range(3):
        await see(store, alarms, True)
    assert len(await store.journal("abay", 10, None)) == 1
    assert await statuses(store) == ["PENDING"]


async def test_a_notice_within_the_cooldown_is_held_back_but_kept(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    for minute in (0, 10, 20, 31):
        await see(store, alarms, True, NOW + minute * MINUTE)
        await see(store, alarms, False, NOW + (minute + 1) * MINUTE)
    assert await statuses(store) == ["PENDING", "COOLDOWN", "COOLDOWN", "PENDING"]
    assert len(await store.journal("abay", 100, None)) == 8


async def test_an_acknowledgement_names_who(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    await see(store, alarms, True)
    decide = partial(acknowledge, by="ann", comment="on it", now=NOW)
    outcome = (await store.change("abay", alarms, {NAME: decide}, NOW))[NAME]
    assert isinstance(outcome, Changed)
    newest = (await store.journal("abay", 1, NAME))[0]
    assert (newest.by, newest.text, newest.to_state) == ("ann", "on it", AlarmState.ACTIVE_ACKNOWLEDGED)


async def test_two_acknowledgements_at_once_give_one(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    await see(store, alarms, True)
    decide = partial(acknowledge, by="ann", comment="", now=NOW)
    both = await asyncio.gather(*(store.change("abay", alarms, {NAME: decide}, NOW) for _ in range(2)))
    assert sorted(type(outcome[NAME]).__name__ for outcome in both) == ["Changed", "Denied"]
    assert len(await store.journal("abay", 10, None)) == 2


async def test_a_decision_that_fails_leaves_nothing_behind(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    def raise_alarm(record: Record) -> Changed:
        return observe(alarms[NAME], record, Reading(True, "pressed"), NOW)

    def fail(_record: Record) -> Changed:
        raise RuntimeError("a fault in a decision")

    with pytest.raises(RuntimeError, match="a fault in a decision"):
        await store.change("abay", alarms, {NAME: raise_alarm, "plc_lost": fail}, NOW)
    assert await store.journal("abay", 10, None) == []
    assert (await store.records("abay", [NAME], NOW))[NAME].state is AlarmState.NORMAL


async def test_causes_outlive_a_restart(store: AlarmStore, alarms: dict[str, Alarm]) -> None:
    causes = {"OXPH": Cause("no answer", NOW)}

    def with_cause(record: Record) -> Changed:
        return Changed(Record(record.state, record.since, True, NOW, causes=causes))

    await store.change("abay", alarms, {"plc_lost": with_cause}, NOW)
    assert (await store.records("abay", ["plc_lost"], NOW))["plc_lost"].causes == causes


async def test_the_transition_reaches_the_bus(store: AlarmStore, alarms: dict[str, Alarm], bus: Bus) -> None:
    await see(store, alarms, True)
    heard: asyncio.Future[AlarmTransition] = asyncio.get_running_loop().create_future()

    async def on_alarm(message: AlarmTransition, _delivery: object) -> None:
        heard.set_result(message)

    async with in_background(store.outbox.relay(store.database, bus), bus.consume(ALARM, on_alarm, durable="test")):
        message = await asyncio.wait_for(heard, 10)
    assert (message.alarm, message.to_state, message.severity) == (NAME, AlarmState.ACTIVE_UNACKNOWLEDGED, "critical")

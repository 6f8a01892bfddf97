"""A change and its message go together: both or neither, published in order, and once by its id whatever falls in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.aio.client import Client
from sqlalchemy import MetaData, select, text
from sqlalchemy.schema import CreateSchema

from headworks.common.bus import Bus
from headworks.common.database import Database, metadata_of
from headworks.common.embedded.nats import NatsServer
from headworks.common.link import BusUnavailable
from headworks.common.messages import ControlMode, ControlState
from headworks.common.outbox import BATCH, Outbox, outbox_table
from headworks.common.subjects import CONTROL_STATE
from headworks.common.tasks import in_background
from headworks.common.testing import eventually, stored

AT = datetime(2026, 2, 17, tzinfo=UTC)
metadata: MetaData = metadata_of("boxes")
table = outbox_table(metadata)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    async with opened.transaction() as connection:
        await connection.execute(CreateSchema("boxes"))
        await connection.run_sync(metadata.create_all)
    yield opened
    await opened.close()


async def add(outbox: Outbox, database: Database, *names: str) -> None:
    async with database.transaction() as connection:
        for name in names:
            state = ControlState(site=name.replace(".", "-"), at=AT, mode=ControlMode.AUTO, e_stop=False, resources=())
            await outbox.add(connection, CONTROL_STATE, state, f"state:{name}", site=name)
    outbox.wake()


async def published(bus: Bus) -> list[str]:
    """The sites of all states in the stream."""
    return [message.site for message in await stored(bus, CONTROL_STATE)]


async def unsent(database: Database) -> list[str]:
    async with database.transaction() as connection:
        rows = await connection.execute(select(table.c.message_id).where(table.c.sent_at.is_(None)))
        return [row.message_id for row in rows]


async def all_sent(database: Database) -> bool:
    return not await unsent(database)


async def test_what_is_rolled_back_is_never_published(bus: Bus, database: Database) -> None:
    outbox = Outbox(table)
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            state = ControlState(site="lost", at=AT, mode=ControlMode.AUTO, e_stop=False, resources=())
            await outbox.add(connection, CONTROL_STATE, state, "state:lost", site="lost")
            raise ZeroDivisionError
    await add(outbox, database, "kept")
    async with in_background(outbox.relay(database, bus)):
        await eventually(lambda: all_sent(database))
    assert await published(bus) == ["kept"]


async def test_a_crash_between_commit_and_publish_loses_nothing(bus: Bus, database: Database) -> None:
    await add(Outbox(table), database, "a", "b")  # the process ends here, before its relay woke
    async with in_background(Outbox(table).relay(database, bus)):
        await eventually(lambda: all_sent(database))
    assert await published(bus) == ["a", "b"]


async def test_a_crash_between_publish_and_mark_publishes_once_by_id(bus: Bus, database: Database) -> None:
    outbox = Outbox(table)
    await add(outbox, database, "a")
    async with in_background(outbox.relay(database, bus)):
        await eventually(lambda: all_sent(database))
    async with database.transaction() as connection:
        await connection.execute(text("update boxes.outbox set sent_at = null"))
    async with in_background(Outbox(table).relay(database, bus)):
        await eventually(lambda: all_sent(database))
    assert await published(bus) == ["a"]


async def test_many_messages_of_two_relays_each_come_once(bus: Bus, database: Database) -> None:
    names = [f"site{i}" for i in range(BATCH + 20)]
    outbox = Outbox(table)
    await add(outbox, database, *names)
    async with in_background(outbox.relay(database, bus)), in_background(Outbox(table).relay(database, bus)):
        await eventually(lambda: all_sent(database))
    assert sorted(await published(bus)) == sorted(names)


async def test_one_relay_keeps_the_order_over_its_batches(bus: Bus, database: Database) -> None:
    names = [f"site{i}" for i in range(BATCH + 20)]
    outbox = Outbox(table)
    await add(outbox, database, *names)
    async with in_background(outbox.relay(database, bus)):
        await eventually(lambda: all_sent(database))
    assert await published(bus) == names


async def test_without_the_bus_messages_wait_and_go_when_it_is_back(
    bus: Bus, nats_server: NatsServer, database: Database
) -> None:
    outbox = Outbox(table)
    async with in_background(outbox.relay(database, bus)):
        nats_server.stop()
        await eventually(lambda: not bus.is_connected)
        await add(outbox, database, "a")
        nats_server.start()
        await eventually(lambda: bus.is_connected)
        await eventually(lambda: all_sent(database))
    assert await published(bus) == ["a"]


class BreaksAfter(Bus):
    """A real bus whose link breaks after so many messages."""

    def __init__(self, bus: Bus, messages: int) -> None:
        super().__init__(Client(), "test")
        self._bus, self._left = bus, messages

    async def publish_raw(self, name: str, body: bytes, headers: dict[str, str], *, in_stream: bool = True) -> None:
        if not self._left:
            raise BusUnavailable("gone")
        self._left -= 1
        await self._bus.publish_raw(name, body, headers, in_stream=in_stream)


async def test_what_went_out_before_the_link_broke_is_marked_and_not_sent_again(bus: Bus, database: Database) -> None:
    outbox = Outbox(table)
    await add(outbox, database, "a", "b", "c")

    async def only_c() -> bool:
        return await unsent(database) == ["state:c"]

    async with in_background(outbox.relay(database, BreaksAfter(bus, 2))):
        await eventually(only_c)
    assert await published(bus) == ["a", "b"]


async def test_a_subject_that_cannot_be_fails_the_change_itself(database: Database) -> None:
    with pytest.raises(ValueError, match="cannot stand in subject"):
        await add(Outbox(table), database, "a", "b.c")
    assert await unsent(database) == []


async def test_a_fault_of_ours_ends_the_relay(bus: Bus, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("drop table boxes.outbox"))
    with pytest.raises(Exception, match="outbox"):
        await asyncio.wait_for(Outbox(table).relay(database, bus), 5)


async def test_what_was_sent_long_ago_is_cleared_in_batches_and_what_is_unsent_stays_however_old(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.common.outbox.CLEAR_BATCH", 2)
    monkeypatch.setattr("headworks.common.outbox.CLEAR_EVERY_S", 0.01)
    outbox = Outbox(table)
    await add(outbox, database, "a", "b", "c", "d", "e", "young", "unsent")
    sent = "update boxes.outbox set created_at = now() - interval '1 year', sent_at = "
    sent += "case message_id when 'state:young' then now() - interval '47 h' else now() - interval '49 h' end"
    await database.fetch(sent)
    await database.fetch("update boxes.outbox set sent_at = null where message_id = 'state:unsent'")

    async def left() -> set[str]:
        return {row["message_id"] for row in await database.fetch("select message_id from boxes.outbox")}

    async def cleared() -> bool:
        return len(await left()) <= 2

    # Two services' processes may share a table.
    async with in_background(outbox.keep_cleared(database, 2), Outbox(table).keep_cleared(database, 2)):
        await eventually(cleared)
    assert await left() == {"state:young", "state:unsent"}


async def test_a_database_that_is_away_is_waited_for_and_a_wrong_table_is_a_fault(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.common.outbox.CLEAR_EVERY_S", 0.01)
    away = Database("postgresql+asyncpg://headworks@127.0.0.1:1/headworks")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Outbox(table).keep_cleared(away, 2), 0.3)
    await away.close()
    await database.fetch("drop table boxes.outbox")
    with pytest.raises(Exception, match="outbox"):
        await asyncio.wait_for(Outbox(table).keep_cleared(database, 2), 10)


def test_every_service_that_relays_an_outbox_clears_it(sites_folder: Path) -> None:
    mains = [path.read_text() for path in (sites_folder.parent / "services").glob("*/src/headworks/*/main.py")]
    relaying = [text for text in mains if "outbox.relay(" in text]
    assert len(relaying) == 5
    assert all("outbox.keep_cleared(" in text or "keep_tidy(" in text for text in relaying)

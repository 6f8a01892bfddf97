"""Shipping: what the journal holds reaches PostgreSQL and the bus once, in order, whatever was away meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from headworks.common.bus import Bus, Deliver
from headworks.common.database import Database
from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.messages import Setpoint
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.subjects import SETPOINT
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.shipping import Shipper

Make = Callable[[str], Setpoint]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "control_gateway", dict(migration_folders())["control_gateway"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


async def stored(shipper: Shipper) -> list[str]:
    """What the database holds, oldest first."""
    return [entry.setpoint_id for entry in reversed(await shipper.entries("abay", None, 1000))]


class Hearer:
    """All setpoints that the bus gives to one who listens from the start."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def hear(self, bus: Bus) -> None:
        async for setpoint, _delivery in bus.follow(SETPOINT, deliver=Deliver.ALL):
            self.heard.append(setpoint.setpoint_id)


async def test_entries_reach_the_database_and_the_bus_at_once_and_in_order(
    journal: Journal, database: Database, bus: Bus, entry: Make
) -> None:
    shipper, hearer = Shipper(journal, database), Hearer()
    names = [f"e{number:03d}" for number in range(230)]
    async with in_background(shipper.ship(), shipper.outbox.relay(database, bus), hearer.hear(bus)):
        for name in names:
            assert journal.append(entry(name))
        await eventually(lambda: hearer.heard == names)
        journal.append(entry("later"))
        await eventually(lambda: hearer.heard == [*names, "later"])
    assert await stored(shipper) == [*names, "later"]
    assert journal.unshipped()[0] == []


async def test_entries_of_one_resource_are_found_newest_first(
    journal: Journal, database: Database, entry: Make
) -> None:
    shipper = Shipper(journal, database)
    journal.append(entry("a"))
    journal.append(entry("b").model_copy(update={"resource": "OTHER"}))
    journal.append(entry("c"))
    assert await shipper._ship_batch()
    assert [e.setpoint_id for e in await shipper.entries("abay", "OXPH", 10)] == ["c", "a"]
    assert [e.setpoint_id for e in await shipper.entries("abay", None, 2)] == ["c", "b"]
    assert await shipper.entries("elsewhere", None, 10) == []


async def test_nothing_is_doubled_by_a_crash_between_the_commit_and_the_mark(
    tmp_path: Path, journal: Journal, database: Database, bus: Bus, entry: Make
) -> None:
    for name in ("a", "b"):
        journal.append(entry(name))
    assert await Shipper(journal, database)._ship_batch()
    (tmp_path / "state" / "journal.shipped").unlink()
    again, hearer = Journal(tmp_path / "state"), Hearer()
    assert [e.setpoint_id for e in again.unshipped()[0]] == ["a", "b"]
    again.append(entry("c"))
    shipper = Shipper(again, database)
    async with in_background(shipper.ship(), shipper.outbox.relay(database, bus), hearer.hear(bus)):
        await eventually(lambda: hearer.heard == ["a", "b", "c"])
    assert await stored(shipper) == ["a", "b", "c"]


async def test_an_outage_of_database_and_bus_loses_and_doubles_nothing(
    server_folder: Path, tmp_path: Path, journal: Journal, entry: Make
) -> None:
    postgres, nats_server = PostgresServer(server_folder / "shipping"), NatsServer(tmp_path / "own-nats")
    postgres.start()
    nats_server.start()
    try:
        folder = dict(migration_folders())["control_gateway"]
        await asyncio.to_thread(upgrade, postgres.url(), "control_gateway", folder)
        database, hearer = Database(postgres.url()), Hearer()
        shipper = Shipper(journal, database)
        async with await Bus.connect(nats_server.url, "test") as bus:
            await bus.declare_streams()
            async with in_background(shipper.ship(), shipper.outbox.relay(database, bus), hearer.hear(bus)):
                journal.append(entry("before"))
                await eventually(lambda: hearer.heard == ["before"])
                await asyncio.to_thread(postgres.stop)
                nats_server.stop()
                for number in range(5):
                    assert journal.append(entry(f"during{number}"))
                await asyncio.to_thread(postgres.start)
                await eventually(lambda: journal.unshipped()[0] == [], timeout_s=20)
                journal.append(entry("after"))
                nats_server.start()
                expected = ["before", *(f"during{number}" for number in range(5)), "after"]
                await eventually(lambda: hearer.heard == expected, timeout_s=30)
            assert await stored(shipper) == expected
        await database.close()
    finally:
        nats_server.stop()
        postgres.stop()


async def test_a_line_that_cannot_be_read_does_not_stop_what_follows(
    tmp_path: Path, journal: Journal, database: Database, entry: Make
) -> None:
    for name in ("a", "b"):
        journal.append(entry(name))
    path = tmp_path / "state" / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"a"', b"!!!"))
    shipper = Shipper(journal, database)
    assert await shipper._ship_batch()
    assert await stored(shipper) == ["b"]
    path.write_bytes(path.read_bytes().replace(b'"b"', b"!!!"))
    unread = Shipper(Journal(tmp_path / "state"), database)
    assert await unread._ship_batch() == 0


async def test_a_database_without_its_tables_is_a_fault_that_is_told(
    journal: Journal, database: Database, entry: Make
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("drop table control_gateway.journal"))
    journal.append(entry("a"))
    with pytest.raises(Exception, match="journal"):
        await asyncio.wait_for(Shipper(journal, database).ship(), 10)
    assert [e.setpoint_id for e in journal.unshipped()[0]] == ["a"]

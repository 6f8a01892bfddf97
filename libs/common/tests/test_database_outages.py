"""What a caller meets at a value that fits nowhere, and while the server stops, crashes and starts again.

A service's task waits for a database that is away; at any other error it ends, and the service with it.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.tasks import end


async def one(database: Database, number: int, *, by_driver: bool) -> object:
    if by_driver:
        return (await database.fetch("select $1::bigint", number))[0][0]
    async with database.transaction() as connection:
        return (await connection.execute(text("select cast(:n as bigint)"), {"n": number})).scalar_one()


@pytest.mark.parametrize("by_driver", [True, False])
async def test_a_value_no_column_can_hold_is_not_waited_for(database_url: str, *, by_driver: bool) -> None:
    database = Database(database_url)
    with pytest.raises((asyncpg.DataError, DBAPIError), match="out of int64 range"):
        await one(database, 2**70, by_driver=by_driver)
    await database.close()


FAREWELL = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@dataclass
class BetweenUs:
    """A way to the server that can speak in its place."""

    url: str
    to_clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry everything both ways."""
        there = make_url(self.url)
        from_server, to_server = await asyncio.open_connection(there.host, there.port)
        self.to_clients.append(writer)
        await asyncio.gather(carry(reader, to_server), carry(from_server, writer))

    def say_farewell(self) -> None:
        """Say what a server says as it ends a connection, which stays open."""
        for writer in self.to_clients:
            writer.write(b"E" + struct.pack("!i", len(FAREWELL) + 4) + FAREWELL)

    def close(self) -> None:
        """Close every connection."""
        for writer in self.to_clients:
            writer.close()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def between(url: str) -> AsyncIterator[tuple[BetweenUs, Database]]:
    way = BetweenUs(url)
    server = await asyncio.start_server(way.on_client, "127.0.0.1", 0)
    database = Database(make_url(url).set(port=server.sockets[0].getsockname()[1]).render_as_string(False))
    try:
        yield way, database
    finally:
        await database.close()
        way.close()
        server.close()
        await server.wait_closed()


async def test_a_connection_said_farewell_to_and_not_closed_yet_is_a_database_that_is_away(database_url: str) -> None:
    async with between(database_url) as (way, database):
        assert await one(database, 7, by_driver=True) == 7
        way.say_farewell()
        await asyncio.sleep(0.1)
        with pytest.raises(DatabaseUnavailable, match="another operation"):
            await one(database, 7, by_driver=True)
        way.close()
        await asyncio.sleep(0.1)
        assert await one(database, 7, by_driver=True) == 7


async def test_who_asks_first_whether_a_connection_stands_takes_another(database_url: str) -> None:
    async with between(database_url) as (way, database):
        assert await one(database, 7, by_driver=False) == 7
        way.say_farewell()
        await asyncio.sleep(0.1)
        assert await one(database, 7, by_driver=False) == 7


@pytest.fixture
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A server of the test's own, to stop and to crash."""
    server = PostgresServer(server_folder / "outages", durable=False)
    server.start()
    yield server
    server.stop()


async def test_whatever_a_caller_meets_while_the_server_restarts_and_crashes_is_an_outage(
    postgres: PostgresServer,
) -> None:
    met, answered = list[Exception](), 0

    async def ask_for_ever(database: Database, *, by_driver: bool) -> None:
        nonlocal answered
        while True:
            try:
                await one(database, 7, by_driver=by_driver)
                answered += 1
            except Exception as error:  # noqa: BLE001 looked at below
                met.append(error)
                await asyncio.sleep(0.005)

    database = Database(postgres.url())
    asking = [asyncio.create_task(ask_for_ever(database, by_driver=turn % 2 == 0)) for turn in range(10)]
    for stop in (postgres.stop, postgres.crash, postgres.stop, postgres.stop, postgres.crash):
        await asyncio.to_thread(stop)
        await asyncio.to_thread(postgres.start)
        before = answered
        async with asyncio.timeout(30):
            while answered < before + 100:
                await asyncio.sleep(0.01)
    await end(*asking)
    await database.close()
    assert met
    assert [repr(error) for error in met if not isinstance(error, DatabaseUnavailable)] == []

"""What a caller meets at a value that fits nowhere, and while the server stops, crashes and starts again.

A service's task waits for a database that is away; at any other error it ends, and the service with it.
"""

import asyncio
import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

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


SAID = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
FAREWELL = b"E" + struct.pack("!i", len(SAID) + 4) + SAID
"""What a server says as it ends a connection."""
READY = b"Z\0\0\0\5I"
"""With what the answer to a statement ends."""


@dataclass
class BetweenUs:
    """A way to the server. Told so, it says farewell in its place behind the next answer, and closes nothing."""

    url: str
    says_farewell: bool = False
    served: list[asyncio.Task[None]] = field(default_factory=list)

    async def on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry everything both ways."""
        self.served.append(cast("asyncio.Task[None]", asyncio.current_task()))
        there = make_url(self.url)
        from_server, to_server = await asyncio.open_connection(there.host, there.port)
        await asyncio.gather(self.carry(reader, to_server), self.carry(from_server, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.says_farewell and data.endswith(READY):
                    data, self.says_farewell = data + FAREWELL, False
                writer.write(data)
        writer.close()


async def test_a_connection_said_farewell_to_and_not_closed_yet_is_an_outage_and_left(database_url: str) -> None:
    way = BetweenUs(database_url)
    async with await asyncio.start_server(way.on_client, "127.0.0.1", 0) as server:
        here = make_url(database_url).set(port=server.sockets[0].getsockname()[1])
        database = Database(here.render_as_string(hide_password=False))
        assert await one(database, 7, by_driver=True) == 7
        way.says_farewell = True
        assert await one(database, 7, by_driver=True) == 7
        with pytest.raises(DatabaseUnavailable, match=r"InternalClientError: .* another operation"):
            await one(database, 7, by_driver=True)
        assert await one(database, 7, by_driver=True) == 7
        await database.close()
    await asyncio.gather(*way.served)


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
            except Exception as error:  # noqa: BLE001 each is kept, and judged at the end
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

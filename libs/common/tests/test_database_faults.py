"""What an API answers when the database is away, when it calls a value bad, and when the statement itself is wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from headworks.common.database import Database
from headworks.common.embedded.process import free_port
from headworks.common.problems import install_problem_handlers


@asynccontextmanager
async def api(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app, database = FastAPI(), Database(database_url)
    install_problem_handlers(app)

    @app.post("/notes")
    async def note(content: str, kind: str = "text", *, by_driver: bool = False) -> str:
        if by_driver:
            return str((await database.fetch(f"select cast($1::text as {kind})", content))[0][0])
        async with database.transaction() as connection:
            found = await connection.execute(text(f"select cast(:content as {kind})"), {"content": content})
            return str(found.scalar_one())

    @app.post("/bookings")
    async def book(first: int, last: int, *, by_driver: bool) -> None:
        statement = f"insert into bookings values (int4range({first:d}, {last:d}))"  # two numbers
        if by_driver:
            await database.fetch(statement)
        else:
            async with database.transaction() as connection:
                await connection.execute(text(statement))

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await database.close()


@pytest.mark.parametrize("by_driver", [True, False])
@pytest.mark.parametrize(("content", "kind"), [("a\x00b", "text"), ('{"a": "\\u0000"}', "jsonb")])
async def test_a_value_that_cannot_be_stored_is_the_caller_s(
    database_url: str, content: str, kind: str, *, by_driver: bool
) -> None:
    async with api(database_url) as client:
        assert (await client.post("/notes", params={"content": "a b", "by_driver": by_driver})).json() == "a b"
        answer = await client.post("/notes", params={"content": content, "kind": kind, "by_driver": by_driver})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith("a value cannot be stored: ")


async def test_a_database_that_is_away_is_said_to_be(database_url: str) -> None:
    async with api(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none") as client:
        answer = await client.post("/notes", params={"content": "x"})
    assert (answer.status_code, answer.json()["title"]) == (503, "What this needs is away")


@pytest.mark.parametrize("by_driver", [True, False])
async def test_what_overlaps_what_is_there_is_a_conflict_that_says_with_what(
    database_url: str, *, by_driver: bool
) -> None:
    database = Database(database_url)
    await database.fetch("create table bookings (span int4range, exclude using gist (span with &&))")
    await database.close()
    async with api(database_url) as client:
        assert (await client.post("/bookings", params={"first": 1, "last": 5, "by_driver": by_driver})).is_success
        answer = await client.post("/bookings", params={"first": 4, "last": 6, "by_driver": by_driver})
    assert (answer.status_code, answer.json()["title"]) == (409, "It overlaps what is there")
    assert "[4,6)" in answer.json()["detail"]
    assert "[1,5)" in answer.json()["detail"]


async def test_a_wrong_statement_is_our_fault(database_url: str) -> None:
    async with api(database_url) as client:
        assert (await client.post("/notes", params={"content": "x", "kind": "no_such_type"})).status_code == 500

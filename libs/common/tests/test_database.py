"""Which database faults time can mend."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoneFree

from headworks.common.database import is_away


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (DBAPIError("select 1", {}, asyncpg.CannotConnectNowError("the database system is shutting down")), True),
        (DBAPIError("select 1", {}, asyncpg.AdminShutdownError("terminating")), True),
        (DBAPIError("select 1", {}, asyncpg.ConnectionDoesNotExistError("gone")), True),
        (DBAPIError("select 1", {}, Exception("whatever"), connection_invalidated=True), True),
        (DBAPIError("select 1", {}, asyncpg.InternalClientError("cannot switch to state 12; another operation")), True),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), True),
        (asyncpg.TooManyConnectionsError("sorry, too many clients already"), True),
        (asyncpg.InternalClientError("no binary format encoder for type"), False),
        (asyncpg.ProtocolError("out of sync"), False),
        (OperationalError("select 1", {}, asyncpg.InterfaceError("connection is closed")), True),
        (NoneFree("QueuePool limit reached"), True),
        (ConnectionRefusedError(), True),
        (DBAPIError("select 1", {}, Exception("whatever")), False),
        (ProgrammingError("select x", {}, asyncpg.UndefinedColumnError("x")), False),
        (ValueError("x"), False),
    ],
)
def test_a_server_that_starts_or_stops_is_away_and_a_wrong_statement_is_not(error: Exception, away: bool) -> None:
    assert is_away(error) is away

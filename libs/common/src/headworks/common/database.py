"""PostgreSQL: an engine per service on the service's own schema, and one name for all that says that it is away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_OUTAGES: tuple[type[Exception], ...] = (
    NoneFree,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.LockNotAvailableError,
    OSError,
)
"""Faults of the link or the server, no connection to be had, and a lock that another holds: the same call may succeed later."""
_FAREWELL = "cannot switch to state"
"""What the driver says to a call on a connection whose server has said that it ends and has not closed it yet."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class DatabaseUnavailable(Exception):
    """The database is away, has no connection free, or someone holds a lock for too long: the same call may succeed later.

    Its cause is the driver's own error.
    """


def metadata_of(schema: str) -> MetaData:
    """Table metadata of a service's schema, with names that migrations can rely on."""
    return MetaData(schema=schema, naming_convention=NAMING)


def raised_by_driver(error: Exception) -> Exception:
    """What the driver itself raised, where SQLAlchemy has wrapped it."""
    return error.driver_exception if isinstance(error, DBAPIError) and error.orig is not None else error


def is_away(error: Exception) -> bool:
    """Whether the error says that the database is not there, rather than that the statement is wrong."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    fault = raised_by_driver(error)
    farewell = isinstance(fault, asyncpg.InternalClientError) and _FAREWELL in str(fault)
    return farewell or isinstance(fault, _OUTAGES)


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the drivers name an outage in many ways; what is none is raised again
        if is_away(error):
            fault = raised_by_driver(error)
            raise DatabaseUnavailable(f"{type(fault).__name__}: {fault}") from fault
        raise


class Database:
    """A pool of connections; a unit of work is one transaction: `async with database.transaction() as connection`.

    A transaction or a fetch raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self._driver: asyncpg.Pool | None = None
        self._driver_connections = 2 * pool_size
        self._making = asyncio.Lock()
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            connect_args={"timeout": 5, "command_timeout": 30},
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an error."""
        with _outages_named():
            async with self._engine.begin() as connection:
                yield connection

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """One statement by the driver itself, prepared, a transaction of its own: one round trip, where speed counts."""
        with _outages_named():
            rows: list[asyncpg.Record] = await (await self._made_driver()).fetch(statement, *arguments)
        return rows

    @asynccontextmanager
    async def driver_transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction by the driver itself, where speed counts: a connection is not asked first whether it stands, which alone
        is three round trips.
        """
        with _outages_named():
            async with (await self._made_driver()).acquire() as connection, connection.transaction():
                yield connection

    async def _made_driver(self) -> asyncpg.Pool:
        async with self._making:
            if self._driver is None:
                self._driver = await self._driver_pool()
        return self._driver

    async def _driver_pool(self) -> asyncpg.Pool:
        _, where = self._engine.dialect.create_connect_args(self._engine.url)
        return await asyncpg.create_pool(
            **where,
            min_size=0,
            max_size=self._driver_connections,
            timeout=5,
            command_timeout=30,
            server_settings={"timezone": "UTC"},
            connection_class=_Unreset,
        )

    async def is_ready(self) -> bool:
        """Whether the database answers now."""
        try:
            async with self.transaction() as connection:
                await connection.execute(text("select 1"))
        except (DatabaseUnavailable, SQLAlchemyError, asyncpg.PostgresError):
            return False
        return True

    async def close(self) -> None:
        """Give the connections back."""
        if self._driver is not None:
            await self._driver.close()
            self._driver = None
        await self._engine.dispose()


class _Unreset(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that single statements leave as it was: nothing to reset, which would be a round trip more."""

    def get_reset_query(self) -> str:
        return ""

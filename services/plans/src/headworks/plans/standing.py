"""What a vendor may, held for as long as a transaction puts a plan of it in force.

Judged is not yet in force, and a preflight takes seconds: who is revoked or changed in between is judged again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import raised_by_driver

OVERTAKEN = "HW001"
"""The database's word for it: see migrations/sql/0015_vendor_standing.sql."""


class Overtaken(Exception):
    """A vendor may not any more what it might when its plan was judged."""


@contextmanager
def or_overtaken() -> Iterator[None]:
    """Raises Overtaken where the database says so, in whichever driver's words."""
    try:
        yield
    except (asyncpg.PostgresError, DBAPIError) as error:
        if getattr(raised_by_driver(error), "sqlstate", None) == OVERTAKEN:
            raise Overtaken(str(error)) from error
        raise


async def hold(connection: AsyncConnection, publisher: str, site: str, priority: int, *, shadow: bool = False) -> None:
    """Let nobody change the vendor until the transaction ends. Comes before the locks of actuators, inside `or_overtaken`."""
    await connection.execute(select(func.plans.hold_vendor(publisher, site, priority, shadow)))

"""Reads the record of plans: what was active at a past instant, and all versions of a span in batches."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from headworks.common.database import Database
from headworks.common.messages import Plan
from headworks.plans.rows import KINDS, Kind, plan_of

BATCH = 1000


async def known_at(
    database: Database, site: str, resource: str | None, at: datetime, start: datetime, end: datetime | None
) -> list[Plan]:
    """The plans that were active at an instant and cover some of [start, end), by resource and time.

    They come as they are now: one that has been superseded since says so.
    """
    plans: list[Plan] = []
    async with database.transaction() as connection:
        for kind in KINDS:
            t = kind.table
            active = (t.c.active_from <= at) & or_(t.c.active_until.is_(None), t.c.active_until > at)
            query = select(t).where(*_of(kind, site, resource), active, t.c.interval_end > start)
            if end is not None:
                query = query.where(t.c.interval_start < end)
            rows = await connection.execute(query.order_by(t.c[kind.resource], t.c.interval_start, t.c.plan_id))
            plans += [plan_of(kind, row) for row in rows.mappings()]
    return plans


async def versions(
    database: Database, site: str, resource: str | None, start: datetime, end: datetime
) -> AsyncIterator[list[Plan]]:
    """Every version that covers some of [start, end), by table and plan_id, in batches of a transaction each.

    A slow reader so holds no connection; what is added while it reads may come or not.
    """
    for kind in KINDS:
        t, last = kind.table, 0
        query = select(t).where(*_of(kind, site, resource), t.c.interval_end > start, t.c.interval_start < end)
        while True:
            async with database.transaction() as connection:
                batch = query.where(t.c.plan_id > last).order_by(t.c.plan_id).limit(BATCH)
                plans = [plan_of(kind, row) for row in (await connection.execute(batch)).mappings()]
            if plans:
                yield plans
                last = plans[-1].plan_id
            if len(plans) < BATCH:
                break


def _of(kind: Kind, site: str, resource: str | None) -> list[ColumnElement[bool]]:
    t = kind.table
    return [t.c.station_id == site, *([t.c[kind.resource] == resource] if resource is not None else [])]

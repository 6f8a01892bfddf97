"""Takes a publisher's plans out of force, all at once: what is under way and what lies ahead."""

import uuid
from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.messages import PlanChange, PlanEvent, PlanStatus
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_EVENT
from headworks.plans.rows import KINDS, Kind
from headworks.plans.versions import end_plans, lock


async def withdraw(connection: AsyncConnection, outbox: Outbox, publisher: str, by: str, now: datetime) -> int:
    """Cancel the plans of a publisher that have not ended, with one event a resource; how many there were.

    In the transaction of the change that takes them out of force, so that none comes into force in between.
    """
    count = 0
    await lock(connection, await _places(connection, publisher, now))
    for kind in KINDS:
        for (site, resource), plan_ids in (await _active(connection, kind, publisher, now)).items():
            event = PlanEvent(
                event_id=uuid.uuid4().hex,
                site=site,
                resource=resource,
                at=now,
                change=PlanChange.CANCELLED,
                by=by,
                plans=(),
                ended_plan_ids=tuple(plan_ids),
            )
            await end_plans(connection, kind, plan_ids, PlanStatus.CANCELLED, now)
            await outbox.add(connection, PLAN_EVENT, event, event.event_id, site=site, resource=resource)
            count += len(plan_ids)
    return count


async def _places(connection: AsyncConnection, publisher: str, now: datetime) -> set[tuple[str, str]]:
    """Site and resource of what it plans for, of both tables: they are locked before any is changed."""
    found: set[tuple[str, str]] = set()
    for kind in KINDS:
        query = select(kind.table.c.station_id, kind.table.c[kind.resource]).where(_ahead(kind, publisher, now))
        found |= {(site, resource) for site, resource in await connection.execute(query.distinct())}
    return found


async def _active(
    connection: AsyncConnection, kind: Kind, publisher: str, now: datetime
) -> dict[tuple[str, str], list[int]]:
    """The ids by site and resource, once these are locked."""
    t = kind.table
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    query = select(t.c.station_id, t.c[kind.resource], t.c.plan_id).where(_ahead(kind, publisher, now))
    for row in await connection.execute(query.order_by(t.c.plan_id)):
        found[row[0], row[1]].append(row[2])
    return found


def _ahead(kind: Kind, publisher: str, now: datetime) -> ColumnElement[bool]:
    t = kind.table
    return (t.c.publisher == publisher) & text("plan_status = 'ACTIVE'") & (t.c.interval_end > now)

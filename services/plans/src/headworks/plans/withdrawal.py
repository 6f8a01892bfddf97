"""Takes a publisher's plans out of force, all at once: what is under way and what lies ahead."""

import uuid
from collections import defaultdict
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import PlanChange, PlanEvent, PlanStatus
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_EVENT
from headworks.plans.rows import KINDS, Kind
from headworks.plans.versions import end_plans, lock


async def withdraw(database: Database, outbox: Outbox, publisher: str, by: str, now: datetime) -> int:
    """Cancel the plans of a publisher that have not ended, with one event a resource; how many there were."""
    count = 0
    async with database.transaction() as connection:
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
    outbox.wake()
    return count


async def _active(
    connection: AsyncConnection, kind: Kind, publisher: str, now: datetime
) -> dict[tuple[str, str], list[int]]:
    """The ids by site and resource; the resources are locked first, so that none gets a new version meanwhile."""
    t = kind.table
    resource = t.c[kind.resource]
    ahead = (t.c.publisher == publisher) & text("plan_status = 'ACTIVE'") & (t.c.interval_end > now)
    places = (await connection.execute(select(t.c.station_id, resource).where(ahead).distinct())).all()
    for site in sorted({site for site, _ in places}):
        await lock(connection, site, {name for at, name in places if at == site})
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in await connection.execute(
        select(t.c.station_id, resource, t.c.plan_id).where(ahead).order_by(t.c.plan_id)
    ):
        found[row[0], row[1]].append(row[2])
    return found

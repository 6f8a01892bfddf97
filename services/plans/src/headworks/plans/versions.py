"""Makes new plan versions in place of those they overlap: the calls of Strategy B.

What happens is in SQL, in the database itself (migrations/sql): one call is one transaction and one round trip, for a thousand
intervals as for one. `plans.replace` makes versions, `plans.accept` whole submissions, many at once.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, String, func, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.messages import Plan, PlanChange, PlanEvent, PlanInterval, PlanStatus
from headworks.common.subjects import PLAN_EVENT
from headworks.common.telemetry import outgoing_headers
from headworks.plans.rows import KINDS, PUMP, Kind, content_hash, kind_of, plan_of, target_columns

_REPLACE = """
select event from plans.replace(array(select c from json_populate_recordset(null::plans.change, $1::json) c), $2::json)
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes new versions, by what submission and run, with what priority and why; what the events say of it."""

    site: str
    publisher: str
    submission_id: str
    run_id: str | None
    priority: int
    reason: str
    at: datetime
    change: PlanChange
    by: str

    def row(self, number: int) -> dict[str, object]:
        """As the database takes it: see the type plans.change."""
        return {
            "change": number,
            "site": self.site,
            "publisher": self.publisher,
            "submission_id": self.submission_id,
            "run_id": self.run_id,
            "priority": self.priority,
            "reason": self.reason[:500],
            "at": self.at.isoformat(),
            "kind": self.change.value,
            "made_by": self.by,
            "event_subject": PLAN_EVENT.pattern.format(site=self.site, resource="*"),
            "headers": outgoing_headers(),
        }


def horizons(intervals: Sequence[PlanInterval]) -> list[dict[str, Any]]:
    """The intervals of each actuator as the database takes them, by the actuator's name."""
    found: dict[tuple[str, Kind], list[dict[str, Any]]] = {}
    for interval in intervals:
        found.setdefault((interval.resource, kind_of(interval.targets)), []).append(_content(interval))
    return [
        {"resource": resource, "pump": kind is PUMP, "intervals": contents}
        for (resource, kind), contents in sorted(found.items(), key=lambda item: item[0][0])
    ]


def _content(interval: PlanInterval) -> dict[str, Any]:
    return {
        "interval_start": interval.interval_start.isoformat(),
        "interval_end": interval.interval_end.isoformat(),
        **target_columns(interval.targets, interval.resource_type),
        "content_hash": content_hash(interval.targets),
    }


async def replace(connection: AsyncConnection, interval: PlanInterval, origin: Origin) -> PlanEvent:
    """A new version over one interval; what an old version covers outside it goes on in a copy. The caller holds the lock."""
    [event] = await replace_all(connection, [interval], origin)
    return event


async def replace_all(
    connection: AsyncConnection, intervals: Sequence[PlanInterval], origin: Origin
) -> list[PlanEvent]:
    """The same over whole horizons, each without a hole: one event an actuator. The caller holds the locks of all."""
    wanted = [{"change": 0, "horizon": number, **horizon} for number, horizon in enumerate(horizons(intervals))]
    asked = await connection.exec_driver_sql(_REPLACE, (json.dumps([origin.row(0)]), json.dumps(wanted)))
    return [PlanEvent.model_validate(event) for event in asked.scalars()]


async def lock(connection: AsyncConnection, actuators: Iterable[tuple[str, str]]) -> None:
    """One writer an actuator (site, resource) at a time, until the transaction ends.

    Always in the same order, so that none waits in a ring: by the bytes of the whole name, as `plans.accept` does.
    """
    keys = literal(sorted(f"{site}/{resource}" for site, resource in actuators), ARRAY(String))
    key = func.unnest(keys).column_valued("key")
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def end_plans(
    connection: AsyncConnection, kind: Kind, plan_ids: Sequence[int], status: PlanStatus, at: datetime
) -> None:
    """Make plans active no more, from an instant of the plant's clock on."""
    if plan_ids:
        t = kind.table
        changed = update(t).where(
            t.c.plan_id == func.any(literal(list(plan_ids), ARRAY(Integer))), text("plan_status = 'ACTIVE'")
        )
        ended = {"plan_status": status.value, "active_until": at, "plan_updated_at": func.now()}
        await connection.execute(changed.values(ended))


async def find(connection: AsyncConnection, plan_id: int) -> Plan | None:
    """A plan by its id, of whichever table."""
    for kind in KINDS:
        row = (await connection.execute(select(kind.table).where(kind.table.c.plan_id == plan_id))).mappings().first()
        if row is not None:
            return plan_of(kind, row)
    return None

"""Makes new plan versions in place of those they overlap: the calls of Strategy B.

What happens is in SQL, in the database itself (migrations/sql): a whole submission is one call, which is one transaction and one
round trip, for a thousand intervals as for one. `plans.replace_<table>` does one actuator; `plans.accept` a submission.
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
from headworks.plans.rows import GENERIC, KINDS, PUMP, Kind, content_hash, kind_of, plan_of, target_columns

_ORIGIN = (
    "row($1::varchar, $2::varchar, $3::varchar, $4::varchar, $5::integer, $6::varchar, $7::timestamptz, $8::varchar, "
    "$9::varchar, $10::varchar, $11::jsonb)::plans.origin"
)
ACCEPT = f"select reply, known from plans.accept({_ORIGIN}, $12, $13::jsonb, $14, $15::json, $16::json)"  # noqa: S608
_REPLACE = {kind: f"select event from plans.replace_{kind.table.name}({_ORIGIN}, $12, $13::json)" for kind in KINDS}  # noqa: S608


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

    def arguments(self) -> tuple[object, ...]:
        """As the database takes it: see the type plans.origin."""
        return (
            self.site,
            self.publisher,
            self.submission_id,
            self.run_id,
            self.priority,
            self.reason[:500],
            self.at,
            self.change.value,
            self.by,
            PLAN_EVENT.pattern.format(site=self.site, resource="*"),
            json.dumps(outgoing_headers()),
        )


def horizons(intervals: Sequence[PlanInterval]) -> dict[Kind, str]:
    """The intervals of each actuator as the database takes them, by the table they go to."""
    found: dict[Kind, dict[str, list[dict[str, Any]]]] = {PUMP: {}, GENERIC: {}}
    for interval in intervals:
        found[kind_of(interval.targets)].setdefault(interval.resource, []).append(_content(interval))
    return {kind: json.dumps(of_kind) for kind, of_kind in found.items()}


def _content(interval: PlanInterval) -> dict[str, Any]:
    return {
        "interval_start": interval.interval_start.isoformat(),
        "interval_end": interval.interval_end.isoformat(),
        **target_columns(interval.targets, interval.resource_type),
        "content_hash": content_hash(interval.targets),
    }


async def replace(connection: AsyncConnection, interval: PlanInterval, origin: Origin) -> PlanEvent:
    """A new version over one interval; what an old version covers outside it goes on in a copy. The caller holds the lock."""
    arguments = (*origin.arguments(), interval.resource, json.dumps([_content(interval)]))
    asked = await connection.exec_driver_sql(_REPLACE[kind_of(interval.targets)], arguments)
    return PlanEvent.model_validate(asked.scalar_one())


async def lock(connection: AsyncConnection, site: str, resources: Iterable[str]) -> None:
    """One writer an actuator at a time, until the transaction ends; always in the same order, so that none waits in a ring."""
    keys = literal([f"{site}/{resource}" for resource in sorted(resources)], ARRAY(String))
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

"""Makes new plan versions in place of those they overlap: the statements of Strategy B.

Each statement takes all resources and intervals of a submission at once: eight pumps with a day of quarter hours cost no more
round trips than one interval.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, String, func, insert, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.messages import Plan, PlanInterval, PlanStatus
from headworks.plans.rows import KINDS, Kind, content_hash, kind_of, plan_of, target_columns


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes new versions, by what submission and run, with what priority and why."""

    publisher: str
    submission_id: str
    run_id: str | None
    priority: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Replaced:
    """The new versions of one resource, and the plans that are active no more."""

    resource: str
    plans: tuple[Plan, ...]
    ended_plan_ids: tuple[int, ...]


async def replace(
    connection: AsyncConnection, site: str, intervals: Sequence[PlanInterval], origin: Origin
) -> list[Replaced]:
    """New versions over the intervals' span of each resource; what an old version covers outside it goes on in a copy."""
    by_kind: dict[Kind, dict[str, list[PlanInterval]]] = {}
    for interval in intervals:
        by_kind.setdefault(kind_of(interval.targets), {}).setdefault(interval.resource, []).append(interval)
    await lock(connection, site, {interval.resource for interval in intervals})
    done = [
        each for kind, of_kind in by_kind.items() for each in await _of_kind(connection, kind, site, of_kind, origin)
    ]
    return sorted(done, key=lambda each: each.resource)


async def _of_kind(
    connection: AsyncConnection, kind: Kind, site: str, wanted: Mapping[str, Sequence[PlanInterval]], origin: Origin
) -> list[Replaced]:
    old = await _overlapping(connection, kind, site, origin.publisher, wanted)
    origin = _not_before(origin, old)
    ended = [row["plan_id"] for rows in old.values() for row in rows]
    await end_plans(connection, kind, ended, PlanStatus.SUPERSEDED, origin.at)
    new = [row for resource, own in wanted.items() for row in _rows(kind, site, own, old[resource], origin)]
    plans = await _insert(connection, kind, new)
    made = {resource: [plan for plan in plans if plan.resource_id == resource] for resource in wanted}
    successors = {
        row["plan_id"]: _successor(row, made[resource][: len(own)])
        for resource, own in wanted.items()
        for row in old[resource]
    }
    await _mark_superseded(connection, kind, successors)
    return [
        Replaced(resource, tuple(made[resource]), tuple(row["plan_id"] for row in old[resource])) for resource in wanted
    ]


def _not_before(origin: Origin, old: Mapping[str, Sequence[Mapping[str, Any]]]) -> Origin:
    """Writers read the clock before they wait for each other: none begins before what it supersedes began."""
    began = [row["active_from"] for rows in old.values() for row in rows]
    return dataclasses.replace(origin, at=max([origin.at, *began]))


async def _insert(connection: AsyncConnection, kind: Kind, rows: Sequence[dict[str, Any]]) -> list[Plan]:
    """The new versions in the order of their rows. What is inserted as one comes back in any order: start and resource tell."""
    inserted = await connection.execute(insert(kind.table).returning(kind.table), rows)
    plans = {(p.resource_id, p.interval_start): p for p in (plan_of(kind, row) for row in inserted.mappings())}
    return [plans[row[kind.resource], row["interval_start"]] for row in rows]


async def lock(connection: AsyncConnection, site: str, resources: Iterable[str]) -> None:
    """One writer an actuator at a time, until the transaction ends; always in the same order, so that none waits in a ring."""
    keys = literal([f"{site}/{resource}" for resource in sorted(resources)], ARRAY(String))
    key = func.unnest(keys).column_valued("key")
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def _overlapping(
    connection: AsyncConnection, kind: Kind, site: str, publisher: str, wanted: Mapping[str, Sequence[PlanInterval]]
) -> dict[str, list[dict[str, Any]]]:
    """The publisher's active plans within the span of each resource, in order of time."""
    t, instants = kind.table, ARRAY(DateTime(timezone=True))
    spans = (
        func.unnest(
            literal(list(wanted), ARRAY(String)),
            literal([own[0].interval_start for own in wanted.values()], instants),
            literal([own[-1].interval_end for own in wanted.values()], instants),
        )
        .table_valued("resource", "first", "last", name="span")
        .render_derived()
    )
    query = select(t).where(
        t.c.station_id == site,
        t.c[kind.resource] == spans.c.resource,
        t.c.publisher == publisher,
        text("plan_status = 'ACTIVE'"),
        t.c.interval_start < spans.c.last,
        t.c.interval_end > spans.c.first,
    )
    found: dict[str, list[dict[str, Any]]] = {resource: [] for resource in wanted}
    for row in (await connection.execute(query.order_by(t.c.interval_start))).mappings():
        found[row[kind.resource]].append(dict(row))
    return found


async def end_plans(
    connection: AsyncConnection, kind: Kind, plan_ids: Sequence[int], status: PlanStatus, at: datetime
) -> None:
    """Make plans active no more, from an instant of the plant's clock on."""
    if plan_ids:
        t = kind.table
        changed = update(t).where(t.c.plan_id == func.any(literal(list(plan_ids), ARRAY(Integer))))
        ended = {"plan_status": status.value, "active_until": at, "plan_updated_at": func.now()}
        await connection.execute(changed.values(ended))


def _rows(
    kind: Kind, site: str, intervals: Sequence[PlanInterval], old: Sequence[dict[str, Any]], origin: Origin
) -> list[dict[str, Any]]:
    """One resource's new rows: the intervals', then the copies of what goes on beside them."""
    version = max((row["plan_version"] for row in old), default=0) + 1
    start, end = intervals[0].interval_start, intervals[-1].interval_end
    new = [_new_row(kind, site, interval, origin, version) for interval in intervals]
    return [*new, *(copy for row in old for copy in _leftovers(row, start, end, origin.at))]


def _new_row(kind: Kind, site: str, interval: PlanInterval, origin: Origin, version: int) -> dict[str, Any]:
    return {
        "station_id": site,
        kind.resource: interval.resource,
        "interval_start": interval.interval_start,
        "interval_end": interval.interval_end,
        **target_columns(interval.targets, interval.resource_type),
        "plan_version": version,
        "plan_created_at": origin.at,
        "optimization_run_id": origin.run_id,
        "plan_priority": origin.priority,
        "plan_status": PlanStatus.ACTIVE.value,
        "superseded_by": None,
        "publisher": origin.publisher,
        "submission_id": origin.submission_id,
        "reason": origin.reason[:500],
        "content_hash": content_hash(interval.targets),
        "active_from": origin.at,
        "active_until": None,
    }


def _leftovers(row: dict[str, Any], start: datetime, end: datetime, at: datetime) -> list[dict[str, Any]]:
    """Copies of an old version for what it covers before `start` and after `end`, so that no hole opens."""
    kept = {k: v for k, v in row.items() if k not in {"plan_id", "during", "plan_updated_at"}}
    kept |= {"plan_status": PlanStatus.ACTIVE.value, "superseded_by": None, "plan_version": row["plan_version"] + 1}
    kept |= {"active_from": at, "active_until": None}
    copies = []
    if row["interval_start"] < start:
        copies.append({**kept, "interval_end": start})
    if row["interval_end"] > end:
        copies.append({**kept, "interval_start": end})
    return copies


def _successor(row: Mapping[str, Any], plans: Sequence[Plan]) -> int:
    """The new version that first covers an old one's time."""
    return next(plan.plan_id for plan in plans if plan.interval_end > row["interval_start"])


async def _mark_superseded(connection: AsyncConnection, kind: Kind, successors: Mapping[int, int]) -> None:
    """Each old version points to the new one in its place."""
    if successors:
        t = kind.table
        pairs = (
            func.unnest(literal(list(successors), ARRAY(Integer)), literal(list(successors.values()), ARRAY(Integer)))
            .table_valued("old_id", "new_id", name="successor")
            .render_derived()
        )
        await connection.execute(update(t).where(t.c.plan_id == pairs.c.old_id).values(superseded_by=pairs.c.new_id))


async def find(connection: AsyncConnection, plan_id: int) -> Plan | None:
    """A plan by its id, of whichever table."""
    for kind in KINDS:
        row = (await connection.execute(select(kind.table).where(kind.table.c.plan_id == plan_id))).mappings().first()
        if row is not None:
            return plan_of(kind, row)
    return None

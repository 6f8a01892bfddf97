"""What the plans' tables hold at the end of a run, held against what vendors were answered. By SQL, past the service."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import asyncpg

ROWS = """
select plan_id, station_id, pump_id as resource, interval_start, interval_end, plan_version, plan_status, superseded_by,
       publisher, submission_id from plans.pump_plans
union all
select plan_id, station_id, resource_id, interval_start, interval_end, plan_version, plan_status, superseded_by,
       publisher, submission_id from plans.optimization_plans
"""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A version of a plan."""

    plan_id: int
    station_id: str
    resource: str
    interval_start: datetime
    interval_end: datetime
    plan_version: int
    plan_status: str
    superseded_by: int | None
    publisher: str
    submission_id: str


async def plan_rows(dsn: str) -> list[PlanRow]:
    """Every version that was ever kept."""
    connection = await asyncpg.connect(dsn)
    try:
        return [PlanRow(**dict(row)) for row in await connection.fetch(ROWS)]
    finally:
        await connection.close()


def lost(rows: list[PlanRow], accepted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Accepted submissions of which a plan is missing, is another's, or covers less than was submitted."""
    by_id, found = {row.plan_id: row for row in rows}, []
    for submission_id, answered in accepted.items():
        there = [by_id[plan_id] for plan_id in answered["reply"]["plan_ids"] if plan_id in by_id]
        if len(there) < len(answered["reply"]["plan_ids"]):
            found.append(f"{submission_id}: of plans {answered['reply']['plan_ids']} only {len(there)} are there")
        # What is left of plans that it cut short is answered too, and remains another submission's.
        own = {(row.resource, row.interval_end) for row in there if row.submission_id == submission_id}
        wanted = {(i["resource"], _instant(i["interval_end"])) for i in answered["body"]["intervals"]}
        if own != wanted:
            found.append(f"{submission_id}: {sorted(wanted - own)} missing, {sorted(own - wanted)} too much")
    return found


def kept_though_refused(rows: list[PlanRow], refused: Mapping[str, str]) -> list[str]:
    """Refused submissions of which something was kept all the same."""
    return sorted({row.submission_id for row in rows} & refused.keys())


def holes_and_overlaps(rows: list[PlanRow]) -> list[str]:
    """Where the active plans of a publisher for an actuator do not follow one another."""
    lines = defaultdict(list)
    for row in rows:
        if row.plan_status == "ACTIVE":
            lines[row.publisher, row.station_id, row.resource].append(row)
    return [
        f"{' '.join(key)}: plan {a.plan_id} ends {a.interval_end:%d %H:%M:%S}, {b.plan_id} begins {b.interval_start:%d %H:%M:%S}"
        for key, line in lines.items()
        for a, b in pairwise(sorted(line, key=lambda row: row.interval_start))
        if a.interval_end != b.interval_start
    ]


def broken_versions(rows: list[PlanRow]) -> list[str]:
    """Superseded versions whose successor is not there, is of another actuator or publisher, or is no later version."""
    by_id = {row.plan_id: row for row in rows}
    found = []
    for row in rows:
        if (row.plan_status == "SUPERSEDED") != (row.superseded_by is not None):
            found.append(f"plan {row.plan_id} is {row.plan_status} with superseded_by={row.superseded_by}")
        if row.superseded_by is None:
            continue
        after = by_id.get(row.superseded_by)
        if after is None or after.plan_version <= row.plan_version or _line(after) != _line(row):
            found.append(f"plan {row.plan_id} (version {row.plan_version}) is superseded by {after}")
    return found


def _line(row: PlanRow) -> tuple[str, str, str]:
    return row.publisher, row.station_id, row.resource


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

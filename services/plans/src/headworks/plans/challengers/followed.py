"""Which plan led at an instant, as known then: what came later cannot change what was followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter
from sqlalchemy import select

from headworks.common.database import Database
from headworks.common.messages import Targets
from headworks.plans.challengers.tables import challenger_plans
from headworks.plans.preflight.flight import value_of
from headworks.plans.rows import KINDS, plan_of

_TARGETS: TypeAdapter[Targets] = TypeAdapter(Targets)


@dataclass(frozen=True, slots=True)
class Stood:
    """A plan version: what it asks over its interval, and from when to when it was active. `rank`: the highest leads."""

    start: datetime
    end: datetime
    value: float | None
    known_from: datetime
    known_until: datetime | None
    rank: tuple[int, int]


def led(plans: Sequence[Stood], at: datetime) -> float | None:
    """What the leading plan asked at an instant; None where there was none, or where it asks no single value."""
    held = [
        plan
        for plan in plans
        if plan.start <= at < plan.end and plan.known_from <= at and (plan.known_until is None or at < plan.known_until)
    ]
    return max(held, key=lambda plan: plan.rank).value if held else None


async def champion_plans(database: Database, site: str, start: datetime, end: datetime) -> Mapping[str, list[Stood]]:
    """All versions of [start, end) that were ever active, by resource."""
    found: dict[str, list[Stood]] = {}
    async with database.transaction() as connection:
        for kind in KINDS:
            t = kind.table
            query = select(t).where(t.c.station_id == site, t.c.interval_end > start, t.c.interval_start < end)
            for row in (await connection.execute(query)).mappings():
                plan = plan_of(kind, row)
                stood = Stood(
                    plan.interval_start,
                    plan.interval_end,
                    value_of(plan.targets),
                    row["active_from"],
                    row["active_until"],
                    (plan.plan_priority, plan.plan_id),
                )
                found.setdefault(plan.resource_id, []).append(stood)
    return found


async def challenger_plans_of(
    database: Database, publisher: str, site: str, start: datetime, end: datetime
) -> Mapping[str, list[Stood]]:
    """A challenger's versions of [start, end), by resource: of its own plans the newest leads."""
    t, found = challenger_plans, dict[str, list[Stood]]()
    query = select(t).where(
        t.c.publisher == publisher, t.c.station_id == site, t.c.interval_end > start, t.c.interval_start < end
    )
    async with database.transaction() as connection:
        for row in (await connection.execute(query)).mappings():
            value = value_of(_TARGETS.validate_python(row["targets"]))
            stood = Stood(
                row["interval_start"], row["interval_end"], value, row["plan_created_at"], None, (0, row["plan_id"])
            )
            found.setdefault(row["resource_id"], []).append(stood)
    return found


def days_between(first: date, last: date) -> list[date]:
    """Every day from the first to the last."""
    return [date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)]

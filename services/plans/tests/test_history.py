"""What the database itself refuses: changed history, deleted plans, overlaps, holes. Each by SQL, past our own code."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from headworks.common.database import Database
from headworks.common.messages import (
    GenericTargets,
    PlanInterval,
    PlanStatus,
    PlanSubmission,
    PumpTargets,
    ResourceType,
    Targets,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.actuators import Actuator
from headworks.plans.rows import KINDS
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPEED = GenericTargets(target_type=TargetType.SPEED, target_value=40)
PUMP = PumpTargets(suggested_speed_hz=40)
MAY_CHANGE = {"plan_status", "superseded_by", "plan_updated_at", "active_until"}
TABLES = [kind.table.name for kind in KINDS]
OTHER = {
    "integer": "99",
    "numeric": "9.5",
    "character varying": "'other'",
    "jsonb": "'{}'",
    "timestamp with time zone": "'2020-01-01 00:00Z'",
}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    made = Database(database_url)
    yield made
    await made.close()


@pytest.fixture
async def store(database: Database) -> PlanStore:
    """A store with one active and one superseded plan in both tables."""
    made = PlanStore(database)
    pumps = [actuator("P1"), actuator("P2")]
    await made.register(pumps, NOW)
    for number in (1, 2):
        await made.accept(submission(f"s{number}", interval(0, 2, PUMP, "P1"), interval(0, 2, SPEED, "P2")), NOW)
    return made


def actuator(name: str) -> Actuator:
    return Actuator(
        station="works",
        resource=name,
        resource_type=ResourceType.PUMP,
        target_type=TargetType.SPEED,
        unit="Hz",
        minimum=20,
        maximum=50,
    )


def interval(start_h: float, end_h: float, targets: Targets, resource: str) -> PlanInterval:
    return PlanInterval(
        resource=resource,
        resource_type=ResourceType.PUMP,
        interval_start=NOW + start_h * HOUR,
        interval_end=NOW + end_h * HOUR,
        targets=targets,
    )


def submission(submission_id: str, *intervals: PlanInterval) -> PlanSubmission:
    return PlanSubmission(
        submission_id=submission_id, publisher="optimizer", site="works", created_at=NOW, intervals=intervals
    )


@pytest.mark.parametrize("table", TABLES)
async def test_no_column_of_a_plan_changes_but_those_of_its_end(
    database: Database, store: PlanStore, table: str
) -> None:
    columns = await database.fetch(
        "select column_name, data_type from information_schema.columns where table_schema = 'plans' and table_name = $1",
        table,
    )
    fixed = [row for row in columns if row["column_name"] not in MAY_CHANGE]
    assert len(fixed) > 15
    for row in fixed:
        change = (
            f"update plans.{table} set {row['column_name']} = {OTHER[row['data_type']]} where plan_status = 'ACTIVE'"
        )
        with pytest.raises(asyncpg.RestrictViolationError, match="is history"):
            await database.fetch(change)
    with pytest.raises(asyncpg.RestrictViolationError, match="is history"):
        await database.fetch(f"update plans.{table} set plan_updated_at = now() where plan_status = 'SUPERSEDED'")
    with pytest.raises(asyncpg.RestrictViolationError, match="is history"):
        await database.fetch(
            f"update plans.{table} set plan_status = 'ACTIVE', superseded_by = null, active_until = null"
            " where plan_status = 'SUPERSEDED'"
        )


async def test_no_plan_is_deleted_by_whatever_table_it_is_reached(database: Database, store: PlanStore) -> None:
    found = await database.fetch(
        "select relname from pg_class where relnamespace = 'plans'::regnamespace and relkind in ('r', 'p')"
        " and (relname like 'pump_plans%' or relname like 'optimization_plans%')"
    )
    names = {row["relname"] for row in found}
    assert {"pump_plans", "pump_plans_active", "pump_plans_superseded", "pump_plans_other"} <= names
    for name in names:
        for statement in (f"delete from plans.{name}", f"truncate plans.{name}"):
            with pytest.raises(asyncpg.RestrictViolationError, match="not deleted"):
                await database.fetch(statement)
    assert len(await store.history("works", "P1", 10, None)) == 2


@pytest.mark.parametrize("table", TABLES)
async def test_a_superseded_plan_without_a_successor_is_impossible(
    database: Database, store: PlanStore, table: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="superseded_by"):
        await database.fetch(
            f"update plans.{table} set plan_status = 'SUPERSEDED', active_until = now() where plan_status = 'ACTIVE'"
        )


@pytest.mark.parametrize(
    ("start_h", "end_h", "overlaps"), [(1.99, 3, True), (-1, 0.01, True), (2, 3, False), (-1, 0, False)]
)
async def test_two_active_plans_of_one_publisher_cannot_overlap(
    database: Database, store: PlanStore, start_h: float, end_h: float, overlaps: bool
) -> None:
    def insert(publisher: str) -> str:
        return (
            "insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, publisher, submission_id,"
            f" content_hash) values ('works', 'P1', $1, $2, '{publisher}', 'x', 'x')"
        )

    at = (NOW + start_h * HOUR, NOW + end_h * HOUR)
    if overlaps:
        with pytest.raises(asyncpg.ExclusionViolationError, match="no_overlap"):
            await database.fetch(insert("optimizer"), *at)
    else:
        await database.fetch(insert("optimizer"), *at)
    await database.fetch(insert("acme"), *at)


@pytest.mark.parametrize("second_start_h", [0.9, 1.1])
async def test_a_horizon_with_a_hole_or_an_overlap_is_refused_by_the_database_too(
    store: PlanStore, second_start_h: float
) -> None:
    holed = submission("s3", interval(0, 1, PUMP, "P1"), interval(second_start_h, 2, PUMP, "P1"))
    with pytest.raises(asyncpg.CheckViolationError, match="works/P1 has a hole or an overlap"):
        await store.accept(holed, NOW)
    assert [plan.submission_id for plan in await store.active("works", NOW, "P1")] == ["s2"]


async def test_a_publisher_that_goes_over_to_generic_plans_supersedes_its_pump_plans(store: PlanStore) -> None:
    reply = await store.accept(submission("s3", interval(1, 3, SPEED, "P1")), NOW)
    pump, generic = await store.active("works", NOW, "P1")
    assert (pump.interval_start, pump.interval_end, pump.plan_version) == (NOW, NOW + HOUR, 3)
    assert (generic.interval_start, generic.interval_end, generic.plan_version) == (NOW + HOUR, NOW + 3 * HOUR, 3)
    assert set(reply.plan_ids) == {pump.plan_id, generic.plan_id}
    replaced = await store.history("works", "P1", 10, None)
    assert {p.superseded_by for p in replaced if p.plan_status is PlanStatus.SUPERSEDED} == {3, generic.plan_id}


async def test_one_submission_at_once_for_different_actuators_is_stored_once(store: PlanStore) -> None:
    """The same id twice at the same moment, where no lock of an actuator makes one wait for the other."""
    first = submission("twice", interval(0, 1, PUMP, "P1"))
    other = submission("twice", interval(0, 1, SPEED, "P2"))
    replies = await asyncio.gather(*(store.accept(each, NOW) for each in (first, other) * 4))
    assert len({reply.plan_ids for reply in replies if reply.accepted}) == 1
    assert {reply.refusals[0].field for reply in replies if not reply.accepted} == {"submission_id"}

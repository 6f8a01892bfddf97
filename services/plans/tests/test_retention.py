"""Months are made ahead and dropped when they are past; what ended long ago goes, what is in force or young stays."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headworks.common.clock import Clock
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.messages import PlanInterval, PlanSubmission, PumpTargets, ResourceType, TargetType
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.plans.actuators import Actuator
from headworks.plans.retention import Limits, Tidied, expired, keep_tidy, limits, month_of, months_ahead, tidy
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOTHING_OLD = Limits(LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO)
DECIDED = ("APPROVED", "REJECTED", "EXPIRED")
PUMP = Actuator(
    station="works",
    resource="P1",
    resource_type=ResourceType.PUMP,
    target_type=TargetType.SPEED,
    unit="Hz",
    minimum=20,
    maximum=50,
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    made = Database(database_url)
    yield made
    await made.close()


@pytest.fixture
async def store(database: Database) -> PlanStore:
    made = PlanStore(database)
    await made.register([PUMP], NOW)
    return made


def submission(submission_id: str, start: datetime) -> PlanSubmission:
    interval = PlanInterval(
        resource="P1",
        resource_type=ResourceType.PUMP,
        interval_start=start,
        interval_end=start + HOUR,
        targets=PumpTargets(suggested_speed_hz=40),
    )
    return PlanSubmission(
        submission_id=submission_id, publisher="optimizer", site="works", created_at=start, intervals=(interval,)
    )


async def count(database: Database, table: str) -> int:
    [row] = await database.fetch(f"select count(*) as rows from plans.{table}")
    rows: int = row["rows"]
    return rows


@pytest.mark.parametrize(
    ("now", "months"),
    [
        (datetime(2026, 2, 28, 23, 59, tzinfo=UTC), [(2026, 2), (2026, 3), (2026, 4)]),
        (datetime(2026, 11, 1, tzinfo=UTC), [(2026, 11), (2026, 12), (2027, 1)]),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), [(2026, 12), (2027, 1), (2027, 2)]),
        (datetime.fromisoformat("2026-01-01T00:30+01:00"), [(2025, 12), (2026, 1), (2026, 2)]),
    ],
)
def test_this_month_and_two_more_are_made_ahead(now: datetime, months: list[tuple[int, int]]) -> None:
    assert [(month.year, month.month) for month in months_ahead(now)] == months
    assert months_ahead(now)[0] == month_of(now)


def test_months_before_the_limit_go_and_what_has_no_month_stays() -> None:
    names = ["pump_plans_2026_03", "pump_plans_2026_02", "pump_plans_2025_12", "pump_plans_other", "pump_plans_active"]
    assert expired(names, datetime(2026, 3, 1, tzinfo=UTC)) == ("pump_plans_2025_12", "pump_plans_2026_02")
    assert expired(names, datetime(2025, 12, 1, tzinfo=UTC)) == ()


def test_of_two_clocks_the_one_behind_says_what_is_old() -> None:
    settings = PlansSettings(
        plan_retention_days=100,
        challenger_retention_days=50,
        vendor_intake_retention_days=3,
        outbox_retention_days=2,
    )
    found = limits(NOW + 365 * DAY, NOW, settings)
    assert found == Limits(
        plans=datetime(2025, 11, 1, tzinfo=UTC),
        approvals=datetime(2025, 11, 1, tzinfo=UTC),
        challengers=NOW - 50 * DAY,
        vendor_intake=NOW - 3 * DAY,
        sent_messages=NOW - 2 * DAY,
    )
    assert limits(NOW, NOW + 365 * DAY, settings).vendor_intake == NOW - 3 * DAY
    longer = settings.model_copy(update={"approval_retention_days": 200})
    assert limits(NOW + 365 * DAY, NOW, longer) == replace(found, approvals=datetime(2025, 8, 1, tzinfo=UTC))
    assert limits(NOW, NOW + 365 * DAY, settings).plans == datetime(2025, 11, 1, tzinfo=UTC)


async def test_superseded_plans_lie_in_their_month_once_it_is_made_and_move_there_if_they_were_first(
    database: Database, store: PlanStore
) -> None:
    for number in range(3):
        await store.accept(submission(f"s{number}", NOW), NOW + number * HOUR)
    assert await count(database, "pump_plans_other") == 2
    before = await store.history("works", "P1", 10, None)
    assert await tidy(database, NOW, NOTHING_OLD) == Tidied((), 0)
    assert (await count(database, "pump_plans_other"), await count(database, "pump_plans_2026_02")) == (0, 2)
    assert await store.history("works", "P1", 10, None) == before
    await store.accept(submission("s3", NOW), NOW + 3 * HOUR)
    assert (await count(database, "pump_plans_other"), await count(database, "pump_plans_2026_02")) == (0, 3)
    with pytest.raises(Exception, match="not deleted"):
        await database.fetch("delete from plans.pump_plans_2026_02")


async def test_old_months_go_whole_old_ends_row_by_row_and_the_rest_stays(database: Database, store: PlanStore) -> None:
    """Two plans a month, November to February: the first superseded by the second; one of them cancelled."""
    begins = [datetime(2025, 11, 5, tzinfo=UTC), datetime(2025, 12, 5, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)]
    await tidy(database, begins[0], NOTHING_OLD)
    for start in begins:
        for number in (1, 2):
            reply = await store.accept(submission(f"{start:%m}-{number}", start), start)
        if start == begins[0]:
            await store.cancel(reply.plan_ids[0], "operator", start)
    limit = replace(NOTHING_OLD, plans=datetime(2026, 1, 1, tzinfo=UTC))
    done = await tidy(database, NOW, limit)
    assert done.months_dropped == tuple(
        f"{table}_{month}" for month in ("2025_11", "2025_12") for table in ("optimization_plans", "pump_plans")
    )
    assert done.rows_deleted == 2, "the cancelled of November and the active of December"
    assert [plan.plan_version for plan in await store.history("works", "P1", 10, None)] == [2, 1]
    assert await tidy(database, NOW, limit) == Tidied((), 0)
    assert [p.submission_id for p in await store.active("works", begins[2], "P1")] == ["02-2"]


async def test_sent_messages_and_old_submissions_go_and_what_is_unsent_never(
    database: Database, store: PlanStore
) -> None:
    await store.accept(submission("s1", NOW), NOW)
    await database.fetch("update plans.outbox set sent_at = $1 where subject like 'plans.event.%'", NOW)
    assert (await tidy(database, NOW, replace(NOTHING_OLD, sent_messages=NOW))).rows_deleted == 0
    assert (await tidy(database, NOW, replace(NOTHING_OLD, sent_messages=NOW + HOUR))).rows_deleted == 1
    [left] = await database.fetch("select subject from plans.outbox")
    assert left["subject"] == "plans.reply.optimizer.works"
    assert await count(database, "submissions") == 1
    await database.fetch("update plans.submissions set received_at = $1", LONG_AGO)
    assert (await tidy(database, NOW, replace(NOTHING_OLD, plans=month_of(NOW)))).rows_deleted == 1


async def test_challengers_plans_and_what_vendors_sent_go_once_they_are_past_and_scores_with_the_plans(
    database: Database,
) -> None:
    """Of each table a row of a day ago and one of now; a run that waits stays however old."""
    for at, name in ((NOW - DAY, "old"), (NOW, "young")):
        await database.fetch(
            """insert into plans.vendors values ($1, '{works}', 1, 1, 1, 1, true, false, 'ann', $2, null)""", name, at
        )
        await database.fetch("insert into plans.vendor_intake values ($1, 's1', $2, 1)", name, at)
        await database.fetch(
            """insert into plans.challenger_plans (publisher, submission_id, station_id, resource_id, resource_type,
                interval_start, interval_end, targets, plan_version, plan_created_at)
            values ($1, 's1', 'works', 'P1', 'PUMP', $2::timestamptz - interval '1 h', $2, '{}', 1, $2)""",
            name,
            at,
        )
        for status in ("DONE", "FAILED", "QUEUED", "RUNNING"):
            await database.fetch(
                """insert into plans.challenger_runs values ($1, $2, 'works', '2026-01-01', '2026-01-01', 'ann', $3, 0, $4)""",
                f"{name} {status}",
                name,
                at,
                status,
            )
        await database.fetch(
            "insert into plans.challenger_scores values ($1, 'works', '2026-01-01', $2, '{}')", name, at
        )
    tables = ("challenger_plans", "challenger_runs", "challenger_scores", "vendor_intake")

    async def left_by(limit: Limits) -> list[int]:
        await tidy(database, NOW, limit)
        return [await count(database, table) for table in tables]

    assert await left_by(replace(NOTHING_OLD, challengers=NOW - DAY, vendor_intake=NOW - DAY)) == [2, 8, 2, 2]
    assert await left_by(replace(NOTHING_OLD, challengers=NOW)) == [1, 6, 2, 2]
    assert await left_by(replace(NOTHING_OLD, vendor_intake=NOW)) == [1, 6, 2, 1]
    assert await left_by(replace(NOTHING_OLD, plans=NOW)) == [1, 6, 1, 1]
    [kept] = await database.fetch("select publisher from plans.challenger_plans")
    assert kept["publisher"] == "young"


async def test_approvals_go_once_they_are_decided_and_carried_out_and_what_waits_never(database: Database) -> None:
    """One of each state a day ago and one of now; `cut off` is decided, and its answer is still to come."""
    for at, age in ((NOW - DAY, "old"), (NOW, "young")):
        for state, answer in (
            ("WAITING", None),
            ("APPROVED", "{}"),
            ("REJECTED", "{}"),
            ("EXPIRED", "{}"),
            ("APPROVED", None),
        ):
            await database.fetch(
                """insert into plans.approvals (publisher, submission_id, site, content_hash, submission, over_bus, asked_by,
                    asked_at, expires_at, roles, state, decided_at, reply)
                values ('acme', $1, 'works', '', '{}', true, 'acme', $2, $2, '[]', $3, $4, $5)""",
                f"{age} {state}" if answer or state == "WAITING" else f"{age} cut off",
                at - DAY,
                state,
                None if state == "WAITING" else at,
                answer,
            )

    async def left_by(limit: Limits) -> set[str]:
        await tidy(database, NOW, limit)
        return {row["submission_id"] for row in await database.fetch("select submission_id from plans.approvals")}

    everything = {f"{age} {what}" for age in ("old", "young") for what in (*DECIDED, "WAITING", "cut off")}
    assert await left_by(replace(NOTHING_OLD, plans=NOW + DAY, approvals=NOW - DAY)) == everything
    assert await left_by(replace(NOTHING_OLD, approvals=NOW)) == everything - {f"old {state}" for state in DECIDED}


async def test_a_writer_is_not_kept_waiting_and_tidying_comes_again(
    database: Database, store: PlanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.plans.retention.EVERY_S", 0.01)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("lock table plans.pump_plans in row exclusive mode")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await tidy(database, NOW, NOTHING_OLD)

    async def month_is_there() -> bool:
        [row] = await database.fetch("select to_regclass('plans.pump_plans_2026_04') as made")
        return row["made"] is not None

    clock = Clock(NOW, wall_epoch_s=0.0, speed=1e-12)
    async with in_background(keep_tidy(database, clock, PlansSettings())):
        await eventually(month_is_there)

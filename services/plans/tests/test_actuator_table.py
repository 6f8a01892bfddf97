"""The actuators table: filled, renewed and retired by what the site files say; plans can refer to its rows alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import select

from headworks.common.database import Database
from headworks.common.messages import (
    GenericTargets,
    PlanInterval,
    PlanSubmission,
    ResourceType,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.actuators import Actuator
from headworks.plans.store import PlanStore
from headworks.plans.tables import actuators

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
GATE = Actuator(
    station="dam",
    resource="G1",
    resource_type=ResourceType.GATE,
    target_type=TargetType.POSITION,
    unit="%",
    minimum=0,
    maximum=80,
)
OTHER_GATE = GATE.model_copy(update={"resource": "G2"})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    made = Database(database_url)
    yield made
    await made.close()


async def rows(database: Database) -> dict[str, tuple[float | None, datetime | None]]:
    async with database.transaction() as connection:
        found = await connection.execute(select(actuators.c.resource_id, actuators.c.maximum, actuators.c.retired_at))
        return {row.resource_id: (row.maximum, row.retired_at) for row in found}


async def test_who_is_named_no_more_is_retired_and_who_returns_is_renewed(database: Database) -> None:
    store = PlanStore(database)
    await store.register([GATE, OTHER_GATE], NOW)
    assert await rows(database) == {"G1": (80, None), "G2": (80, None)}
    later = NOW + timedelta(days=1)
    await store.register([GATE.model_copy(update={"maximum": 70})], later)
    assert await rows(database) == {"G1": (70, None), "G2": (80, later)}
    await store.register([], later + timedelta(days=1))
    assert await rows(database) == {"G1": (70, later + timedelta(days=1)), "G2": (80, later)}
    await store.register([GATE, OTHER_GATE], later)
    assert await rows(database) == {"G1": (80, None), "G2": (80, None)}


async def test_a_plan_for_what_is_no_actuator_is_impossible(database: Database) -> None:
    store = PlanStore(database)
    await store.register([GATE], NOW)
    interval = PlanInterval(
        resource="G9",
        resource_type=ResourceType.GATE,
        interval_start=NOW,
        interval_end=NOW + timedelta(hours=1),
        targets=GenericTargets(target_type=TargetType.POSITION, target_value=75),
    )
    submission = PlanSubmission(
        submission_id="s1", publisher="optimizer", site="dam", created_at=NOW, intervals=(interval,)
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="actuators"):
        await store.accept(submission, NOW)
    fine = submission.model_copy(update={"intervals": (interval.model_copy(update={"resource": "G1"}),)})
    assert (await store.accept(fine, NOW)).accepted

"""Strategy documents on a real PostgreSQL: every version stays, and each change queues its run once."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import select

from headworks.common.database import Database
from headworks.optimizer.station.case import Strategy, StrategyPeriod
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.tables import strategies as table


def periods(now: datetime, strategy: Strategy = Strategy.AGGRESSIVE) -> list[StrategyPeriod]:
    return [StrategyPeriod(start=now, end=now + timedelta(hours=6), strategy=strategy, reason="cheap night")]


async def test_a_change_is_in_force_and_queues_its_run(
    strategies: StrategyStore, store: RunStore, now: datetime
) -> None:
    assert await strategies.newest("blominmaki") is None
    document, job = await strategies.change("blominmaki", periods(now), "ann", now)
    assert (document.version, document.changed_by, document.changed_at) == (1, "ann", now)
    assert await strategies.newest("blominmaki") == document
    assert await strategies.newest("elsewhere") is None
    run = await store.find(job.run_id)
    assert run is not None
    assert (run.run_id, run.requested_by, run.reason) == ("blominmaki-strategies-1", "ann", "strategies, version 1")


async def test_every_version_stays(strategies: StrategyStore, database: Database, now: datetime) -> None:
    for strategy in (Strategy.AGGRESSIVE, Strategy.MINIMAL):
        await strategies.change("blominmaki", periods(now, strategy), "ann", now)
    none, _ = await strategies.change("blominmaki", [], "bob", now)
    assert await strategies.newest("blominmaki") == none
    async with database.transaction() as connection:
        rows = (await connection.execute(select(table).order_by(table.c.version))).all()
    assert [(row.version, row.changed_by, len(row.periods)) for row in rows] == [
        (1, "ann", 1), (2, "ann", 1), (3, "bob", 0),
    ]  # fmt: skip


async def test_changes_at_once_each_get_a_version_and_a_run(
    strategies: StrategyStore, store: RunStore, now: datetime
) -> None:
    changes = [strategies.change("blominmaki", periods(now), f"planner-{i}", now) for i in range(6)]
    documents = [document for document, _ in await asyncio.gather(*changes)]
    assert sorted(document.version for document in documents) == [1, 2, 3, 4, 5, 6]
    assert len(await store.newest("blominmaki", 9)) == 6

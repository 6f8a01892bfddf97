"""The schema's versions: from empty and from the release before, the tables are what the code says, and rows survive."""

import asyncio
from datetime import datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from headworks.common.database import Database
from headworks.common.messages import SolveJob
from headworks.common.migrate import migration_folders, upgrade
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.tables import metadata

FOLDER = dict(migration_folders())["optimizer"]


def differences(connection: Connection) -> list[object]:
    """What the tables are otherwise than the code says."""
    options = {
        "include_schemas": True,
        "version_table_schema": "optimizer",
        "include_name": lambda name, kind, _parents: kind != "schema" or name == "optimizer",
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


@pytest.mark.parametrize("before", [None, "0001"])
async def test_the_newest_version_is_what_the_code_says(
    database_url: str, before: str | None, job: SolveJob, now: datetime
) -> None:
    database = Database(database_url)
    if before is not None:
        await asyncio.to_thread(upgrade, database_url, "optimizer", FOLDER, before)
        await RunStore(database).queue(job)
    await asyncio.to_thread(upgrade, database_url, "optimizer", FOLDER)
    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
        version = (await connection.execute(text("select version_num from optimizer.alembic_version"))).scalar()
    assert version == "0002"
    store = RunStore(database)
    run = await store.find(job.run_id)
    assert (run is not None) is (before is not None)
    await StrategyStore(database, store).change("blominmaki", [], "ann", now)
    await database.close()

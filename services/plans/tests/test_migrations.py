"""The schema: from nothing to the head, down and up again, equal to what the code expects, and from the first with data in it."""

import asyncio
from pathlib import Path

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from headworks.common.database import Database
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.challengers.tables import metadata

PLANS = """
insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, suggested_speed_hz, publisher, submission_id,
    content_hash, plan_version, plan_status, superseded_by) values
('blominmaki', 'P1_1', '2026-02-17 08:00Z', '2026-02-17 09:00Z', 48.5, 'optimizer', 's1', 'h1', 1, 'SUPERSEDED', 2),
('blominmaki', 'P1_1', '2026-02-17 08:00Z', '2026-02-17 09:00Z', 49.5, 'optimizer', 's2', 'h2', 2, 'ACTIVE', null);
insert into plans.optimization_plans (station_id, resource_id, resource_type, interval_start, interval_end,
    optimization_targets, publisher, submission_id, content_hash, plan_status) values
('abay', 'OXPH', 'TURBINE', '2026-02-17 08:00Z', '2026-02-17 09:00Z', '{"target_type": "POWER", "target_value": 2}',
    'optimizer', 's3', 'h3', 'CANCELLED')
"""

OVERLAPPING = """
insert into plans.actuators (station_id, resource_id, resource_type) values ('works', 'P1', 'PUMP');
insert into plans.pump_plans (station_id, pump_id, interval_start, interval_end, suggested_speed_hz, publisher, submission_id,
    content_hash) values ('works', 'P1', '2026-02-17 08:00Z', '2026-02-17 10:00Z', 40, 'acme', 's1', 'h1');
insert into plans.optimization_plans (station_id, resource_id, resource_type, interval_start, interval_end,
    optimization_targets, publisher, submission_id, content_hash) values ('works', 'P1', 'PUMP', '2026-02-17 09:00Z',
    '2026-02-17 11:00Z', '{"target_type": "SPEED", "target_value": 40}', 'acme', 's2', 'h2')
"""


def downgrade(database_url: str, folder: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes.update({"database_url": database_url, "schema": "plans"})
    alembic.command.downgrade(config, revision)


def shape(connection: Connection) -> dict[str, set[str]]:
    """Tables with their columns, without the partitions."""
    inspector = inspect(connection)
    partitions = connection.execute(text("select relname from pg_inherits join pg_class on oid = inhrelid")).scalars()
    return {
        table: {column["name"] for column in inspector.get_columns(table, schema="plans")}
        for table in set(inspector.get_table_names(schema="plans")) - {"alembic_version", *partitions}
    }


async def test_the_schema_comes_from_nothing_goes_and_comes_again(database_url: str) -> None:
    folder = dict(migration_folders())["plans"]
    expected = {table.name: {column.name for column in table.columns} for table in metadata.tables.values()}
    database = Database(database_url)
    for _ in range(2):
        await asyncio.to_thread(upgrade, database_url, "plans", folder)
        async with database.transaction() as connection:
            assert await connection.run_sync(shape) == expected
        await asyncio.to_thread(downgrade, database_url, folder, "base")
        async with database.transaction() as connection:
            assert await connection.run_sync(shape) == {}
    await database.close()


async def filled(database_url: str, version: str, statements: str) -> Database:
    """A database of an older version, with rows in it."""
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"], version)
    database = Database(database_url)
    async with database.transaction() as connection:
        for statement in statements.split(";"):
            await connection.execute(text(statement))
    return database


async def test_plans_of_the_first_version_are_there_at_the_head_and_their_actuators_are_known(
    database_url: str,
) -> None:
    folder = dict(migration_folders())["plans"]
    database = await filled(database_url, "0001", PLANS)
    await asyncio.to_thread(upgrade, database_url, "plans", folder)
    async with database.transaction() as connection:
        pumps = await connection.execute(
            text("select plan_id, plan_version, plan_status, superseded_by from plans.pump_plans order by plan_id")
        )
        assert [tuple(row) for row in pumps] == [(1, 1, "SUPERSEDED", 2), (2, 2, "ACTIVE", None)]
        generic = await connection.execute(text("select plan_id, plan_status from plans.optimization_plans"))
        assert [tuple(row) for row in generic] == [(3, "CANCELLED")]
        known = await connection.execute(
            text("select station_id, resource_id, resource_type, retired_at is null from plans.actuators order by 1")
        )
        assert [tuple(row) for row in known] == [
            ("abay", "OXPH", "TURBINE", False),
            ("blominmaki", "P1_1", "PUMP", False),
        ]
        assert (await connection.execute(text("select nextval('plans.plan_id_seq')"))).scalar_one() == 4
    await database.close()


async def test_plans_of_two_tables_that_overlap_stop_the_migration_by_name_until_one_is_cancelled(
    database_url: str,
) -> None:
    folder = dict(migration_folders())["plans"]
    database = await filled(database_url, "0013", OVERLAPPING)
    named = (
        r"nothing was changed: 1 pairs .*: 1 of pump_plans and 2 of optimization_plans "
        r"\(acme, works/P1, 2026-02-17T09:00:00Z to 2026-02-17T10:00:00Z\)\. Cancel one of each"
    )
    with pytest.raises(ValueError, match=named):
        await asyncio.to_thread(upgrade, database_url, "plans", folder)
    rows = "select plan_id from plans.pump_plans union all select plan_id from plans.optimization_plans order by 1"
    assert [row["plan_id"] for row in await database.fetch(rows)] == [1, 2]
    [version] = await database.fetch("select version_num from plans.alembic_version")
    assert version["version_num"] == "0013"
    await database.fetch("update plans.pump_plans set plan_status = 'CANCELLED', active_until = now()")
    await asyncio.to_thread(upgrade, database_url, "plans", folder)
    assert [row["plan_id"] for row in await database.fetch(rows)] == [1, 2]
    await database.close()

"""The schema: from nothing to the head, down and up again, equal to what the code expects, and from the first with data in it."""

import asyncio
from pathlib import Path

import alembic.command
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


async def test_plans_of_the_first_version_are_there_at_the_head_and_their_actuators_are_known(
    database_url: str,
) -> None:
    folder = dict(migration_folders())["plans"]
    await asyncio.to_thread(upgrade, database_url, "plans", folder, "0001")
    database = Database(database_url)
    async with database.transaction() as connection:
        for statement in PLANS.split(";"):
            await connection.execute(text(statement))
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

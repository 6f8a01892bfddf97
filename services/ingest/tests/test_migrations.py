"""The schema: from nothing to the head, down and up again, and equal to what the code expects."""

import asyncio
from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from headworks.common.database import Database
from headworks.common.migrate import migration_folders, upgrade
from headworks.ingest.tables import metadata


def downgrade(database_url: str, folder: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes.update({"database_url": database_url, "schema": "ingest"})
    alembic.command.downgrade(config, revision)


def shape(connection: Connection) -> dict[str, set[str]]:
    inspector = inspect(connection)
    return {
        table: {column["name"] for column in inspector.get_columns(table, schema="ingest")}
        for table in inspector.get_table_names(schema="ingest")
        if table != "alembic_version"
    }


async def test_the_schema_comes_from_nothing_goes_and_comes_again(database_url: str) -> None:
    folder = dict(migration_folders())["ingest"]
    expected = {table.name: {column.name for column in table.columns} for table in metadata.tables.values()}
    database = Database(database_url)
    for _ in range(2):
        await asyncio.to_thread(upgrade, database_url, "ingest", folder)
        async with database.transaction() as connection:
            assert await connection.run_sync(shape) == expected
        await asyncio.to_thread(downgrade, database_url, folder, "base")
        async with database.transaction() as connection:
            assert await connection.run_sync(shape) == {}
    await database.close()


async def test_values_of_the_first_version_are_there_in_the_second(database_url: str) -> None:
    folder = dict(migration_folders())["ingest"]
    await asyncio.to_thread(upgrade, database_url, "ingest", folder, "0001")
    database = Database(database_url)
    async with database.transaction() as connection:
        await connection.execute(
            text("insert into ingest.source_health (site, source, last_attempt_at) values ('abay', 'pi', now())")
        )
    await asyncio.to_thread(upgrade, database_url, "ingest", folder)
    async with database.transaction() as connection:
        assert (await connection.execute(text("select count(*) from ingest.source_health"))).scalar_one() == 1
    await database.close()

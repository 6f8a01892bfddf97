"""Migrations: from nothing to what the code expects, again without effect, side by side, and no further than what is known."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from pathlib import Path

import alembic.command
import asyncpg
import pytest
from alembic.config import Config
from alembic.util.exc import CommandError

from headworks.common.migrate import migrate_all, migration_folders, upgrade

SCHEMAS = [schema for schema, _ in migration_folders()]


async def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def with_schema(command: Callable[[Config], None], database_url: str, schema: str, folder: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes.update({"database_url": database_url, "schema": schema})
    command(config)


async def test_from_empty_to_head_and_again_and_side_by_side(database_url: str) -> None:
    assert sorted(SCHEMAS) == SCHEMAS
    assert {"alerts", "control_gateway", "ingest", "optimizer", "plans"} <= set(SCHEMAS)
    program = "import sys; from headworks.common.migrate import migrate_all; migrate_all(sys.argv[1])"
    command = (sys.executable, "-c", program, database_url)
    both = [await asyncio.create_subprocess_exec(*command, stdout=DEVNULL) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]
    tables = (
        "select table_schema, table_name from information_schema.tables where table_schema = any(array{}) order by 1, 2"
    )
    query = tables.format(SCHEMAS)
    first = await rows(database_url, query)
    assert {schema for schema, _ in first} == set(SCHEMAS)
    versions = [await rows(database_url, f"select * from {schema}.alembic_version") for schema in SCHEMAS]
    assert all(len(version) == 1 for version in versions)
    await asyncio.to_thread(migrate_all, database_url)
    assert await rows(database_url, query) == first


async def test_the_tables_are_what_the_code_says(database_url: str) -> None:
    """Alembic finds nothing to add: no column, index or type has been forgotten."""
    await asyncio.to_thread(migrate_all, database_url)
    for schema, folder in migration_folders():
        await asyncio.to_thread(with_schema, alembic.command.check, database_url, schema, folder)


async def test_an_unknown_revision_is_refused_and_nothing_is_made(database_url: str) -> None:
    folder = dict(migration_folders())["optimizer"]
    with pytest.raises(CommandError, match="Can't locate revision identified by 'nonesuch'"):
        await asyncio.to_thread(upgrade, database_url, "optimizer", folder, "nonesuch")
    assert await rows(database_url, "select 1 from information_schema.tables where table_schema = 'optimizer'") == []


async def test_a_database_of_newer_code_is_refused_and_left_alone(database_url: str) -> None:
    folder = dict(migration_folders())["optimizer"]
    await asyncio.to_thread(upgrade, database_url, "optimizer", folder)
    await rows(database_url, "update optimizer.alembic_version set version_num = '9999_newer'")
    with pytest.raises(CommandError, match="Can't locate revision identified by '9999_newer'"):
        await asyncio.to_thread(upgrade, database_url, "optimizer", folder)
    assert await rows(database_url, "select version_num from optimizer.alembic_version") == [("9999_newer",)]


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(database_url: str, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text(
        "from headworks.common.database import metadata_of\n"
        "from headworks.common.migrate import run_environment\n"
        "run_environment(metadata_of('broken'))\n"
    )
    (versions / "0001.py").write_text(
        "from alembic import op\nrevision, down_revision = '0001', None\n"
        "def upgrade():\n    op.execute('create table broken.half (id int)')\n    op.execute('create nonsense')\n"
    )
    with pytest.raises(Exception, match="nonsense"):
        await asyncio.to_thread(upgrade, database_url, "broken", tmp_path)
    assert await rows(database_url, "select 1 from information_schema.tables where table_schema = 'broken'") == []

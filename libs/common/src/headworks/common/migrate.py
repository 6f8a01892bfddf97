"""Brings the database and the streams to what the code expects: `python -m headworks.common.migrate`.

Each service that owns data registers its migrations folder under the entry-point group `headworks.migrations`; its
Alembic versions live in its own schema.
"""

import asyncio
import importlib.util
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import alembic.command
import structlog
from alembic import context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from headworks.common.bus import Bus
from headworks.common.logs import configure_logs
from headworks.common.settings import ServiceSettings

log = structlog.get_logger(__name__)


def migration_folders() -> Iterator[tuple[str, Path]]:
    """Each schema with the folder of its migrations, by name."""
    for entry in sorted(entry_points(group="headworks.migrations"), key=lambda e: e.name):
        spec = importlib.util.find_spec(entry.value)
        if spec is None or not spec.submodule_search_locations:
            raise LookupError(f"entry point {entry.name} = {entry.value} names no package of migrations")
        yield entry.name, Path(next(iter(spec.submodule_search_locations)))


def upgrade(database_url: str, schema: str, folder: Path, revision: str = "head") -> None:
    """Bring one schema to a revision."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes.update({"database_url": database_url, "schema": schema})
    alembic.command.upgrade(config, revision)


def run_environment(metadata: MetaData) -> None:
    """What every service's migrations/env.py calls: run the versions in the schema, in one transaction."""
    url, schema = context.config.attributes["database_url"], context.config.attributes["schema"]
    asyncio.run(_run(url, schema, metadata))


async def _run(url: str, schema: str, metadata: MetaData) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(hashtext('headworks.migrate'))"))
        await connection.execute(text(f'create schema if not exists "{schema}"'))
        await connection.run_sync(_run_versions, schema, metadata)
    await engine.dispose()


def _run_versions(connection: Connection, schema: str, metadata: MetaData) -> None:
    partitions = set(
        connection.scalars(text("select relname from pg_class where relispartition and relkind in ('r', 'p')"))
    )

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        """The service's own schema, and its tables without their partitions, which are made and dropped as time passes."""
        return name == schema if kind == "schema" else kind != "table" or name not in partitions

    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=is_ours,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def migrate_all(database_url: str) -> None:
    """Bring every service's schema to its head."""
    for schema, folder in migration_folders():
        upgrade(database_url, schema, folder)
        log.info("schema is at head", schema=schema)


async def _declare_streams(settings: ServiceSettings) -> None:
    async with await Bus.connect(settings.nats_url, "migrate", settings.nats_seed_file) as bus:
        await bus.declare_streams()
    log.info("streams are declared")


def main() -> None:
    """Migrate, then declare the streams."""
    settings = ServiceSettings()
    configure_logs("migrate", settings.log_level)
    migrate_all(settings.database_url)
    asyncio.run(_declare_streams(settings))


if __name__ == "__main__":
    main()

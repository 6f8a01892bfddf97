"""Imports: which file was taken in, by whom, when, and what was found in it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make it."""
    op.execute("""
        create table ingest.imports (
            import_id bigserial constraint pk_imports primary key, site varchar(50) not null,
            mapping varchar(64) not null, file_name varchar(200) not null, sha256 varchar(64) not null,
            imported_by varchar(200) not null, known_at timestamptz not null, report jsonb not null)""")
    op.execute("create index ix_imports_site on ingest.imports (site, import_id)")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop table ingest.imports")

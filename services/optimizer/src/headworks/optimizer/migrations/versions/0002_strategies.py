"""What outside planners ask of stations: every version of the strategy document."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        create table optimizer.strategies (
            site varchar(50) not null, version integer not null, changed_by varchar(64) not null,
            changed_at timestamptz not null, periods jsonb not null,
            constraint pk_strategies primary key (site, version))""")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop table optimizer.strategies")

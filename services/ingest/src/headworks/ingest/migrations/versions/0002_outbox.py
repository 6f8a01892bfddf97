"""The outbox: a forecast or an award and its message go together."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it."""
    op.execute("""
        create table ingest.outbox (
            outbox_id bigserial constraint pk_outbox primary key, subject varchar(200) not null,
            in_stream varchar(1) not null default 'y', message_id varchar(200) not null, headers jsonb not null,
            body bytea not null, created_at timestamptz not null default now(), sent_at timestamptz)""")
    op.execute("create index ix_outbox_sent_at on ingest.outbox (sent_at)")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop table ingest.outbox")

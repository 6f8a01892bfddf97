"""The shipped journal and the outbox."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.execute("""
        create table control_gateway.journal (
            entry_id bigserial constraint pk_journal primary key, setpoint_id varchar(64) not null,
            site varchar(50) not null, resource varchar(50) not null, at timestamptz not null,
            outcome varchar(20) not null, entry jsonb not null, shipped_at timestamptz not null default now(),
            constraint uq_journal_setpoint_id unique (setpoint_id))""")
    op.execute("create index ix_journal_site_resource on control_gateway.journal (site, resource, entry_id)")
    op.execute("""
        create table control_gateway.outbox (
            outbox_id bigserial constraint pk_outbox primary key, subject varchar(200) not null,
            in_stream varchar(1) not null default 'y', message_id varchar(200) not null, headers jsonb not null,
            body bytea not null, created_at timestamptz not null default now(), sent_at timestamptz)""")
    op.execute("create index ix_outbox_sent_at on control_gateway.outbox (sent_at)")


def downgrade() -> None:
    """Remove them."""
    op.execute("drop table control_gateway.outbox")
    op.execute("drop table control_gateway.journal")

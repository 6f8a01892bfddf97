"""The runs and the outbox."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.execute("""
        create table optimizer.runs (
            run_id varchar(128) constraint pk_runs primary key, site varchar(50) not null,
            requested_at timestamptz not null, requested_by varchar(64) not null, reason varchar(300) not null,
            overrides jsonb not null, stage varchar(20) not null, attempt integer not null default 0,
            cancel_requested boolean not null default false, status varchar(20),
            status_reason varchar(1000) not null default '', finished_at timestamptz, submission_id varchar(128),
            mfra_summary varchar(300) not null default '', inputs jsonb, mfra jsonb, "case" jsonb, solution jsonb)""")
    op.execute("create index ix_runs_site_requested_at on optimizer.runs (site, requested_at)")
    op.execute("""
        create table optimizer.outbox (
            outbox_id bigserial constraint pk_outbox primary key, subject varchar(200) not null,
            in_stream varchar(1) not null default 'y', message_id varchar(200) not null, headers jsonb not null,
            body bytea not null, created_at timestamptz not null default now(), sent_at timestamptz)""")
    op.execute("create index ix_outbox_sent_at on optimizer.outbox (sent_at)")


def downgrade() -> None:
    """Remove them."""
    op.execute("drop table optimizer.outbox")
    op.execute("drop table optimizer.runs")

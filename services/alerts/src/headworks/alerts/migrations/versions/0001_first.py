"""The alarms, their journal, the notices and the outbox."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.execute("""
        create table alerts.alarms (
            site varchar(64) not null, alarm varchar(64) not null, state varchar(32) not null,
            since timestamptz not null, holds boolean not null, holds_since timestamptz not null,
            text varchar(1000) not null default '', value double precision, unit varchar(32) not null default '',
            causes jsonb not null, acknowledged_by varchar(64), shelved_until timestamptz,
            constraint pk_alarms primary key (site, alarm))""")
    op.execute("""
        create table alerts.journal (
            entry_id bigserial constraint pk_journal primary key,
            transition_id varchar(128) not null constraint uq_journal_transition_id unique,
            site varchar(64) not null, alarm varchar(64) not null, at timestamptz not null, entry jsonb not null)""")
    op.execute("create index ix_journal_site_entry_id on alerts.journal (site, entry_id)")
    op.execute("""
        create table alerts.notices (
            notice_id bigserial constraint pk_notices primary key, site varchar(64), alarm varchar(64),
            channel varchar(16) not null, recipient varchar(254) not null, subject varchar(200) not null,
            text varchar(2000) not null, at timestamptz not null, status varchar(16) not null,
            attempts integer not null default 0, due_at timestamptz not null default now(), sent_at timestamptz,
            constraint ck_notices_status check (status in ('PENDING', 'SENT', 'FAILED', 'COOLDOWN')))""")
    op.execute("create index ix_notices_pending on alerts.notices (due_at) where status = 'PENDING'")
    op.execute("create index ix_notices_alarm on alerts.notices (site, alarm, notice_id)")
    op.execute("""
        create table alerts.attempts (
            attempt_id bigserial constraint pk_attempts primary key,
            notice_id bigint not null constraint fk_attempts_notice_id_notices references alerts.notices,
            at timestamptz not null default now(), delivered boolean not null, detail varchar(500) not null)""")
    op.execute("create index ix_attempts_notice_id on alerts.attempts (notice_id)")
    op.execute("""
        create table alerts.outbox (
            outbox_id bigserial constraint pk_outbox primary key, subject varchar(200) not null,
            in_stream varchar(1) not null default 'y', message_id varchar(200) not null, headers jsonb not null,
            body bytea not null, created_at timestamptz not null default now(), sent_at timestamptz)""")
    op.execute("create index ix_outbox_sent_at on alerts.outbox (sent_at)")


def downgrade() -> None:
    """Remove them."""
    for table in ("outbox", "attempts", "notices", "journal", "alarms"):
        op.execute(f"drop table alerts.{table}")

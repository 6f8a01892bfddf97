"""The Strategy-B tables, submissions and the outbox.

Written out rather than made from tables.py: a version must not change when the code does.
"""

from alembic import op

revision = "0001"
down_revision = None

VERSION_COLUMNS = """
    plan_created_at timestamptz not null default now(),
    plan_updated_at timestamptz not null default now(),
    plan_version integer not null default 1,
    optimization_run_id varchar(128),
    plan_priority integer not null default 1,
    plan_status varchar(20) not null default 'ACTIVE',
    superseded_by integer,
    publisher varchar(64) not null,
    submission_id varchar(128) not null,
    reason varchar(500) not null default '',
    content_hash varchar(64) not null,
    during tstzrange generated always as (tstzrange(interval_start, interval_end, '[)')) stored
"""
TARGETS = {
    "pump_plans": (
        "pump_id",
        "target_flow_m3h numeric(10,2), target_power_kw numeric(10,2), target_level_m numeric(5,2), "
        "suggested_speed_hz numeric(5,2)",
    ),
    "optimization_plans": (
        "resource_id",
        "resource_type varchar(20) not null constraint ck_optimization_plans_resource_type check "
        "(resource_type in ('PUMP', 'VALVE', 'BLOWER', 'COMPRESSOR', 'GATE', 'TURBINE')), "
        "optimization_targets jsonb not null",
    ),
}


def upgrade() -> None:
    """Make them."""
    op.execute("create extension if not exists btree_gist")
    op.execute("create sequence plans.plan_id_seq")
    for table, (resource, targets) in TARGETS.items():
        _create_plans(table, resource, targets)
    op.execute("""
        create table plans.submissions (
            publisher varchar(64) not null, submission_id varchar(128) not null, site varchar(50) not null,
            content_hash varchar(64) not null, accepted boolean not null, reply jsonb not null,
            received_at timestamptz not null default now(),
            constraint pk_submissions primary key (publisher, submission_id))""")
    op.execute("""
        create table plans.outbox (
            outbox_id bigserial constraint pk_outbox primary key, subject varchar(200) not null,
            in_stream varchar(1) not null default 'y', message_id varchar(200) not null, headers jsonb not null,
            body bytea not null, created_at timestamptz not null default now(), sent_at timestamptz)""")
    op.execute("create index ix_outbox_sent_at on plans.outbox (sent_at)")


def _create_plans(table: str, resource: str, targets: str) -> None:
    op.execute(f"""
        create table plans.{table} (
            plan_id integer not null default nextval('plans.plan_id_seq') constraint pk_{table} primary key,
            station_id varchar(50) not null, {resource} varchar(50) not null,
            interval_start timestamptz not null, interval_end timestamptz not null,
            {targets}, {VERSION_COLUMNS},
            constraint fk_{table}_superseded_by_{table} foreign key (superseded_by)
                references plans.{table} (plan_id) deferrable initially deferred,
            constraint ck_{table}_status check (plan_status in ('ACTIVE', 'SUPERSEDED', 'CANCELLED')),
            constraint ck_{table}_interval check (interval_end > interval_start),
            constraint ex_{table}_no_overlap exclude using gist
                (station_id with =, {resource} with =, publisher with =, during with &&)
                where (plan_status = 'ACTIVE'))""")
    op.execute(f"""create index ix_{table}_active on plans.{table} (station_id, {resource}, interval_end)
        where plan_status = 'ACTIVE'""")
    op.execute(f"create index ix_{table}_history on plans.{table} (station_id, {resource}, plan_id)")


def downgrade() -> None:
    """Remove them."""
    for table in ("outbox", "submissions", *TARGETS):
        op.execute(f"drop table plans.{table}")
    op.execute("drop sequence plans.plan_id_seq")

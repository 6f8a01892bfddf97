"""The challengers' plans and scores. Written out rather than made from the tables."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make them."""
    op.execute("""
        create table plans.challenger_plans (
            plan_id integer not null default nextval('plans.plan_id_seq') constraint pk_challenger_plans primary key,
            publisher varchar(64) not null
                constraint fk_challenger_plans_publisher_vendors references plans.vendors (name),
            submission_id varchar(128) not null, station_id varchar(50) not null, resource_id varchar(50) not null,
            resource_type varchar(20) not null, interval_start timestamptz not null, interval_end timestamptz not null,
            targets jsonb not null, plan_version integer not null, plan_created_at timestamptz not null,
            constraint ck_challenger_plans_interval check (interval_end > interval_start))""")
    op.execute("create index ix_challenger_plans_span on plans.challenger_plans (publisher, station_id, interval_end)")
    op.execute("""
        create table plans.challenger_scores (
            publisher varchar(64) constraint fk_challenger_scores_publisher_vendors references plans.vendors (name),
            site varchar(50), day date, scored_at timestamptz not null, score jsonb not null,
            constraint pk_challenger_scores primary key (publisher, site, day))""")
    op.execute("""
        create table plans.challenger_runs (
            run_id varchar(64) constraint pk_challenger_runs primary key,
            publisher varchar(64) not null
                constraint fk_challenger_runs_publisher_vendors references plans.vendors (name),
            site varchar(50) not null, first_day date not null, last_day date not null,
            requested_by varchar(128) not null, requested_at timestamptz not null, days_done integer not null,
            status varchar(10) not null constraint ck_challenger_runs_status
                check (status in ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
            error varchar(500))""")


def downgrade() -> None:
    """Remove them."""
    for table in ("challenger_runs", "challenger_scores", "challenger_plans"):
        op.execute(f"drop table plans.{table}")

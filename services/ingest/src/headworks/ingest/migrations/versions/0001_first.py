"""Observations, forecasts, awards and the health of sources."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """create table ingest.observations (
        site varchar(50) not null, series varchar(64) not null, basis varchar(12) not null,
        valid_at timestamptz not null, known_at timestamptz not null, value double precision,
        quality varchar(10) not null, source varchar(64) not null, substituted varchar(200),
        constraint pk_observations primary key (site, series, basis, valid_at, known_at))""",
    """create table ingest.forecasts (
        forecast_id bigserial constraint pk_forecasts primary key, site varchar(50) not null,
        series varchar(64) not null, source varchar(64) not null, issued_at timestamptz not null,
        known_at timestamptz not null, forecast jsonb not null)""",
    "create unique index uq_forecasts_issue on ingest.forecasts (site, series, source, issued_at)",
    """create table ingest.awards (
        award_id bigserial constraint pk_awards primary key, site varchar(50) not null,
        resource varchar(64) not null, product varchar(20) not null, trade_date date not null,
        known_at timestamptz not null, award jsonb not null)""",
    "create index ix_awards_trade_date on ingest.awards (site, trade_date, award_id)",
    """create table ingest.source_health (
        site varchar(50) not null, source varchar(64) not null, last_attempt_at timestamptz not null,
        last_success_at timestamptz, newest_valid_at timestamptz, error varchar(1000),
        updated_at timestamptz not null default now(), constraint pk_source_health primary key (site, source))""",
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for table in ("source_health", "awards", "forecasts", "observations"):
        op.execute(f"drop table ingest.{table}")

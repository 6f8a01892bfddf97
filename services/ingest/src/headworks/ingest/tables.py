"""What was learned and when: observations, forecasts, awards and imports are only ever added; each row carries known_at."""

from sqlalchemy import BigInteger, Column, Date, DateTime, Float, Index, MetaData, String, Table, func
from sqlalchemy.dialects.postgresql import JSONB

from headworks.common.database import metadata_of
from headworks.common.outbox import outbox_table

SCHEMA = "ingest"
metadata: MetaData = metadata_of(SCHEMA)

observations = Table(
    "observations",
    metadata,
    Column("site", String(50), primary_key=True),
    Column("series", String(64), primary_key=True),
    Column("basis", String(12), primary_key=True),
    Column("valid_at", DateTime(timezone=True), primary_key=True),
    Column("known_at", DateTime(timezone=True), primary_key=True),
    Column("value", Float),
    Column("quality", String(10), nullable=False),
    Column("source", String(64), nullable=False),
    Column("substituted", String(200)),
)
forecasts = Table(
    "forecasts",
    metadata,
    Column("forecast_id", BigInteger, primary_key=True, autoincrement=True),
    Column("site", String(50), nullable=False),
    Column("series", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("known_at", DateTime(timezone=True), nullable=False),
    Column("forecast", JSONB, nullable=False),
)
Index("uq_forecasts_issue", *(forecasts.c[n] for n in ("site", "series", "source", "issued_at")), unique=True)
awards = Table(
    "awards",
    metadata,
    Column("award_id", BigInteger, primary_key=True, autoincrement=True),
    Column("site", String(50), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("product", String(20), nullable=False),
    Column("trade_date", Date, nullable=False),
    Column("known_at", DateTime(timezone=True), nullable=False),
    Column("award", JSONB, nullable=False),
)
Index("ix_awards_trade_date", awards.c.site, awards.c.trade_date, awards.c.award_id)
source_health = Table(
    "source_health",
    metadata,
    Column("site", String(50), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("last_attempt_at", DateTime(timezone=True), nullable=False),
    Column("last_success_at", DateTime(timezone=True)),
    Column("newest_valid_at", DateTime(timezone=True)),
    Column("error", String(1000)),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
imports = Table(
    "imports",
    metadata,
    Column("import_id", BigInteger, primary_key=True, autoincrement=True),
    Column("site", String(50), nullable=False),
    Column("mapping", String(64), nullable=False),
    Column("file_name", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("imported_by", String(200), nullable=False),
    Column("known_at", DateTime(timezone=True), nullable=False),
    Column("report", JSONB, nullable=False),
)
Index("ix_imports_site", imports.c.site, imports.c.import_id)
outbox = outbox_table(metadata)

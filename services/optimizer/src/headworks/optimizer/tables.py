"""The runs: what was asked, from what inputs, and what came of it; and the strategies that outside planners ask for."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB

from headworks.common.database import metadata_of
from headworks.common.outbox import outbox_table

SCHEMA = "optimizer"
metadata: MetaData = metadata_of(SCHEMA)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("site", String(50), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("reason", String(300), nullable=False),
    Column("overrides", JSONB, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("cancel_requested", Boolean, nullable=False, server_default="false"),
    Column("status", String(20)),
    Column("status_reason", String(1000), nullable=False, server_default=""),
    Column("finished_at", DateTime(timezone=True)),
    Column("submission_id", String(128)),
    Column("mfra_summary", String(300), nullable=False, server_default=""),
    Column("inputs", JSONB),
    Column("mfra", JSONB),
    Column("case", JSONB),
    Column("solution", JSONB),
)
Index("ix_runs_site_requested_at", runs.c.site, runs.c.requested_at)
strategies = Table(
    "strategies",
    metadata,
    Column("site", String(50), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("changed_by", String(64), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("periods", JSONB, nullable=False),
)
outbox = outbox_table(metadata)

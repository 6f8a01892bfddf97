"""The challengers' plans and scores. Tables of their own: no query for what is in force can ever find them."""

from sqlalchemy import CheckConstraint, Column, Date, DateTime, ForeignKey, Index, Integer, String, Table
from sqlalchemy.dialects.postgresql import JSONB

from headworks.plans.tables import metadata, plan_ids
from headworks.plans.vendor_tables import vendors

__all__ = ["challenger_plans", "challenger_runs", "challenger_scores", "metadata"]

challenger_plans = Table(
    "challenger_plans",
    metadata,
    Column("plan_id", Integer, plan_ids, server_default=plan_ids.next_value(), primary_key=True),
    Column("publisher", String(64), ForeignKey(vendors.c.name), nullable=False),
    Column("submission_id", String(128), nullable=False),
    Column("station_id", String(50), nullable=False),
    Column("resource_id", String(50), nullable=False),
    Column("resource_type", String(20), nullable=False),
    Column("interval_start", DateTime(timezone=True), nullable=False),
    Column("interval_end", DateTime(timezone=True), nullable=False),
    Column("targets", JSONB, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("plan_created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("interval_end > interval_start", name="interval"),
    Index("ix_challenger_plans_span", "publisher", "station_id", "interval_end"),
    Index("ix_challenger_plans_end", "interval_end"),
)
challenger_scores = Table(
    "challenger_scores",
    metadata,
    Column("publisher", String(64), ForeignKey(vendors.c.name), primary_key=True),
    Column("site", String(50), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("scored_at", DateTime(timezone=True), nullable=False),
    Column("score", JSONB, nullable=False),
)
challenger_runs = Table(
    "challenger_runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("publisher", String(64), ForeignKey(vendors.c.name), nullable=False),
    Column("site", String(50), nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("requested_by", String(128), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("days_done", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("error", String(500)),
    CheckConstraint("status in ('QUEUED', 'RUNNING', 'DONE', 'FAILED')", name="status"),
)

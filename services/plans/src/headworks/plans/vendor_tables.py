"""The registry of vendors: who they are, the keys they have had, what was changed and by whom, and what they sent of late."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from headworks.plans.tables import metadata

__all__ = ["metadata", "vendor_changes", "vendor_intake", "vendor_keys", "vendors"]

vendors = Table(
    "vendors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("sites", ARRAY(String(64)), nullable=False),
    Column("submissions_per_hour", Integer, nullable=False),
    Column("intervals_per_submission", Integer, nullable=False),
    Column("intervals_per_day", Integer, nullable=False),
    Column("max_priority", Integer, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("preflight", Boolean, nullable=False),
    Column("added_by", String(128), nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)
vendor_keys = Table(
    "vendor_keys",
    metadata,
    Column("public_key", String(56), primary_key=True),
    Column("vendor", String(64), ForeignKey(vendors.c.name), nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Index("ix_vendor_keys_valid", "vendor", unique=True, postgresql_where=text("ended_at is null")),
)
vendor_changes = Table(
    "vendor_changes",
    metadata,
    Column("change_id", BigInteger, primary_key=True, autoincrement=True),
    Column("vendor", String(64), ForeignKey(vendors.c.name), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", String(128), nullable=False),
    Column("change", String(20), nullable=False),
    Column("content", JSONB, nullable=False),
)
vendor_intake = Table(
    "vendor_intake",
    metadata,
    Column("vendor", String(64), ForeignKey(vendors.c.name), primary_key=True),
    Column("submission_id", String(128), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("intervals", Integer, nullable=False),
    Index("ix_vendor_intake_at", "vendor", "at"),
)

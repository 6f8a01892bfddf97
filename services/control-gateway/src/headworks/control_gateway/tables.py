"""The gateway's tables: the shipped journal, the chain it and the audit stand in, and the outbox."""

from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, String, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from headworks.common.database import metadata_of
from headworks.common.outbox import outbox_table

SCHEMA = "control_gateway"
metadata: MetaData = metadata_of(SCHEMA)

journal = Table(
    "journal",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=True),
    Column("setpoint_id", String(64), nullable=False, unique=True),
    Column("site", String(50), nullable=False),
    Column("resource", String(50), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("entry", JSONB, nullable=False),
    Column("shipped_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
Index("ix_journal_site_resource", journal.c.site, journal.c.resource, journal.c.entry_id)
outbox = outbox_table(metadata)

chain = Table(
    "audit_chain",
    metadata,
    Column("chain", String(100), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("category", String(20)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("shipped_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
Index("ix_audit_chain_category_at", chain.c.category, chain.c.at)

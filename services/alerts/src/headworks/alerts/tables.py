"""The alarms' tables: their state, the append-only journal of transitions, and notices with every attempt to send them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from headworks.common.database import metadata_of
from headworks.common.outbox import outbox_table

SCHEMA = "alerts"
metadata = metadata_of(SCHEMA)

alarms = Table(
    "alarms",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("alarm", String(64), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("holds_since", DateTime(timezone=True), nullable=False),
    Column("text", String(1000), nullable=False, server_default=""),
    Column("value", Double),
    Column("unit", String(32), nullable=False, server_default=""),
    Column("causes", JSONB, nullable=False),
    Column("acknowledged_by", String(64)),
    Column("shelved_until", DateTime(timezone=True)),
)
journal = Table(
    "journal",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=True),
    Column("transition_id", String(128), nullable=False, unique=True),
    Column("site", String(64), nullable=False),
    Column("alarm", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("entry", JSONB, nullable=False),
    Index("ix_journal_site_entry_id", "site", "entry_id"),
)
notices = Table(
    "notices",
    metadata,
    Column("notice_id", BigInteger, primary_key=True, autoincrement=True),
    Column("site", String(64)),
    Column("alarm", String(64)),
    Column("channel", String(16), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("text", String(2000), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("sent_at", DateTime(timezone=True)),
    CheckConstraint("status in ('PENDING', 'SENT', 'FAILED', 'COOLDOWN')", name="status"),
    Index("ix_notices_alarm", "site", "alarm", "notice_id"),
    Index("ix_notices_pending", "due_at", postgresql_where=text("status = 'PENDING'")),
)
attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", BigInteger, primary_key=True, autoincrement=True),
    Column("notice_id", BigInteger, ForeignKey(notices.c.notice_id), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("delivered", Boolean, nullable=False),
    Column("detail", String(500), nullable=False),
)
outbox = outbox_table(metadata)

"""Alembic's entry: runs the versions of this schema."""

from headworks.common.migrate import run_environment
from headworks.plans import audit_store, idempotency, vendor_tables
from headworks.plans.tables import metadata

assert audit_store.audit.metadata is idempotency.keys.metadata is vendor_tables.metadata is metadata

run_environment(metadata)

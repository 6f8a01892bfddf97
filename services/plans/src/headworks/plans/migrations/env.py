"""Alembic's entry: runs the versions of this schema."""

from headworks.common.migrate import run_environment
from headworks.plans import audit_store, idempotency, vendor_tables, waiting_room
from headworks.plans.challengers import tables as challengers
from headworks.plans.tables import metadata

tables = (
    audit_store.audit,
    idempotency.keys,
    waiting_room.approvals,
    vendor_tables.vendors,
    challengers.challenger_plans,
)
assert all(table.metadata is metadata for table in tables)

run_environment(metadata)

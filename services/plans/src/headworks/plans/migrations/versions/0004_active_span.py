"""When a version was active, by the plant's clock: what was known at a past instant is asked by it.

Of versions from before only their making and their last change are known; these stand for the span.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = ("pump_plans", "optimization_plans")


def upgrade() -> None:
    """Add the span, and fill it."""
    for table in TABLES:
        op.execute(f"""
            alter table plans.{table} add active_from timestamptz not null default now(), add active_until timestamptz""")
        op.execute(f"""
            update plans.{table} set active_from = plan_created_at, active_until =
                case when plan_status <> 'ACTIVE' then greatest(plan_updated_at, plan_created_at) end""")
        op.execute(f"""
            alter table plans.{table} add constraint ck_{table}_active_until check
                ((plan_status = 'ACTIVE') = (active_until is null))""")


def downgrade() -> None:
    """Remove it."""
    for table in TABLES:
        op.execute(f"alter table plans.{table} drop constraint ck_{table}_active_until")
        op.execute(f"alter table plans.{table} drop active_from, drop active_until")

"""An index by which old plans of challengers are found. Written out rather than made from the tables."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make it."""
    op.execute("create index ix_challenger_plans_end on plans.challenger_plans (interval_end)")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop index plans.ix_challenger_plans_end")

"""An index of active plans by when they hold: the plan in force of all actuators read every active plan of the table."""

from alembic import op

from headworks.plans.migrations.scripts import KINDS

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make it, on the active plans alone."""
    for kind in KINDS:
        table = kind["plans"]
        op.execute(f"""create index ix_{table}_in_force on plans.{table}_active
            using gist (tstzrange(interval_start, interval_end))""")


def downgrade() -> None:
    """Remove it."""
    for kind in KINDS:
        op.execute(f"drop index plans.ix_{kind['plans']}_in_force")

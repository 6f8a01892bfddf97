"""What a vendor may is asked once more in the transaction that puts its plan in force: a revocation during a preflight holds."""

from alembic import op

from headworks.plans.migrations.scripts import run

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Two functions; the tables and the path of own publishers stay as they are."""
    run("0015_vendor_standing.sql", {})


def downgrade() -> None:
    """Let it be again."""
    op.execute("drop function plans.accept_of_vendors, plans.hold_vendor")

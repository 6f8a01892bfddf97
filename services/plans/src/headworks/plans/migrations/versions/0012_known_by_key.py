"""A submission's id is looked up by its key, whatever the planner knew of the table; and the call's JSON is read once.

See docs/decisions/0013: this is what made a call dearer with every submission stored.
"""

from alembic import op

from headworks.plans.migrations.scripts import run

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Changes and horizons as two arguments; a change has its content's hash, its answer and the answer's subject."""
    op.execute("drop function plans.accept")
    op.execute(
        "alter type plans.change add attribute content varchar, add attribute answer jsonb, "
        "add attribute reply_subject varchar"
    )
    run("0012_accept.sql", {})


def downgrade() -> None:
    """As it was."""
    op.execute("drop function plans.accept")
    op.execute("alter type plans.change drop attribute content, drop attribute answer, drop attribute reply_subject")
    run("0010_accept.sql", {})

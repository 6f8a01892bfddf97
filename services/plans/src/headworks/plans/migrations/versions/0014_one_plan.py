"""A pump plan and a generic plan of one publisher for one actuator cannot both be active at an instant: the database refuses it.

Our own functions never did it. Where somebody else did, the pairs are named and nothing is changed: which of two is meant, only a
person knows.
"""

from alembic import op
from sqlalchemy import text

from headworks.plans.migrations.scripts import KINDS, run

revision = "0014"
down_revision = "0013"

SHOWN = 10
OVERLAPPING = """
select p.plan_id as pump_plan, g.plan_id as generic_plan, p.publisher, p.station_id, p.pump_id,
    greatest(p.interval_start, g.interval_start) as first, least(p.interval_end, g.interval_end) as last
from plans.pump_plans p join plans.optimization_plans g on g.station_id = p.station_id and g.resource_id = p.pump_id
    and g.publisher = p.publisher and g.interval_end > p.interval_start and g.interval_start < p.interval_end
where p.plan_status = 'ACTIVE' and g.plan_status = 'ACTIVE' order by p.plan_id, g.plan_id
"""


def upgrade() -> None:
    """Hold the rule from now on. Raises ValueError where rows break it already."""
    for kind in KINDS:
        op.execute(f"lock table plans.{kind['plans']} in share row exclusive mode")
    _refuse_what_overlaps()
    for kind in KINDS:
        run("0014_one_plan.sql", kind)


def downgrade() -> None:
    """Let it be again."""
    for kind in KINDS:
        table = kind["plans"]
        op.execute(f"drop trigger one_plan on plans.{table}")
        op.execute(f"drop trigger one_plan on plans.{table}_active")
        op.execute(f"drop function plans.one_plan_{table}")


def _refuse_what_overlaps() -> None:
    rows = op.get_bind().execute(text(OVERLAPPING)).mappings().all()
    if not rows:
        return
    pairs = "; ".join(
        f"{row['pump_plan']} of pump_plans and {row['generic_plan']} of optimization_plans ({row['publisher']}, "
        f"{row['station_id']}/{row['pump_id']}, {row['first']:%FT%TZ} to {row['last']:%FT%TZ})"
        for row in rows[:SHOWN]
    )
    more = f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    raise ValueError(
        f"nothing was changed: {len(rows)} pairs of active plans of one publisher overlap for an actuator: {pairs}{more}. "
        "Cancel one of each (POST /plans/{plan_id}/cancel at the service as it runs now), then migrate again"
    )

"""The plan tables in partitions, and the write path as functions: see docs/decisions/0013.

The SQL lies in ../sql. Rows that are there are taken over.
"""

from alembic import op

from headworks.plans.migrations.scripts import COMMON, KINDS, run

revision = "0006"
down_revision = "0005"

CONSTRAINTS = ("pk_{t}", "fk_{t}_superseded_by_{t}", "fk_{t}_actuators", "ex_{t}_no_overlap")


def upgrade() -> None:
    """Make the new tables, take the rows over month by month, and make the functions."""
    for kind in KINDS:
        _set_aside(kind["plans"])
    run("0006_history.sql", {})
    for kind in KINDS:
        run("0006_plan_table.sql", kind)
        _take_over(kind)
    run("0006_origin.sql", {})
    for kind in KINDS:
        run("0006_message.sql", kind)
    for kind in KINDS:
        run("0006_replace.sql", kind)
    run("0006_accept.sql", {})


def _set_aside(table: str) -> None:
    for constraint in reversed(CONSTRAINTS):
        op.execute(f"alter table plans.{table} drop constraint {constraint.format(t=table)}")
    op.execute(f"drop index plans.ix_{table}_active")
    op.execute(f"drop index plans.ix_{table}_history")
    op.execute(f"alter table plans.{table} rename to {table}_before")


def _take_over(kind: dict[str, str]) -> None:
    table = kind["plans"]
    columns = f"{COMMON}, {kind['resource']}, {kind['columns']}"
    op.execute(f"""
        select plans.add_month('{table}', month) from (
            select distinct date_trunc('month', plan_created_at, 'UTC') as month
            from plans.{table}_before where plan_status = 'SUPERSEDED') months""")
    op.execute(f"insert into plans.{table} ({columns}) select {columns} from plans.{table}_before order by plan_id")
    op.execute(f"drop table plans.{table}_before")


def downgrade() -> None:
    """One table for each kind again, without the functions."""
    op.execute("drop function plans.accept, plans.add_month")
    for kind in KINDS:
        table, resource = kind["plans"], kind["resource"]
        op.execute(f"drop function plans.replace_{table}, plans.supersede_{table}")
        op.execute(f"drop function plans.message_of(plans.{table})")
    op.execute("drop type plans.origin")
    for kind in KINDS:
        table, resource = kind["plans"], kind["resource"]
        columns = f"{COMMON}, {resource}, {kind['columns']}"
        op.execute(f"alter table plans.{table} rename to {table}_after")
        op.execute(f"""
            create table plans.{table} (like plans.{table}_after including defaults,
                during tstzrange generated always as (tstzrange(interval_start, interval_end, '[)')) stored)""")
        op.execute(f"insert into plans.{table} ({columns}) select {columns} from plans.{table}_after")
        op.execute(f"drop table plans.{table}_after")
        op.execute(f"""
            alter table plans.{table} add constraint pk_{table} primary key (plan_id),
                add constraint fk_{table}_superseded_by_{table} foreign key (superseded_by)
                    references plans.{table} (plan_id) deferrable initially deferred,
                add constraint fk_{table}_actuators foreign key (station_id, {resource})
                    references plans.actuators (station_id, resource_id),
                add constraint ck_{table}_status check (plan_status in ('ACTIVE', 'SUPERSEDED', 'CANCELLED')),
                add constraint ck_{table}_interval check (interval_end > interval_start),
                add constraint ck_{table}_active_until check ((plan_status = 'ACTIVE') = (active_until is null)),
                add constraint ex_{table}_no_overlap exclude using gist (station_id with =, {resource} with =,
                    publisher with =, during with &&) where (plan_status = 'ACTIVE')""")
        op.execute(f"""create index ix_{table}_active on plans.{table} (station_id, {resource}, interval_end)
            where plan_status = 'ACTIVE'""")
        op.execute(f"create index ix_{table}_history on plans.{table} (station_id, {resource}, plan_id)")
    op.execute("""
        alter table plans.optimization_plans add constraint ck_optimization_plans_resource_type
            check (resource_type ~ '^[A-Z][A-Z0-9_]*$')""")
    op.execute("drop function plans.add_partition, plans.keep_history, plans.refuse_delete")

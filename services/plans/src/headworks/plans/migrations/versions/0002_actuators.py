"""Who may be planned for, as rows: every plan row refers to one.

The service fills the table from the site files at its start. What only old plans name is entered as retired, its range unknown.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

RESOURCES = {"pump_plans": ("pump_id", "'PUMP'"), "optimization_plans": ("resource_id", "resource_type")}


def upgrade() -> None:
    """Make the table, enter whom plans name already, and let plan rows refer to it."""
    op.execute("""
        create table plans.actuators (
            station_id varchar(50) not null, resource_id varchar(50) not null,
            resource_type varchar(20) not null constraint ck_actuators_resource_type check
                (resource_type in ('PUMP', 'VALVE', 'BLOWER', 'COMPRESSOR', 'GATE', 'TURBINE')),
            target_type varchar(20), unit varchar(20), minimum double precision, maximum double precision,
            can_stop boolean not null default false, retired_at timestamptz,
            constraint pk_actuators primary key (station_id, resource_id))""")
    for table, (resource, resource_type) in RESOURCES.items():
        op.execute(f"""
            insert into plans.actuators (station_id, resource_id, resource_type, retired_at)
            select station_id, {resource}, min({resource_type}), now() from plans.{table} group by station_id, {resource}
            on conflict do nothing""")
        op.execute(f"""
            alter table plans.{table} add constraint fk_{table}_actuators
                foreign key (station_id, {resource}) references plans.actuators (station_id, resource_id)""")


def downgrade() -> None:
    """Remove it."""
    for table in RESOURCES:
        op.execute(f"alter table plans.{table} drop constraint fk_{table}_actuators")
    op.execute("drop table plans.actuators")

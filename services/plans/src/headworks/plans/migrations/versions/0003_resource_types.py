"""Resource types as rows: a new type is a new file and needs no new version of the tables.

Actuators refer to their type. A plan row is held to the form of one alone: it refers to its actuator.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

FIRST = ("PUMP", "VALVE", "BLOWER", "COMPRESSOR", "GATE", "TURBINE")
IN_FIRST = f"resource_type in {FIRST}"


def upgrade() -> None:
    """Make the table with the types that were checked so far, and let actuators refer to it."""
    op.execute("create table plans.resource_types (resource_type varchar(20) constraint pk_resource_types primary key)")
    names = ", ".join(f"('{name}')" for name in FIRST)
    op.execute(f"insert into plans.resource_types values {names}")
    op.execute("""
        alter table plans.actuators drop constraint ck_actuators_resource_type,
            add constraint fk_actuators_resource_type_resource_types
            foreign key (resource_type) references plans.resource_types (resource_type)""")
    op.execute("""
        alter table plans.optimization_plans drop constraint ck_optimization_plans_resource_type,
            add constraint ck_optimization_plans_resource_type check (resource_type ~ '^[A-Z][A-Z0-9_]*$')""")


def downgrade() -> None:
    """Check the first types again. Fails while a row has another."""
    op.execute(f"""
        alter table plans.optimization_plans drop constraint ck_optimization_plans_resource_type,
            add constraint ck_optimization_plans_resource_type check ({IN_FIRST})""")
    op.execute(f"""
        alter table plans.actuators drop constraint fk_actuators_resource_type_resource_types,
            add constraint ck_actuators_resource_type check ({IN_FIRST})""")
    op.execute("drop table plans.resource_types")

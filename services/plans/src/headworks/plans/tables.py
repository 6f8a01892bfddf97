"""The Strategy-B tables, for queries. Names and columns are a contract with systems that query them: docs/how-to/plans.md.

What the database holds by itself (partitions, the rule against overlaps, history that stays) is in migrations/sql.
"""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from headworks.common.database import metadata_of
from headworks.common.outbox import outbox_table

SCHEMA = "plans"
metadata: MetaData = metadata_of(SCHEMA)
plan_ids = Sequence("plan_id_seq", metadata=metadata)
"""One sequence for both tables: a plan_id names one plan."""

resource_types = Table("resource_types", metadata, Column("resource_type", String(20), primary_key=True))
"""The types that there is a file for in `resource_types/`, entered at the service's start."""
actuators = Table(
    "actuators",
    metadata,
    Column("station_id", String(50), primary_key=True),
    Column("resource_id", String(50), primary_key=True),
    Column("resource_type", String(20), ForeignKey(resource_types.c.resource_type), nullable=False),
    Column("target_type", String(20)),
    Column("unit", String(20)),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("can_stop", Boolean, nullable=False, server_default=text("false")),
    Column("retired_at", DateTime(timezone=True)),
)
"""Who may be planned for, by the site files. One that they name no more is retired; plans go on to refer to it."""


def _version_columns() -> list[Column[object]]:
    return [
        Column("plan_created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("plan_updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("plan_version", Integer, nullable=False, server_default="1"),
        Column("optimization_run_id", String(128)),
        Column("plan_priority", Integer, nullable=False, server_default="1"),
        Column("plan_status", String(20), nullable=False, server_default="ACTIVE"),
        Column("superseded_by", Integer),
        Column("publisher", String(64), nullable=False),
        Column("submission_id", String(128), nullable=False),
        Column("reason", String(500), nullable=False, server_default=""),
        Column("content_hash", String(64), nullable=False),
        Column("active_from", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("active_until", DateTime(timezone=True)),
    ]


def _plan_table(name: str, resource_column: str, *targets: Column[object]) -> Table:
    return Table(
        name,
        metadata,
        Column("plan_id", Integer, plan_ids, server_default=plan_ids.next_value(), primary_key=True),
        Column("station_id", String(50), nullable=False),
        Column(resource_column, String(50), nullable=False),
        Column("interval_start", DateTime(timezone=True), nullable=False),
        Column("interval_end", DateTime(timezone=True), nullable=False),
        *targets,
        *_version_columns(),
        ForeignKeyConstraint(
            ("station_id", resource_column),
            (actuators.c.station_id, actuators.c.resource_id),
            name=f"fk_{name}_actuators",
        ),
    )


pump_plans = _plan_table(
    "pump_plans",
    "pump_id",
    Column("target_flow_m3h", Numeric(10, 2)),
    Column("target_power_kw", Numeric(10, 2)),
    Column("target_level_m", Numeric(5, 2)),
    Column("suggested_speed_hz", Numeric(5, 2)),
)
optimization_plans = _plan_table(
    "optimization_plans",
    "resource_id",
    Column("resource_type", String(20), nullable=False),
    Column("optimization_targets", JSONB, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("publisher", String(64), primary_key=True),
    Column("submission_id", String(128), primary_key=True),
    Column("site", String(50), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("reply", JSONB, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
outbox = outbox_table(metadata)

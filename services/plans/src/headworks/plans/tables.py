"""The Strategy-B tables. Names and columns are a contract with systems that query them; see docs/models and plans.md."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint
from sqlalchemy.schema import Computed

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

STATUSES = "plan_status in ('ACTIVE', 'SUPERSEDED', 'CANCELLED')"

ENDED = "(plan_status = 'ACTIVE') = (active_until is null)"
"""A version is active over [active_from, active_until) of the plant's clock: that is how a past instant is asked about."""


def _version_columns(table: str) -> list[Column[object]]:
    return [
        Column("plan_created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("plan_updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("plan_version", Integer, nullable=False, server_default="1"),
        Column("optimization_run_id", String(128)),
        Column("plan_priority", Integer, nullable=False, server_default="1"),
        Column("plan_status", String(20), nullable=False, server_default="ACTIVE"),
        Column(
            "superseded_by", Integer, ForeignKey(f"{SCHEMA}.{table}.plan_id", deferrable=True, initially="DEFERRED")
        ),
        Column("publisher", String(64), nullable=False),
        Column("submission_id", String(128), nullable=False),
        Column("reason", String(500), nullable=False, server_default=""),
        Column("content_hash", String(64), nullable=False),
        Column("active_from", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("active_until", DateTime(timezone=True)),
        Column("during", TSTZRANGE, Computed("tstzrange(interval_start, interval_end, '[)')", persisted=True)),
    ]


def _plan_table(name: str, resource_column: str, *targets: Column[object]) -> Table:
    table = Table(
        name,
        metadata,
        Column("plan_id", Integer, plan_ids, server_default=plan_ids.next_value(), primary_key=True),
        Column("station_id", String(50), nullable=False),
        Column(resource_column, String(50), nullable=False),
        Column("interval_start", DateTime(timezone=True), nullable=False),
        Column("interval_end", DateTime(timezone=True), nullable=False),
        *targets,
        *_version_columns(name),
        ForeignKeyConstraint(
            ["station_id", resource_column],
            [actuators.c.station_id, actuators.c.resource_id],
            name=f"fk_{name}_actuators",
        ),
        CheckConstraint(STATUSES, name="status"),
        CheckConstraint(ENDED, name="active_until"),
        CheckConstraint("interval_end > interval_start", name="interval"),
        ExcludeConstraint(
            ("station_id", "="),
            (resource_column, "="),
            ("publisher", "="),
            ("during", "&&"),
            where=text("plan_status = 'ACTIVE'"),
            name=f"ex_{name}_no_overlap",
        ),
    )
    Index(
        f"ix_{name}_active",
        table.c.station_id,
        table.c[resource_column],
        table.c.interval_end,
        postgresql_where=text("plan_status = 'ACTIVE'"),
    )
    Index(f"ix_{name}_history", table.c.station_id, table.c[resource_column], table.c.plan_id)
    return table


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
optimization_plans.append_constraint(CheckConstraint("resource_type ~ '^[A-Z][A-Z0-9_]*$'", name="resource_type"))
"""The form alone: the row's actuator has a known type, and with a reference here all writers would meet at one row."""

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

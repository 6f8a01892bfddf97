"""Plans as rows and rows as plans: the two tables differ in their target columns alone."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Table

from headworks.common.messages import GenericTargets, Plan, PlanStatus, PumpTargets, ResourceType, Targets
from headworks.plans.tables import optimization_plans, pump_plans

PUMP_COLUMNS = ("target_flow_m3h", "target_power_kw", "target_level_m", "suggested_speed_hz")


@dataclass(frozen=True, slots=True)
class Kind:
    """A plan table and the name of its resource column."""

    table: Table
    resource: str


PUMP = Kind(pump_plans, "pump_id")
GENERIC = Kind(optimization_plans, "resource_id")
KINDS = (PUMP, GENERIC)


def kind_of(targets: Targets) -> Kind:
    """Where a plan with these targets is kept."""
    return PUMP if isinstance(targets, PumpTargets) else GENERIC


def target_columns(targets: Targets, resource_type: str) -> dict[str, Any]:
    """The target columns of a row."""
    if isinstance(targets, PumpTargets):
        return {name: getattr(targets, name) for name in PUMP_COLUMNS}
    content = targets.model_dump(mode="json", exclude={"kind"})
    return {"resource_type": resource_type, "optimization_targets": content}


def content_hash(targets: Targets) -> str:
    """SHA-256 of what is planned: equal content has an equal hash."""
    return hashlib.sha256(targets.model_dump_json().encode()).hexdigest()


def plan_of(kind: Kind, row: RowMapping) -> Plan:
    """The plan a row holds."""
    targets: Targets
    if kind is PUMP:
        targets = PumpTargets(**{name: _number(row[name]) for name in PUMP_COLUMNS})
        resource_type = ResourceType.PUMP.value
    else:
        targets = GenericTargets.model_validate(row["optimization_targets"])
        resource_type = row["resource_type"]
    return Plan(
        plan_id=row["plan_id"],
        station_id=row["station_id"],
        resource_id=row[kind.resource],
        resource_type=resource_type,
        interval_start=row["interval_start"],
        interval_end=row["interval_end"],
        targets=targets,
        plan_version=row["plan_version"],
        plan_priority=row["plan_priority"],
        plan_status=PlanStatus(row["plan_status"]),
        publisher=row["publisher"],
        submission_id=row["submission_id"],
        optimization_run_id=row["optimization_run_id"],
        superseded_by=row["superseded_by"],
        plan_created_at=row["plan_created_at"],
        plan_updated_at=row["plan_updated_at"],
        reason=row["reason"],
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)

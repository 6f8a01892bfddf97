"""The SQL scripts of migrations, written once for both plan tables with what differs between them filled in here."""

from collections.abc import Mapping
from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

SQL = Path(__file__).parent / "sql"
PUMP_COLUMNS = ("target_flow_m3h", "target_power_kw", "target_level_m", "suggested_speed_hz")
GENERIC_COLUMNS = ("resource_type", "optimization_targets")
COMMON = """plan_id, station_id, interval_start, interval_end, plan_created_at, plan_updated_at, plan_version,
    optimization_run_id, plan_priority, plan_status, superseded_by, publisher, submission_id, reason, content_hash,
    active_from, active_until"""
PUMPS = {
    "plans": "pump_plans",
    "resource": "pump_id",
    "columns": ", ".join(PUMP_COLUMNS),
    "s_columns": ", ".join(f"s.{name}" for name in PUMP_COLUMNS),
    "i_columns": ", ".join(f"i.{name}" for name in PUMP_COLUMNS),
    "fields": ", ".join(f"{name} numeric" for name in PUMP_COLUMNS),
    "definitions": "target_flow_m3h numeric(10,2), target_power_kw numeric(10,2), target_level_m numeric(5,2), "
    "suggested_speed_hz numeric(5,2)",
    "pump": "true",
    "type": "'PUMP'",
    "message": "json_build_object('kind', 'pump', " + ", ".join(f"'{name}', p.{name}" for name in PUMP_COLUMNS) + ")",
}
GENERICS = {
    "plans": "optimization_plans",
    "resource": "resource_id",
    "columns": ", ".join(GENERIC_COLUMNS),
    "s_columns": ", ".join(f"s.{name}" for name in GENERIC_COLUMNS),
    "i_columns": ", ".join(f"i.{name}" for name in GENERIC_COLUMNS),
    "fields": "resource_type varchar, optimization_targets jsonb",
    "definitions": "resource_type varchar(20) not null constraint ck_optimization_plans_resource_type check "
    "(resource_type ~ '^[A-Z][A-Z0-9_]*$'), optimization_targets jsonb not null",
    "pump": "false",
    "type": "p.resource_type",
    "message": "jsonb_set(p.optimization_targets, '{kind}', '\"generic\"')",
}
KINDS = (
    {**PUMPS, "others": "optimization_plans", "other_resource": "resource_id"},
    {**GENERICS, "others": "pump_plans", "other_resource": "pump_id"},
)


def run(script: str, names: Mapping[str, str]) -> None:
    """All statements of a script, in the migration's own transaction."""
    text = (SQL / script).read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute(text))

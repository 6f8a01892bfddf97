"""Plans as CSV (RFC 4180): the same columns for every kind of plan, in this order for good; new ones come at the end."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable

from headworks.common.messages import GenericTargets, Plan, PumpTargets

OF_PLAN = ("plan_id", "station_id", "resource_id", "resource_type", "interval_start", "interval_end")
OF_PUMP = ("target_flow_m3h", "target_power_kw", "target_level_m", "suggested_speed_hz")
OF_GENERIC = ("target_type", "target_value", "secondary_targets", "constraints")
OF_VERSION = (
    "plan_version",
    "plan_priority",
    "plan_status",
    "superseded_by",
    "publisher",
    "submission_id",
    "optimization_run_id",
    "plan_created_at",
    "plan_updated_at",
    "reason",
)
COLUMNS = (*OF_PLAN, *OF_PUMP, *OF_GENERIC, *OF_VERSION)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for a formula at the beginning of a text."""


def harmless(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would compute."""
    return f"'{text}" if text.startswith(FORMULA) else text


def cells(plan: Plan) -> list[str | int | float | None]:
    """The plan's cells in the order of COLUMNS: numbers bare, instants in ISO 8601, mappings as JSON, nothing as nothing."""
    content = plan.model_dump(mode="json")
    targets = content.pop("targets")
    match plan.targets:
        case PumpTargets():
            own = {name: targets[name] for name in OF_PUMP}
        case GenericTargets():
            own = {name: targets[name] for name in OF_GENERIC}
    return [_cell({**content, **own}.get(name)) for name in COLUMNS]


def _cell(value: object) -> str | int | float | None:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else None
    return harmless(str(value))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def csv_of(batches: AsyncIterator[list[Plan]]) -> AsyncIterator[bytes]:
    """The head, then the lines of each batch."""
    yield _lines([COLUMNS])
    async for plans in batches:
        yield _lines(cells(plan) for plan in plans)

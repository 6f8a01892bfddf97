"""The actuators table and that of their types, filled from the files at the service's start.

An actuator is retired, never deleted: plans refer to it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.plans.actuators import Actuator
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.tables import actuators as table
from headworks.plans.tables import resource_types
from headworks.plans.typed_targets import Schema

KEY = (table.c.station_id, table.c.resource_id)


async def register(
    connection: AsyncConnection,
    actuators: Iterable[Actuator],
    now: datetime,
    schemas: Mapping[str, Schema] = SCHEMAS,
) -> None:
    """Enter these and all types, renew those known before, and retire those that are not among them."""
    types = [{"resource_type": name} for name in schemas]
    await connection.execute(insert(resource_types).on_conflict_do_nothing(), types)
    rows = [_row(actuator) for actuator in actuators]
    if rows:
        new = insert(table)
        renewed = {column.name: new.excluded[column.name] for column in table.c if column not in set(KEY)}
        await connection.execute(new.on_conflict_do_update(index_elements=KEY, set_=renewed), rows)
    kept = [(row["station_id"], row["resource_id"]) for row in rows]
    gone = update(table).where(table.c.retired_at.is_(None), tuple_(*KEY).not_in(kept))
    await connection.execute(gone.values(retired_at=now))


def _row(actuator: Actuator) -> dict[str, object]:
    return {
        "station_id": actuator.station,
        "resource_id": actuator.resource,
        "resource_type": actuator.resource_type,
        "target_type": actuator.target_type.value,
        "unit": actuator.unit,
        "minimum": actuator.minimum,
        "maximum": actuator.maximum,
        "can_stop": actuator.can_stop,
        "retired_at": None,
    }

"""How two plan versions differ, field by field."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from headworks.common.messages import Plan


class FieldDifference(BaseModel):
    """A field that the two do not hold alike; one that only one of them has is null in the other."""

    field: str = Field(description="its path, such as targets.suggested_speed_hz")
    before: JsonValue
    after: JsonValue


def difference(before: Plan, after: Plan) -> list[FieldDifference]:
    """Every field that differs, in the order of its name."""
    old, new = (dict(_flat("", plan.model_dump(mode="json"))) for plan in (before, after))
    return [
        FieldDifference(field=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(path: str, value: Any) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    else:
        yield path, value

"""Who may be planned for, and what the types of resources allow."""

from collections.abc import Mapping

from fastapi import FastAPI
from pydantic import BaseModel, JsonValue

from headworks.common.auth import Viewer
from headworks.common.messages import TargetType
from headworks.plans.actuators import Actuator
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.typed_targets import Schema


class ResourceTypeDescription(BaseModel):
    """A resource type with the JSON Schema of its targets; `unit` beside a range says what it is in."""

    name: str
    description: str
    target_units: dict[TargetType, str]
    targets: dict[str, JsonValue]

    @classmethod
    def of(cls, schema: Schema) -> "ResourceTypeDescription":
        """As the type's file says."""
        units = {target_type: schema.unit_of(target_type) for target_type in schema.by_target_type}
        return cls(name=schema.name, description=schema.description, target_units=units, targets=schema.json_schema())


def add_resource_routes(app: FastAPI, actuators: Mapping[tuple[str, str], Actuator]) -> None:
    """Actuators and types."""

    @app.get("/actuators")
    async def list_actuators(_caller: Viewer) -> list[Actuator]:
        """Who may be planned for."""
        return list(actuators.values())

    @app.get("/resource-types")
    async def list_resource_types(_caller: Viewer) -> list[ResourceTypeDescription]:
        """What may be planned for each type: its target types, secondary targets and constraints, with ranges and units."""
        return [ResourceTypeDescription.of(schema) for schema in SCHEMAS.values()]

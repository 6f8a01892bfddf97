"""Who may be planned for: the `actuators` section of the site files."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from headworks.common.messages import Name, ResourceTypeName, TargetType
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.typed_targets import Schema
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site, explain


class ActuatorSection(BaseModel):
    """One entry as the site file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    resource: Name
    type: ResourceTypeName
    target: TargetType
    unit: str
    minimum: str
    maximum: str
    can_stop: bool = False


class Actuator(BaseModel):
    """An actuator that plans may name: its type, what its target means, and the range a plan may ask, in `unit`.

    Of one that `can_stop` a plan may ask 0 besides: off.
    """

    model_config = ConfigDict(frozen=True)
    station: str
    resource: str
    resource_type: ResourceTypeName
    target_type: TargetType
    unit: str
    minimum: float
    maximum: float
    can_stop: bool = False


def actuators_of(sites: Mapping[str, Site], schemas: Mapping[str, Schema] = SCHEMAS) -> dict[tuple[str, str], Actuator]:
    """Every actuator by (station, resource). Raises ValueError naming the field."""
    found: dict[tuple[str, str], Actuator] = {}
    for site in sites.values():
        raw: dict[str, Any] = site.section("actuators")
        try:
            entries = TypeAdapter(list[ActuatorSection]).validate_python(raw["items"])
        except ValidationError as error:
            raise ValueError(f"site {site.site}: actuators: {explain(error)}") from error
        for i, entry in enumerate(entries):
            try:
                found[site.site, entry.resource] = _actuator(site.site, entry, schemas)
            except ValueError as error:
                raise ValueError(f"site {site.site}: actuators.{i}.{error}") from error
    return found


def _actuator(station: str, entry: ActuatorSection, schemas: Mapping[str, Schema]) -> Actuator:
    """The actuator that an entry describes. Raises ValueError where its type's schema does not allow it."""
    schema = schemas.get(entry.type)
    if schema is None:
        raise ValueError(f"type: {entry.type!r} is no resource type; one of {', '.join(schemas)} is right")
    if entry.target not in schema.by_target_type:
        allowed = ", ".join(schema.by_target_type)
        raise ValueError(f"target: a {entry.type} is not planned by {entry.target.value}; one of {allowed} is right")
    unit = schema.unit_of(entry.target)
    if entry.unit != unit:
        planned = f"{entry.target.value} of a {entry.type}"
        raise ValueError(f"unit: {planned} is not planned in {entry.unit!r}; {unit!r} is right")
    actuator = Actuator(
        station=station,
        resource=entry.resource,
        resource_type=entry.type,
        target_type=entry.target,
        unit=unit,
        minimum=in_unit(entry.minimum, unit),
        maximum=in_unit(entry.maximum, unit),
        can_stop=entry.can_stop,
    )
    _check_range(actuator, schema)
    return actuator


def _check_range(actuator: Actuator, schema: Schema) -> None:
    unit = actuator.unit
    if actuator.minimum > actuator.maximum:
        raise ValueError(f"minimum: {actuator.minimum:g} {unit} is above the maximum, {actuator.maximum:g} {unit}")
    lowest, highest = schema.range_of(actuator.target_type)
    for name, value in (("minimum", actuator.minimum), ("maximum", actuator.maximum)):
        if not lowest <= value <= highest:
            what = f"{actuator.target_type.value} of a {actuator.resource_type}"
            raise ValueError(f"{name}: {value:g} {unit} is beyond what {what} may be: {lowest:g} to {highest:g} {unit}")

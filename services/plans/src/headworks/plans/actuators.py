"""Who may be planned for: the `actuators` section of the site files."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from headworks.common.messages import Name, ResourceType, TargetType
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site, explain


class ActuatorSection(BaseModel):
    """One entry as the site file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    resource: Name
    type: ResourceType
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
    resource_type: ResourceType
    target_type: TargetType
    unit: str
    minimum: float
    maximum: float
    can_stop: bool = False


def actuators_of(sites: Mapping[str, Site]) -> dict[tuple[str, str], Actuator]:
    """Every actuator by (station, resource). Raises ValueError naming the field."""
    found: dict[tuple[str, str], Actuator] = {}
    for site in sites.values():
        raw: dict[str, Any] = site.section("actuators")
        try:
            entries = TypeAdapter(list[ActuatorSection]).validate_python(raw["items"])
        except ValidationError as error:
            raise ValueError(f"site {site.site}: actuators: {explain(error)}") from error
        for entry in entries:
            found[site.site, entry.resource] = Actuator(
                station=site.site,
                resource=entry.resource,
                resource_type=entry.type,
                target_type=entry.target,
                unit=entry.unit,
                minimum=in_unit(entry.minimum, entry.unit),
                maximum=in_unit(entry.maximum, entry.unit),
                can_stop=entry.can_stop,
            )
    return found

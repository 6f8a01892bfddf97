"""What the schemas of resource types are made of: targets with their unit, secondary targets and constraints.

A file of `resource_types/` narrows these to one type of machine: its ranges, and what may stand beside the target.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo

from headworks.common.messages import TargetType

CUBIC_METRES_PER_HOUR, CUBIC_METRES_PER_SECOND = "m**3/hour", "m**3/s"


def within(lowest: float, highest: float, unit: str) -> Any:
    """A field of this unit and range, both ends included."""
    return Field(ge=lowest, le=highest, json_schema_extra={"unit": unit})


def step_within(highest: float, unit: str) -> Any:
    """A greatest change in one step of control: more than nothing, for a machine that may never move follows no plan."""
    return Field(gt=0, le=highest, json_schema_extra={"unit": f"{unit} per step"})


def limits_of(field: FieldInfo) -> dict[str, float]:
    """The limits of a field made by `within` or `step_within`: ge, gt, le."""
    limits: list[Any] = field.metadata
    return {
        name: float(getattr(limit, name)) for limit in limits for name in ("ge", "gt", "le") if hasattr(limit, name)
    }


class Part(BaseModel):
    """The base of every schema here: frozen, no unknown key, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Secondary(Part):
    """What is expected beside the target, for people and for supervision. A name ends in its unit."""

    flow_m3h: Annotated[float | None, within(0, 1e6, CUBIC_METRES_PER_HOUR)] = None
    power_kw: Annotated[float | None, within(0, 1e6, "kW")] = None
    level_m: Annotated[float | None, within(-999.99, 9999.99, "m")] = None
    pressure_bar: Annotated[float | None, within(0, 1000, "bar")] = None


class HydropowerSecondary(Part):
    """The same in the units of rivers and power stations."""

    flow_m3s: Annotated[float | None, within(0, 1e5, CUBIC_METRES_PER_SECOND)] = None
    power_mw: Annotated[float | None, within(-1e4, 1e4, "MW")] = None
    level_m: Annotated[float | None, within(-999.99, 9999.99, "m")] = None


class Constraints(Part):
    """How the target may be followed, in the target's unit. Those of a unit give the ranges."""


class HertzConstraints(Constraints):
    """Of a speed."""

    max_rate_of_change: Annotated[float | None, step_within(60, "Hz")] = None
    deadband: Annotated[float | None, within(0, 10, "Hz")] = None


class PercentConstraints(Constraints):
    """Of a position."""

    max_rate_of_change: Annotated[float | None, step_within(100, "%")] = None
    deadband: Annotated[float | None, within(0, 20, "%")] = None


class KilowattConstraints(Constraints):
    """Of a machine's power."""

    max_rate_of_change: Annotated[float | None, step_within(1e6, "kW")] = None
    deadband: Annotated[float | None, within(0, 1e5, "kW")] = None


class MegawattConstraints(Constraints):
    """Of a power station's power."""

    max_rate_of_change: Annotated[float | None, step_within(1e4, "MW")] = None
    deadband: Annotated[float | None, within(0, 1e3, "MW")] = None


class FlowConstraints(Constraints):
    """Of a flow in pipes."""

    max_rate_of_change: Annotated[float | None, step_within(1e6, CUBIC_METRES_PER_HOUR)] = None
    deadband: Annotated[float | None, within(0, 1e5, CUBIC_METRES_PER_HOUR)] = None


class RiverFlowConstraints(Constraints):
    """Of a flow in rivers and penstocks."""

    max_rate_of_change: Annotated[float | None, step_within(1e5, CUBIC_METRES_PER_SECOND)] = None
    deadband: Annotated[float | None, within(0, 1e4, CUBIC_METRES_PER_SECOND)] = None


class LevelConstraints(Constraints):
    """Of a level."""

    max_rate_of_change: Annotated[float | None, step_within(100, "m")] = None
    deadband: Annotated[float | None, within(0, 10, "m")] = None


class PressureConstraints(Constraints):
    """Of a pressure."""

    max_rate_of_change: Annotated[float | None, step_within(100, "bar")] = None
    deadband: Annotated[float | None, within(0, 10, "bar")] = None


class TypedTargets(Part):
    """The base of a schema: one class for each target type that the machine can follow.

    Each has a `target_type` of one literal, a `target_value` made by `within`, and its secondary targets and constraints.
    """

    kind: Literal["generic"] = "generic"
    target_type: TargetType
    target_value: float


@dataclass(frozen=True, slots=True)
class Schema:
    """One type of resource: its name, what it is, a class for each way to plan it, and its columns where it has a table."""

    name: str
    description: str
    targets: tuple[type[TypedTargets], ...]
    columns: type[Part] | None = None

    @property
    def by_target_type(self) -> dict[TargetType, type[TypedTargets]]:
        """The targets' schema for each target type that is allowed."""
        return {get_args(each.model_fields["target_type"].annotation)[0]: each for each in self.targets}

    def unit_of(self, target_type: TargetType) -> str:
        """The unit that a target of this type is planned in. Raises KeyError when the machine is not planned by it."""
        extra = self._value_of(target_type).json_schema_extra
        assert isinstance(extra, dict)
        return str(extra["unit"])

    def range_of(self, target_type: TargetType) -> tuple[float, float]:
        """The lowest and the highest value of a target of this type. Raises KeyError like unit_of."""
        limits = limits_of(self._value_of(target_type))
        return limits["ge"], limits["le"]

    def _value_of(self, target_type: TargetType) -> FieldInfo:
        return self.by_target_type[target_type].model_fields["target_value"]

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of everything that may be planned for a resource of this type."""
        allowed = [*self.targets, *([self.columns] if self.columns else [])]
        schemas: dict[str, Any] = TypeAdapter(_either(allowed)).json_schema()
        return {"title": self.name, "description": self.description, **schemas}


def _either(classes: list[type[Part]]) -> Any:
    union: Any = classes[0]
    for each in classes[1:]:
        union |= each
    return union

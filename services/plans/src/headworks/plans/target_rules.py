"""Whether targets may be planned for an actuator: what its type's schema allows, then the range of the site file."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from headworks.common.messages import GenericTargets, PlanInterval, PumpTargets, Refusal
from headworks.plans.actuators import Actuator
from headworks.plans.typed_targets import Part, Schema, limits_of


def target_refusals(
    field: str, interval: PlanInterval, actuator: Actuator, schemas: Mapping[str, Schema]
) -> Iterator[Refusal]:
    """Every reason to refuse the targets of an interval; its resource type is the actuator's."""
    schema = schemas[actuator.resource_type]
    match interval.targets:
        case PumpTargets() as pump:
            yield from _column_refusals(field, pump, actuator, schema)
        case GenericTargets() as generic if generic.target_type is actuator.target_type:
            out_of_range = [*_range_refusals(f"{field}.target_value", generic.target_value, actuator)]
            yield from _unless_said(
                out_of_range, schema_refusals(field, generic, schema.by_target_type[generic.target_type])
            )
        case GenericTargets(target_type=wrong):
            yield Refusal(field=f"{field}.target_type", value=wrong.value, expected=actuator.target_type.value)


def _column_refusals(field: str, pump: PumpTargets, actuator: Actuator, schema: Schema) -> Iterator[Refusal]:
    if schema.columns is None:
        yield Refusal(field=f"{field}.kind", value="pump", expected="generic, for all but pumps")
        return
    speed_hz = pump.suggested_speed_hz
    out_of_range = [] if speed_hz is None else [*_range_refusals(f"{field}.suggested_speed_hz", speed_hz, actuator)]
    yield from _unless_said(out_of_range, schema_refusals(field, pump, schema.columns))
    if pump == PumpTargets():
        columns = ", ".join(name for name in schema.columns.model_fields if name != "kind")
        yield Refusal(field=field, value="no target", expected=f"one of {columns}")


def _unless_said(said: list[Refusal], more: Iterator[Refusal]) -> Iterator[Refusal]:
    """The narrower range of the site file speaks for the type's."""
    yield from said
    yield from (refusal for refusal in more if refusal.field not in {each.field for each in said})


def _range_refusals(field: str, value: float, actuator: Actuator) -> Iterator[Refusal]:
    if actuator.can_stop and value == 0:
        return
    if not actuator.minimum - 1e-9 <= value <= actuator.maximum + 1e-9:
        off = "0 (off) or " if actuator.can_stop else ""
        expected = f"{off}{actuator.minimum:g} to {actuator.maximum:g} {actuator.unit}"
        yield Refusal(field=field, value=value, expected=expected)


def schema_refusals(field: str, targets: GenericTargets | PumpTargets, schema: type[Part]) -> Iterator[Refusal]:
    """What the type's schema does not allow."""
    try:
        schema.model_validate(targets.model_dump())
    except ValidationError as error:
        for wrong in error.errors():
            *parents, name = (str(part) for part in wrong["loc"])
            expected = _expected(_part_at(schema, parents), name)
            yield Refusal(field=".".join([field, *parents, name]), value=wrong["input"], expected=expected)


def _part_at(schema: type[Part], parents: list[str]) -> type[Part]:
    for name in parents:
        annotation = schema.model_fields[name].annotation
        assert isinstance(annotation, type)
        schema = annotation
    return schema


def _expected(part: type[Part], name: str) -> str:
    """What would be right there: a range with its unit, or the keys that there are."""
    known = part.model_fields.get(name)
    if known is None:
        return f"one of {', '.join(part.model_fields)}"
    limits = limits_of(known)
    low = f"{limits['ge']:.12g}" if "ge" in limits else f"more than {limits['gt']:g}"
    extra = known.json_schema_extra
    unit = extra["unit"] if isinstance(extra, dict) else ""
    return f"{low} to {limits['le']:.12g} {unit}"

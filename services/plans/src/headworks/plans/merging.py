"""What changed columns make of a plan's targets: what is not named stays, what is named takes its place."""

from collections.abc import Mapping

from pydantic import JsonValue, TypeAdapter, ValidationError

from headworks.common.messages import Refusal, Targets

_targets: TypeAdapter[Targets] = TypeAdapter(Targets)


def merged(targets: Targets, changes: Mapping[str, JsonValue]) -> Targets | tuple[Refusal, ...]:
    """The targets with the changed columns, or why there are none such. Mappings merge by key; null takes away (RFC 7396)."""
    content = targets.model_dump(mode="json")
    columns = [name for name in content if name != "kind"]
    unknown = [name for name in changes if name not in columns]
    if unknown:
        expected = f"one of {', '.join(columns)}"
        return tuple(Refusal(field=f"changes.{name}", value=changes[name], expected=expected) for name in unknown)
    try:
        return _targets.validate_python(_merge(content, changes))
    except ValidationError as error:
        return tuple(_refusal(each["loc"][1:], each["input"], each["msg"]) for each in error.errors())


def _merge(content: JsonValue, changes: JsonValue | Mapping[str, JsonValue]) -> JsonValue:
    if not isinstance(changes, Mapping):
        return changes
    kept = dict(content) if isinstance(content, dict) else {}
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = _merge(kept.get(name), value)
    return kept


def _refusal(place: tuple[int | str, ...], value: object, expected: str) -> Refusal:
    shown = value if isinstance(value, str | int | float | bool) or value is None else str(value)[:200]
    return Refusal(field=".".join(["changes", *map(str, place)]), value=shown, expected=expected)

"""Plans that wait for a person's approval, as the page shows them: what each asks of every actuator, step by step; pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from headworks.common.messages import GenericTargets, PlanInterval, PumpTargets
from headworks.dashboard import shapes
from headworks.dashboard.answers import ApprovalRecord

MOST_STEPS = 200
"""Steps that the page is given of one plan; of the others it says how many there are."""
PUMP_UNITS = {
    "suggested_speed_hz": "Hz",
    "target_flow_m3h": "m³/h",
    "target_power_kw": "kW",
    "target_level_m": "m",
}


def approval_of(record: ApprovalRecord, units: dict[str, str]) -> shapes.Approval:
    """An approval with its plan. `units` are those of generic targets, by actuator."""
    found = list(_steps(record.submission.intervals, units))
    return shapes.Approval(
        approval_id=record.approval_id,
        publisher=record.publisher,
        resources=list(record.resources),
        begins=record.begins,
        ends=record.ends,
        priority=record.submission.priority,
        asked_by=record.asked_by,
        asked_at=record.asked_at,
        expires_at=record.expires_at,
        roles=list(record.roles),
        reason=record.submission.reason,
        steps=found[:MOST_STEPS],
        steps_left_out=max(0, len(found) - MOST_STEPS),
    )


def _steps(intervals: Iterable[PlanInterval], units: dict[str, str]) -> Iterator[shapes.ApprovalStep]:
    """What is asked, actuator by actuator; intervals that follow one another and ask the same are one step."""
    ordered = sorted(intervals, key=lambda interval: (interval.resource, interval.interval_start))
    for resource, of_resource in groupby(ordered, key=lambda interval: interval.resource):
        step: shapes.ApprovalStep | None = None
        for interval in of_resource:
            text = _asked(interval, units.get(resource, ""))
            if step is not None and (step.text, step.end) == (text, interval.interval_start):
                step = step.model_copy(update={"end": interval.interval_end})
                continue
            if step is not None:
                yield step
            step = shapes.ApprovalStep(
                resource=resource, start=interval.interval_start, end=interval.interval_end, text=text
            )
        if step is not None:
            yield step


def _asked(interval: PlanInterval, unit: str) -> str:
    """A target in words; 0 Hz of a pump is off."""
    match interval.targets:
        case GenericTargets(target_type=kind, target_value=value):
            return f"{kind.value.lower()} {value:g} {unit}".strip()
        case PumpTargets(suggested_speed_hz=0):
            return "off"
        case PumpTargets() as targets:
            named = ((getattr(targets, name), unit) for name, unit in PUMP_UNITS.items())
            return ", ".join(f"{value:g} {unit}" for value, unit in named if value is not None)

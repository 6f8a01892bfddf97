"""What a submission must be to be accepted: pure rules that give every reason at once. Nothing is clamped or mended."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from headworks.common.messages import (
    GenericTargets,
    PlanInterval,
    PlanSubmission,
    PumpTargets,
    Refusal,
    ResourceType,
)
from headworks.plans.actuators import Actuator

MAX_LEAD = timedelta(days=31)
MAX_AGE = timedelta(hours=2)
KNOWN_SECONDARY = frozenset({"power_kw", "power_mw", "flow_m3h", "flow_m3s", "level_m", "pressure_bar"})
PUMP_RANGES = {
    "target_flow_m3h": (0.0, 99_999_999.99),
    "target_power_kw": (0.0, 99_999_999.99),
    "target_level_m": (-999.99, 999.99),
}
"""What a pump's target may be: nothing below zero that cannot be, and nothing that its column cannot hold."""
KNOWN_CONSTRAINTS = frozenset({"max_rate_of_change", "deadband"})


def refusals(
    submission: PlanSubmission, actuators: Mapping[tuple[str, str], Actuator], now: datetime
) -> tuple[Refusal, ...]:
    """Every reason to refuse a submission; an empty tuple means it is accepted."""
    by_resource: dict[str, list[tuple[int, PlanInterval]]] = defaultdict(list)
    for i, interval in enumerate(submission.intervals):
        by_resource[interval.resource].append((i, interval))
    found: list[Refusal] = []
    for resource, numbered in by_resource.items():
        actuator = actuators.get((submission.site, resource))
        if actuator is None:
            known = sorted(name for station, name in actuators if station == submission.site)
            expected = f"an actuator of site {submission.site}: {known}"
            found.append(Refusal(field=f"intervals.{numbered[0][0]}.resource", value=resource, expected=expected))
            continue
        for i, interval in numbered:
            found.extend(_interval_refusals(f"intervals.{i}", interval, actuator, now))
        found.extend(_sequence_refusals(numbered))
        found.extend(_kind_refusals(numbered))
    return tuple(found)


def _sequence_refusals(numbered: Sequence[tuple[int, PlanInterval]]) -> Iterator[Refusal]:
    """A horizon has no hole and no overlap: each interval begins where the one before ends."""
    for (_, before), (i, interval) in pairwise(numbered):
        if interval.interval_start != before.interval_end:
            yield Refusal(
                field=f"intervals.{i}.interval_start",
                value=interval.interval_start.isoformat(),
                expected=f"{before.interval_end.isoformat()}, the end of the interval before: no hole, no overlap",
            )


def _kind_refusals(numbered: Sequence[tuple[int, PlanInterval]]) -> Iterator[Refusal]:
    """A resource's plans of one submission are kept in one table."""
    kind = numbered[0][1].targets.kind
    for i, interval in numbered:
        if interval.targets.kind != kind:
            expected = f"{kind}, as of its first interval"
            yield Refusal(field=f"intervals.{i}.targets.kind", value=interval.targets.kind, expected=expected)


def _interval_refusals(field: str, interval: PlanInterval, actuator: Actuator, now: datetime) -> Iterator[Refusal]:
    start, end = interval.interval_start, interval.interval_end
    if end <= start:
        yield Refusal(field=f"{field}.interval_end", value=end.isoformat(), expected=f"after {start.isoformat()}")
    if end <= now - MAX_AGE:
        yield Refusal(field=f"{field}.interval_end", value=end.isoformat(), expected=f"after {now - MAX_AGE:%FT%TZ}")
    if start > now + MAX_LEAD:
        yield Refusal(field=f"{field}.interval_start", value=start.isoformat(), expected=f"within {MAX_LEAD.days} days")
    if interval.resource_type is not actuator.resource_type:
        expected = actuator.resource_type.value
        yield Refusal(field=f"{field}.resource_type", value=interval.resource_type.value, expected=expected)
    yield from _target_refusals(f"{field}.targets", interval, actuator)


def _target_refusals(field: str, interval: PlanInterval, actuator: Actuator) -> Iterator[Refusal]:
    match interval.targets:
        case PumpTargets() as pump:
            if interval.resource_type is not ResourceType.PUMP:
                yield Refusal(field=f"{field}.kind", value="pump", expected="generic, for all but pumps")
            yield from _pump_refusals(field, pump, actuator)
        case GenericTargets() as generic:
            if generic.target_type is not actuator.target_type:
                expected = actuator.target_type.value
                yield Refusal(field=f"{field}.target_type", value=generic.target_type.value, expected=expected)
            yield from _range_refusal(f"{field}.target_value", generic.target_value, actuator)
            for name in sorted(set(generic.secondary_targets) - KNOWN_SECONDARY):
                yield Refusal(field=f"{field}.secondary_targets", value=name, expected=str(sorted(KNOWN_SECONDARY)))
            for name in sorted(set(generic.constraints) - KNOWN_CONSTRAINTS):
                yield Refusal(field=f"{field}.constraints", value=name, expected=str(sorted(KNOWN_CONSTRAINTS)))


def _pump_refusals(field: str, pump: PumpTargets, actuator: Actuator) -> Iterator[Refusal]:
    if pump.suggested_speed_hz is not None:
        yield from _range_refusal(f"{field}.suggested_speed_hz", pump.suggested_speed_hz, actuator)
    for name, (lowest, highest) in PUMP_RANGES.items():
        value: float | None = getattr(pump, name)
        if value is not None and not lowest <= value <= highest:
            yield Refusal(field=f"{field}.{name}", value=value, expected=f"{lowest:g} to {highest:.2f}")
    if pump == PumpTargets():
        yield Refusal(field=field, value="no target", expected=f"suggested_speed_hz or one of {', '.join(PUMP_RANGES)}")


def _range_refusal(field: str, value: float, actuator: Actuator) -> Iterator[Refusal]:
    if actuator.can_stop and value == 0:
        return
    if not actuator.minimum - 1e-9 <= value <= actuator.maximum + 1e-9:
        off = "0 (off) or " if actuator.can_stop else ""
        expected = f"{off}{actuator.minimum:g} to {actuator.maximum:g} {actuator.unit}"
        yield Refusal(field=field, value=value, expected=expected)

"""What a submission must be to be accepted: pure rules that give every reason at once. Nothing is clamped or mended."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from headworks.common.messages import PlanInterval, PlanSubmission, Refusal
from headworks.plans.actuators import Actuator
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.target_rules import target_refusals
from headworks.plans.typed_targets import Schema

MAX_LEAD = timedelta(days=31)
MAX_AGE = timedelta(hours=2)


def refusals(
    submission: PlanSubmission,
    actuators: Mapping[tuple[str, str], Actuator],
    now: datetime,
    schemas: Mapping[str, Schema] = SCHEMAS,
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
            found.extend(_interval_refusals(f"intervals.{i}", interval, actuator, now, schemas))
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


def _interval_refusals(
    field: str, interval: PlanInterval, actuator: Actuator, now: datetime, schemas: Mapping[str, Schema]
) -> Iterator[Refusal]:
    start, end = interval.interval_start, interval.interval_end
    if end <= start:
        yield Refusal(field=f"{field}.interval_end", value=end.isoformat(), expected=f"after {start.isoformat()}")
    if end <= now - MAX_AGE:
        yield Refusal(field=f"{field}.interval_end", value=end.isoformat(), expected=f"after {now - MAX_AGE:%FT%TZ}")
    if start > now + MAX_LEAD:
        yield Refusal(field=f"{field}.interval_start", value=start.isoformat(), expected=f"within {MAX_LEAD.days} days")
    if interval.resource_type != actuator.resource_type:
        expected = actuator.resource_type
        yield Refusal(field=f"{field}.resource_type", value=interval.resource_type, expected=expected)
        return
    yield from target_refusals(f"{field}.targets", interval, actuator, schemas)

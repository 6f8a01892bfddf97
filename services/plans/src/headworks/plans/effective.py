"""Which plan leads when several publishers plan for one actuator: the highest priority, then the newest."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise

from headworks.common.messages import Plan


@dataclass(frozen=True, slots=True)
class EffectiveSpan:
    """Over [start, end) one plan leads; `beaten` are the active plans that lose to it somewhere in this time, by plan id."""

    resource: str
    start: datetime
    end: datetime
    plan: Plan
    beaten: tuple[Plan, ...]


def effective_spans(active: Iterable[Plan], start: datetime, end: datetime) -> list[EffectiveSpan]:
    """Who leads when within [start, end), by resource and time; cut only where the leader changes. No span where nobody plans."""
    by_resource: dict[str, list[Plan]] = defaultdict(list)
    for plan in active:
        if plan.interval_start < end and plan.interval_end > start:
            by_resource[plan.resource_id].append(plan)
    return [span for _, plans in sorted(by_resource.items()) for span in _joined(_pieces(plans, start, end))]


def _rank(plan: Plan) -> tuple[int, float, int]:
    """The lowest leads. A copy of what is left of an older plan is as old as that, though its id is new."""
    return -plan.plan_priority, -plan.plan_created_at.timestamp(), -plan.plan_id


def _pieces(plans: Sequence[Plan], start: datetime, end: datetime) -> Iterator[EffectiveSpan]:
    """One resource's time, cut at every edge of a plan: a sweep that holds the plans of the moment, the leader first."""
    edges = sorted({max(start, p.interval_start) for p in plans} | {min(end, p.interval_end) for p in plans})
    coming = sorted(plans, key=lambda p: p.interval_start, reverse=True)
    held: list[tuple[tuple[int, float, int], Plan]] = []
    for begins, ends in pairwise(edges):
        while coming and coming[-1].interval_start <= begins:
            plan = coming.pop()
            heapq.heappush(held, (_rank(plan), plan))
        while held and held[0][1].interval_end <= begins:
            heapq.heappop(held)
        if held:
            leader = held[0][1]
            beaten = (plan for _, plan in held[1:] if plan.interval_end > begins)
            yield EffectiveSpan(leader.resource_id, begins, ends, leader, _by_id(beaten))


def _joined(pieces: Iterable[EffectiveSpan]) -> Iterator[EffectiveSpan]:
    """Neighbours with the same leader as one."""
    for _, same in groupby(pieces, key=lambda piece: piece.plan.plan_id):
        first, *others = same
        beaten = (plan for piece in (first, *others) for plan in piece.beaten)
        yield replace(first, end=others[-1].end if others else first.end, beaten=_by_id(beaten))


def _by_id(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    unique = {plan.plan_id: plan for plan in plans}
    return tuple(unique[plan_id] for plan_id in sorted(unique))

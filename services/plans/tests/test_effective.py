"""Who leads when: against the rule asked at every instant, and on the database with two publishers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headworks.common.messages import GenericTargets, Plan, PlanStatus, ResourceType, TargetType
from headworks.plans.effective import effective_spans

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24


def plan(plan_id: int, resource: str, start_h: int, hours: int, priority: int) -> Plan:
    return Plan(
        plan_id=plan_id,
        station_id="abay",
        resource_id=resource,
        resource_type=ResourceType.TURBINE,
        interval_start=NOW + start_h * HOUR,
        interval_end=NOW + (start_h + hours) * HOUR,
        targets=GenericTargets(target_type=TargetType.POWER, target_value=2.0),
        plan_version=1,
        plan_priority=priority,
        plan_status=PlanStatus.ACTIVE,
        publisher=f"p{plan_id}",
        submission_id="s",
        optimization_run_id=None,
        superseded_by=None,
        plan_created_at=NOW,
        plan_updated_at=NOW,
    )


def test_the_leader_is_cut_where_a_higher_priority_begins_and_goes_on_after_it() -> None:
    low, high = plan(1, "OXPH", 0, 6, 1), plan(2, "OXPH", 2, 2, 5)
    spans = effective_spans([low, high], NOW, NOW + DAY * HOUR)
    assert [((s.start - NOW) / HOUR, (s.end - NOW) / HOUR, s.plan.plan_id) for s in spans] == [
        (0, 2, 1),
        (2, 4, 2),
        (4, 6, 1),
    ]
    assert [s.beaten for s in spans] == [(), (low,), ()]


def test_of_equal_priority_the_newest_leads_and_a_loser_s_edges_cut_nothing() -> None:
    spans = effective_spans(
        [plan(3, "OXPH", 0, 6, 1), plan(1, "OXPH", 1, 1, 1), plan(2, "OXPH", 4, 9, 1)], NOW, NOW + 5 * HOUR
    )
    assert [(s.start, s.end, s.plan.plan_id) for s in spans] == [(NOW, NOW + 5 * HOUR, 3)]
    assert [p.plan_id for p in spans[0].beaten] == [1, 2]


PLANS = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(-3, DAY), st.integers(1, 9), st.integers(1, 3)), max_size=12
)


@given(PLANS)
def test_at_every_instant_the_leader_is_the_rule_s(drawn: list[tuple[str, int, int, int]]) -> None:
    plans = [plan(number, *given_) for number, given_ in enumerate(drawn, start=1)]
    spans = effective_spans(plans, NOW, NOW + DAY * HOUR)
    for resource in ("A", "B"):
        own = [span for span in spans if span.resource == resource]
        for hour in range(DAY):
            at = NOW + hour * HOUR
            holding = [p for p in plans if p.resource_id == resource and p.interval_start <= at < p.interval_end]
            leader = max(holding, key=lambda p: (p.plan_priority, p.plan_id), default=None)
            [*found] = [span for span in own if span.start <= at < span.end]
            assert [span.plan for span in found] == ([] if leader is None else [leader])
            if leader is not None:
                assert {p.plan_id for p in holding} <= {leader.plan_id, *(p.plan_id for p in found[0].beaten)}
        for before, after in pairwise(own):
            assert before.end <= after.start
            assert before.end < after.start or before.plan != after.plan, "cut only where the leader changes"

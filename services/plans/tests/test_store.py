"""Plans by Strategy B on a real PostgreSQL: new versions, no hole, no overlap, one answer for one submission."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from vendor_rig import no_vendors

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.handling import Delivery
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanInterval,
    PlanReply,
    PlanStatus,
    PlanSubmission,
    Refusal,
    ResourceType,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.sites import read_sites
from headworks.common.subjects import PLAN_REPLY
from headworks.common.tasks import in_background
from headworks.plans.actuators import actuators_of
from headworks.plans.desk import SubmissionDesk
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-12)


@pytest.fixture
async def store(database_url: str, sites_folder: Path) -> AsyncIterator[PlanStore]:
    folder = dict(migration_folders())["plans"]
    await asyncio.to_thread(upgrade, database_url, "plans", folder)
    database = Database(database_url)
    made = PlanStore(database)
    await made.register(actuators_of(read_sites(sites_folder)).values(), NOW)
    yield made
    await database.close()


@pytest.fixture
def desk(store: PlanStore, sites_folder: Path) -> SubmissionDesk:
    return SubmissionDesk(store, actuators_of(read_sites(sites_folder)), CLOCK, no_vendors(store, CLOCK))


def interval(start_h: float, end_h: float, power_mw: float, resource: str = "OXPH") -> PlanInterval:
    return PlanInterval(
        resource=resource,
        resource_type=ResourceType.TURBINE,
        interval_start=NOW + start_h * HOUR,
        interval_end=NOW + end_h * HOUR,
        targets=GenericTargets(target_type=TargetType.POWER, target_value=power_mw),
    )


def submission(submission_id: str, intervals: Sequence[PlanInterval], publisher: str = "optimizer") -> PlanSubmission:
    return PlanSubmission(
        submission_id=submission_id, publisher=publisher, site="abay", created_at=NOW, intervals=tuple(intervals)
    )


def shape(plans: Sequence[Plan]) -> list[tuple[float, float, float, int]]:
    return [
        (
            (p.interval_start - NOW) / HOUR,
            (p.interval_end - NOW) / HOUR,
            p.targets.target_value if isinstance(p.targets, GenericTargets) else -1.0,
            p.plan_version,
        )
        for p in plans
    ]


async def test_a_new_horizon_supersedes_the_old_and_the_running_part_stays_until_it_begins(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    assert (await desk.take(submission("s1", [interval(-0.5, 1, 2.0), interval(1, 2, 3.0)]))).accepted
    reply = await desk.take(submission("s2", [interval(0.5, 1, 4.0), interval(1, 3, 5.0)]))
    assert reply.accepted
    assert shape(await store.active("abay", NOW)) == [(-0.5, 0.5, 2.0, 2), (0.5, 1, 4.0, 2), (1, 3, 5.0, 2)]
    history = {p.plan_id: p for p in await store.history("abay", "OXPH", 100, None)}
    superseded = [p for p in history.values() if p.plan_status is PlanStatus.SUPERSEDED]
    assert len(superseded) == 2
    for old in superseded:
        assert old.superseded_by in reply.plan_ids


async def test_one_submission_sent_twice_is_stored_once_and_answered_alike(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    first = await desk.take(submission("s1", [interval(0, 1, 2.0)]))
    again = await desk.take(submission("s1", [interval(0, 1, 2.0)]))
    assert again == first
    assert len(await store.history("abay", "OXPH", 100, None)) == 1
    other = await desk.take(submission("s1", [interval(0, 1, 3.0)]))
    assert not other.accepted
    assert other.refusals[0].field == "submission_id"


async def test_a_submission_sent_again_over_the_bus_is_answered_again(
    store: PlanStore, desk: SubmissionDesk, database_url: str, bus: Bus
) -> None:
    for sequence, power_mw in ((1, 2.0), (2, 2.0), (3, 3.0)):
        delivery = Delivery("plans.submit.optimizer.abay", f"m{sequence}", sequence, 1, NOW)
        await desk.on_submission(submission("s1", [interval(0, 1, power_mw)]), delivery)
    database = Database(database_url)
    async with in_background(store.outbox.relay(database, bus)):
        replies = [reply async for reply in first_replies(bus, 3)]
    await database.close()
    assert [reply.accepted for reply in replies] == [True, True, False]
    assert replies[0] == replies[1]


async def first_replies(bus: Bus, count: int) -> AsyncIterator[PlanReply]:
    async for reply, _ in bus.follow(PLAN_REPLY, deliver=Deliver.ALL):
        yield reply
        count -= 1
        if count == 0:
            return


@pytest.mark.parametrize(
    ("wrong", "field", "expected"),
    [
        ([interval(0, 1, 7.0)], "intervals.0.targets.target_value", "0.8 to 5.8 MW"),
        ([interval(0, 1, 2.0, "UNKNOWN")], "intervals.0.resource", "OXPH"),
        ([interval(0, 1, 2.0), interval(1.5, 2, 2.0)], "intervals.1.interval_start", "no hole"),
        ([interval(0, 1, 2.0), interval(0.5, 2, 2.0)], "intervals.1.interval_start", "no overlap"),
        ([interval(1, 0, 2.0)], "intervals.0.interval_end", "after"),
        ([interval(-5, -4, 2.0)], "intervals.0.interval_end", "after"),
    ],
)
async def test_a_wrong_submission_is_refused_whole_with_field_value_and_what_is_right(
    store: PlanStore, desk: SubmissionDesk, wrong: list[PlanInterval], field: str, expected: str
) -> None:
    reply = await desk.take(submission("bad", wrong))
    assert not reply.accepted
    assert any(r.field == field and expected in r.expected for r in reply.refusals), reply.refusals
    assert await store.active("abay", NOW) == []


async def test_two_publishers_may_plan_and_the_higher_priority_is_in_force(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    await desk.take(submission("s1", [interval(0, 1, 2.0)]))
    vendor = submission("v1", [interval(0, 1, 3.0)], publisher="acme").model_copy(update={"priority": 5})
    await desk.take(vendor)
    await desk.take(submission("s2", [interval(0, 1, 4.0)]))
    current = await store.current("abay", "OXPH", NOW)
    assert current is not None
    assert current.publisher == "acme"
    assert len(await store.active("abay", NOW)) == 2
    [span] = await store.effective("abay", None, NOW - HOUR, NOW + 0.5 * HOUR)
    assert (span.start, span.end, span.plan.publisher) == (NOW, NOW + 0.5 * HOUR, "acme")
    assert [plan.submission_id for plan in span.beaten] == ["s2"]
    assert await store.effective("abay", "OXPH", NOW + HOUR, NOW + 2 * HOUR) == []


async def test_what_is_left_of_an_older_plan_does_not_lead_because_it_was_cut(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    """A plan made after it, of equal priority, leads where it led before the change: that was elsewhere."""
    await store.accept(submission("a", [interval(0, 24, 2.0)]), NOW)
    await store.accept(submission("b", [interval(10, 12, 3.0)], publisher="acme"), NOW + 0.01 * HOUR)
    await store.accept(submission("a2", [interval(14, 15, 4.0)]), NOW + 0.02 * HOUR)
    current = await store.current("abay", "OXPH", NOW + 11 * HOUR)
    assert current is not None
    assert current.submission_id == "b"
    [of_all] = json.loads(await store.current_of_all("abay", NOW + 11 * HOUR))
    assert of_all["submission_id"] == "b"
    spans = await store.effective("abay", "OXPH", NOW, NOW + 24 * HOUR)
    assert [((s.start - NOW) / HOUR, s.plan.submission_id) for s in spans] == [
        (0, "a"),
        (10, "b"),
        (12, "a"),
        (14, "a2"),
        (15, "a"),
    ]


async def test_a_refused_submission_sent_twice_at_once_has_one_answer(store: PlanStore) -> None:
    bad = submission("bad", [interval(0, 1, 2.0)])
    refusals = [Refusal(field="priority", value=99, expected="at most 10")]
    first, second = await asyncio.gather(*(store.refuse(bad, refusals, NOW) for _ in range(2)))
    assert first == second
    assert await store.known_reply(bad) == first


async def test_writers_at_once_leave_neither_hole_nor_overlap(store: PlanStore, desk: SubmissionDesk) -> None:
    whole = [interval(h, h + 1, 2.0) for h in range(12)]
    await desk.take(submission("first", whole))
    later = [submission(f"w{i}", [interval(h, h + 1, 1.0 + i / 10) for h in range(i, 12)]) for i in range(8)]
    assert all(reply.accepted for reply in await asyncio.gather(*map(desk.take, later)))
    active = await store.active("abay", NOW)
    assert active[0].interval_start == NOW
    assert active[-1].interval_end == NOW + 12 * HOUR
    for before, after in pairwise(active):
        assert before.interval_end == after.interval_start


async def test_a_cancelled_plan_is_in_force_no_more_and_stays_in_history(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    reply = await desk.take(submission("s1", [interval(0, 1, 2.0)]))
    assert await store.cancel(reply.plan_ids[0], "operator", NOW) is not None
    assert await store.current("abay", "OXPH", NOW) is None
    assert await store.cancel(reply.plan_ids[0], "operator", NOW) is None
    [plan] = await store.history("abay", "OXPH", 10, None)
    assert plan.plan_status is PlanStatus.CANCELLED

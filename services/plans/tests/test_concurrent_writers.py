"""Whatever publishers submit, update, cancel and roll back at once: no hole, no overlap, rising versions, unchanged history."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.common.database import Database
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanChange,
    PlanEvent,
    PlanInterval,
    PlanStatus,
    PlanSubmission,
    PumpTargets,
    ResourceType,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans.actuators import Actuator
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 8
PUBLISHERS = ("optimizer", "acme")
NAMES = (f"P{number}" for number in itertools.count())


@dataclass(frozen=True)
class Submit:
    publisher: str
    start_h: int
    lengths_h: tuple[int, ...]
    generic: bool


@dataclass(frozen=True)
class Change:
    """Of the plan at this place among those made so far."""

    change: PlanChange
    place: int


submits = st.builds(
    Submit,
    st.sampled_from(PUBLISHERS),
    st.integers(0, HOURS - 1),
    st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple),
    st.booleans(),
)
changes = st.builds(
    Change, st.sampled_from([PlanChange.UPDATED, PlanChange.CANCELLED, PlanChange.ROLLED_BACK]), st.integers(0, 99)
)
writers = st.lists(st.lists(st.one_of(submits, changes), min_size=1, max_size=5), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def database_of_all(postgres_server: PostgresServer) -> Iterator[str]:
    """One database for all examples; each has an actuator of its own."""

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(postgres_server.dsn())
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run("create database writers"))
    upgrade(postgres_server.url("writers"), "plans", dict(migration_folders())["plans"])
    yield postgres_server.url("writers")
    asyncio.run(run("drop database writers with (force)"))


def targets(number: int, *, generic: bool) -> GenericTargets | PumpTargets:
    speed_hz = 20 + number % 300 / 10
    if generic:
        return GenericTargets(target_type=TargetType.SPEED, target_value=speed_hz)
    return PumpTargets(suggested_speed_hz=speed_hz)


def submission(name: str, number: int, asked: Submit) -> PlanSubmission:
    edges = itertools.accumulate(asked.lengths_h, initial=asked.start_h)
    intervals = tuple(
        PlanInterval(
            resource=name,
            resource_type=ResourceType.PUMP,
            interval_start=NOW + begins * HOUR,
            interval_end=NOW + ends * HOUR,
            targets=targets(number, generic=asked.generic),
        )
        for begins, ends in itertools.pairwise(edges)
    )
    return PlanSubmission(
        submission_id=f"{name}-{number}", publisher=asked.publisher, site="works", created_at=NOW, intervals=intervals
    )


async def change(store: PlanStore, plan_id: int, what: PlanChange, number: int) -> None:
    plan = await store.find(plan_id)
    assert plan is not None
    if what is PlanChange.CANCELLED:
        await store.cancel(plan_id, "operator", NOW)
        return
    if what is PlanChange.UPDATED and plan.plan_status is not PlanStatus.ACTIVE:
        return
    generic = isinstance(plan.targets, GenericTargets)
    interval = PlanInterval(
        resource=plan.resource_id,
        resource_type=plan.resource_type,
        interval_start=plan.interval_start,
        interval_end=plan.interval_end,
        targets=targets(number, generic=generic) if what is PlanChange.UPDATED else plan.targets,
    )
    event = await store.revise(plan, interval, what, "operator", "a test", NOW)
    assert event is None or any(made.is_edit for made in event.plans), "it says that it is no publisher's own"


async def write(
    store: PlanStore, name: str, made: list[int], numbers: Iterator[int], asked: list[Submit | Change]
) -> None:
    for each in asked:
        number = next(numbers)
        if isinstance(each, Submit):
            reply = await store.accept(submission(name, number, each), NOW)
            assert reply.accepted
            made.extend(reply.plan_ids)
        elif made:
            await change(store, made[each.place % len(made)], each.change, number)


@settings(max_examples=25)
@given(writers)
def test_writers_at_once_leave_no_hole_no_overlap_and_history_as_it_was(
    database_of_all: str, asked: list[list[Submit | Change]]
) -> None:
    name = next(NAMES)
    rows, events = asyncio.run(all_at_once(database_of_all, name, asked))
    for publisher in PUBLISHERS:
        own = [row for row in rows if row.publisher == publisher]
        for hour in range(HOURS + 12):
            held_as_it_must_be([row for row in own if row.interval_start <= NOW + hour * HOUR < row.interval_end])
    by_id = {row.plan_id: row for row in rows}
    for row in rows:
        assert (row.superseded_by is not None) == (row.plan_status is PlanStatus.SUPERSEDED)
        if row.superseded_by is not None:
            successor = by_id[row.superseded_by]
            assert (successor.publisher, successor.resource_id) == (row.publisher, row.resource_id)
            assert successor.plan_id > row.plan_id
            assert successor.plan_version > row.plan_version
            assert successor.interval_start < row.interval_end
            assert row.interval_start < successor.interval_end
    told_as_it_was(by_id, events)


def held_as_it_must_be(covering: list[Plan]) -> None:
    """A publisher's plans over one hour, oldest first: each above the one before, and all but the last superseded."""
    versions = [row.plan_version for row in covering]
    assert versions == sorted(set(versions)), "versions rise, after a cancellation too"
    active = [row for row in covering if row.plan_status is PlanStatus.ACTIVE]
    assert len(active) <= 1, "no overlap"
    if covering:
        assert covering[-1].plan_status is not PlanStatus.SUPERSEDED, "no hole: what is superseded has a successor here"


def told_as_it_was(by_id: dict[int, Plan], events: list[PlanEvent]) -> None:
    """Every row was told once as it was made, and every end of one once; nothing else of a row ever changed."""
    told = [plan for event in events for plan in event.plans]
    assert sorted(plan.plan_id for plan in told) == sorted(by_id)
    changing = {"plan_status", "superseded_by", "plan_updated_at"}
    for plan in told:
        assert plan.plan_status is PlanStatus.ACTIVE
        assert plan.model_dump(exclude=changing) == by_id[plan.plan_id].model_dump(exclude=changing)
    ended = [plan_id for event in events for plan_id in event.ended_plan_ids]
    assert sorted(ended) == sorted(i for i, row in by_id.items() if row.plan_status is not PlanStatus.ACTIVE)


async def all_at_once(url: str, name: str, asked: list[list[Submit | Change]]) -> tuple[list[Plan], list[PlanEvent]]:
    """The writers in two services' stores; all plans of the actuator, oldest first, and all events."""
    databases = Database(url), Database(url)
    stores = [PlanStore(database) for database in databases]
    await stores[0].register([pump(name)], NOW)
    made: list[int] = []
    numbers = itertools.count(1)
    await asyncio.gather(
        *(write(store, name, made, numbers, each) for store, each in zip(itertools.cycle(stores), asked, strict=False))
    )
    rows = sorted(await stores[0].history("works", name, 100_000, None), key=lambda row: row.plan_id)
    bodies = await databases[0].fetch("select body from plans.outbox where subject = $1", f"plans.event.works.{name}")
    for database in databases:
        await database.close()
    return rows, [PlanEvent.model_validate_json(row["body"]) for row in bodies]


def pump(name: str) -> Actuator:
    return Actuator(
        station="works",
        resource=name,
        resource_type=ResourceType.PUMP,
        target_type=TargetType.SPEED,
        unit="Hz",
        minimum=20,
        maximum=50,
        can_stop=True,
    )

"""Submissions that wait together are stored together, and none suffers for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest

from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.messages import PlanChange, PlanInterval, PlanSubmission, PumpTargets, ResourceType
from headworks.plans.store import PlanStore
from headworks.plans.together import MOST_INTERVALS, Asked, Done, Together, who_goes_together
from headworks.plans.versions import Origin

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def pump(resource: str, first: int, count: int = 1, quarters: int = 1) -> tuple[PlanInterval, ...]:
    """`count` intervals of so many quarter hours each."""
    length = quarters * QUARTER
    return tuple(
        PlanInterval(
            resource=resource,
            resource_type=ResourceType.PUMP,
            interval_start=NOW + first * QUARTER + number * length,
            interval_end=NOW + first * QUARTER + (number + 1) * length,
            targets=PumpTargets(suggested_speed_hz=49.0),
        )
        for number in range(count)
    )


def submission(name: str, *intervals: PlanInterval) -> PlanSubmission:
    return PlanSubmission(
        submission_id=name, publisher="optimizer", site="blominmaki", created_at=NOW, intervals=intervals
    )


def asked(name: str, *intervals: PlanInterval) -> Asked:
    origin = Origin("blominmaki", "optimizer", name, None, 1, "", NOW, PlanChange.SUBMITTED, "optimizer")
    return Asked(origin, intervals, {})


P1, P2 = "P1_1", "P1_2"


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([asked("a", *pump(P1, 0)), asked("b", *pump(P2, 0)), asked("c", *pump(P1, 1))], {0, 1, 2}),
        ([asked("a", *pump(P1, 0, 2)), asked("b", *pump(P1, 1)), asked("c", *pump(P1, 2))], {0, 2}),
        ([asked("a", *pump(P1, 0)), asked("b", *pump(P1, 0, 2)), asked("c", *pump(P1, 1))], {0}),
        ([asked("a", *pump(P1, 0)), asked("a", *pump(P2, 0)), asked("c", *pump(P2, 0))], {0}),
        ([asked("a", *pump(P1, 0, MOST_INTERVALS + 1)), asked("b", *pump(P2, 0))], {0}),
        ([asked("a", *pump(P1, 0)), asked("b", *pump(P2, 0, MOST_INTERVALS)), asked("c", *pump(P2, 9000))], {0, 2}),
    ],
    ids=["apart", "overlap", "overlaps one that waits", "same id", "alone too long", "too long beside another"],
)
def test_together_goes_what_does_not_depend_on_an_order(waiting: list[Asked], expected: set[int]) -> None:
    assert who_goes_together(waiting) == expected


def test_whoever_overlaps_what_is_under_way_waits() -> None:
    under_way = [asked("a", *pump(P1, 0))]
    waiting = [asked("b", *pump(P1, 0)), asked("c", *pump(P1, 1)), asked("a", *pump(P2, 0)), asked("d", *pump(P2, 1))]
    assert who_goes_together(waiting, under_way) == {1, 3}
    assert who_goes_together(waiting[:1], under_way) == set()


class AtOnce:
    """A database whose calls all end in one turn of the loop, as two ends of real ones may."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[list[dict[str, object]]]] = []

    async def fetch(self, _statement: str, changes: str, _horizons: str) -> list[dict[str, object]]:
        self.calls.append(asyncio.get_running_loop().create_future())
        await self.calls[-1]
        return [{"change": n, "reply": "{}", "known": None} for n in range(len(json.loads(changes)))]


async def test_whoever_comes_as_the_last_call_ends_is_served() -> None:
    database, last = AtOnce(), asyncio.Event()
    together = Together(database)  # type: ignore[arg-type]  # in no real one can the turn be chosen in which calls end

    async def afterwards() -> Done:
        await last.wait()
        return await together.accept(asked("c", *pump("P1_3", 0)))

    callers = [asyncio.create_task(afterwards())]
    for name, resource in (("a", P1), ("b", P2)):
        callers.append(asyncio.create_task(together.accept(asked(name, *pump(resource, 0)))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(database.calls) == 2
    for call in database.calls:
        call.set_result([])
    last.set()  # in the same turn of the loop
    async with asyncio.timeout(5):
        while not all(caller.done() for caller in callers):
            for call in database.calls:
                if not call.done():
                    call.set_result([])
            await asyncio.sleep(0)


@asynccontextmanager
async def held(database: Database, *resources: str) -> AsyncIterator[None]:
    """These pumps' locks are another's."""
    async with database.transaction() as connection:
        for resource in resources:
            key = f"blominmaki/{resource}"
            await connection.exec_driver_sql("select pg_advisory_xact_lock(hashtextextended($1, 0))", (key,))
        yield


async def waiting_at_locks(database: Database, count: int) -> list[int]:
    """The server's processes that wait for an actuator, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            rows = await database.fetch(
                "select pid from pg_stat_activity where wait_event = 'advisory' and datname = current_database()"
            )
            if len(rows) == count:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.01)  # the server tells nobody of a lock that is waited for


async def transactions(database: Database) -> int:
    """How many stored what is in the submissions."""
    [row] = await database.fetch("select count(distinct xmin::text) as n from plans.submissions")
    count: int = row["n"]
    return count


async def test_who_comes_while_the_database_is_busy_goes_together(
    plan_store: PlanStore, plans_database: Database
) -> None:
    async with asyncio.TaskGroup() as tasks, held(plans_database, "P1_1", "P1_2"):
        first = [tasks.create_task(plan_store.accept(submission("s0", *pump("P1_1", 0)), NOW))]
        await waiting_at_locks(plans_database, 1)
        first.append(tasks.create_task(plan_store.accept(submission("s1", *pump("P1_2", 0)), NOW)))
        await waiting_at_locks(plans_database, 2)
        rest = [tasks.create_task(plan_store.accept(submission(f"s{n}", *pump("P1_3", n)), NOW)) for n in range(2, 40)]
        await asyncio.sleep(0)  # they have begun to wait
    replies = [task.result() for task in (*first, *rest)]
    assert all(reply.accepted and len(reply.plan_ids) == 1 for reply in replies)
    assert [reply.submission_id for reply in replies] == [f"s{n}" for n in range(40)]
    assert await transactions(plans_database) <= 4
    plans = await plan_store.active("blominmaki", NOW, "P1_3")
    assert [(p.interval_start, p.submission_id) for p in plans] == [(NOW + n * QUARTER, f"s{n}") for n in range(2, 40)]
    for reply, plan in zip(replies[2:], plans, strict=True):
        assert reply.plan_ids == (plan.plan_id,)


async def test_a_later_horizon_waits_for_the_one_that_it_supersedes(
    plan_store: PlanStore, plans_database: Database
) -> None:
    async with held(plans_database, "P1_1"):
        calls = [asyncio.create_task(plan_store.accept(submission("s0", *pump("P1_1", 0)), NOW))]
        await waiting_at_locks(plans_database, 1)
        calls += [asyncio.create_task(plan_store.accept(submission(f"s{n}", *pump("P1_1", 0)), NOW)) for n in (1, 2)]
        await plan_store.accept(submission("other", *pump("P1_2", 0)), NOW)
        assert len(await waiting_at_locks(plans_database, 1)) == 1
    await asyncio.gather(*calls)
    [plan] = await plan_store.active("blominmaki", NOW, "P1_1")
    assert (plan.submission_id, plan.plan_version) == ("s2", 3)


async def test_those_that_cut_the_same_plan_come_one_after_another(
    plan_store: PlanStore, plans_database: Database
) -> None:
    await plan_store.accept(submission("long", *pump("P1_1", 0, quarters=40)), NOW)
    await asyncio.gather(*(plan_store.accept(submission(f"s{n}", *pump("P1_1", n)), NOW) for n in range(1, 40, 4)))
    plans = await plan_store.active("blominmaki", NOW, "P1_1")
    assert (plans[0].interval_start, plans[-1].interval_end) == (NOW, NOW + 40 * QUARTER)
    assert all(a.interval_end == b.interval_start for a, b in pairwise(plans))
    assert [p.submission_id for p in plans if p.submission_id != "long"] == [f"s{n}" for n in range(1, 40, 4)]


async def test_a_fault_is_only_whose_it_is(plan_store: PlanStore) -> None:
    results = await asyncio.gather(
        plan_store.accept(submission("s0", *pump("P1_1", 0)), NOW),
        plan_store.accept(submission("s1", *pump("nobody", 0)), NOW),
        plan_store.accept(submission("s2", *pump("P1_2", 0)), NOW),
        return_exceptions=True,
    )
    assert isinstance(results[1], asyncpg.ForeignKeyViolationError)
    assert [getattr(each, "accepted", None) for each in results] == [True, None, True]
    assert await plan_store.known_reply(submission("s1", *pump("nobody", 0))) is None


async def test_whoever_goes_before_being_served_leaves_nothing(plan_store: PlanStore, plans_database: Database) -> None:
    async with held(plans_database, "P1_1", "P1_2"):
        served = [asyncio.create_task(plan_store.accept(submission(f"s{n}", *pump(f"P1_{n}", 0)), NOW)) for n in (1, 2)]
        await waiting_at_locks(plans_database, 1)
        gone = asyncio.create_task(plan_store.accept(submission("gone", *pump("P1_1", 0)), NOW))
        stays = asyncio.create_task(plan_store.accept(submission("stays", *pump("P1_3", 0)), NOW))
        await asyncio.sleep(0)
        gone.cancel()
    assert all(reply.accepted for reply in await asyncio.gather(*served, stays))
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await plan_store.known_reply(submission("gone", *pump("P1_1", 0))) is None


async def test_a_lost_connection_is_told_to_all_whose_call_it_was_and_the_next_go_on(
    plan_store: PlanStore, plans_database: Database
) -> None:
    async with held(plans_database, "P1_1"):
        calls = [asyncio.create_task(plan_store.accept(submission(f"s{n}", *pump(f"P1_{n}", 0)), NOW)) for n in (1, 2)]
        for pid in await waiting_at_locks(plans_database, 1):
            await plans_database.fetch("select pg_terminate_backend($1)", pid)
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [DatabaseUnavailable] * 2
    assert (await plan_store.accept(submission("s1", *pump("P1_1", 0)), NOW)).accepted
    assert [p.submission_id for p in await plan_store.active("blominmaki", NOW)] == ["s1"]


async def test_what_a_call_reads_does_not_grow_with_what_was_submitted(
    plan_store: PlanStore, plans_database: Database
) -> None:
    """The plans of a call are kept: they must be right for full tables though they were made for empty ones."""
    await plans_database.fetch("analyze plans.submissions")
    for n in range(100):
        calls = [plan_store.accept(submission(f"s{n}-{pump_}", *pump(pump_, n)), NOW) for pump_ in (P1, P2)]
        assert all(reply.accepted for reply in await asyncio.gather(*calls))
    await plans_database.fetch("select pg_stat_force_next_flush()")
    async with asyncio.timeout(30):
        while True:
            [read] = await plans_database.fetch("""
                select idx_scan, idx_tup_fetch from pg_stat_user_tables
                where schemaname = 'plans' and relname = 'submissions'""")
            if read["idx_scan"] >= 100:
                break
            await asyncio.sleep(0.05)  # the server counts from time to time, and tells nobody
    assert read["idx_tup_fetch"] == 0  # no id came twice

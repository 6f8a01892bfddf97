"""Runs on a real PostgreSQL: a job and its row go together, an end is stored once, and only by the attempt that has the run."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from headworks.common.database import Database
from headworks.common.messages import (
    GenericTargets,
    Override,
    PlanInterval,
    PlanSubmission,
    ResourceType,
    RunFinished,
    RunStage,
    RunStatus,
    SolveJob,
    TargetType,
)
from headworks.optimizer.afterbay.case import Case, Solution
from headworks.optimizer.afterbay.example_cases import calm_winter
from headworks.optimizer.afterbay.solve import solve_case
from headworks.optimizer.inputs import InputUse
from headworks.optimizer.store import RunStore
from headworks.optimizer.tables import outbox
from headworks.optimizer.values import Status
from headworks.waterway.afterbay_site import AfterbaySite


async def sent(database: Database) -> list[tuple[str, str]]:
    """Subject and message id of all that waits in the outbox."""
    async with database.transaction() as connection:
        rows = await connection.execute(select(outbox.c.subject, outbox.c.message_id).order_by(outbox.c.outbox_id))
        return [(row.subject, row.message_id) for row in rows]


def ended(run_id: str, at: datetime, status: RunStatus = RunStatus.SOLVED, **changes: object) -> RunFinished:
    return RunFinished.model_validate({"run_id": run_id, "site": "abay", "at": at, "status": status} | changes)


def submission(run_id: str, at: datetime) -> PlanSubmission:
    interval = PlanInterval(
        resource="OXPH",
        resource_type=ResourceType.TURBINE,
        interval_start=at,
        interval_end=at + timedelta(hours=1),
        targets=GenericTargets(target_type=TargetType.POWER, target_value=2.0),
    )
    return PlanSubmission(
        submission_id=f"run-{run_id}", publisher="optimizer", site="abay", created_at=at, intervals=(interval,)
    )


async def test_a_job_is_queued_once_with_its_row_and_its_message(
    store: RunStore, database: Database, job: SolveJob, now: datetime
) -> None:
    override = Override(series="r4_flow_m3s", valid_at=now, value=12.5)
    asked = job.model_copy(update={"overrides": (override,)})
    assert await store.queue(asked)
    assert not await store.queue(asked)
    assert await sent(database) == [("jobs.solve.abay", "abay-1")]
    run = await store.find("abay-1")
    assert run is not None
    assert (run.stage, run.attempt, run.status, run.inputs) == (RunStage.QUEUED, 0, None, None)
    assert run.overrides == [override]


async def test_schedulers_that_queue_the_same_run_together_queue_one(
    store: RunStore, database: Database, job: SolveJob
) -> None:
    assert sorted(await asyncio.gather(*(store.queue(job) for _ in range(8)))) == [False] * 7 + [True]
    assert len(await sent(database)) == 1


async def test_an_end_is_stored_once_together_with_its_messages(
    store: RunStore, database: Database, job: SolveJob, now: datetime
) -> None:
    await store.queue(job)
    run = await store.begin("abay-1")
    assert run is not None
    solution, plan = Solution(status=Status.SOLVED), submission("abay-1", now)
    finished = ended("abay-1", now, submission_id=plan.submission_id, reason="fine")
    assert await store.finish(finished, solution, plan, run.attempt)
    assert not await store.finish(finished, solution, plan, run.attempt)
    assert await sent(database) == [
        ("jobs.solve.abay", "abay-1"),
        ("runs.abay.abay-1.finished", "finished:abay-1"),
        ("plans.submit.optimizer.abay", "submit:run-abay-1"),
    ]
    stored = await store.find("abay-1")
    assert stored is not None
    assert (stored.status, stored.status_reason, stored.finished_at) == (RunStatus.SOLVED, "fine", now)
    assert stored.submission_id == "run-abay-1"
    assert await store.solution("abay-1", Solution) == solution


async def test_when_its_messages_cannot_be_stored_the_end_is_not_either(
    store: RunStore, database: Database, job: SolveJob, now: datetime
) -> None:
    await store.queue(job)
    run = await store.begin("abay-1")
    assert run is not None
    bad = submission("abay-1", now).model_copy(update={"publisher": "cannot.stand in a subject"})
    with pytest.raises(ValueError, match="cannot stand in subject"):
        await store.finish(ended("abay-1", now), None, bad, run.attempt)
    again = await store.find("abay-1")
    assert again is not None
    assert again.finished_at is None
    assert len(await sent(database)) == 1


async def test_an_overtaken_worker_stores_nothing_more(store: RunStore, job: SolveJob, now: datetime) -> None:
    await store.queue(job)
    first, second = await store.begin("abay-1"), await store.begin("abay-1")
    assert first is not None
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    case, other = calm_winter(hours=2), calm_winter(hours=3)
    assert await store.keep_case("abay-1", second.attempt, case, [], [], "award 2 h")
    assert not await store.keep_case("abay-1", first.attempt, other, [], [], "award 3 h")
    assert not await store.finish(ended("abay-1", now), None, None, first.attempt)
    assert await store.finish(ended("abay-1", now), None, None, second.attempt)
    assert await store.case("abay-1", Case) == case
    assert await store.begin("abay-1") is None
    assert not await store.keep_case("abay-1", second.attempt, other, [], [], "")


async def test_a_case_its_inputs_and_its_answer_come_back_as_they_were(
    store: RunStore, site: AfterbaySite, job: SolveJob, now: datetime
) -> None:
    case = calm_winter(hours=6)
    solution = solve_case(site, case)
    uses = [InputUse(series="elevation_m", source="pi", valid_at=now, age_s=0.0)]
    await store.queue(job)
    run = await store.begin("abay-1")
    assert run is not None
    await store.keep_case("abay-1", run.attempt, case, uses, [], "award 6 h", RunStage.SOLVING)
    await store.finish(ended("abay-1", now), solution, None, run.attempt)
    assert (await store.case("abay-1", Case), await store.solution("abay-1", Solution)) == (case, solution)
    kept = await store.find("abay-1")
    assert kept is not None
    assert (kept.inputs, kept.mfra_summary, kept.stage) == (uses, "award 6 h", RunStage.SOLVING)


async def test_the_newest_runs_come_first_and_the_last_submitted_is_no_trial(
    store: RunStore, job: SolveJob, now: datetime
) -> None:
    ends = {
        "abay-1": (RunStatus.SOLVED, True),
        "abay-2": (RunStatus.FAILED, False),
        "abay-3": (RunStatus.SOLVED, False),
    }
    for i, (run_id, (status, submits)) in enumerate(ends.items()):
        at = now + timedelta(minutes=i)
        await store.queue(job.model_copy(update={"run_id": run_id, "requested_at": at}))
        run = await store.begin(run_id)
        assert run is not None
        plan = submission(run_id, now) if submits else None
        submitted = plan.submission_id if plan else None
        await store.finish(ended(run_id, at, status, submission_id=submitted), None, plan, run.attempt)
    assert [run.run_id for run in await store.newest("abay", 2)] == ["abay-3", "abay-2"]
    assert [run.run_id for run in await store.newest("abay", 9, submitted=True)] == ["abay-1"]
    assert await store.newest("elsewhere", 9) == []


async def test_what_is_unknown_is_none(store: RunStore, now: datetime) -> None:
    assert await store.find("abay-9") is None
    assert await store.begin("abay-9") is None
    assert await store.case("abay-9", Case) is None
    assert await store.solution("abay-9", Solution) is None
    assert not await store.finish(ended("abay-9", now), None, None, 0)
    await store.request_cancel("abay-9")


async def test_a_reason_of_any_length_is_stored(store: RunStore, job: SolveJob, now: datetime) -> None:
    await store.queue(job)
    run = await store.begin("abay-1")
    assert run is not None
    assert await store.keep_case("abay-1", run.attempt, None, [], [], "x" * 5000)
    assert await store.finish(ended("abay-1", now, RunStatus.FAILED, reason="x" * 5000), None, None, run.attempt)

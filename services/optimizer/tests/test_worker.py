"""Jobs off the queue: one result whatever dies in between, a stop that stops, an end for every run, a plan to follow."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optimizer_rig import buried, delivery, end_of, heard, pid_in, reasons_of, stuck, working
from pydantic import TypeAdapter

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.handling import Unacceptable
from headworks.common.ingest import IngestClient
from headworks.common.messages import (
    Forecast,
    ForecastStep,
    GenericTargets,
    Message,
    Quality,
    RunStatus,
    Sample,
    SolveJob,
)
from headworks.common.subjects import PLAN_SUBMISSION, RUN_FINISHED, RUN_PROGRESS, SOLVE_JOB
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.optimizer.afterbay.case import Hour, Replay, Solution
from headworks.optimizer.afterbay.kind import AfterbayKind
from headworks.optimizer.store import RunStore
from headworks.optimizer.values import Status
from headworks.optimizer.worker import MAX_DELIVERIES, Worker
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite


def afterbay(text: str) -> AfterbaySite:
    """The site of a changed site file."""
    return AfterbaySite.model_validate(yaml.safe_load(text))


HOUR = timedelta(hours=1)
M = TypeVar("M", bound=Message)
VALUES = {
    names.ELEVATION: 356.7, names.FLOAT_ELEVATION: 357.5, names.OXPH_POWER: 3.0, names.MFRA_POWER: 60.0, names.MODE: 0.0,
    names.R5L_FLOW: 0.5, names.R26_FLOW: 0.3,
}  # fmt: skip


class Ingest:
    """The neighbour, as its document says it answers: what it knows can be taken away."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.values: dict[str, float] = dict(VALUES)
        self.status = 200
        self.asked = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request's answer."""
        self.asked += 1
        if self.status != 200:
            return httpx.Response(self.status, text="not now")
        _, _sites, _site, kind, *rest = request.url.path.split("/")
        match kind, rest:
            case "series", [name, "latest"] if name in self.values:
                return self._json(
                    Sample, Sample(series=name, valid_at=self.now, value=self.values[name], quality=Quality.GOOD)
                )
            case "series", [_, "values"]:
                return httpx.Response(200, text="[]")
            case "forecasts", [("r4_flow_m3s" | "r20_flow_m3s" | "r30_flow_m3s") as name]:
                return self._json(Forecast, self._forecast(name))
        return httpx.Response(404)

    def _forecast(self, name: str) -> Forecast:
        start = self.now.replace(minute=0)
        steps = tuple(ForecastStep(valid_at=start + t * HOUR, value=2.0) for t in range(48))
        return Forecast(
            site="abay", series=name, source="test", issued_at=start, known_at=start, step_s=3600, steps=steps
        )

    def _json(self, model: type[Sample] | type[Forecast], value: Sample | Forecast) -> httpx.Response:
        return httpx.Response(200, content=TypeAdapter(model).dump_json(value))


@pytest.fixture
def ingest(now: datetime) -> Ingest:
    return Ingest(now)


@pytest.fixture(scope="session")
def day_text(site_file_text: str) -> str:
    """The site with a horizon of a day, for speed."""
    return site_file_text.replace("horizon: 168 h", "horizon: 24 h")


@pytest.fixture
async def worker(
    ingest: Ingest, day_text: str, store: RunStore, bus: Bus, clock: Clock, database: Database
) -> AsyncIterator[Worker]:
    """A worker with its outbox relayed."""
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(ingest.answer), base_url="http://ingest") as client,
        in_background(store.outbox.relay(database, bus)),
    ):
        yield Worker(
            {"abay": AfterbayKind(afterbay(day_text))}, {"abay": day_text}, store, IngestClient(client), bus, clock
        )


# ---------------------------------------------------------------- a run


async def test_a_job_becomes_a_run_with_progress_a_result_and_one_plan(
    worker: Worker, store: RunStore, job: SolveJob
) -> None:
    await store.queue(job)
    async with working(worker):
        run = await end_of(store)
    assert (run.status, run.attempt, run.status_reason) == (RunStatus.SOLVED, 1, "")
    assert run.mfra_summary == "persistence 24 h"
    assert {use.series: use.source for use in run.inputs or ()}[names.R4_FLOW] == "test"
    solution = await store.solution("abay-1", Solution)
    assert solution is not None
    assert solution.publishable
    [plan] = await heard(worker, PLAN_SUBMISSION)
    assert (plan.submission_id, plan.run_id, len(plan.intervals)) == ("run-abay-1", "abay-1", 24)
    [finished] = await heard(worker, RUN_FINISHED)
    assert (finished.status, finished.submission_id) == (RunStatus.SOLVED, "run-abay-1")
    stages = [progress.stage for progress in await heard(worker, RUN_PROGRESS)]
    assert stages[:2] == ["gathering", "solving"]


async def test_a_trial_is_solved_and_submits_nothing(worker: Worker, store: RunStore, job: SolveJob) -> None:
    await store.queue(job.model_copy(update={"publish": False}))
    async with working(worker):
        run = await end_of(store)
    assert (run.status, run.submission_id) == (RunStatus.SOLVED, None)
    assert await heard(worker, PLAN_SUBMISSION) == []


# ---------------------------------------------------------------- what dies


async def test_a_job_of_a_worker_that_died_is_solved_by_the_next_and_has_one_result(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    await store.queue(job)
    async with working(replace(worker, command=stuck(pid_file))):
        await eventually(lambda: pid_in(pid_file) > 0, timeout_s=30)
    assert not psutil.pid_exists(pid_in(pid_file))
    async with working(worker):
        run = await end_of(store)
    assert (run.status, run.attempt) == (RunStatus.SOLVED, 2)
    assert len(await heard(worker, RUN_FINISHED)) == 1
    assert len(await heard(worker, PLAN_SUBMISSION)) == 1


async def test_a_worker_that_was_overtaken_stores_and_submits_nothing(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    held = f"import sys\nsys.stdin.readline()\nprint(open({str(gate)!r}).read(), flush=True)"
    await store.queue(job)
    slow = replace(worker, command=(sys.executable, "-c", held))
    once = delivery(1)
    first = asyncio.create_task(slow.on_job(job, once))

    async def solving() -> bool:
        run = await store.find("abay-1")
        return run is not None and run.stage == "solving"

    await eventually(solving, timeout_s=30)
    await worker.on_job(job, replace(once, deliveries=2, attempt=2))
    assert (await end_of(store)).status is RunStatus.SOLVED
    await asyncio.to_thread(gate.write_text, '{"solution": {"status": "INFEASIBLE", "reason": "too late"}}')
    await first
    run = await store.find("abay-1")
    assert run is not None
    assert (run.status, run.attempt, run.status_reason) == (RunStatus.SOLVED, 2, "")
    assert len(await heard(worker, RUN_FINISHED)) == 1


async def test_a_job_delivered_again_after_its_end_changes_nothing(
    worker: Worker, store: RunStore, job: SolveJob
) -> None:
    await store.queue(job)
    await worker.on_job(job, delivery(1))
    ended = await end_of(store)
    await worker.on_job(job, delivery(2))
    assert await end_of(store) == ended
    assert len(await heard(worker, RUN_FINISHED)) == 1


async def test_a_job_that_no_worker_survives_ends_failed_and_is_kept_with_the_reason(
    worker: Worker, store: RunStore, job: SolveJob
) -> None:
    await store.queue(job)
    async with working(replace(worker, site_texts={})):  # a fault of ours: it raises whatever it is given
        run = await end_of(store)
        await eventually(lambda: buried(worker), timeout_s=5)
    reason = "given up after 3 tries that ended without an answer"
    assert (run.status, run.status_reason, run.attempt) == (RunStatus.FAILED, reason, MAX_DELIVERIES + 1)
    [finished] = await heard(worker, RUN_FINISHED)
    assert finished.reason == reason
    assert await reasons_of(worker) == [reason]


async def test_a_job_of_an_unknown_site_is_kept_with_the_reason(worker: Worker, bus: Bus, job: SolveJob) -> None:
    await bus.publish(SOLVE_JOB, job.model_copy(update={"site": "elsewhere"}), site="elsewhere")
    await bus.publish_raw("jobs.solve.abay", b"\x00 garbage", {})
    async with working(worker):

        async def both() -> bool:
            return len(await reasons_of(worker)) == 2

        await eventually(both)
    reasons = await reasons_of(worker)
    assert reasons[0] == "site='elsewhere' must be one of ['abay']"
    assert "not a SolveJob" in reasons[1]


async def test_a_job_without_a_row_is_let_go(worker: Worker, job: SolveJob, ingest: Ingest) -> None:
    await worker.on_job(job, delivery(1))
    assert ingest.asked == 0
    with pytest.raises(Unacceptable):
        await worker.on_job(job.model_copy(update={"site": "elsewhere"}), delivery(1))


# ---------------------------------------------------------------- stopping and waiting


async def test_cancel_ends_a_solver_that_says_nothing(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    await store.queue(job)
    async with working(replace(worker, command=stuck(pid_file))):
        await eventually(lambda: pid_in(pid_file) > 0, timeout_s=30)
        await store.request_cancel("abay-1")
        run = await end_of(store)
    assert (run.status, run.attempt) == (RunStatus.CANCELLED, 1)
    assert not psutil.pid_exists(pid_in(pid_file))
    assert await heard(worker, PLAN_SUBMISSION) == []


async def test_a_run_cancelled_while_it_waits_is_not_solved(worker: Worker, store: RunStore, job: SolveJob) -> None:
    await store.queue(job)
    await store.request_cancel("abay-1")
    async with working(replace(worker, command=("false",))):
        run = await end_of(store)
    assert (run.status, run.status_reason) == (RunStatus.CANCELLED, "cancelled before the solve")


async def test_a_solver_without_an_answer_is_given_up_in_time(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path, day_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.optimizer.worker.PROCESS_START_S", 0.1)
    hasty = afterbay(day_text.replace("time_limit: 20 s", "time_limit: 0.1 s"))
    await store.queue(job)
    async with working(replace(worker, kinds={"abay": AfterbayKind(hasty)}, command=stuck(tmp_path / "pid"))):
        run = await end_of(store)
    assert (run.status, run.status_reason) == (RunStatus.FAILED, "the solver made no progress within 0.2 s")


async def test_a_missing_measurement_is_waited_for_then_refused_by_name(
    worker: Worker, store: RunStore, job: SolveJob, ingest: Ingest
) -> None:
    del ingest.values[names.ELEVATION]
    del ingest.values[names.R26_FLOW]
    await store.queue(job)
    async with working(worker):
        run = await end_of(store)
    assert run.status is RunStatus.FAILED
    assert run.status_reason == f"{names.R26_FLOW} is not known; elevation is not known"
    sources = {use.series: use.source for use in run.inputs or ()}
    assert sources[names.ELEVATION] == sources[names.R26_FLOW] == "none"
    assert ingest.asked > 100  # all tries were used


async def test_a_measurement_that_comes_late_is_used(
    worker: Worker, store: RunStore, job: SolveJob, ingest: Ingest
) -> None:
    del ingest.values[names.ELEVATION]
    await store.queue(job)
    async with working(worker):
        await eventually(lambda: ingest.asked > 30)
        ingest.values[names.ELEVATION] = 356.7
        run = await end_of(store)
    assert run.status is RunStatus.SOLVED


@pytest.mark.parametrize(("status", "text"), [(503, "ingest answered 503"), (401, "ingest answered 401")])
async def test_without_ingest_the_run_says_so(
    worker: Worker, store: RunStore, job: SolveJob, ingest: Ingest, status: int, text: str
) -> None:
    ingest.status = status
    await store.queue(job)
    async with working(worker):
        run = await end_of(store)
    assert run.status is RunStatus.FAILED
    assert text in run.status_reason


async def test_a_schedule_that_fails_its_replay_is_neither_solved_nor_submitted(
    worker: Worker, store: RunStore, job: SolveJob
) -> None:
    bad = Solution(status=Status.SOLVED, replay=Replay(elevation_error_m=1.0, power_error_mw=0.0, passed=False))
    program = f"import sys\nsys.stdin.readline()\nprint({json.dumps({'solution': bad.model_dump(mode='json')})!r})"
    await store.queue(job)
    async with working(replace(worker, command=(sys.executable, "-c", program))):
        run = await end_of(store)
    assert (run.status, run.submission_id) == (RunStatus.FAILED, None)
    assert await heard(worker, PLAN_SUBMISSION) == []


# ---------------------------------------------------------------- the plan


def solution_of(start: datetime, setpoints_mw: Sequence[float]) -> Solution:
    hours = tuple(
        Hour(
            start=start + t * HOUR,
            setpoint_mw=setpoint,
            power_mw=setpoint,
            elevation_m=356.5,
            spill_m3s=0.0,
            inflow_m3s=10.0,
            outflow_m3s=10.0,
        )
        for t, setpoint in enumerate(setpoints_mw)
    )
    return Solution(status=Status.SOLVED, hours=hours)


def test_a_plan_begins_now_and_ends_with_the_last_hour(site: AfterbaySite, now: datetime) -> None:
    at = now + timedelta(seconds=42)
    start = now.replace(minute=0)
    plan = AfterbayKind(site).intervals(solution_of(start, [1.0, 2.0, 3.0]), at)
    assert [(i.interval_start, i.interval_end) for i in plan] == [
        (now, start + HOUR), (start + HOUR, start + 2 * HOUR), (start + 2 * HOUR, start + 3 * HOUR),
    ]  # fmt: skip
    late = AfterbayKind(site).intervals(solution_of(start, [1.0, 2.0, 3.0]), start + HOUR)
    assert late[0].interval_start == start + HOUR
    assert len(late) == 2


@given(st.lists(st.floats(0.8, 5.8), min_size=2, max_size=20))
def test_no_setpoint_is_more_than_was_solved_or_outside_the_unit(
    site: AfterbaySite, now: datetime, setpoints: list[float]
) -> None:
    plan = AfterbayKind(site).intervals(solution_of(now.replace(minute=0), setpoints), now)
    for interval, setpoint in zip(plan, setpoints, strict=True):
        assert isinstance(interval.targets, GenericTargets)
        target = interval.targets.target_value
        assert 0.8 <= target <= 5.8
        assert setpoint - 0.01 < target <= setpoint + 1e-8
        assert round(target * 100) == pytest.approx(target * 100)


def test_what_the_worker_asks_is_in_the_neighbours_document() -> None:
    """The fake above stands for ingest's API: its paths must exist."""
    text = (Path(__file__).parents[3] / "docs/openapi/ingest.json").read_text(encoding="utf-8")
    for path in (
        "/sites/{site}/series/{series}/latest", "/sites/{site}/series/{series}/values", "/sites/{site}/forecasts/{series}",
        "/sites/{site}/awards/{trade_date}",
    ):  # fmt: skip
        assert f'"{path}"' in text, path

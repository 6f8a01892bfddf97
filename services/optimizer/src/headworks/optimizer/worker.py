"""Works off the queue: gather, assemble, solve apart, store the answer and submit the plan. Several workers may run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Histogram

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.handling import Delivery, TryLater, Unacceptable
from headworks.common.ingest import IngestAway, IngestClient
from headworks.common.link import BusUnavailable
from headworks.common.messages import (
    PlanInterval,
    PlanSubmission,
    RunFinished,
    RunProgress,
    RunStage,
    RunStatus,
    SolveJob,
)
from headworks.common.subjects import RUN_PROGRESS
from headworks.optimizer.inputs import Assembled, Unknown
from headworks.optimizer.kind import AnyKind
from headworks.optimizer.solve_process import COMMAND, Asked, Patience, solve_apart
from headworks.optimizer.store import RunStore
from headworks.optimizer.values import Answer, Status

log = structlog.get_logger(__name__)
PUBLISHER = "optimizer"
GATHER_ATTEMPTS = 10
"""Tries, a second apart, for inputs that are not there yet: right after a start a source's first poll is under way."""
MAX_DELIVERIES = 3
"""A job whose worker has died so often is no more tried."""
PROCESS_START_S = 20.0
SOLVE_SECONDS = Histogram(
    "headworks_solve_seconds",
    "build, solve and replay of a run",
    ["site"],
    buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60, 120),
)


@dataclass
class Worker:
    """Solves jobs, one at a time."""

    kinds: Mapping[str, AnyKind]
    site_texts: Mapping[str, str]
    store: RunStore
    ingest: IngestClient
    bus: Bus
    clock: Clock
    command: Sequence[str] = COMMAND

    async def on_job(self, job: SolveJob, delivery: Delivery) -> None:
        """Solve a job; delivered again after a crash, it is solved again, and its result is stored once."""
        kind = self.kinds.get(job.site)
        if kind is None:
            raise Unacceptable(f"site={job.site!r} must be one of {sorted(self.kinds)}")
        run = await self.store.begin(job.run_id)
        if run is None:
            log.info("run has ended before, or was never queued", run_id=job.run_id)
            return
        if delivery.deliveries > MAX_DELIVERIES:
            reason = f"given up after {MAX_DELIVERIES} tries that ended without an answer"
            await self._finish(job, run.attempt, kind.answer_type(status=Status.FAILED, reason=reason), None)
            raise Unacceptable(reason)
        await self._tell(job, RunStage.GATHERING, run.attempt)
        now = self.clock.now()
        assembled = await self._assembled(kind, job, now)
        if not isinstance(assembled, Assembled):
            await self._refuse(job, run.attempt, delivery, assembled)
            return
        await self._solve(job, run.attempt, assembled, now)

    async def _refuse(self, job: SolveJob, attempt: int, delivery: Delivery, unknown: Unknown) -> None:
        """End a run that cannot be made for want of inputs; raises TryLater while they may still come."""
        reason, cancelled = "; ".join(unknown.reasons), await self._cancelled(job.run_id)
        if delivery.attempt < GATHER_ATTEMPTS and not cancelled:
            raise TryLater(reason)
        await self.store.keep_case(job.run_id, attempt, None, unknown.inputs, [], "")
        status = Status.CANCELLED if cancelled else Status.FAILED
        await self._finish(job, attempt, self.kinds[job.site].answer_type(status=status, reason=reason), None)

    async def _assembled(self, kind: AnyKind, job: SolveJob, now: datetime) -> Assembled[Any] | Unknown:
        """The case of this moment, or what is not known of it."""
        try:
            return await kind.assembled(self.ingest, self.store, job, now)
        except IngestAway as error:
            return Unknown((str(error),), ())

    async def _solve(self, job: SolveJob, attempt: int, assembled: Assembled[Any], now: datetime) -> None:
        kind, case, mfra = self.kinds[job.site], assembled.case, [asdict(hour) for hour in assembled.mfra]
        if not await self.store.keep_case(
            job.run_id, attempt, case, assembled.inputs, mfra, assembled.mfra_summary, RunStage.SOLVING
        ):
            log.info("run was taken up by another worker, or has ended", run_id=job.run_id, attempt=attempt)
            return
        await self._tell(job, RunStage.SOLVING, attempt)

        async def on_gap(gap: float | None) -> None:
            await self._tell(job, RunStage.SOLVING, attempt, gap)

        async def cancelled() -> bool:
            return await self._cancelled(job.run_id)

        answer: Answer
        if await cancelled():
            answer = kind.answer_type(status=Status.CANCELLED, reason="cancelled before the solve")
        else:
            asked = Asked(self.site_texts[job.site], case, kind.answer_type)
            answer = await solve_apart(asked, _patience(kind.time_limit_s), on_gap, cancelled, self.command)
        if answer.took_s is not None:
            SOLVE_SECONDS.labels(job.site).observe(answer.took_s)
        submission = None
        if answer.publishable and job.publish:
            submission = plan_submission(job, kind.intervals(answer, now), now)
        await self._finish(job, attempt, answer, submission)

    async def _cancelled(self, run_id: str) -> bool:
        """Whether a person asked to stop. A database that is away does not stop the run."""
        try:
            run = await self.store.find(run_id)
        except DatabaseUnavailable:
            return False
        return run is not None and run.cancel_requested

    async def _finish(self, job: SolveJob, attempt: int, answer: Answer, submission: PlanSubmission | None) -> None:
        status = RunStatus(answer.status.value)
        if status in {RunStatus.SOLVED, RunStatus.RELAXED} and not answer.publishable:
            status = RunStatus.FAILED
        finished = RunFinished(
            run_id=job.run_id,
            site=job.site,
            at=self.clock.now(),
            status=status,
            reason=answer.reason,
            relaxed=answer.relaxed,
            submission_id=submission.submission_id if submission else None,
        )
        stored = await self.store.finish(finished, answer, submission, attempt)
        log.info("run finished", run_id=job.run_id, status=status.value, reason=answer.reason, stored=stored)

    async def _tell(self, job: SolveJob, stage: RunStage, attempt: int, gap: float | None = None) -> None:
        """Progress is for watchers: a bus that is away does not stop the run."""
        message = RunProgress(
            run_id=job.run_id, site=job.site, at=self.clock.now(), stage=stage, attempt=attempt, gap=gap
        )
        try:
            await self.bus.publish(RUN_PROGRESS, message, site=job.site, run_id=job.run_id)
        except BusUnavailable as error:
            log.warning("progress not told", run_id=job.run_id, error=str(error))


def _patience(time_limit_s: float) -> Patience:
    return Patience(total_s=3 * time_limit_s + PROCESS_START_S, silent_s=time_limit_s + PROCESS_START_S)


def plan_submission(job: SolveJob, intervals: tuple[PlanInterval, ...], now: datetime) -> PlanSubmission:
    """A run's schedule as what is submitted."""
    return PlanSubmission(
        submission_id=f"run-{job.run_id}",
        publisher=PUBLISHER,
        site=job.site,
        created_at=now,
        run_id=job.run_id,
        reason=job.reason,
        intervals=intervals,
    )

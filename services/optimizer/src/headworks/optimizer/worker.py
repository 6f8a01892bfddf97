"""Works off the queue: gather, assemble, solve apart, store the answer and submit the plan. Several workers may run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import floor

import structlog
from prometheus_client import Histogram

from headworks.common.bus import Bus, BusUnavailable
from headworks.common.clock import Clock
from headworks.common.database import is_away
from headworks.common.handling import Delivery, TryLater, Unacceptable
from headworks.common.messages import (
    GenericTargets,
    PlanInterval,
    PlanSubmission,
    ResourceType,
    RunFinished,
    RunProgress,
    RunStage,
    RunStatus,
    SolveJob,
    TargetType,
)
from headworks.common.subjects import RUN_PROGRESS
from headworks.optimizer.afterbay.case import Solution, options_of
from headworks.optimizer.afterbay.gather import IngestAway, IngestClient
from headworks.optimizer.afterbay.inputs import Assembled, Unknown, assemble
from headworks.optimizer.solve_process import COMMAND, Patience, solve_apart
from headworks.optimizer.store import RunStore
from headworks.optimizer.values import Status
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import in_unit

log = structlog.get_logger(__name__)
PUBLISHER = "optimizer"
GATHER_ATTEMPTS = 10
"""Tries, a second apart, for inputs that are not there yet: right after a start a source's first poll is under way."""
MAX_DELIVERIES = 3
"""A job whose worker has died so often is no more tried."""
PROCESS_START_S = 20.0
SOLVE_SECONDS = Histogram("headworks_solve_seconds", "build, solve and replay of a run", ["site"])


@dataclass
class Worker:
    """Solves jobs, one at a time."""

    sites: Mapping[str, AfterbaySite]
    site_texts: Mapping[str, str]
    store: RunStore
    ingest: IngestClient
    bus: Bus
    clock: Clock
    command: Sequence[str] = COMMAND

    async def on_job(self, job: SolveJob, delivery: Delivery) -> None:
        """Solve a job; delivered again after a crash, it is solved again, and its result is stored once."""
        site = self.sites.get(job.site)
        if site is None:
            raise Unacceptable(f"site={job.site!r} must be one of {sorted(self.sites)}")
        run = await self.store.begin(job.run_id)
        if run is None:
            log.info("run has ended before, or was never queued", run_id=job.run_id)
            return
        if delivery.deliveries > MAX_DELIVERIES:
            reason = f"given up after {MAX_DELIVERIES} tries that ended without an answer"
            await self._finish(job, run.attempt, Solution(status=Status.FAILED, reason=reason), None)
            raise Unacceptable(reason)
        await self._tell(job, RunStage.GATHERING, run.attempt)
        now = self.clock.now()
        assembled = await self._assembled(site, job, now)
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
        await self._finish(job, attempt, Solution(status=status, reason=reason), None)

    async def _assembled(self, site: AfterbaySite, job: SolveJob, now: datetime) -> Assembled | Unknown:
        """The case of this moment, or what is not known of it."""
        try:
            known = await self.ingest.known(site, now)
        except IngestAway as error:
            return Unknown((str(error),), ())
        horizon_h = round(in_unit(site.section("schedule")["horizon"], "hour"))
        return assemble(site, known, options_of(site), job.overrides, now, horizon_h)

    async def _solve(self, job: SolveJob, attempt: int, assembled: Assembled, now: datetime) -> None:
        case, mfra = assembled.case, [asdict(hour) for hour in assembled.mfra]
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

        if await cancelled():
            solution = Solution(status=Status.CANCELLED, reason="cancelled before the solve")
        else:
            limit_s = case.options.time_limit_s
            patience = Patience(total_s=3 * limit_s + PROCESS_START_S, silent_s=limit_s + PROCESS_START_S)
            solution = await solve_apart(self.site_texts[job.site], case, patience, on_gap, cancelled, self.command)
        if solution.timing is not None:
            SOLVE_SECONDS.labels(job.site).observe(solution.timing.total_s)
        submission = None
        if solution.publishable and job.publish:
            submission = plan_submission(self.sites[job.site], job, solution, now)
        await self._finish(job, attempt, solution, submission)

    async def _cancelled(self, run_id: str) -> bool:
        """Whether a person asked to stop. A database that is away does not stop the run."""
        try:
            run = await self.store.find(run_id)
        except Exception as error:
            if not is_away(error):
                raise
            return False
        return run is not None and run.cancel_requested

    async def _finish(self, job: SolveJob, attempt: int, solution: Solution, submission: PlanSubmission | None) -> None:
        status = RunStatus(solution.status.value)
        if status in {RunStatus.SOLVED, RunStatus.RELAXED} and not solution.publishable:
            status = RunStatus.FAILED
        finished = RunFinished(
            run_id=job.run_id,
            site=job.site,
            at=self.clock.now(),
            status=status,
            reason=solution.reason,
            relaxed=tuple(relaxation.text for relaxation in solution.relaxations),
            submission_id=submission.submission_id if submission else None,
        )
        stored = await self.store.finish(finished, solution, submission, attempt)
        log.info("run finished", run_id=job.run_id, status=status.value, reason=solution.reason, stored=stored)

    async def _tell(self, job: SolveJob, stage: RunStage, attempt: int, gap: float | None = None) -> None:
        """Progress is for watchers: a bus that is away does not stop the run."""
        message = RunProgress(
            run_id=job.run_id, site=job.site, at=self.clock.now(), stage=stage, attempt=attempt, gap=gap
        )
        try:
            await self.bus.publish(RUN_PROGRESS, message, site=job.site, run_id=job.run_id)
        except BusUnavailable as error:
            log.warning("progress not told", run_id=job.run_id, error=str(error))


def plan_submission(site: AfterbaySite, job: SolveJob, solution: Solution, now: datetime) -> PlanSubmission:
    """The schedule as a plan from this minute on: one interval an hour, setpoints in whole hundredths of a MW.

    A setpoint is rounded down: what head or ramp cannot give is not asked.
    """
    unit = site.afterbay.unit
    begin = now.replace(second=0, microsecond=0)
    intervals = []
    for hour, following in zip(solution.hours, [*(h.start for h in solution.hours[1:]), None], strict=True):
        end = following or hour.start + (solution.hours[1].start - solution.hours[0].start)
        start = max(hour.start, begin)
        if start >= end:
            continue
        setpoint_mw = max(unit.min_power, min(unit.max_power, floor(hour.setpoint_mw * 100 + 1e-6) / 100))
        intervals.append(
            PlanInterval(
                resource=unit.resource,
                resource_type=ResourceType.TURBINE,
                interval_start=start,
                interval_end=end,
                targets=GenericTargets(
                    target_type=TargetType.POWER,
                    target_value=setpoint_mw,
                    secondary_targets={
                        "flow_m3s": round(hour.outflow_m3s, 4),
                        "level_m": round(hour.elevation_m, 4),
                        "power_mw": round(hour.power_mw, 4),
                    },
                ),
            )
        )
    return PlanSubmission(
        submission_id=f"run-{job.run_id}",
        publisher=PUBLISHER,
        site=job.site,
        created_at=now,
        run_id=job.run_id,
        reason=job.reason,
        intervals=tuple(intervals),
    )

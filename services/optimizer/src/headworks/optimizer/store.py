"""Keeps runs: a job is queued with its row, and a result is stored once with its messages, however often it is delivered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Column, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONPATH, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import (
    Override,
    PlanSubmission,
    RunFinished,
    RunStage,
    RunStatus,
    SolveJob,
)
from headworks.common.outbox import Outbox
from headworks.common.subjects import PLAN_SUBMISSION, RUN_FINISHED, SOLVE_JOB
from headworks.optimizer.inputs import InputUse
from headworks.optimizer.tables import outbox, runs
from headworks.optimizer.values import Value

V = TypeVar("V", bound=Value)


class Run(BaseModel):
    """A run's record: how it stands or ended, and every input with its source and age."""

    run_id: str
    site: str
    requested_at: datetime
    requested_by: str
    reason: str
    overrides: list[Override]
    stage: RunStage
    attempt: int
    cancel_requested: bool
    status: RunStatus | None
    status_reason: str
    finished_at: datetime | None
    submission_id: str | None
    mfra_summary: str
    inputs: list[InputUse] | None


_RECORD = [c for c in runs.c if c.name not in {"case", "solution", "mfra"}]


class RunStore:
    """The optimizer schema."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(outbox)

    async def queue(self, job: SolveJob) -> bool:
        """Queue a job with its row; False when a run of this id is known."""
        async with self._database.transaction() as connection:
            queued = await self.queue_in(connection, job)
        self.outbox.wake()
        return queued

    async def queue_in(self, connection: AsyncConnection, job: SolveJob) -> bool:
        """The same in the caller's transaction; call `outbox.wake()` after its commit."""
        row = {
            "run_id": job.run_id,
            "site": job.site,
            "requested_at": job.requested_at,
            "requested_by": job.requested_by,
            "reason": job.reason,
            "overrides": [o.model_dump(mode="json") for o in job.overrides],
            "stage": RunStage.QUEUED.value,
        }
        added = await connection.execute(insert(runs).values(**row).on_conflict_do_nothing())
        if added.rowcount:
            await self.outbox.add(connection, SOLVE_JOB, job, job.run_id, site=job.site)
        return bool(added.rowcount)

    async def begin(self, run_id: str) -> Run | None:
        """Note that a worker has it, under a new attempt; None when it is unknown or has ended.

        The attempt is the worker's ticket: one that has been overtaken by another stores nothing more.
        """
        t = runs
        statement = (
            update(t)
            .where(t.c.run_id == run_id, t.c.finished_at.is_(None))
            .values(attempt=t.c.attempt + 1, stage=RunStage.GATHERING.value)
            .returning(*_RECORD)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).mappings().first()
        return None if row is None else Run.model_validate(dict(row))

    async def keep_case(
        self,
        run_id: str,
        attempt: int,
        case: Value | None,
        inputs: Sequence[InputUse],
        mfra: list[dict[str, Any]],
        mfra_text: str,
        stage: RunStage = RunStage.GATHERING,
    ) -> bool:
        """Keep what the run is made from, before it is solved; False when the attempt is no more the run's."""
        t = runs
        statement = (
            update(t)
            .where(t.c.run_id == run_id, t.c.attempt == attempt, t.c.finished_at.is_(None))
            .values(
                case=case.model_dump(mode="json") if case is not None else None,
                inputs=[use.model_dump(mode="json") for use in inputs],
                mfra=mfra,
                mfra_summary=mfra_text[:300],
                stage=stage.value,
            )
        )
        async with self._database.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def finish(
        self,
        finished: RunFinished,
        solution: Value | None,
        submission: PlanSubmission | None,
        attempt: int,
    ) -> bool:
        """Store the end with its messages, once; False when it has ended before, or another attempt has it."""
        t = runs
        statement = (
            update(t)
            .where(t.c.run_id == finished.run_id, t.c.attempt == attempt, t.c.finished_at.is_(None))
            .values(
                status=finished.status.value,
                status_reason=finished.reason[:1000],
                finished_at=finished.at,
                submission_id=finished.submission_id,
                solution=solution.model_dump(mode="json") if solution is not None else None,
            )
        )
        async with self._database.transaction() as connection:
            if not (await connection.execute(statement)).rowcount:
                return False
            await self._add_messages(connection, finished, submission)
        self.outbox.wake()
        return True

    async def _add_messages(
        self, connection: AsyncConnection, finished: RunFinished, submission: PlanSubmission | None
    ) -> None:
        message_id = f"finished:{finished.run_id}"
        await self.outbox.add(
            connection, RUN_FINISHED, finished, message_id, site=finished.site, run_id=finished.run_id
        )
        if submission is not None:
            message_id = f"submit:{submission.submission_id}"
            await self.outbox.add(
                connection,
                PLAN_SUBMISSION,
                submission,
                message_id,
                publisher=submission.publisher,
                site=submission.site,
            )

    async def request_cancel(self, run_id: str) -> None:
        """Ask the worker to stop."""
        async with self._database.transaction() as connection:
            await connection.execute(update(runs).where(runs.c.run_id == run_id).values(cancel_requested=True))

    async def find(self, run_id: str) -> Run | None:
        """A run's record."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(*_RECORD).where(runs.c.run_id == run_id))).mappings().first()
        return None if row is None else Run.model_validate(dict(row))

    async def case(self, run_id: str, kind: type[V]) -> V | None:
        """What a run solved, as its site's kind reads it."""
        return await self._read(runs.c.case, run_id, kind)

    async def solution(self, run_id: str, kind: type[V]) -> V | None:
        """A run's answer, as its site's kind reads it."""
        return await self._read(runs.c.solution, run_id, kind)

    async def _read(self, column: Column[Any], run_id: str, kind: type[V]) -> V | None:
        async with self._database.transaction() as connection:
            content = (await connection.execute(select(column).where(runs.c.run_id == run_id))).scalar()
        return None if content is None else kind.model_validate(content)

    async def newest(self, site: str, limit: int, *, submitted: bool = False) -> list[Run]:
        """The newest runs of a site; `submitted` leaves out those whose schedule was no plan: failed ones and trials."""
        t = runs
        query = select(*_RECORD).where(t.c.site == site)
        if submitted:
            query = query.where(t.c.submission_id.is_not(None)).order_by(t.c.finished_at.desc())
        else:
            query = query.order_by(t.c.requested_at.desc())
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query.limit(limit))).mappings().all()
        return [Run.model_validate(dict(row)) for row in rows]

    async def waiting(self, site: str, requested_by: str, since: datetime) -> str | None:
        """The newest run of a site that no worker has taken up yet, asked for at or after an instant."""
        t = runs
        query = select(t.c.run_id).where(
            t.c.site == site,
            t.c.requested_by == requested_by,
            t.c.requested_at >= since,
            t.c.stage == RunStage.QUEUED.value,
            t.c.finished_at.is_(None),
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(query.order_by(t.c.requested_at.desc()).limit(1))).scalar()

    async def first_inflows(self, site: str, since: datetime, steps: int) -> list[tuple[datetime, list[float]]]:
        """What the plans of a station expected of the inflow [m³/s] in their first steps, by the time they begin at."""
        t = runs
        path = f"$.steps[0 to {steps - 1}].inflow_m3s"
        flows = func.jsonb_path_query_array(t.c.solution, cast(path, JSONPATH))
        query = select(t.c.case["start"].astext, flows).where(
            t.c.site == site, t.c.submission_id.is_not(None), t.c.requested_at >= since
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return sorted((datetime.fromisoformat(start), list(found)) for start, found in rows if start is not None)

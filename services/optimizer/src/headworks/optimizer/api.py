"""The optimizer's API: run, watch, cancel, result, latest, recalculate, strategies, and the model itself as an LP file."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Body, FastAPI, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from headworks.common.auth import Operator, Viewer
from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.messages import Message, RunFinished, RunStage, RunStatus, SolveJob
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.common.subjects import RUN_FINISHED, RUN_PROGRESS, Subject
from headworks.common.tasks import end
from headworks.optimizer.afterbay.case import Form
from headworks.optimizer.kind import AnyKind, Recalculated, Result
from headworks.optimizer.orders import EditedSchedule, RunOrder
from headworks.optimizer.station.case import StrategyPeriod
from headworks.optimizer.station.kind import StationKind
from headworks.optimizer.station.strategies import MOST_PERIODS, StrategyDocument, default_document, period_faults
from headworks.optimizer.store import Run, RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.values import Answer, Value

M = TypeVar("M", bound=Message)


Periods = Annotated[list[StrategyPeriod], Body(max_length=MOST_PERIODS)]


class ChangedStrategies(BaseModel):
    """The new document, and the run that was queued to keep it."""

    document: StrategyDocument
    run_id: str


class Accepted(BaseModel):
    """The run's id; its record and progress are under it."""

    run_id: str


def create_api(
    kinds: Mapping[str, AnyKind], store: RunStore, strategies: StrategyStore, bus: Bus, clock: Clock
) -> FastAPI:
    """The API over the runs."""
    app, known = create_app("optimizer", "Schedules: solved, replayed, explained."), _Known(kinds, store)
    _add_orders(app, known, clock)
    _add_records(app, known)
    _add_progress(app, known, bus)
    _add_models(app, known)
    _add_strategies(app, known, strategies, clock)
    return app


@dataclass(frozen=True, slots=True)
class _Known:
    """The sites and runs that a request may name."""

    kinds: Mapping[str, AnyKind]
    store: RunStore

    def site(self, name: str) -> AnyKind:
        """The kind of a site. Raises Problem."""
        if name not in self.kinds:
            wrong = FieldProblem(field="site", value=name, expected=f"one of {sorted(self.kinds)}")
            raise Problem(404, "No such site", errors=[wrong])
        return self.kinds[name]

    async def run(self, run_id: str) -> Run:
        """A run. Raises Problem."""
        run = await self.store.find(run_id)
        if run is None:
            raise Problem(404, "No such run", f"run_id={run_id}")
        return run

    async def case_of(self, run: Run) -> Value:
        """A run's case. Raises Problem."""
        case: Value | None = await self.store.case(run.run_id, self.site(run.site).case_type)
        if case is None:
            raise Problem(404, "The run has no case", f"run_id={run.run_id}: {run.status_reason or run.stage}")
        return case

    async def with_answer(self, run: Run) -> Result:
        """A run's record and answer."""
        kind = self.site(run.site)
        case, answer = (
            await self.store.case(run.run_id, kind.case_type),
            await self.store.solution(run.run_id, kind.answer_type),
        )
        return kind.result(run, case, answer)

    def station(self, site: str) -> StationKind:
        """The kind of a pumping station. Raises Problem."""
        kind = self.site(site)
        if not isinstance(kind, StationKind):
            raise Problem(404, "The site has no strategies", f"site {site} is no pumping station")
        return kind


def _add_orders(app: FastAPI, known: _Known, clock: Clock) -> None:
    """Runs asked for, and stopped."""

    @app.post("/sites/{site}/runs", status_code=202)
    async def start_run(site: str, order: RunOrder, caller: Operator) -> Accepted:
        """Queue a run."""
        wrong = known.site(site).override_faults(order.overrides, clock.now())
        if wrong:
            raise Problem(422, "The request is not valid", errors=wrong)
        job = SolveJob(
            run_id=f"{site}-{uuid.uuid4().hex[:16]}",
            site=site,
            requested_at=clock.now(),
            requested_by=caller.name,
            reason=order.reason,
            overrides=order.overrides,
            publish=order.publish,
        )
        await known.store.queue(job)
        return Accepted(run_id=job.run_id)

    @app.post("/runs/{run_id}/cancel", status_code=202, responses={409: {"description": "The run has ended"}})
    async def cancel(run_id: str, caller: Operator) -> Run:
        """Ask a run to stop; one that still waits ends when a worker takes it up."""
        run = await known.run(run_id)
        if run.finished_at is not None:
            raise Problem(409, "The run has ended", f"run_id={run_id} is {run.status}")
        await known.store.request_cancel(run_id)
        if run.stage is RunStage.QUEUED:
            ended = RunFinished(
                run_id=run_id, site=run.site, at=clock.now(), status=RunStatus.CANCELLED, reason=f"by {caller.name}"
            )
            await known.store.finish(ended, None, None, run.attempt)
        return await known.run(run_id)


def _add_records(app: FastAPI, known: _Known) -> None:
    """Runs and what came of them."""

    @app.get("/sites/{site}/runs")
    async def newest(site: str, _caller: Viewer, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Run]:
        """The newest runs."""
        known.site(site)
        return await known.store.newest(site, limit)

    @app.get("/sites/{site}/runs/latest", responses={404: {"description": "No run has submitted a plan yet"}})
    async def latest(site: str, _caller: Viewer) -> Result:
        """The run whose plan was submitted last; trials are not among them."""
        known.site(site)
        found = await known.store.newest(site, 1, submitted=True)
        if not found:
            raise Problem(404, "No run has submitted a plan yet", f"site {site}")
        return await known.with_answer(found[0])

    @app.get("/runs/{run_id}", responses={404: {"description": "No such run"}})
    async def run_record(run_id: str, _caller: Viewer) -> Run:
        """A run's record."""
        return await known.run(run_id)

    @app.get("/runs/{run_id}/result", responses={409: {"description": "The run has not ended"}})
    async def result(run_id: str, _caller: Viewer) -> Result:
        """A run's record and answer."""
        run = await known.run(run_id)
        if run.finished_at is None:
            raise Problem(409, "The run has not ended", f"run_id={run_id} is {run.stage}")
        return await known.with_answer(run)


def _add_progress(app: FastAPI, known: _Known, bus: Bus) -> None:
    """A run while it goes."""

    @app.get("/runs/{run_id}/progress", response_class=EventSourceResponse)
    async def progress(run_id: str, _caller: Viewer) -> EventSourceResponse:
        """Server-sent events: `progress` as it goes, `finished` at the end."""
        run = await known.run(run_id)
        answer = await known.store.solution(run_id, known.site(run.site).answer_type)
        return EventSourceResponse(_events(run, answer, bus), ping=10)


def _add_models(app: FastAPI, known: _Known) -> None:
    """A run's model, and what another schedule would lead to."""

    @app.get("/runs/{run_id}/model.lp", response_class=PlainTextResponse)
    async def model(run_id: str, _caller: Viewer, form: Form = Form.MILP) -> PlainTextResponse:
        """The run's problem in the LP format."""
        run = await known.run(run_id)
        kind, case = known.site(run.site), await known.case_of(run)
        text = await asyncio.to_thread(kind.lp_text, case, form)
        headers = {"Content-Disposition": f'attachment; filename="{run_id}.lp"'}
        return PlainTextResponse(text, headers=headers)

    @app.post("/sites/{site}/recalculate")
    async def recalculate(site: str, edited: EditedSchedule, _caller: Viewer) -> Recalculated:
        """What an edited schedule leads to: a forward simulation of the run's case, no solve."""
        kind, run = known.site(site), await known.run(edited.run_id)
        if run.site != site:
            wrong = FieldProblem(field="run_id", value=run.run_id, expected=f"a run of {site}, not of {run.site}")
            raise Problem(422, "The request is not valid", errors=[wrong])
        case, answer = await known.case_of(run), await known.store.solution(run.run_id, kind.answer_type)
        return await asyncio.to_thread(kind.recalculated, run, case, answer, edited)


def _add_strategies(app: FastAPI, known: _Known, strategies: StrategyStore, clock: Clock) -> None:
    """What outside planners ask of a station."""

    @app.get("/sites/{site}/strategies", responses={404: {"description": "The site has none"}})
    async def strategies_in_force(site: str, _caller: Viewer) -> StrategyDocument:
        """What an outside planner asks of the station; version 0 is what its site file says."""
        return await strategies.newest(site) or default_document(known.station(site).site)

    @app.put("/sites/{site}/strategies", status_code=202, responses={404: {"description": "The site has none"}})
    async def change_strategies(site: str, periods: Periods, caller: Operator) -> ChangedStrategies:
        """Put other periods in the place of all; a run that keeps them is queued."""
        known.station(site)
        wrong = period_faults(periods)
        if wrong:
            raise Problem(422, "The request is not valid", errors=wrong)
        document, job = await strategies.change(site, periods, caller.name, clock.now())
        return ChangedStrategies(document=document, run_id=job.run_id)


async def _events(run: Run, answer: Answer | None, bus: Bus) -> AsyncIterator[ServerSentEvent]:
    """Progress from the bus until the end; a run that has ended gives its end at once, however long ago."""
    if run.finished_at is not None and run.status is not None:
        ended = RunFinished(
            run_id=run.run_id,
            site=run.site,
            at=run.finished_at,
            status=run.status,
            reason=run.status_reason,
            relaxed=answer.relaxed if answer is not None else (),
            submission_id=run.submission_id,
        )
        yield ServerSentEvent(ended.model_dump_json(), event="finished")
        return
    queue: asyncio.Queue[ServerSentEvent] = asyncio.Queue(1000)

    async def hear(subject: Subject[M], event: str) -> None:
        async for message, _ in bus.follow(subject, deliver=Deliver.ALL, site=run.site, run_id=run.run_id):
            await queue.put(ServerSentEvent(message.model_dump_json(), event=event))

    hearing = [
        asyncio.create_task(hear(RUN_PROGRESS, "progress")),
        asyncio.create_task(hear(RUN_FINISHED, "finished")),
    ]
    try:
        while True:
            event = await queue.get()
            yield event
            if event.event == "finished":
                return
    finally:
        await end(*hearing)

"""The optimizer's OpenAPI: run, watch, cancel, result, latest, recalculate, and the model itself as an LP file."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
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
    app = create_app("optimizer", "Schedules: solved, replayed, explained.")

    def known_site(name: str) -> AnyKind:
        if name not in kinds:
            wrong = FieldProblem(field="site", value=name, expected=f"one of {sorted(kinds)}")
            raise Problem(404, "No such site", errors=[wrong])
        return kinds[name]

    async def known_run(run_id: str) -> Run:
        run = await store.find(run_id)
        if run is None:
            raise Problem(404, "No such run", f"run_id={run_id}")
        return run

    @app.post("/sites/{site}/runs", status_code=202)
    async def start_run(site: str, order: RunOrder, caller: Operator) -> Accepted:
        """Queue a run."""
        wrong = known_site(site).override_faults(order.overrides, clock.now())
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
        await store.queue(job)
        return Accepted(run_id=job.run_id)

    @app.get("/sites/{site}/runs")
    async def newest(site: str, _caller: Viewer, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Run]:
        """The newest runs."""
        known_site(site)
        return await store.newest(site, limit)

    async def case_of(run: Run) -> Value:
        case: Value | None = await store.case(run.run_id, known_site(run.site).case_type)
        if case is None:
            raise Problem(404, "The run has no case", f"run_id={run.run_id}: {run.status_reason or run.stage}")
        return case

    async def with_answer(run: Run) -> Result:
        kind = known_site(run.site)
        case, answer = await store.case(run.run_id, kind.case_type), await store.solution(run.run_id, kind.answer_type)
        return kind.result(run, case, answer)

    @app.get("/sites/{site}/runs/latest", responses={404: {"description": "No run has submitted a plan yet"}})
    async def latest(site: str, _caller: Viewer) -> Result:
        """The run whose plan was submitted last; trials are not among them."""
        known_site(site)
        found = await store.newest(site, 1, submitted=True)
        if not found:
            raise Problem(404, "No run has submitted a plan yet", f"site {site}")
        return await with_answer(found[0])

    @app.get("/runs/{run_id}", responses={404: {"description": "No such run"}})
    async def run_record(run_id: str, _caller: Viewer) -> Run:
        """A run's record."""
        return await known_run(run_id)

    @app.get("/runs/{run_id}/result", responses={409: {"description": "The run has not ended"}})
    async def result(run_id: str, _caller: Viewer) -> Result:
        """A run's record and answer."""
        run = await known_run(run_id)
        if run.finished_at is None:
            raise Problem(409, "The run has not ended", f"run_id={run_id} is {run.stage}")
        return await with_answer(run)

    @app.post("/runs/{run_id}/cancel", status_code=202, responses={409: {"description": "The run has ended"}})
    async def cancel(run_id: str, caller: Operator) -> Run:
        """Ask a run to stop; one that still waits ends when a worker takes it up."""
        run = await known_run(run_id)
        if run.finished_at is not None:
            raise Problem(409, "The run has ended", f"run_id={run_id} is {run.status}")
        await store.request_cancel(run_id)
        if run.stage is RunStage.QUEUED:
            ended = RunFinished(
                run_id=run_id, site=run.site, at=clock.now(), status=RunStatus.CANCELLED, reason=f"by {caller.name}"
            )
            await store.finish(ended, None, None, run.attempt)
        return await known_run(run_id)

    @app.get("/runs/{run_id}/progress", response_class=EventSourceResponse)
    async def progress(run_id: str, _caller: Viewer) -> EventSourceResponse:
        """Server-sent events: `progress` as it goes, `finished` at the end."""
        run = await known_run(run_id)
        answer = await store.solution(run_id, known_site(run.site).answer_type)
        return EventSourceResponse(_events(run, answer, bus), ping=10)

    @app.get("/runs/{run_id}/model.lp", response_class=PlainTextResponse)
    async def model(run_id: str, _caller: Viewer, form: Form = Form.MILP) -> PlainTextResponse:
        """The run's problem in the LP format."""
        run = await known_run(run_id)
        kind, case = known_site(run.site), await case_of(run)
        text = await asyncio.to_thread(kind.lp_text, case, form)
        headers = {"Content-Disposition": f'attachment; filename="{run_id}.lp"'}
        return PlainTextResponse(text, headers=headers)

    @app.post("/sites/{site}/recalculate")
    async def recalculate(site: str, edited: EditedSchedule, _caller: Viewer) -> Recalculated:
        """What an edited schedule leads to: a forward simulation of the run's case, no solve."""
        kind, run = known_site(site), await known_run(edited.run_id)
        if run.site != site:
            wrong = FieldProblem(field="run_id", value=run.run_id, expected=f"a run of {site}, not of {run.site}")
            raise Problem(422, "The request is not valid", errors=[wrong])
        case, answer = await case_of(run), await store.solution(run.run_id, kind.answer_type)
        return await asyncio.to_thread(kind.recalculated, run, case, answer, edited)

    def station_of(site: str) -> StationKind:
        kind = known_site(site)
        if not isinstance(kind, StationKind):
            raise Problem(404, "The site has no strategies", f"site {site} is no pumping station")
        return kind

    @app.get("/sites/{site}/strategies", responses={404: {"description": "The site has none"}})
    async def strategies_in_force(site: str, _caller: Viewer) -> StrategyDocument:
        """What an outside planner asks of the station; version 0 is what its site file says."""
        return await strategies.newest(site) or default_document(station_of(site).site)

    @app.put("/sites/{site}/strategies", status_code=202, responses={404: {"description": "The site has none"}})
    async def change_strategies(site: str, periods: Periods, caller: Operator) -> ChangedStrategies:
        """Put other periods in the place of all; a run that keeps them is queued."""
        station_of(site)
        wrong = period_faults(periods)
        if wrong:
            raise Problem(422, "The request is not valid", errors=wrong)
        document, job = await strategies.change(site, periods, caller.name, clock.now())
        return ChangedStrategies(document=document, run_id=job.run_id)

    return app


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

"""The optimizer's OpenAPI: run, watch, cancel, result, latest, recalculate, and the model itself as an LP file."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, TypeVar

from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from headworks.common.auth import Operator, Viewer
from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.messages import Message, Override, RunFinished, RunStage, RunStatus, SolveJob
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.common.subjects import RUN_FINISHED, RUN_PROGRESS, Subject
from headworks.common.tasks import end
from headworks.optimizer.afterbay.case import Form, Hour, Solution
from headworks.optimizer.afterbay.orders import override_faults, setpoint_faults
from headworks.optimizer.afterbay.solve import lp_text, recalculated
from headworks.optimizer.store import Run, RunStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange

M = TypeVar("M", bound=Message)


class RunOrder(BaseModel):
    """A run that a person or a system asks for."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)
    overrides: tuple[Override, ...] = Field(default=(), max_length=2000)
    publish: bool = Field(default=True, strict=True, description="submit the plan; false for a trial")


class Accepted(BaseModel):
    """The run's id; its record and progress are under it."""

    run_id: str


class RunWithSolution(BaseModel):
    """A run's record and its answer; with the elevation at the start of its first hour its forecast is whole."""

    run: Run
    solution: Solution | None
    initial_elevation_m: float | None = None


class EditedSchedule(BaseModel):
    """A schedule as a person has edited it, one setpoint for each hour of the run."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    setpoint_mw: list[Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]] = Field(min_length=1, max_length=744)


def create_api(sites: Mapping[str, AfterbaySite], store: RunStore, bus: Bus, clock: Clock) -> FastAPI:
    """The API over the runs."""
    app = create_app("optimizer", "Schedules: solved, replayed, explained.")

    def known_site(name: str) -> AfterbaySite:
        if name not in sites:
            wrong = FieldProblem(field="site", value=name, expected=f"one of {sorted(sites)}")
            raise Problem(404, "No such site", errors=[wrong])
        return sites[name]

    async def known_run(run_id: str) -> Run:
        run = await store.find(run_id)
        if run is None:
            raise Problem(404, "No such run", f"run_id={run_id}")
        return run

    @app.post("/sites/{site}/runs", status_code=202)
    async def start_run(site: str, order: RunOrder, caller: Operator) -> Accepted:
        """Queue a run."""
        model = known_site(site)
        wrong = override_faults(model, order.overrides, clock.now())
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
        return await store.newest(known_site(site).site, limit)

    async def with_solution(run: Run) -> RunWithSolution:
        solution, case = await store.solution(run.run_id), await store.case(run.run_id)
        elevation_m = case.initial_elevation_m if case is not None else None
        return RunWithSolution(run=run, solution=solution, initial_elevation_m=elevation_m)

    @app.get("/sites/{site}/runs/latest", responses={404: {"description": "No run has submitted a plan yet"}})
    async def latest(site: str, _caller: Viewer) -> RunWithSolution:
        """The run whose plan was submitted last; trials are not among them."""
        found = await store.newest(known_site(site).site, 1, submitted=True)
        if not found:
            raise Problem(404, "No run has submitted a plan yet", f"site {site}")
        return await with_solution(found[0])

    @app.get("/runs/{run_id}", responses={404: {"description": "No such run"}})
    async def run_record(run_id: str, _caller: Viewer) -> Run:
        """A run's record."""
        return await known_run(run_id)

    @app.get("/runs/{run_id}/result", responses={409: {"description": "The run has not ended"}})
    async def result(run_id: str, _caller: Viewer) -> RunWithSolution:
        """A run's record and answer."""
        run = await known_run(run_id)
        if run.finished_at is None:
            raise Problem(409, "The run has not ended", f"run_id={run_id} is {run.stage}")
        return await with_solution(run)

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
        return EventSourceResponse(_events(run, store, bus), ping=10)

    @app.get("/runs/{run_id}/model.lp", response_class=PlainTextResponse)
    async def model(run_id: str, _caller: Viewer, form: Form = Form.MILP) -> PlainTextResponse:
        """The run's problem in the LP format."""
        run, case = await known_run(run_id), await store.case(run_id)
        if case is None:
            raise Problem(404, "The run has no case", f"run_id={run_id}: {run.status_reason or run.stage}")
        text = await asyncio.to_thread(lp_text, known_site(run.site), case, form)
        headers = {"Content-Disposition": f'attachment; filename="{run_id}.lp"'}
        return PlainTextResponse(text, headers=headers)

    @app.post("/sites/{site}/recalculate")
    async def recalculate(site: str, edited: EditedSchedule, _caller: Viewer) -> list[Hour]:
        """What an edited schedule leads to: a forward simulation of the run's case, no solve."""
        model, run = known_site(site), await known_run(edited.run_id)
        if run.site != site:
            wrong = FieldProblem(field="run_id", value=run.run_id, expected=f"a run of {site}, not of {run.site}")
            raise Problem(422, "The request is not valid", errors=[wrong])
        case = await store.case(run.run_id)
        if case is None:
            raise Problem(404, "The run has no case", f"run_id={run.run_id}: {run.status_reason or run.stage}")
        wrong_setpoints = setpoint_faults(model, case, edited.setpoint_mw)
        if wrong_setpoints:
            raise Problem(422, "The request is not valid", errors=wrong_setpoints)
        try:
            return list(await asyncio.to_thread(recalculated, model, case, edited.setpoint_mw))
        except OutOfRange as error:
            raise Problem(422, "The reservoir leaves its surveyed range", str(error)) from error

    return app


async def _events(run: Run, store: RunStore, bus: Bus) -> AsyncIterator[ServerSentEvent]:
    """Progress from the bus until the end; a run that has ended gives its end at once, however long ago."""
    if run.finished_at is not None and run.status is not None:
        solution = await store.solution(run.run_id)
        ended = RunFinished(
            run_id=run.run_id,
            site=run.site,
            at=run.finished_at,
            status=run.status,
            reason=run.status_reason,
            relaxed=tuple(relaxation.text for relaxation in solution.relaxations) if solution is not None else (),
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

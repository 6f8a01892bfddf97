"""The optimizer's OpenAPI: run, watch, cancel, result, latest, recalculate, and the model itself as an LP file."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from headworks.common.auth import Operator, Viewer
from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.messages import Override, RunFinished, RunStage, RunStatus, SolveJob
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.common.subjects import RUN_FINISHED, RUN_PROGRESS
from headworks.optimizer.case import Form, Hour, Solution
from headworks.optimizer.inputs import OVERRIDABLE
from headworks.optimizer.solve import lp_text, recalculated
from headworks.optimizer.store import Run, RunStore
from headworks.waterway.curves import OutOfRange
from headworks.waterway.site import Site


class RunOrder(BaseModel):
    """A run that a person or a system asks for."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)
    overrides: tuple[Override, ...] = Field(default=(), max_length=2000)
    publish: bool = Field(default=True, description="submit the plan; false for a trial")


class Accepted(BaseModel):
    """The run's id; its record and progress are under it."""

    run_id: str


class RunWithSolution(BaseModel):
    """A run's record and its answer."""

    run: Run
    solution: Solution | None


class EditedSchedule(BaseModel):
    """A schedule as a person has edited it, one setpoint for each hour of the run."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    setpoint_mw: list[Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]] = Field(min_length=1, max_length=744)


def create_api(sites: Mapping[str, Site], store: RunStore, bus: Bus, clock: Clock) -> FastAPI:
    """The API over the runs."""
    app = create_app("optimizer", "Schedules: solved, replayed, explained.")

    def known_site(name: str) -> Site:
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
        known_site(site)
        wrong = [
            FieldProblem(field=f"overrides.{i}.series", value=o.series, expected=f"one of {sorted(OVERRIDABLE)}")
            for i, o in enumerate(order.overrides)
            if o.series not in OVERRIDABLE
        ]
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

    @app.get("/sites/{site}/runs/latest", responses={404: {"description": "No run has a schedule yet"}})
    async def latest(site: str, _caller: Viewer) -> RunWithSolution:
        """The newest run that has a schedule."""
        found = await store.newest(known_site(site).site, 1, with_schedule=True)
        if not found:
            raise Problem(404, "No run has a schedule yet", f"site {site}")
        return RunWithSolution(run=found[0], solution=await store.solution(found[0].run_id))

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
        return RunWithSolution(run=run, solution=await store.solution(run_id))

    @app.post("/runs/{run_id}/cancel", status_code=202)
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
            await store.finish(ended, None, None)
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
        case = await store.case((await known_run(edited.run_id)).run_id)
        if case is None:
            raise Problem(404, "The run has no case", f"run_id={edited.run_id}")
        if len(edited.setpoint_mw) != len(case.forcing):
            wrong = FieldProblem(
                field="setpoint_mw", value=len(edited.setpoint_mw), expected=f"{len(case.forcing)} values, one an hour"
            )
            raise Problem(422, "The request is not valid", errors=[wrong])
        try:
            return list(await asyncio.to_thread(recalculated, known_site(site), case, edited.setpoint_mw))
        except OutOfRange as error:
            raise Problem(422, "The reservoir leaves its surveyed range", str(error)) from error
        except ValueError as error:
            raise Problem(422, "The schedule is outside the unit's range", str(error)) from error

    return app


async def _events(run: Run, store: RunStore, bus: Bus) -> AsyncIterator[ServerSentEvent]:
    """Progress from the bus until the end; a run that has ended gives its end at once."""
    queue: asyncio.Queue[ServerSentEvent] = asyncio.Queue(1000)

    async def hear_progress() -> None:
        async for message, _ in bus.follow(RUN_PROGRESS, deliver=Deliver.ALL, site=run.site, run_id=run.run_id):
            await queue.put(ServerSentEvent(message.model_dump_json(), event="progress"))

    async def hear_end() -> None:
        async for message, _ in bus.follow(RUN_FINISHED, deliver=Deliver.ALL, site=run.site, run_id=run.run_id):
            await queue.put(ServerSentEvent(message.model_dump_json(), event="finished"))

    tasks = [asyncio.create_task(hear_progress()), asyncio.create_task(hear_end())]
    try:
        while True:
            event = await queue.get()
            yield event
            if event.event == "finished":
                return
    finally:
        for task in tasks:
            task.cancel()

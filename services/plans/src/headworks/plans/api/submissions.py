"""Submitting plans: a whole horizon, or one interval."""

import uuid

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Engineer
from headworks.common.clock import Clock
from headworks.common.messages import Id, Name, PlanInterval, PlanReply, PlanSubmission
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.desk import SubmissionDesk
from headworks.plans.parameters import Responses

REFUSED: Responses = {409: {"description": "The submission is refused"}}


class OneInterval(BaseModel):
    """A plan for one interval; around it the caller's other plans go on."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    site: Name
    interval: PlanInterval
    submission_id: Id | None = Field(default=None, description="one is made where none is given")
    priority: int = Field(default=1, ge=1, le=100)
    reason: str = Field(default="", max_length=300)


def add_submission_routes(app: FastAPI, desk: SubmissionDesk, clock: Clock) -> None:
    """Submissions."""

    @app.post("/submissions", status_code=201, responses=REFUSED)
    async def submit(submission: PlanSubmission, caller: Engineer) -> PlanReply:
        """Submit a whole horizon. The publisher is the caller."""
        if submission.publisher != caller.name:
            wrong = FieldProblem(field="publisher", value=submission.publisher, expected=f"the caller, {caller.name}")
            raise Problem(403, "Not your publisher", errors=[wrong])
        return await _answer(desk, submission)

    @app.post("/plans", status_code=201, responses=REFUSED)
    async def submit_one(body: OneInterval, caller: Engineer) -> PlanReply:
        """Submit one interval, in the caller's name."""
        submission = PlanSubmission(
            submission_id=body.submission_id or f"one-{uuid.uuid4().hex}",
            publisher=caller.name,
            site=body.site,
            created_at=clock.now(),
            priority=body.priority,
            reason=body.reason,
            intervals=(body.interval,),
        )
        return await _answer(desk, submission)


async def _answer(desk: SubmissionDesk, submission: PlanSubmission) -> PlanReply:
    reply = await desk.take(submission)
    if not reply.accepted:
        errors = [FieldProblem(**refusal.model_dump()) for refusal in reply.refusals]
        raise Problem(409, "The submission is refused", errors=errors)
    return reply

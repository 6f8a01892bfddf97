"""Submitting plans: a whole horizon, or one interval."""

import uuid

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Caller, Engineer, Role
from headworks.common.clock import Clock
from headworks.common.messages import Id, Name, PlanInterval, PlanReply, PlanSubmission
from headworks.common.permissions import RESERVED
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.desk import SubmissionDesk
from headworks.plans.parameters import Responses

ANSWERS: Responses = {
    202: {"model": PlanReply, "description": "It waits for a person's approval until `waits_until`"},
    409: {"description": "The submission is refused"},
}


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

    @app.post("/submissions", status_code=201, responses=ANSWERS)
    async def submit(submission: PlanSubmission, caller: Engineer, response: Response) -> PlanReply:
        """Submit a whole horizon. The publisher is the caller."""
        if submission.publisher != caller.name:
            wrong = FieldProblem(field="publisher", value=submission.publisher, expected=f"the caller, {caller.name}")
            raise Problem(403, "Not your publisher", errors=[wrong])
        _check_name(caller)
        return await _answer(desk, submission, response)

    @app.post("/plans", status_code=201, responses=ANSWERS)
    async def submit_one(body: OneInterval, caller: Engineer, response: Response) -> PlanReply:
        """Submit one interval, in the caller's name."""
        _check_name(caller)
        submission = PlanSubmission(
            submission_id=body.submission_id or f"one-{uuid.uuid4().hex}",
            publisher=caller.name,
            site=body.site,
            created_at=clock.now(),
            priority=body.priority,
            reason=body.reason,
            intervals=(body.interval,),
        )
        return await _answer(desk, submission, response)


def _check_name(caller: Caller) -> None:
    """A service's name plans for that service alone: its plans are asked no registry and no preflight. Answers 403."""
    if caller.name in RESERVED and caller.role is not Role.SERVICE:
        wrong = FieldProblem(field="publisher", value=caller.name, expected="a name that no service of this system has")
        raise Problem(403, "The name is a service's", errors=[wrong])


async def _answer(desk: SubmissionDesk, submission: PlanSubmission, response: Response) -> PlanReply:
    reply = await desk.take(submission)
    if reply.waits_until is not None:
        response.status_code = 202
        return reply
    if not reply.accepted:
        errors = [FieldProblem(**refusal.model_dump()) for refusal in reply.refusals]
        raise Problem(409, "The submission is refused", errors=errors)
    return reply

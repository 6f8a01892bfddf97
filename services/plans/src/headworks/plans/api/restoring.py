"""Rolling a whole submission back into force: its content from now on, for all its actuators, in one transaction."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, Path, Response

from headworks.common.auth import Engineer
from headworks.common.clock import Clock
from headworks.common.messages import Id, Name, Plan, PlanChange, PlanInterval, PlanSubmission
from headworks.common.problems import Problem
from headworks.plans.api.changes import OVER, WAITS, refused
from headworks.plans.desk import SubmissionDesk
from headworks.plans.etags import body_of
from headworks.plans.parameters import Reason
from headworks.plans.standing import Overtaken
from headworks.plans.store import PlanStore


def add_restoring_route(app: FastAPI, store: PlanStore, desk: SubmissionDesk, clock: Clock) -> None:
    """Roll back a submission."""

    @app.post(
        "/submissions/{publisher}/{submission_id}/rollback", response_model=list[Plan], responses={**WAITS, **OVER}
    )
    async def roll_back_submission(
        publisher: Name,
        submission_id: Annotated[Id, Path(description="the good submission, whose content is wanted again")],
        body: Reason,
        caller: Engineer,
    ) -> Response:
        """New versions with an old submission's content, for all its intervals that are not over. All of them, or none."""
        now = clock.now()
        plans = await store.of_submission(publisher, submission_id)
        if not plans:
            raise Problem(404, "No such submission", f"{publisher} has no plans of submission_id={submission_id}")
        ahead = [plan for plan in plans if plan.interval_end > now]
        if not ahead:
            raise Problem(409, "The submission is over", f"its last interval ended at {plans[-1].interval_end:%FT%TZ}")
        wanted = _wanted(ahead, body.reason, now)
        if reasons := await desk.examine_change(wanted):
            raise refused(reasons)
        if (waiting := await desk.take_change(wanted, caller.name)) is not None:
            return Response(body_of(waiting), 202, media_type="application/json")
        try:
            events = await store.restore(wanted, caller.name, now)
        except Overtaken:
            detail = f"what vendor {publisher} may was changed at this moment; ask again, and that is judged by"
            raise Problem(409, "The plan is refused", detail) from None
        return Response(body_of([plan for event in events for plan in event.plans]), media_type="application/json")


def _wanted(plans: list[Plan], reason: str, now: datetime) -> PlanSubmission:
    first = plans[0]
    intervals = tuple(
        PlanInterval(
            resource=plan.resource_id,
            resource_type=plan.resource_type,
            interval_start=plan.interval_start,
            interval_end=plan.interval_end,
            targets=plan.targets,
        )
        for plan in plans
    )
    return PlanSubmission(
        submission_id=f"{PlanChange.ROLLED_BACK.value}-{uuid.uuid4().hex}",
        publisher=first.publisher,
        site=first.station_id,
        created_at=now,
        run_id=first.optimization_run_id,
        priority=first.plan_priority,
        reason=reason,
        intervals=intervals,
    )

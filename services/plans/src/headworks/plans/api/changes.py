"""Changing one plan: a new version with other content, an old version's content again, or an end without a successor."""

from datetime import datetime

from fastapi import FastAPI, Response
from pydantic import Field, JsonValue, model_validator

from headworks.common.auth import Engineer, Operator
from headworks.common.clock import Clock
from headworks.common.messages import (
    Plan,
    PlanChange,
    PlanInterval,
    PlanReply,
    PlanSubmission,
    Refusal,
    Targets,
    id_of_edit,
)
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.desk import SubmissionDesk
from headworks.plans.etags import STALE, IfMatch, body_of, changed_meanwhile, check_match
from headworks.plans.merging import merged
from headworks.plans.parameters import PlanId, Reason, Responses
from headworks.plans.standing import Overtaken
from headworks.plans.store import PlanStore

WAITS: Responses = {202: {"model": PlanReply, "description": "The change waits for a person's approval"}}
OVER: Responses = {409: {"description": "The plan is over, or the change is refused"}}
NOT_ACTIVE: Responses = {409: {"description": "The plan is not active, or the change is refused"}}


class PlanUpdate(Reason):
    """The new content of one plan: its changed columns, or all of it."""

    changes: dict[str, JsonValue] | None = Field(
        default=None, description="changed columns alone; the others stay, null takes one away", min_length=1
    )
    targets: Targets | None = None

    @model_validator(mode="after")
    def _either(self) -> "PlanUpdate":
        if (self.changes is None) == (self.targets is None):
            raise ValueError("either `changes` or `targets` is right, not both and not neither")
        return self


def add_change_routes(app: FastAPI, store: PlanStore, desk: SubmissionDesk, clock: Clock) -> None:
    """Update, roll back, cancel."""

    async def revise(
        plan: Plan, targets: Targets, change: PlanChange, by: str, reason: str, if_match: str | None
    ) -> Response:
        wanted = _wanted(plan, targets, change, reason, clock.now())
        if reasons := await desk.examine_change(wanted):
            raise refused(reasons)
        if (waiting := await desk.take_change(wanted, by)) is not None:
            return Response(body_of(waiting), 202, media_type="application/json")
        [interval] = wanted.intervals
        try:
            event = await store.revise(plan, interval, change, by, reason, clock.now())
        except Overtaken:
            detail = f"what vendor {plan.publisher} may was changed at this moment; ask again, and that is judged by"
            raise Problem(409, "The plan is refused", detail) from None
        if event is None:
            raise changed_meanwhile(await existing(store, plan.plan_id), if_match)
        return Response(body_of(event.plans), media_type="application/json")

    @app.patch("/plans/{plan_id}", response_model=list[Plan], responses={**WAITS, **NOT_ACTIVE, **STALE})
    async def update(plan_id: PlanId, body: PlanUpdate, caller: Engineer, if_match: IfMatch = None) -> Response:
        """A new version of one active plan with other content."""
        plan = await existing(store, plan_id)
        check_match(if_match, plan)
        if plan.plan_status != "ACTIVE":
            raise Problem(409, "The plan is not active", f"plan_id={plan_id} is {plan.plan_status}")
        targets = merged(plan.targets, body.changes or {}) if body.targets is None else body.targets
        if isinstance(targets, tuple):
            raise refused(targets)
        return await revise(plan, targets, PlanChange.UPDATED, caller.name, body.reason, if_match)

    @app.post("/plans/{plan_id}/rollback", response_model=list[Plan], responses={**WAITS, **OVER, **STALE})
    async def roll_back(plan_id: PlanId, body: Reason, caller: Engineer, if_match: IfMatch = None) -> Response:
        """A new version with an old version's content, over the old version's interval."""
        plan = await existing(store, plan_id)
        check_match(if_match, plan)
        return await revise(plan, plan.targets, PlanChange.ROLLED_BACK, caller.name, body.reason, if_match)

    _add_cancel(app, store, clock)


def _add_cancel(app: FastAPI, store: PlanStore, clock: Clock) -> None:
    @app.post("/plans/{plan_id}/cancel", responses={**NOT_ACTIVE, **STALE})
    async def cancel(plan_id: PlanId, caller: Operator, body: Reason | None = None, if_match: IfMatch = None) -> Plan:
        """End an active plan without a successor; the gateway then takes the next one or its fail-safe."""
        plan = await existing(store, plan_id)
        check_match(if_match, plan)
        unless_changed = plan if if_match is not None else None
        if await store.cancel(plan_id, caller.name, clock.now(), unless_changed) is None:
            plan = await existing(store, plan_id)
            check_match(if_match, plan)
            raise Problem(409, "The plan is not active", f"plan_id={plan_id} can't be cancelled")
        return await existing(store, plan_id)


async def existing(store: PlanStore, plan_id: int) -> Plan:
    """The plan of that id. Answers 404 where there is none."""
    plan = await store.find(plan_id)
    if plan is None:
        raise Problem(404, "No such plan", f"plan_id={plan_id}")
    return plan


def refused(reasons: tuple[Refusal, ...]) -> Problem:
    """The answer to a change that may not be, with every reason."""
    return Problem(409, "The plan is refused", errors=[FieldProblem(**reason.model_dump()) for reason in reasons])


def _wanted(plan: Plan, targets: Targets, change: PlanChange, reason: str, now: datetime) -> PlanSubmission:
    """The plan with new targets, as a submission: it must keep the same rules."""
    interval = PlanInterval(
        resource=plan.resource_id,
        resource_type=plan.resource_type,
        interval_start=plan.interval_start,
        interval_end=plan.interval_end,
        targets=targets,
    )
    return PlanSubmission(
        submission_id=id_of_edit(change),
        publisher=plan.publisher,
        site=plan.station_id,
        created_at=now,
        run_id=plan.optimization_run_id,
        priority=plan.plan_priority,
        reason=reason,
        intervals=(interval,),
    )

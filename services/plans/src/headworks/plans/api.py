"""The plans' OpenAPI: submit, current, active, history, update, cancel, roll back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from headworks.common.auth import Engineer, Operator, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import (
    Instant,
    Name,
    Plan,
    PlanChange,
    PlanInterval,
    PlanReply,
    PlanSubmission,
    Targets,
    TargetType,
)
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.plans.actuators import Actuator
from headworks.plans.desk import SubmissionDesk
from headworks.plans.lifecycle import refusals
from headworks.plans.resource_types import SCHEMAS
from headworks.plans.store import PlanStore
from headworks.plans.typed_targets import Schema

Station = Annotated[Name, Query(description="the site's name")]
Resource = Annotated[Name, Query(description="the actuator's name")]
PlanId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Reason(BaseModel):
    """Why a person changes a plan; it is kept."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)


class ResourceTypeDescription(BaseModel):
    """A resource type with the JSON Schema of its targets; `unit` beside a range says what it is in."""

    name: str
    description: str
    target_units: dict[TargetType, str]
    targets: dict[str, JsonValue]

    @classmethod
    def of(cls, schema: Schema) -> "ResourceTypeDescription":
        """As the type's file says."""
        units = {target_type: schema.unit_of(target_type) for target_type in schema.by_target_type}
        return cls(name=schema.name, description=schema.description, target_units=units, targets=schema.json_schema())


class PlanUpdate(Reason):
    """The new content of one plan."""

    targets: Targets


def create_api(
    store: PlanStore, desk: SubmissionDesk, actuators: Mapping[tuple[str, str], Actuator], clock: Clock
) -> FastAPI:
    """The API over a store."""
    app = create_app("plans", "Versioned plans by Strategy B: history is immutable, a change is a new version.")

    @app.get("/actuators")
    async def list_actuators(_caller: Viewer) -> list[Actuator]:
        """Who may be planned for."""
        return list(actuators.values())

    @app.get("/resource-types")
    async def list_resource_types(_caller: Viewer) -> list[ResourceTypeDescription]:
        """What may be planned for each type: its target types, secondary targets and constraints, with ranges and units."""
        return [ResourceTypeDescription.of(schema) for schema in SCHEMAS.values()]

    @app.post("/submissions", status_code=201, responses={409: {"description": "The submission is refused"}})
    async def submit(submission: PlanSubmission, caller: Engineer) -> PlanReply:
        """Submit a whole horizon. The publisher is the caller."""
        if submission.publisher != caller.name:
            wrong = FieldProblem(field="publisher", value=submission.publisher, expected=f"the caller, {caller.name}")
            raise Problem(403, "Not your publisher", errors=[wrong])
        reply = await desk.take(submission)
        if not reply.accepted:
            errors = [FieldProblem(**refusal.model_dump()) for refusal in reply.refusals]
            raise Problem(409, "The submission is refused", errors=errors)
        return reply

    @app.get("/plans/active")
    async def active(station: Station, _caller: Viewer, resource: Resource | None = None) -> list[Plan]:
        """The active plans that have not ended."""
        return await store.active(station, clock.now(), resource)

    @app.get("/plans/current", responses={404: {"description": "No plan is in force"}})
    async def current(station: Station, resource: Resource, _caller: Viewer, at: Instant | None = None) -> Plan:
        """The plan in force now, or at an instant."""
        instant: datetime = at or clock.now()
        plan = await store.current(station, resource, instant)
        if plan is None:
            raise Problem(404, "No plan is in force", f"{station}/{resource} at {instant.isoformat()}")
        return plan

    @app.get("/plans/history")
    async def history(
        station: Station,
        resource: Resource,
        _caller: Viewer,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        before_plan_id: PlanId | None = None,
    ) -> list[Plan]:
        """All versions, newest first; page on with `before_plan_id`."""
        return await store.history(station, resource, limit, before_plan_id)

    @app.get("/plans/{plan_id}", responses={404: {"description": "No such plan"}})
    async def plan_by_id(plan_id: PlanId, _caller: Viewer) -> Plan:
        """One plan version."""
        return await _existing(store, plan_id)

    @app.patch("/plans/{plan_id}", responses={409: {"description": "The plan is not active or out of range"}})
    async def update(plan_id: PlanId, body: PlanUpdate, caller: Engineer) -> list[Plan]:
        """A new version of one active plan with other content."""
        plan = await _existing(store, plan_id)
        if plan.plan_status != "ACTIVE":
            raise Problem(409, "The plan is not active", f"plan_id={plan_id} is {plan.plan_status}")
        interval = _checked(plan, body.targets, actuators, clock.now())
        event = await store.revise(plan, interval, PlanChange.UPDATED, caller.name, body.reason, clock.now())
        return list(event.plans)

    @app.post("/plans/{plan_id}/rollback", responses={409: {"description": "The plan is over"}})
    async def roll_back(plan_id: PlanId, body: Reason, caller: Engineer) -> list[Plan]:
        """A new version with an old version's content, over the old version's interval."""
        plan = await _existing(store, plan_id)
        interval = _checked(plan, plan.targets, actuators, clock.now())
        event = await store.revise(plan, interval, PlanChange.ROLLED_BACK, caller.name, body.reason, clock.now())
        return list(event.plans)

    @app.post("/plans/{plan_id}/cancel", responses={409: {"description": "The plan is not active"}})
    async def cancel(plan_id: PlanId, caller: Operator) -> Plan:
        """End an active plan without a successor; the gateway then takes the next one or its fail-safe."""
        await _existing(store, plan_id)
        if await store.cancel(plan_id, caller.name, clock.now()) is None:
            raise Problem(409, "The plan is not active", f"plan_id={plan_id} can't be cancelled")
        return await _existing(store, plan_id)

    return app


async def _existing(store: PlanStore, plan_id: int) -> Plan:
    plan = await store.find(plan_id)
    if plan is None:
        raise Problem(404, "No such plan", f"plan_id={plan_id}")
    return plan


def _checked(
    plan: Plan, targets: Targets, actuators: Mapping[tuple[str, str], Actuator], now: datetime
) -> PlanInterval:
    """The plan's interval with new targets, by the rules that submissions must keep. Answers 409 with every reason."""
    interval = PlanInterval(
        resource=plan.resource_id,
        resource_type=plan.resource_type,
        interval_start=plan.interval_start,
        interval_end=plan.interval_end,
        targets=targets,
    )
    submission = PlanSubmission(
        submission_id="check", publisher=plan.publisher, site=plan.station_id, created_at=now, intervals=(interval,)
    )
    reasons = refusals(submission, actuators, now)
    if reasons:
        raise Problem(409, "The plan is refused", errors=[FieldProblem(**reason.model_dump()) for reason in reasons])
    return interval

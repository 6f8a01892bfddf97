"""Whether plans for an actuator wait for a person's approval, by the site file, and who may give it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from headworks.common.auth import Caller, Role
from headworks.common.messages import Id, Instant, Name, Plan, PlanReply, PlanSubmission, Refusal
from headworks.waterway.quantities import Seconds
from headworks.waterway.site import Section, Site, explain

SECTION = "approval"


class ApprovalSection(Section):
    """`approval` in a site file. Without `actuators` it is for all of the site."""

    required: bool = True
    time_limit: Seconds
    roles: tuple[Role, ...] = Field(default=(Role.OPERATOR, Role.ENGINEER), min_length=1)
    actuators: tuple[Name, ...] | None = Field(default=None, min_length=1)


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """What a site asks: how long a plan may wait, whose approval counts, and for which actuators."""

    time_limit: timedelta
    roles: frozenset[Role]
    actuators: frozenset[str] | None

    def covers(self, resources: Iterable[str]) -> bool:
        """Whether a plan for these waits: one that needs an approval holds back the whole submission."""
        return self.actuators is None or not self.actuators.isdisjoint(resources)


class ApprovalState(StrEnum):
    """Where an approval is."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class Approval(BaseModel):
    """A plan that waits, or waited, for a person. `reply` is what became of it; an approved one may still be refused."""

    approval_id: int
    state: ApprovalState
    site: Name
    publisher: Name
    submission_id: Id
    resources: tuple[Name, ...]
    begins: Instant
    ends: Instant
    asked_by: str
    asked_at: Instant
    expires_at: Instant
    roles: tuple[Role, ...] = Field(description="whose approval counts")
    decided_by: str | None
    decided_at: Instant | None
    reason: str
    reply: PlanReply | None


def approval_rules(sites: Mapping[str, Site]) -> dict[str, ApprovalRule]:
    """The rule of each site that has one. Raises ValueError naming the field."""
    found: dict[str, ApprovalRule] = {}
    for site in sites.values():
        raw: Any = (site.model_extra or {}).get(SECTION)
        if raw is None:
            continue
        try:
            section = ApprovalSection.model_validate(raw)
        except ValidationError as error:
            raise ValueError(f"site {site.site}: {SECTION}: {explain(error)}") from error
        if section.time_limit <= 0:
            raise ValueError(f"site {site.site}: {SECTION}.time_limit: more than 0 s is right")
        if Role.SERVICE in section.roles:
            raise ValueError(f"site {site.site}: {SECTION}.roles: a service is no person; viewer to admin are right")
        if section.required:
            actuators = None if section.actuators is None else frozenset(section.actuators)
            found[site.site] = ApprovalRule(timedelta(seconds=section.time_limit), frozenset(section.roles), actuators)
    return found


def why_not(caller: Caller, approval: Approval) -> str | None:
    """Why the caller may not decide, None for whoever may: a person of the roles, and not who asked or publishes."""
    if not caller.is_person:
        return f"{caller.name} is no person: services and API keys approve nothing"
    if caller.role not in approval.roles:
        return f"{caller.name} has the role {caller.role.value}; one of {', '.join(approval.roles)} is needed"
    if caller.name in {approval.publisher, approval.asked_by}:
        return f"{caller.name} asked for it; it takes a second person"
    return None


def overtaken(submission: PlanSubmission, asked_at: datetime, active: Iterable[Plan]) -> tuple[Refusal, ...]:
    """Why a submission has been overtaken while it waited: its publisher has newer plans for the same time."""
    return tuple(
        Refusal(
            field="approval",
            value=f"{plan.resource_id} has plan {plan.plan_id} since",
            expected=f"nothing newer than {asked_at.isoformat()} of {submission.publisher}: submit it again",
        )
        for plan in active
        if plan.publisher == submission.publisher and plan.plan_created_at > asked_at and _meets(plan, submission)
    )


def _meets(plan: Plan, submission: PlanSubmission) -> bool:
    return any(
        each.resource == plan.resource_id
        and each.interval_start < plan.interval_end
        and each.interval_end > plan.interval_start
        for each in submission.intervals
    )

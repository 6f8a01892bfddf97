"""Plans: submitted, answered, stored, changed."""

import re
import uuid
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from headworks.common.messages.base import Id, Instant, Message, Name


class ResourceType(StrEnum):
    """What a plan can be for, as far as code names it. The plans service knows each type, and any further one, by a file."""

    PUMP = "PUMP"
    VALVE = "VALVE"
    BLOWER = "BLOWER"
    COMPRESSOR = "COMPRESSOR"
    GATE = "GATE"
    TURBINE = "TURBINE"


ResourceTypeName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,19}$")]
"""The name of a resource type: one of ResourceType, or one that the plans service was given since."""


class TargetType(StrEnum):
    """What a plan's value means at the actuator."""

    SPEED = "SPEED"
    POSITION = "POSITION"
    POWER = "POWER"
    FLOW = "FLOW"
    LEVEL = "LEVEL"
    PRESSURE = "PRESSURE"


class PumpTargets(Message):
    """The columns of pump_plans."""

    kind: Literal["pump"] = "pump"
    target_flow_m3h: float | None = None
    target_power_kw: float | None = None
    target_level_m: float | None = None
    suggested_speed_hz: float | None = None


class GenericTargets(Message):
    """optimization_targets of optimization_plans: `target_value` in the actuator's unit (MW, %, Hz, …)."""

    kind: Literal["generic"] = "generic"
    target_type: TargetType
    target_value: float
    secondary_targets: dict[str, float] = Field(default_factory=dict)
    constraints: dict[str, float] = Field(default_factory=dict)


Targets = Annotated[PumpTargets | GenericTargets, Field(discriminator="kind")]


class PlanInterval(Message):
    """What one resource shall do over [interval_start, interval_end)."""

    resource: Name
    resource_type: ResourceTypeName
    interval_start: Instant
    interval_end: Instant
    targets: Targets


class PlanSubmission(Message):
    """A publisher's whole horizon: it replaces its active plans of these resources from the first interval on."""

    submission_id: Id
    publisher: Name
    site: Name
    created_at: Instant
    run_id: Id | None = None
    priority: int = Field(default=1, ge=1, le=100)
    reason: str = ""
    intervals: tuple[PlanInterval, ...] = Field(min_length=1, max_length=4000)


class PlanStatus(StrEnum):
    """Strategy B: a plan is never edited; it is superseded or cancelled."""

    ACTIVE = "ACTIVE"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


def id_of_edit(change: "PlanChange") -> str:
    """A new submission id of a person's change of one plan: it says what kind of change it was."""
    return f"{change.value}-{uuid.uuid4().hex}"


class Plan(Message):
    """One stored plan version of one resource for one interval."""

    plan_id: int
    station_id: Name
    resource_id: Name
    resource_type: ResourceTypeName
    interval_start: Instant
    interval_end: Instant
    targets: Targets
    plan_version: int = Field(ge=1)
    plan_priority: int = Field(ge=1)
    plan_status: PlanStatus
    publisher: Name
    submission_id: Id
    optimization_run_id: Id | None
    superseded_by: int | None
    plan_created_at: Instant
    plan_updated_at: Instant
    reason: str = ""

    @property
    def is_edit(self) -> bool:
        """Whether somebody changed one plan or rolled it back, in its publisher's name: no sign of the publisher's life."""
        return _EDIT.fullmatch(self.submission_id) is not None


class PlannedActuator(Message):
    """An actuator that has an active plan which is not over."""

    station_id: Name
    resource_id: Name


class Refusal(Message):
    """Why something was refused: the field, the value, and what would be right."""

    field: str
    value: JsonValue
    expected: str


class PlanReply(Message):
    """The answer to a submission: accepted with the stored plan ids, or refused with every reason.

    One that waits for a person's approval is neither yet (`waits_until`); another answer follows when it is decided.
    """

    submission_id: Id
    publisher: Name
    site: Name
    at: Instant
    accepted: bool
    plan_ids: tuple[int, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="what was not checked, or is not as it should be, and why")
    shadow: bool = Field(default=False, description="stored and scored as a challenger; never in force")
    approval_id: int | None = Field(default=None, description="what a person approves or rejects it by")
    waits_until: Instant | None = Field(default=None, description="when the wait for an approval ends")


class PlanChange(StrEnum):
    """What happened to a resource's plans."""

    SUBMITTED = "submitted"
    UPDATED = "updated"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"


_EDIT = re.compile(f"({PlanChange.UPDATED}|{PlanChange.ROLLED_BACK})-[0-9a-f]{{32}}")


class PlanEvent(Message):
    """A committed change of one resource's plans: the new versions, and the ids that are active no more."""

    event_id: Id
    site: Name
    resource: Name
    at: Instant
    change: PlanChange
    by: str
    plans: tuple[Plan, ...]
    ended_plan_ids: tuple[int, ...] = ()

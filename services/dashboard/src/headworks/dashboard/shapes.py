"""The form of what the page shows: values in the site's display units, unknown is null and never 0."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Role
from headworks.common.messages import (
    AlarmState,
    Basis,
    ControlMode,
    Instant,
    Interlock,
    Outcome,
    Quality,
    Quantity,
    RunStage,
    RunStatus,
    SetpointOverride,
    Severity,
)


class Shape(BaseModel):
    """The base of everything here: frozen, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Session(Shape):
    """Who is signed in, and what they may do."""

    name: str
    role: Role
    scopes: list[str]
    ends_at: Instant | None


class SiteName(Shape):
    """A site of this deployment, and which model describes it."""

    site: str
    name: str
    model: Literal["afterbay", "pumping_station"]


class Units(Shape):
    """The units of every value of a view."""

    elevation: str
    flow: str
    volume: str
    power: str


class NotKnown(Shape):
    """A part of the view that is not known now, and why."""

    part: str
    service: str
    reason: str


class Point(Shape):
    """A value at an instant; null where it is missing or bad."""

    at: Instant
    value: float | None


class Input(Shape):
    """The newest value of a series. `stale_at` is when it becomes too old to rely on."""

    series: str
    label: str
    unit: str
    value: float | None
    text: str | None = Field(default=None, description="what an enumeration's value means")
    valid_at: Instant
    stale_at: Instant
    quality: Quality
    basis: Basis
    substituted: str | None
    last_good: Point | None = Field(default=None, description="given where the newest value is not good")


class Source(Shape):
    """How a source does."""

    source: str
    last_success_at: Instant | None
    lag_s: float | None
    error: str | None


class RunInput(Shape):
    """An input of the run: its source and age then, and what was done for want of it."""

    series: str
    label: str
    source: str
    valid_at: Instant | None
    age_s: float | None
    stale: bool
    substituted: str | None


class LimitSpan(Shape):
    """A limit over [start, end); `text` says by how much it gave way."""

    limit: str
    start: Instant
    end: Instant
    text: str = ""


class RunState(Shape):
    """How the newest run stands or ended."""

    run_id: str
    requested_at: Instant
    requested_by: str
    reason: str
    stage: RunStage
    status: RunStatus | None
    status_reason: str
    finished_at: Instant | None


class Resource(Shape):
    """What the gateway knows of an actuator. What has a default is of pumps alone; null is unknown."""

    resource: str
    unit: str
    requested: float | None
    setpoint: float | None
    read_back: float | None
    actual: float | None
    plan_id: int | None
    plan_age_s: float | None
    link_up: bool
    fail_safe: bool
    refused: bool
    reason: str
    running: bool | None = None
    run_commanded: bool | None = None
    run_since: Instant | None = None
    power_kw: float | None = None
    e_stop_by: str | None = None
    mode: ControlMode | None = None
    leader: str | None = None
    leads_because: str = ""
    override: SetpointOverride | None = None


class Control(Shape):
    """The gateway's state; an interlock stands above the plan of a pumping station."""

    at: Instant
    mode: ControlMode
    e_stop: bool
    e_stop_by: str | None
    resources: list[Resource]
    interlock: Interlock | None = None
    e_stop_scope: str | None = None
    e_stop_clear_requested_by: str | None = None


class SetpointEntry(Shape):
    """A decision of the gateway, as journalled: on a setpoint, or on a run command (1 run, 0 stand)."""

    setpoint_id: str
    resource: str
    at: Instant
    outcome: Outcome
    unit: str
    requested: float | None
    enforced: float | None
    read_back: float | None
    reason: str
    plan_id: int | None
    quantity: Quantity = Quantity.SETPOINT


class Alarm(Shape):
    """An alarm as it is now."""

    alarm: str
    title: str
    severity: Severity
    state: AlarmState
    since: Instant
    text: str
    value: float | None
    unit: str
    acknowledged_by: str | None


class ApprovalStep(Shape):
    """What a plan asks of an actuator over [start, end)."""

    resource: str
    start: Instant
    end: Instant
    text: str


class Approval(Shape):
    """A plan that waits for a person: one of `roles` who neither asked for it nor publishes it."""

    approval_id: int
    publisher: str
    resources: list[str]
    begins: Instant
    ends: Instant
    priority: int
    asked_by: str
    asked_at: Instant
    expires_at: Instant
    roles: list[Role]
    reason: str
    steps: list[ApprovalStep]
    steps_left_out: int


class Decided(Shape):
    """What a person decided on a plan that waited."""

    approval_id: int
    state: str
    decided_by: str | None


class SiteView(Shape):
    """What the page of every site shows at its start."""

    site: str
    name: str
    time_zone: str
    now: Instant = Field(description="plant time")
    clock_speed: float = Field(description="plant seconds for each second")
    units: Units
    not_known: list[NotKnown]
    inputs: list[Input] | None
    sources: list[Source] | None
    newest_run: RunState | None
    control: Control | None
    setpoints: list[SetpointEntry] | None
    alarms: list[Alarm] | None
    approvals: list[Approval] | None = Field(description="plans that wait for a person")


class ClockNews(Shape):
    """A beat, every few seconds: plant time, and whether the dashboard still hears the bus."""

    kind: Literal["clock"] = "clock"
    now: Instant
    clock_speed: float
    bus_connected: bool


class InputsNews(Shape):
    """New measured values."""

    kind: Literal["inputs"] = "inputs"
    inputs: list[Input]


class ControlNews(Shape):
    """The gateway's state."""

    kind: Literal["control"] = "control"
    control: Control


class SetpointNews(Shape):
    """A decision of the gateway."""

    kind: Literal["setpoint"] = "setpoint"
    setpoint: SetpointEntry


class AlarmNews(Shape):
    """An alarm's change of state."""

    kind: Literal["alarm"] = "alarm"
    alarm: Alarm


class RunNews(Shape):
    """Where a run is."""

    kind: Literal["run"] = "run"
    run_id: str
    at: Instant
    stage: RunStage | None
    status: RunStatus | None
    text: str


class ChangedNews(Shape):
    """Parts of the view are new; ask for it again."""

    kind: Literal["changed"] = "changed"
    part: Literal["schedule", "plan", "forecast", "award", "price"]
    at: Instant


News = Annotated[
    ClockNews | InputsNews | ControlNews | SetpointNews | AlarmNews | RunNews | ChangedNews,
    Field(discriminator="kind"),
]

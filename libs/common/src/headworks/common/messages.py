"""What travels on the bus: frozen pydantic messages, aware UTC instants, no NaN, no unknown key.

Values are SI (metres, cubic metres per second) and MW; a series' name ends in its unit. Messages change by adding only.
"""

import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints


def aware_utc(instant: datetime) -> datetime:
    """The same instant in UTC; a naive one is refused, for nobody can say when it is."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; write it as 2026-02-17T08:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{instant.isoformat()} is beyond the years 1 to 9999 in UTC") from error


def iso_day(day: object) -> object:
    """A day as it is; a text must be an ISO date, for seconds since 1970 would be taken as well."""
    if isinstance(day, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise ValueError(f"{day[:40]!r} is no day; write it as 2026-02-17")
    return day


Instant = Annotated[datetime, AfterValidator(aware_utc)]
Day = Annotated[date, BeforeValidator(iso_day)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
"""A name that may stand in a subject: letters, digits, dash and underscore, at most 64."""
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$")]


class Message(BaseModel):
    """The base of everything on the bus."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# ---------------------------------------------------------------- ingest


class Quality(StrEnum):
    """How far a value may be trusted; a MISSING one has no value."""

    GOOD = "GOOD"
    SUSPECT = "SUSPECT"
    BAD = "BAD"
    MISSING = "MISSING"


class Basis(StrEnum):
    """What a value stands for: the instant valid_at, or the mean of the hour or quarter hour that begins there."""

    INSTANT = "instant"
    HOUR_MEAN = "hour_mean"
    QUARTER_HOUR_MEAN = "15min_mean"

    @property
    def span(self) -> timedelta:
        """How long a value of this basis holds from valid_at on; nothing for an instant."""
        return _SPANS[self]


_SPANS = {
    Basis.INSTANT: timedelta(0),
    Basis.HOUR_MEAN: timedelta(hours=1),
    Basis.QUARTER_HOUR_MEAN: timedelta(minutes=15),
}
MEANS = {span: basis for basis, span in _SPANS.items() if basis is not Basis.INSTANT}
"""The spans whose means can be kept, and as what."""


class Sample(Message):
    """One measured value of a series, with where it came from."""

    series: Name
    valid_at: Instant
    value: float | None = Field(description="SI or MW as the series' name says; None when missing or bad")
    quality: Quality
    basis: Basis = Basis.INSTANT
    substituted: str | None = Field(default=None, description="how the value was made up, when it was")


class Measurements(Message):
    """Samples that one source gave in one poll. known_at is when we learned them."""

    site: Name
    source: Name
    known_at: Instant
    samples: tuple[Sample, ...]


class ForecastStep(Message):
    """The mean over [valid_at, valid_at + step) and its quantiles, keyed '0.1', '0.9', …"""

    valid_at: Instant
    value: float
    quantiles: dict[str, float] = Field(default_factory=dict)


class Forecast(Message):
    """One issue of a forecast. `substituted` says what stands in when the first source had none."""

    site: Name
    series: Name
    source: Name
    issued_at: Instant
    known_at: Instant
    step_s: float = Field(gt=0)
    steps: tuple[ForecastStep, ...] = Field(min_length=1)
    substituted: str | None = None


class AwardInterval(Message):
    """Power awarded over [start, end)."""

    start: Instant
    end: Instant
    power_mw: float


class Award(Message):
    """A day-ahead market award of a resource for one local trade date (23, 24 or 25 hours)."""

    site: Name
    market: Literal["DAM", "RTM"] = "DAM"
    resource: Name
    product: Name
    trade_date: Day
    known_at: Instant
    intervals: tuple[AwardInterval, ...]


# ---------------------------------------------------------------- optimizer


class Override(Message):
    """A person's value for one hour of one input series, in place of what was forecast."""

    series: Name
    valid_at: Instant
    value: float


class SolveJob(Message):
    """A request to solve a site; the run's id is the job's."""

    run_id: Id
    site: Name
    requested_at: Instant
    requested_by: str
    reason: str = Field(description="scheduled, new award, new forecast, or what a person gave")
    overrides: tuple[Override, ...] = ()
    publish: bool = True


class RunStage(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    GATHERING = "gathering"
    BUILDING = "building"
    SOLVING = "solving"
    REPLAYING = "replaying"
    PUBLISHING = "publishing"


class RunProgress(Message):
    """A step of a run, for people who watch."""

    run_id: Id
    site: Name
    at: Instant
    stage: RunStage
    attempt: int = Field(default=1, ge=1)
    gap: float | None = None
    text: str = ""


class RunStatus(StrEnum):
    """How a run ended."""

    SOLVED = "SOLVED"
    RELAXED = "RELAXED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunFinished(Message):
    """The end of a run: its status, what had to give way, and the submission it published, if any."""

    run_id: Id
    site: Name
    at: Instant
    status: RunStatus
    reason: str = ""
    relaxed: tuple[str, ...] = ()
    submission_id: Id | None = None


# ---------------------------------------------------------------- plans


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


# ---------------------------------------------------------------- control-gateway


class ControlMode(StrEnum):
    """Who leads the actuators: the plan, a person, or nobody; in maintenance somebody may have a hand in the machine."""

    AUTO = "auto"
    MANUAL = "manual"
    OFF = "off"
    MAINTENANCE = "maintenance"


class Outcome(StrEnum):
    """What became of one setpoint decision."""

    INTENDED = "intended"
    VERIFIED = "verified"
    HELD = "held"
    REFUSED = "refused"
    READ_BACK_DIFFERS = "read_back_differs"
    LINK_LOST = "link_lost"


class Quantity(StrEnum):
    """What a decision is on: a setpoint in its unit, a run command (unit `on`: 1 run, 0 stand), or who leads.

    Of the latter the unit is `local`: 1 the PLC's own control, 0 the gateway.
    """

    SETPOINT = "setpoint"
    RUN = "run"
    LOCAL = "local"


class Setpoint(Message):
    """One journalled decision of the gateway: what the plan asked, what was allowed, what the PLC then held."""

    setpoint_id: Id
    site: Name
    resource: Name
    at: Instant
    outcome: Outcome
    unit: str
    requested: float | None
    enforced: float | None
    read_back: float | None
    violations: tuple[str, ...] = ()
    reason: str = ""
    plan_id: int | None = None
    plan_version: int | None = None
    quantity: Quantity = Quantity.SETPOINT


class SetpointOverride(Message):
    """A value that a person set for an actuator in place of the plan's, in the actuator's unit; of a pump 0 is off."""

    value: float
    by: str
    reason: str
    given_at: Instant
    until: Instant


class ResourceState(Message):
    """What the gateway knows of one actuator now. What has a default is of pumps alone; None is unknown."""

    resource: Name
    unit: str
    plan_id: int | None
    requested: float | None
    setpoint: float | None
    read_back: float | None
    actual: float | None
    plan_age_s: float | None
    link_up: bool
    fail_safe: bool
    refused: bool = False
    reason: str = ""
    running: bool | None = None
    run_commanded: bool | None = None
    run_since: Instant | None = Field(default=None, description="since when it runs or stands, so far as was seen")
    power_kw: float | None = None
    e_stop_by: str | None = Field(default=None, description="who stopped it, this one actuator or more with it")
    mode: ControlMode | None = Field(default=None, description="of the actuator and its site the stricter")
    leader: str | None = Field(default=None, description="plan, override, interlock, fail_safe or local")
    leads_because: str = Field(default="", description="why somebody else than the plan leads")
    override: SetpointOverride | None = None


class TrippedInterlock(Message):
    """An interlock of the site file that is in force, and why it tripped."""

    name: str
    since: Instant
    why: str


class Interlock(StrEnum):
    """What stands above the plan of a pumping station."""

    LOW_LOW = "low_low"
    HIGH_HIGH = "high_high"


class ControlState(Message):
    """The gateway's state, published on change and at a steady beat. Level and interlock are of pumping stations alone."""

    site: Name
    at: Instant
    mode: ControlMode
    e_stop: bool
    e_stop_by: str | None = None
    resources: tuple[ResourceState, ...]
    level_m: float | None = None
    interlock: Interlock | None = None
    findings: tuple[str, ...] = Field(default=(), description="what discovery found wrong in site files and plans")
    gateway: str | None = Field(default=None, description="who says this")
    leader: str | None = Field(default=None, description="the gateway that writes; None while none does")
    e_stop_scope: str | None = Field(default=None, description="what the e-stop covers: system, or the site")
    e_stop_clear_requested_by: str | None = Field(default=None, description="who asked to clear; another must confirm")
    e_stop_clear_requested_at: Instant | None = None
    interlocks: tuple[TrippedInterlock, ...] = ()
    heartbeat_lost: tuple[Name, ...] = Field(
        default=(), description="PLCs that do not hold the heartbeat written to them"
    )


class Lease(Message):
    """Who leads a site's actuators, and for how long from when it was sent. Its place in the stream guards each change of it."""

    site: Name
    gateway: Name
    epoch: int = Field(ge=1, le=65535, description="grows with each change of the leader; what PLCs are fenced with")
    valid_s: float = Field(gt=0)
    orders: int = Field(ge=0, description="the place in the stream of the newest orders that the leader has told")
    released: bool = False


class KeptMode(Message):
    """Who leads a site, by whose order, since when."""

    mode: ControlMode
    by: str
    at: Instant


class GatewayOrders(Message):
    """All orders of people that a gateway knows, for the gateway that may take its place."""

    gateway: Name
    at: Instant
    e_stops: dict[str, JsonValue]
    modes: dict[Name, KeptMode] = Field(default_factory=dict)
    actuator_modes: dict[Name, dict[Name, KeptMode]] = Field(default_factory=dict, description="by site and actuator")
    overrides: dict[Name, dict[Name, SetpointOverride]] = Field(
        default_factory=dict, description="by site and actuator"
    )


# ---------------------------------------------------------------- alerts


class Severity(StrEnum):
    """How soon a person must act."""

    INFORMATION = "information"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmState(StrEnum):
    """ISA-18.2 states."""

    NORMAL = "normal"
    ACTIVE_UNACKNOWLEDGED = "active_unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active_acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"


class AlarmTransition(Message):
    """An alarm's change of state, with who or what caused it."""

    transition_id: Id
    site: Name
    alarm: Name
    at: Instant
    severity: Severity
    title: str
    from_state: AlarmState
    to_state: AlarmState
    by: str
    text: str = ""
    value: float | None = None
    unit: str = ""

"""Control: what was decided and written, what is known, who leads."""

from enum import StrEnum

from pydantic import Field, JsonValue

from headworks.common.messages.base import Id, Instant, Message, Name


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
    after: Instant | None = Field(
        default=None, description="the newest override that was known where it was given: this one comes after it"
    )


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
    after: Instant | None = Field(
        default=None, description="the newest order that was known where it was given, by its `at`"
    )


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

"""The `control` section of a site file as it is written: registers, what each actuator is allowed, and what pumps share.

Nothing is known by default that limits something: a limit that is not written is an error, not a wide one.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from headworks.control_gateway.encoding import Order, Type
from headworks.control_gateway.points import Table
from headworks.waterway.quantities import Seconds, in_unit
from headworks.waterway.series import si_series
from headworks.waterway.site import Site, explain


def _above_zero(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{seconds:g} s must be above zero and at most {LONGEST_S:g} s")
    return seconds


def _known_quantity(base: str) -> str:
    si_series(base)
    return base


LONGEST_S = 366 * 86400.0
SILENT_AFTER_S = 1200.0
Text = Annotated[str, StringConstraints(min_length=1)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$")]
Series = Annotated[Name, AfterValidator(_known_quantity)]
"""A series as the site file calls it, without its unit."""
Duration = Annotated[Seconds, AfterValidator(_above_zero)]
Role = Literal[
    "setpoint",
    "readback",
    "actual",
    "run",
    "run_readback",
    "run_feedback",
    "time_in_state",
    "flow",
    "power",
    "local",
    "local_readback",
]
"""What a register of an actuator is for."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PointSection(_Section):
    """A value of the PLC = number·scale + offset, where the number stands in its registers as `type` and `order` say.

    `address` counts as the PLC's `addresses` say. What is left out is the PLC's own (`unit_id`, `order`), or follows from the
    type (`write_function`: 5 for a coil, 6 for one register, 16 for several).
    """

    table: Table | None = None
    address: int | str
    type: Type
    order: Order | None = None
    bit: int | None = Field(default=None, ge=0, le=15)
    unit_id: int | None = Field(default=None, ge=0, le=255)
    scale: Text | None = None
    offset: Text | None = None
    minimum: Text | None = None
    maximum: Text | None = None
    step: Text | None = None
    deadband: Text | None = None
    writable: bool = False
    write_function: Literal[5, 6, 15, 16, 23] | None = None


class UnreadableSection(_Section):
    """Addresses that the PLC answers with an exception, as its documents count them."""

    table: Table
    first: int = Field(ge=0)
    last: int = Field(ge=0)


class PlcSection(_Section):
    """A PLC: how it is reached and counted, the points of each of its actuators by what they are for, and those of none.

    `gap`: how many addresses without a point one request may read over. `no_bridge`: unit 0 is the PLC itself; to a bridge to
    a serial line it is every device there. `bridge_delay`: the longest that a bridge keeps a telegram that it has taken.
    """

    unit_id: int = Field(ge=0, le=255)
    timeout: Duration
    transport: Literal["tcp", "rtu_over_tcp", "tls"] = "tcp"
    no_bridge: bool = False
    bridge_delay: Duration | None = None
    server_name: Text | None = None
    role: Text | None = None
    addresses: Literal["zero_based", "one_based", "modicon"] = "zero_based"
    order: Order = "ABCD"
    gap: int = Field(default=0, ge=0, le=123)
    unreadable: tuple[UnreadableSection, ...] = ()
    points: dict[Name, dict[Role, PointSection]]
    shared_points: dict[Name, PointSection] = Field(default_factory=dict)


class RangeSection(_Section):
    """A layer of limits."""

    minimum: Text
    maximum: Text


class MaxChangeSection(_Section):
    """How far a setpoint may move within a longer window than a step's."""

    at_most: Text
    within: Duration


class PlausibleSection(_Section):
    """What is believed of the measured value of the machine."""

    fastest: Text
    doubted_for: Duration
    frozen_after: Duration
    apart: Text
    apart_for: Duration


class ActuatorSection(_Section):
    """What the gateway allows an actuator. A pump has a run command beside its setpoint.

    `minimum` and `maximum` are the station's limits; `hardware`, the PLC's own, lie around them, `optimiser`, those of plans,
    within. Where one of these is left out it is the same as the station's.
    """

    kind: Literal["setpoint", "pump"] = "setpoint"
    plc: str
    unit: str
    hardware: RangeSection | None = None
    minimum: Text
    maximum: Text
    optimiser: RangeSection | None = None
    max_rate: Text
    rate_window: Duration
    max_change: MaxChangeSection | None = None
    plausible: PlausibleSection | None = None
    deadband: Text
    plan_stale_after: Duration
    feedback_stale_after: Duration
    setpoint_from: Literal["direct", "level", "power"] = "direct"
    fail_safe: Annotated[str, StringConstraints(pattern=r"^(hold|level|hand_to_local|value .+)$")]


class LevelSection(_Section):
    """The level register, which every PLC may have; a reading outside the range is none."""

    point: Name
    minimum: Text
    maximum: Text
    stale_after: Duration


class LowLowSection(_Section):
    """Where no pump may run."""

    stop_below: Text
    release_above: Text


class HighHighSection(_Section):
    """Where pumps run whatever the plan says: how many, and at what speed."""

    start_above: Text
    release_below: Text
    pumps: int = Field(ge=1)
    speed: Text


class LevelControlSection(_Section):
    """The level calculator: a speed from how far the level is from its target."""

    gain: Text
    integral_time: Duration
    fail_safe_target: Text


class PumpsSection(_Section):
    """What the pumps of a site share."""

    minimum_run: Duration
    minimum_rest: Duration
    minimum_pumps_on: int = Field(ge=0)
    start_every: Duration
    start_takes: Duration
    unseen_at_most: Duration
    start_order: Annotated[tuple[Name, ...], Field(min_length=1)]
    level: LevelSection
    low_low: LowLowSection
    high_high: HighHighSection
    level_control: LevelControlSection | None = None


class HaSection(_Section):
    """Two gateways for the site. `lease`: after how long without a sign of life the other one leads.

    `without_bus`: what a leader does that cannot renew its lease: stop, or continue for as long as each PLC's `lease_epoch`
    says that no other leads.
    """

    standby: bool
    lease: Duration = 3.0
    without_bus: Literal["stop", "continue"] = "stop"


class InterlockSection(_Section):
    """A condition over measured points and what is done while it holds; see expressions.py for what can be written."""

    name: Name
    when: Condition
    then: Annotated[str, StringConstraints(pattern=r"^(stop|hold|refuse|value .+)$")]
    release: Condition | None = None
    applies_to: Annotated[tuple[Name, ...], Field(min_length=1)]
    when_unknown: Literal["trip", "ignore"] = "trip"


class WatchdogSection(_Section):
    """How long silence is borne before the actuators' fail-safes are taken: 20 min where the site says nothing.

    `measurements`: by their source the series that control rests on; one that is silent is enough. Where none is named,
    nobody watches them.
    """

    plan_updates_silent_after: Duration = SILENT_AFTER_S
    measurements_silent_after: Duration | None = None
    measurements: dict[Name, Annotated[tuple[Series, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _watches_something(self) -> "WatchdogSection":
        if self.measurements_silent_after is not None and not self.measurements:
            raise ValueError(
                "measurements is missing: name by their source the series that control rests on, such as {pi: [elevation]}"
            )
        return self


class ControlSection(_Section):
    """The whole section."""

    ha: HaSection | None = None
    tick_every: Duration
    plcs: dict[Name, PlcSection]
    actuators: dict[Name, ActuatorSection] = Field(min_length=1)
    pumps: PumpsSection | None = None
    interlocks: tuple[InterlockSection, ...] = ()
    watchdog: WatchdogSection = WatchdogSection()


def control_section(site: Site) -> ControlSection:
    """The site's control section. Raises ValueError naming the field."""
    raw: dict[str, Any] = site.section("control")
    try:
        return ControlSection.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"site {site.site}: control: {explain(error)}") from error


def quantity(where: str, text: str, unit: str) -> float:
    """A quantity of the site file in `unit`. Raises ValueError naming the field."""
    try:
        return in_unit(text, unit)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error

"""The form of what a pumping station's page shows: values in the site's display units, unknown is null and never 0."""

from typing import Literal

from pydantic import Field

from headworks.common.messages import Instant
from headworks.dashboard.shapes import Point, RunInput, RunState, Shape, SiteView, Units


class StationUnits(Units):
    """The units of every value of a station's view."""

    frequency: str
    price: str


class StationLimits(Shape):
    """The rules that the station is kept within. The tunnel is emptied when its level is at most `emptied_level`."""

    minimum_level: float
    emptied_level: float
    alarm_level: float
    maximum_level: float
    maximum_outflow: float
    minimum_frequency: float
    maximum_frequency: float


class Pump(Shape):
    """A pump: what plans and registers call it, what people do, and its make."""

    resource: str
    name: str
    make: str


class PumpSpan(Shape):
    """What the plan in force has for a pump over [start, end): 0 is off, null is a plan without a speed."""

    resource: str
    start: Instant
    end: Instant
    frequency: float | None
    publisher: str


class PriceStep(Shape):
    """The price over [start, end); null where the value is bad."""

    start: Instant
    end: Instant
    price: float | None


class StationStep(Shape):
    """A step of the schedule; the level is of its end, frequencies are by resource (0: off).

    `inflow_low` and `inflow_high` are the forecast's band. `price_known` is false where the price is a guess.
    """

    start: Instant
    end: Instant
    level: float
    outflow: float
    inflow: float
    inflow_low: float
    inflow_high: float
    power: float
    price: float
    price_known: bool
    cost_eur: float
    frequency: dict[str, float]


class Tuning(Shape):
    """How the run was tuned to the moment, and why; the levels are those that the schedule aims to keep."""

    quality: Literal["good", "fair", "poor", "unknown"]
    inflow_error: float | None = Field(description="mean relative error of late")
    risk: Literal["low", "normal", "high", "critical"]
    emergency: bool
    strategy: str
    maximum_level: float
    minimum_level: float
    cost_factor: float
    safety_factor: float
    smooth_eur_per_dam3: float
    reasons: list[str]


class GivenWay(Shape):
    """A rule that could not hold: which, when, and by how much."""

    rule: str
    at: Instant
    text: str


class StationSchedule(Shape):
    """The newest run that has a schedule, with how it came about."""

    run: RunState
    next_action: str
    energy_cost_eur: float | None
    energy_mwh: float | None
    objective: float | None
    objective_by_term: dict[str, float]
    gap: float | None
    rounds: int
    starts: int
    run_time_s: float | None
    first_plan_s: float | None
    inflow_source: str
    prices_known_until: Instant | None
    emptied_at: list[Instant]
    tuning: Tuning | None
    relaxations: list[GivenWay]
    inputs: list[RunInput]
    steps: list[StationStep]


class StationView(SiteView):
    """All that the page of a pumping station shows at its start."""

    model: Literal["pumping_station"]
    units: StationUnits
    limits: StationLimits
    pumps: list[Pump]
    level: list[Point] | None
    outflow: list[Point] | None
    inflow: list[Point] | None
    prices: list[PriceStep] | None
    schedule: StationSchedule | None
    plan: list[PumpSpan] | None

"""The form of what an afterbay's page shows: values in the site's display units, unknown is null and never 0."""

from typing import Literal

from headworks.common.messages import Instant, PlanStatus
from headworks.dashboard.shapes import LimitSpan, Point, RunInput, RunState, Shape, SiteView


class Limits(Shape):
    """The limits that the plant is kept within. `float_source` is pi, or the site file where the tag is not known."""

    minimum_elevation: float
    maximum_elevation: float
    float_elevation: float
    float_source: Literal["pi", "site file"]
    minimum_power: float
    maximum_power: float


class ScheduleHour(Shape):
    """An hour of the schedule; the elevation is of its end."""

    start: Instant
    end: Instant
    setpoint: float
    power: float
    elevation: float
    inflow: float
    outflow: float
    spill: float


class Schedule(Shape):
    """The newest run that has a schedule, with how it came about."""

    run: RunState
    form: str | None
    solver: str
    objective: float | None
    objective_by_term: dict[str, float]
    gap: float | None
    run_time_s: float | None
    next_action: str
    mfra_summary: str
    bindings: list[LimitSpan]
    relaxations: list[LimitSpan]
    inputs: list[RunInput]
    hours: list[ScheduleHour]


class AwardStep(Shape):
    """Power awarded by the market over [start, end)."""

    start: Instant
    end: Instant
    power: float


class PlanStep(Shape):
    """A plan version over [start, end)."""

    plan_id: int
    resource: str
    start: Instant
    end: Instant
    target: float | None
    unit: str
    version: int
    priority: int
    status: PlanStatus
    publisher: str
    run_id: str | None


class Release(Shape):
    """A rafting release; the setpoint must begin to rise at `ramp_at`, from what it is now."""

    start: Instant
    end: Instant
    ramp_at: Instant


class AfterbayView(SiteView):
    """All that the page of an afterbay shows at its start."""

    model: Literal["afterbay"]
    limits: Limits
    elevation: list[Point] | None
    power: list[Point] | None
    awards: list[AwardStep] | None
    schedule: Schedule | None
    plan: list[PlanStep] | None
    releases: list[Release]

"""What a station's solve is asked (StationInputs) and what it answers (StationSolution): values that travel to a process and
into a row.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from headworks.common.messages import Instant
from headworks.optimizer.values import Answer, Status, Value

Text = Annotated[str, Field(min_length=1, max_length=200)]
Flow = Annotated[float, Field(ge=0)]
Level = Annotated[float, Field(gt=0, lt=1)]


class PumpState(Value):
    """How a pump stands when the schedule begins: on or off, and for how many steps."""

    resource: str
    on: bool
    steps: int = Field(ge=0)
    hours_run: float = Field(
        default=0.0, ge=0, description="of late, where running hours shall even out; 0 where not counted"
    )
    led_by: str | None = Field(
        default=None, description="who leads it instead of a plan: it is planned to stand; None where it is planned"
    )


class PlannedFlush(Value):
    """All pumps at speed over [start, end)."""

    start: Instant
    end: Instant


class LastPlan(Value):
    """The plan before this one: the frequencies [Hz] of each step from `start`, shape (steps, pumps). A solve begins with it."""

    start: Instant
    frequency_hz: tuple[tuple[float, ...], ...]
    flush_window: PlannedFlush | None = None
    flushed: tuple[PlannedFlush, ...] = ()


class OutsideInflow(Value):
    """A forecast of the inflow that somebody else made, from the schedule's start on [m³/s], and its own band.

    The band may end before the forecast does; where it is empty, none was given.
    """

    source: Text
    issued_at: Instant
    flow_m3s: tuple[Flow, ...] = Field(min_length=1)
    quantiles: tuple[Level, Level] | None = Field(default=None, description="what low_m3s and high_m3s are")
    low_m3s: tuple[Flow, ...] = ()
    high_m3s: tuple[Flow, ...] = ()

    @model_validator(mode="after")
    def _banded(self) -> Self:
        low, high, most = len(self.low_m3s), len(self.high_m3s), len(self.flow_m3s)
        if not low == high <= most:
            raise ValueError(f"low_m3s and high_m3s have {low} and {high} steps: as many each, and at most {most}")
        if (self.quantiles is None) != (low == 0):
            raise ValueError(f"quantiles={self.quantiles} with {low} steps of low_m3s: both or neither")
        return self


class Strategy(StrEnum):
    """How to run the station for a while: what an outside planner may ask for a period."""

    AGGRESSIVE = "aggressive"
    MINIMAL = "minimal"
    KEEP_BUFFER = "keep_buffer"
    CONSERVATIVE = "conservative"
    BALANCED = "balanced"


class StrategyPeriod(Value):
    """One strategy over [start, end), and why; with a flush window, all pumps shall run at speed once within it."""

    start: Instant
    end: Instant
    strategy: Strategy
    flush_window: bool = False
    reason: str = Field(default="", max_length=300)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end={self.end.isoformat()} must lie after start={self.start.isoformat()}")
        return self


class WantedVolume(Value):
    """The tunnel shall hold no more than so much at an instant."""

    at: Instant
    at_most_m3: float = Field(ge=0)


class StationInputs(Value):
    """One problem of a station: how it stands at `start`, the record before, and what is known of the time ahead.

    The record has one entry a step, oldest first, and ends at `start`; None is not known. Prices begin at `start` and end
    where they are known; where none is, they are expected from those before.
    """

    site: str
    start: Instant
    step_s: float = Field(gt=0)
    level_m: float = Field(ge=0)
    pumps: tuple[PumpState, ...] = Field(min_length=1)
    past_inflow_m3s: tuple[float | None, ...]
    past_price_eur_per_mwh: tuple[float | None, ...] = ()
    price_eur_per_mwh: tuple[float, ...]
    outside_inflow: OutsideInflow | None = None
    emptied_at: Instant | None = None
    expected_level_m: float | None = Field(default=None, description="in old runs alone: no plan is made from it")
    diverged_m3: float | None = Field(
        default=None, description="over the last hour, the volume's change beyond the planned one; None while not known"
    )
    past_inflow_error: tuple[float, ...] = Field(
        default=(),
        description="relative errors of past forecasts of the next hours, newest last: what quality is judged by",
    )
    strategies: tuple[StrategyPeriod, ...] = ()
    last_plan: LastPlan | None = None
    wanted_volume: WantedVolume | None = None

    @model_validator(mode="after")
    def _price_known(self) -> Self:
        if not self.price_eur_per_mwh and all(price is None for price in self.past_price_eur_per_mwh):
            raise ValueError("a price must be known: price_eur_per_mwh and past_price_eur_per_mwh hold none")
        return self


class StationStep(Value):
    """One step of a schedule: frequencies by resource (0: off), what they lead to, and what the step costs."""

    start: Instant
    frequency_hz: dict[str, float]
    flow_m3s: dict[str, float]
    pump_power_mw: dict[str, float] = Field(default_factory=dict, description="by resource, as frequency and flow are")
    level_m: float
    volume_m3: float
    outflow_m3s: float
    inflow_m3s: float
    inflow_low_m3s: float
    inflow_high_m3s: float
    power_mw: float
    price_eur_per_mwh: float
    price_known: bool
    cost_eur: float


class ForecastQuality(StrEnum):
    """How well inflow was forecast of late."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    UNKNOWN = "unknown"


class Risk(StrEnum):
    """How near the tunnel is to trouble."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Tuning(Value):
    """How the solve was tuned to the moment, and why."""

    quality: ForecastQuality
    inflow_error: float | None = Field(description="mean relative error of late; None while not known")
    risk: Risk
    emergency: bool
    strategy: Strategy
    maximum_level_m: float = Field(description="the maximum that the schedule aims to keep")
    minimum_level_m: float
    cost_factor: float
    safety_factor: float
    smooth_eur_per_dam3: float
    hours_since_emptied: float | None = Field(default=None, description="at the start; None when no emptying is known")
    emptying_urgency: float | None = Field(
        default=None,
        description="0 to 1 at the start: what putting an emptying off costs grows with it; None in old runs",
    )
    reasons: tuple[str, ...]


class StationRelaxation(Value):
    """A rule that cannot hold: which, when, and by how much."""

    rule: str
    at: Instant
    text: str


class StationTiming(Value):
    """How long it took [s]: to the first schedule, and in all."""

    first_plan_s: float | None
    total_s: float


class StationSolution(Answer):
    """The answer to StationInputs. `steps` is empty unless a schedule was found; only `publishable` ones may be acted on."""

    steps: tuple[StationStep, ...] = ()
    energy_cost_eur: float | None = None
    energy_mwh: float | None = None
    objective: float | None = None
    objective_by_term: dict[str, float] = Field(default_factory=dict)
    gap: float | None = None
    gone_on: bool = Field(
        default=False,
        description="nothing better was found in time: the plan is what the solve began with, the last one",
    )
    rounds: int = 0
    starts: int = 0
    relaxations: tuple[StationRelaxation, ...] = ()
    inflow_source: str = ""
    prices_known_until: Instant | None = None
    emptied_at: tuple[Instant, ...] = Field(default=(), description="when the schedule empties the tunnel")
    flush_window: PlannedFlush | None = Field(
        default=None, description="planned, under way, or done; where one is asked"
    )
    flushed: tuple[PlannedFlush, ...] = Field(
        default=(), description="windows begun before that one, in periods that ask for one still"
    )
    tuning: Tuning | None = None
    timing: StationTiming | None = None
    next_action: str = ""

    @property
    def publishable(self) -> bool:
        """Whether there is a schedule; every one has been simulated with the true curves, which is what its steps hold."""
        return self.status in {Status.SOLVED, Status.RELAXED} and bool(self.steps)

    @property
    def relaxed(self) -> tuple[str, ...]:
        """The rules that cannot hold, in words."""
        return tuple(relaxation.text for relaxation in self.relaxations)

    @property
    def took_s(self) -> float | None:
        """The whole of its timing."""
        return None if self.timing is None else self.timing.total_s

"""What a solve is asked (Case) and what it answers (Solution): plain values that travel to a process and into a row."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from headworks.common.messages import Instant
from headworks.optimizer.values import Answer, Status, Value
from headworks.waterway.afterbay import Conditions, Mode, inflow_m3s
from headworks.waterway.afterbay_site import Afterbay, AfterbaySite
from headworks.waterway.quantities import in_unit
from headworks.waterway.timegrid import TimeGrid

Rank = Annotated[int, Field(ge=1, le=5)]


class Night(Value):
    """When changes of setpoint cost more: [from_hour, to_hour) local, over midnight."""

    from_hour: int = Field(ge=0, le=23)
    to_hour: int = Field(ge=0, le=23)
    change_cost_factor: float = Field(ge=1)


class Ranks(Value):
    """How much each objective matters, 1 the most; the elevation limits stand above all of them."""

    avoid_summer_spill: Rank = 1
    avoid_spill: Rank = 2
    summer_rafting: Rank = 2
    smooth_operation: Rank = 3
    midpoint_elevation: Rank = 4
    revenue: Rank = 5


class IntegerOptions(Value):
    """What is truly discrete; None or False leaves the model linear."""

    spill_above_power_only: bool = False
    max_setpoint_changes: int | None = Field(default=None, ge=0)
    min_hours_between_changes: int | None = Field(default=None, ge=2)

    @property
    def counts_changes(self) -> bool:
        """Whether changes of setpoint are counted."""
        return self.max_setpoint_changes is not None or self.min_hours_between_changes is not None

    @property
    def any(self) -> bool:
        """Whether the model needs integers."""
        return self.spill_above_power_only or self.counts_changes


class Options(Value):
    """How to solve."""

    ranks: Ranks = Ranks()
    integer_options: IntegerOptions = IntegerOptions()
    night: Night = Night(from_hour=20, to_hour=8, change_cost_factor=5)
    time_limit_s: float = Field(default=20, gt=0)
    mip_gap: float = Field(default=0.001, ge=0)


class Forcing(Value):
    """What happens to the reservoir over one hour, whatever the schedule: gauges [m³/s], MFRA [MW], mode."""

    r30_flow_m3s: float
    r4_flow_m3s: float
    r20_flow_m3s: float
    r5l_flow_m3s: float
    r26_flow_m3s: float
    mfra_power_mw: float
    mode: Mode
    price_per_mwh: float | None = None


class Case(Value):
    """One problem of the afterbay: the state at `start`, the hourly forcing from there, and the options."""

    site: str
    start: Instant
    initial_elevation_m: float
    initial_power_mw: float
    float_elevation_m: float
    bias_m3s: float = 0.0
    forcing: tuple[Forcing, ...] = Field(min_length=1, max_length=744)
    options: Options = Options()

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.initial_power_mw < 0:
            raise ValueError(f"initial_power_mw={self.initial_power_mw} must be 0 or more")
        if self.start.minute or self.start.second or self.start.microsecond:
            raise ValueError(f"start={self.start.isoformat()} must be a whole hour: the schedule is hourly")
        return self

    @property
    def grid(self) -> TimeGrid:
        """The case's hours."""
        return TimeGrid(self.start, timedelta(hours=1), len(self.forcing))

    def net_inflow_m3s(self, afterbay: Afterbay) -> tuple[float, ...]:
        """The inflow of each hour before the unit's own water, bias included, shape (hours,)."""
        return tuple(
            inflow_m3s(
                afterbay.upstream,
                afterbay.inflow,
                Conditions(
                    f.r30_flow_m3s,
                    f.r4_flow_m3s,
                    f.r20_flow_m3s,
                    f.r5l_flow_m3s,
                    f.r26_flow_m3s,
                    f.mfra_power_mw,
                    f.mode,
                    self.bias_m3s,
                ),
            )
            for f in self.forcing
        )


class Form(StrEnum):
    """Which form answered: MILP with every limit held, or MPC with every limit but physics softened at a price."""

    MILP = "milp"
    MPC = "mpc"


class Hour(Value):
    """One hour of the answer: the published setpoint, the generation expected of it, and the reservoir at its end."""

    start: datetime
    setpoint_mw: float
    power_mw: float
    elevation_m: float
    spill_m3s: float
    inflow_m3s: float
    outflow_m3s: float


class Relaxation(Value):
    """A limit that could not hold: which, from when to when, and by how much at the worst."""

    limit: str
    start: datetime
    end: datetime
    worst: float
    unit: str
    text: str


class Binding(Value):
    """A limit that shapes the schedule over [start, end)."""

    limit: str
    start: datetime
    end: datetime


class Timing(Value):
    """Where the time went [s]."""

    build_s: float
    solve_s: float
    replay_s: float

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.build_s + self.solve_s + self.replay_s


class Replay(Value):
    """How far the model and the forward simulation differ at the most."""

    elevation_error_m: float
    power_error_mw: float
    passed: bool


class Solution(Answer):
    """The answer to a Case. `hours` is empty unless a schedule was found; only `publishable` ones may be acted on."""

    form: Form | None = None
    solver: str = ""
    hours: tuple[Hour, ...] = ()
    objective: float | None = None
    objective_by_term: dict[str, float] = Field(default_factory=dict)
    bound: float | None = None
    gap: float | None = None
    relaxations: tuple[Relaxation, ...] = ()
    bindings: tuple[Binding, ...] = ()
    timing: Timing | None = None
    replay: Replay | None = None
    next_action: str = ""

    @property
    def publishable(self) -> bool:
        """Whether the schedule passed its replay."""
        return self.status in {Status.SOLVED, Status.RELAXED} and self.replay is not None and self.replay.passed

    @property
    def relaxed(self) -> tuple[str, ...]:
        """The limits that could not hold, in words."""
        return tuple(relaxation.text for relaxation in self.relaxations)

    @property
    def took_s(self) -> float | None:
        """The whole of its timing."""
        return None if self.timing is None else self.timing.total_s


def options_of(site: AfterbaySite) -> Options:
    """The options that a site file's `schedule` section states. Raises ValueError naming the field."""
    section: dict[str, Any] = site.section("schedule")
    names = ("ranks", "integer_options", "night")
    chosen = {name: section[name] for name in names if name in section}
    if "mip_gap" in section:
        chosen["mip_gap"] = section["mip_gap"]
    if "time_limit" in section:
        chosen["time_limit_s"] = in_unit(section["time_limit"], "s")
    return Options.model_validate(chosen)

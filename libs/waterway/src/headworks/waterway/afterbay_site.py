"""The site model of an afterbay: its reservoir, unit, upstream, inflow and rules, read with units, checked, and held in SI."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headworks.waterway import quantities as q
from headworks.waterway.curves import StageStorage
from headworks.waterway.site import Section, Site


def _month_day(text: str) -> str:
    date.fromisoformat(f"2024-{text}")
    return text


MonthDay = Annotated[str, AfterValidator(_month_day)]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _weekdays(text: str) -> str:
    first, _, last = text.partition("-")
    last = last or first
    if first not in WEEKDAYS or last not in WEEKDAYS or WEEKDAYS.index(last) < WEEKDAYS.index(first):
        raise ValueError(f"{text!r} must be a weekday or a span of them, such as 'tue' or 'mon-fri'")
    return text


def _day_hours(hours: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= hours[0] < hours[1] <= 23:
        raise ValueError(f"{list(hours)} must be [start hour, end hour) with 0 <= start < end <= 23")
    return hours


DayHours = dict[Annotated[str, AfterValidator(_weekdays)], Annotated[tuple[int, int], AfterValidator(_day_hours)]]


class StageStorageSection(Section):
    """The coefficients of the parabola, in SI after reading."""

    a: q.CubicMetresPerSquareMetre = Field(description="m³/m² = m")
    b: q.SquareMetres
    c: q.CubicMetres
    lowest: q.Metres
    highest: q.Metres

    @property
    def curve(self) -> StageStorage:
        """The curve itself."""
        return StageStorage(self.a, self.b, self.c, self.lowest, self.highest)


class Reservoir(Section):
    """The afterbay's storage and limits [m]."""

    stage_storage: StageStorageSection
    minimum_elevation: q.Metres
    float_elevation: q.Metres
    float_buffer: q.Metres
    midpoint_elevation: q.Metres

    @model_validator(mode="after")
    def _ordered(self) -> "Reservoir":
        curve = self.stage_storage.curve
        if not curve.lowest_m < self.minimum_elevation < self.float_elevation - self.float_buffer < curve.highest_m:
            raise ValueError(
                "lowest < minimum_elevation < float_elevation - float_buffer < highest must hold; got "
                f"{curve.lowest_m:.2f}, {self.minimum_elevation:.2f}, "
                f"{self.float_elevation - self.float_buffer:.2f}, {curve.highest_m:.2f} m"
            )
        return self


class Unit(Section):
    """The powerhouse that empties the afterbay; always on."""

    resource: str
    min_power: q.Megawatts
    max_power: q.Megawatts
    ramp_rate: q.MegawattsPerMinute
    water_per_power: q.FlowPerMegawatt
    water_at_zero: q.CubicMetresPerSecond
    head_limit_slope: q.MegawattsPerMetre
    head_limit_intercept: q.Megawatts

    @model_validator(mode="after")
    def _ordered(self) -> "Unit":
        if not 0 <= self.min_power < self.max_power:
            raise ValueError(f"0 <= min_power < max_power must hold; got {self.min_power} and {self.max_power} MW")
        if self.ramp_rate <= 0:
            raise ValueError(f"ramp_rate={self.ramp_rate} MW/min must be above zero")
        return self


class UpstreamWater(Section):
    """Water of MF 1-2 = a·m² + b·m + c [m³/s], m in MW."""

    a: q.FlowPerMegawattSquared
    b: q.FlowPerMegawatt
    c: q.CubicMetresPerSecond


class Upstream(Section):
    """The powerhouses above (MFRA), dispatched by the market."""

    market_resource: str
    max_power: q.Megawatts
    share: float = Field(gt=0, le=1)
    generation_reduction_cap: q.Megawatts
    generation_reduction_per_flow: q.MegawattsPerFlow
    water: UpstreamWater
    flow_cap: q.CubicMetresPerSecond


class Inflow(Section):
    """How the net inflow is formed, and its bias found."""

    modes: dict[int, Literal["GEN", "SPILL"]]
    r4_counted_in_sum: bool
    bias_window: q.Seconds
    bias_clip: q.CubicMetresPerSecond


class Summer(Section):
    """The part of the year when spill is forbidden in the sense of the highest priority."""

    from_: MonthDay = Field(alias="from")
    to: MonthDay


class Spill(Section):
    """When spill is worse and when it is borne."""

    preferable_above_power: q.Megawatts
    summer: Summer


class WaterYearCalendar(Section):
    """Local [start, end) hours by weekdays ('tue', 'mon-fri') in the parts of a season."""

    to_labor_day: DayHours
    after: DayHours
    late: DayHours | None = None


class Rafting(Section):
    """The summer's rafting releases."""

    water_year_type: str
    season_end: MonthDay
    calendars: dict[str, WaterYearCalendar]
    late_from: MonthDay
    early_release_start_hour: int = Field(ge=0, le=23)
    early_release_saturdays: tuple[date, ...]

    @model_validator(mode="after")
    def _known(self) -> "Rafting":
        if self.water_year_type not in self.calendars:
            raise ValueError(f"water_year_type={self.water_year_type!r} must be one of {sorted(self.calendars)}")
        for day in self.early_release_saturdays:
            if day.weekday() != 5:
                raise ValueError(f"early_release_saturdays: {day} is no Saturday")
        return self


class Afterbay(Section):
    """The physics and rules of an afterbay site."""

    reservoir: Reservoir
    unit: Unit
    upstream: Upstream
    inflow: Inflow
    spill: Spill
    rafting: Rafting


class AfterbaySite(Site):
    """A site file whose model is an afterbay."""

    model: Literal["afterbay"]
    afterbay: Afterbay

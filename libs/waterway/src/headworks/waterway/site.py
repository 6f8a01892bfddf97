"""The site model: what a site file says of the plant, read with units, checked, and held in SI.

The model reads the top level and `afterbay`; the other sections belong to the services that decide on them, and are
kept as they were read.
"""

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from headworks.waterway import quantities as q
from headworks.waterway.curves import StageStorage


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


def _unit_of(si_unit: str) -> AfterValidator:
    return AfterValidator(lambda unit: q.check_unit(unit, si_unit))


DayHours = dict[Annotated[str, AfterValidator(_weekdays)], Annotated[tuple[int, int], AfterValidator(_day_hours)]]


class Section(BaseModel):
    """The base of every part of a site file: frozen, no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


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


class DisplayUnits(Section):
    """What people read values in; each is a unit name of the registry."""

    elevation: Annotated[str, _unit_of("m")]
    flow: Annotated[str, _unit_of("m**3/s")]
    volume: Annotated[str, _unit_of("m**3")]
    power: Annotated[str, _unit_of("MW")]


class Site(BaseModel):
    """A site file. Sections the model does not read are kept raw for their readers."""

    model_config = ConfigDict(frozen=True, extra="allow")

    site: str = Field(pattern=r"^[a-z][a-z0-9_\-]{0,49}$")
    name: str
    model: Literal["afterbay"]
    time_zone: str
    display_units: DisplayUnits
    afterbay: Afterbay

    @model_validator(mode="after")
    def _zone_exists(self) -> "Site":
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone={self.time_zone!r} is unknown; write it as America/Los_Angeles") from error
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's local time zone."""
        return ZoneInfo(self.time_zone)

    def section(self, name: str) -> dict[str, Any]:
        """A section as it was read. Raises ValueError where the site file has none."""
        section = (self.model_extra or {}).get(name)
        if section is None:
            raise ValueError(f"site {self.site}: section {name!r} is missing")
        return dict(section) if isinstance(section, dict) else {"items": section}


def parse_site(text: str) -> Site:
    """A site from the text of its file. Raises ValueError naming each field, its value and what would be right."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not a YAML document: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError("a site file is a mapping with the keys site, name, model, …")
    try:
        return Site.model_validate(raw)
    except ValidationError as error:
        raise ValueError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """Each wrong field on a line: where it stands, what it is, and what would be right."""
    return "\n".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
        + ("" if isinstance(e["input"], dict) else f" (got {e['input']!r})")
        for e in error.errors()
    )

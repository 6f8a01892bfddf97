"""The `sources` section of a site file: which tags, sites and resources to ask for."""

import math
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from headworks.common.messages import MEANS, Basis, Name
from headworks.waterway.quantities import Seconds, check_unit, in_unit
from headworks.waterway.series import SeriesName, si_series
from headworks.waterway.site import Site, explain


def _known_series(base: str) -> str:
    si_series(base)
    return base


def _flow_series(base: str) -> str:
    if si_series(base).si_unit != "m**3/s":
        raise ValueError(f"{base!r} must be a flow, such as 'r30_flow'")
    return base


SeriesBase = Annotated[str, AfterValidator(_known_series)]
Pause = Annotated[Seconds, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PiSeries(_Section):
    """One tag: its path, unit, and the range beyond which a value is suspect."""

    series: SeriesBase
    path: str = Field(min_length=1)
    unit: str
    kind: Literal["instant", "average", "enumeration"]
    range: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _convertible(self) -> "PiSeries":
        enumeration = self.kind == "enumeration"
        if enumeration != (self.name.si_unit == ""):
            raise ValueError(f"series={self.series!r} does not fit kind={self.kind!r}")
        if enumeration:
            if self.range is not None or self.unit != "":
                raise ValueError(f"series={self.series!r} is an enumeration: it has no unit and no range")
            return self
        check_unit(self.unit, self.name.si_unit)
        if self.range is not None and self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"range={list(self.range)} must go from low to high")
        return self

    @cached_property
    def name(self) -> SeriesName:
        """The series inside."""
        return si_series(self.series)

    @cached_property
    def factor(self) -> float:
        """What the tag's value is multiplied by to be SI."""
        return 1.0 if self.kind == "enumeration" else in_unit(f"1 {self.unit}", self.name.si_unit)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The plausible range in SI."""
        if self.range is None:
            return -math.inf, math.inf
        low, high = (in_unit(bound, self.name.si_unit) for bound in self.range)
        return low, high

    def si(self, value: float) -> float:
        """The tag's value in SI. Raises ValueError where that is no finite number."""
        si_value = value * self.factor
        if not math.isfinite(si_value):
            raise ValueError(f"{value!r} {self.unit} is not a finite number")
        return si_value

    def plausible(self, si_value: float) -> bool:
        """Whether the value lies in the stated range."""
        low, high = self.bounds
        return low <= si_value <= high


class PiSection(_Section):
    """The PI Web API."""

    kind: Literal["pi_web_api"]
    poll_every: Pause
    history: Pause
    summary: Seconds = Field(default=3600, description="the step of instants and means: an hour, or a quarter of one")
    data_server: str
    database: str
    series: Annotated[tuple[PiSeries, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> "PiSection":
        _once("series", [s.series for s in self.series])
        _once("path", [s.path for s in self.series])
        if self.step not in MEANS:
            known = " or ".join(f"{span.total_seconds() / 60:g} min" for span in MEANS)
            raise ValueError(f"summary={self.summary:g} s must be {known}")
        return self

    @property
    def step(self) -> timedelta:
        """The step of instants and means."""
        return timedelta(seconds=self.summary)

    @property
    def mean(self) -> Basis:
        """What a mean of a step is kept as."""
        return MEANS[self.step]


class HydroForecastSite(_Section):
    """A stream: the vendor's site, and CNRFC's when that fails."""

    series: Annotated[str, AfterValidator(_flow_series)]
    site_id: str
    cnrfc_id: str


class HydroForecastSection(_Section):
    """HydroForecast."""

    kind: Literal["hydroforecast"]
    poll_every: Pause
    valid_times_mark: Literal["start", "end"]
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    sites: Annotated[tuple[HydroForecastSite, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> "HydroForecastSection":
        _once("sites", [s.series for s in self.sites])
        _once("quantiles", list(self.quantiles))
        return self


class CaisoSection(_Section):
    """CAISO's day-ahead awards."""

    kind: Literal["caiso"]
    poll_every: Pause
    resource: Name
    product: Name
    published_after_hour: int = Field(ge=0, le=23)


class EntsoeSection(_Section):
    """Day-ahead prices of a bidding zone, from the ENTSO-E Transparency Platform."""

    kind: Literal["entsoe"]
    poll_every: Pause
    zone: str = Field(pattern=r"^[0-9]{2}[A-Z][A-Z0-9-]{12}[A-Z0-9]$", description="the zone's EIC code")
    published_after_hour: int = Field(ge=0, le=23)


def _once(field: str, values: list[Any]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{field} must name each but once; twice are {twice}")


class SourcesSection(_Section):
    """The sources that a site has."""

    pi: PiSection | None = None
    hydroforecast: HydroForecastSection | None = None
    caiso: CaisoSection | None = None
    entsoe: EntsoeSection | None = None


def sources_of(site: Site) -> SourcesSection:
    """The site's sources. Raises ValueError naming the field."""
    raw: dict[str, Any] = site.section("sources")
    try:
        section = SourcesSection.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"site {site.site}: sources: {explain(error)}") from error
    if all(source is None for _, source in section):
        raise ValueError(
            f"site {site.site}: sources: must name at least one of {', '.join(SourcesSection.model_fields)}"
        )
    return section

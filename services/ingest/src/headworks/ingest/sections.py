"""The `sources` section of a site file: which tags, sites and resources to ask for."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headworks.waterway.quantities import Seconds, in_unit
from headworks.waterway.series import SeriesName, si_series
from headworks.waterway.site import Site, explain


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PiSeries(_Section):
    """One tag: its path, unit, and the range beyond which a value is suspect."""

    series: str
    path: str
    unit: str
    kind: Literal["instant", "average", "enumeration"]
    range: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _convertible(self) -> "PiSeries":
        name = self.name
        for bound in self.range or ():
            in_unit(bound, name.si_unit)
        return self

    @property
    def name(self) -> SeriesName:
        """The series inside."""
        return si_series(self.series)

    def si(self, value: float) -> float:
        """The tag's value in SI."""
        return value if self.kind == "enumeration" else in_unit(f"{value!r} {self.unit}", self.name.si_unit)

    def plausible(self, si_value: float) -> bool:
        """Whether the value lies in the stated range."""
        if self.range is None:
            return True
        low, high = (in_unit(bound, self.name.si_unit) for bound in self.range)
        return low <= si_value <= high


class PiSection(_Section):
    """The PI Web API."""

    kind: Literal["pi_web_api"]
    poll_every: Seconds
    history: Seconds
    data_server: str
    database: str
    series: tuple[PiSeries, ...]


class HydroForecastSite(_Section):
    """A stream: the vendor's site, and CNRFC's when that fails."""

    series: str
    site_id: str
    cnrfc_id: str


class HydroForecastSection(_Section):
    """HydroForecast."""

    kind: Literal["hydroforecast"]
    poll_every: Seconds
    valid_times_mark: Literal["start", "end"]
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    sites: tuple[HydroForecastSite, ...]


class CaisoSection(_Section):
    """CAISO's day-ahead awards."""

    kind: Literal["caiso"]
    poll_every: Seconds
    resource: str
    product: str
    published_after_hour: int = Field(ge=0, le=23)


class SourcesSection(_Section):
    """All sources of a site."""

    pi: PiSection
    hydroforecast: HydroForecastSection
    caiso: CaisoSection


def sources_of(site: Site) -> SourcesSection:
    """The site's sources. Raises ValueError naming the field."""
    raw: dict[str, Any] = site.section("sources")
    try:
        return SourcesSection.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"site {site.site}: sources: {explain(error)}") from error

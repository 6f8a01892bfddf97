"""The `import` section of a site file: how a historian file is written, and which column is which series in which unit."""

import math
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from headworks.common.messages import MEANS
from headworks.waterway.quantities import CubicMetres, CubicMetresPerSecond, Hertz, Megawatts, Seconds, in_unit
from headworks.waterway.series import SeriesName, si_series
from headworks.waterway.site import Section, Site, explain


def _known_series(base: str) -> str:
    si_series(base)
    return base


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is unknown; write it as Europe/Helsinki or UTC") from error
    return name


class StandsFor(StrEnum):
    """What a value stands for, seen from its row's stamp."""

    INSTANT = "instant"
    STEP_BEFORE = "step_before"
    STEP_AFTER = "step_after"


class Column(Section):
    """One column: its series, its unit, what its values stand for, and the range beyond which one is suspect."""

    column: str = Field(min_length=1)
    series: Annotated[str, AfterValidator(_known_series)]
    unit: str
    stands_for: StandsFor
    range: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _convertible(self) -> "Column":
        if self.name.si_unit == "":
            raise ValueError(f"series={self.series!r} is an enumeration; a record has series of numbers only")
        if in_unit(f"1 {self.unit}", self.name.si_unit) <= 0:
            raise ValueError(f"unit={self.unit!r} must be above zero")
        if self.range is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"range={list(self.range)} must go from low to high")
        return self

    @property
    def name(self) -> SeriesName:
        """The series inside."""
        return si_series(self.series)

    @property
    def factor(self) -> float:
        """What a number of the file is multiplied by to be SI."""
        return in_unit(f"1 {self.unit}", self.name.si_unit)

    @property
    def bounds(self) -> tuple[float, float]:
        """The plausible range in SI."""
        if self.range is None:
            return -math.inf, math.inf
        low, high = (in_unit(bound, self.name.si_unit) for bound in self.range)
        return low, high


class TimeColumn(Section):
    """The column of local times, and how they may be written, in the letters of strftime."""

    column: str = Field(min_length=1)
    formats: Annotated[tuple[str, ...], Field(min_length=1)]
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="the site's own where left out"
    )


class Standing(Section):
    """Readings up to which a pump stands."""

    frequency: Hertz
    power: Megawatts
    flow: CubicMetresPerSecond


class Drop(Section):
    """A value far below its neighbours': under `share` of the median of what lies within `around`."""

    series: Annotated[str, AfterValidator(_known_series)]
    share: float = Field(gt=0, lt=1)
    around: Annotated[Seconds, Field(gt=0)]


class StationChecks(Section):
    """What a pumping station's record must agree with, and how closely."""

    standing: Standing
    balance: Annotated[CubicMetres, Field(gt=0, description="how far the volume may be from the flows' balance")]
    curve: Annotated[CubicMetres, Field(gt=0, description="how far the volume may be from the tunnel's curve")]
    drops: tuple[Drop, ...] = ()


class _Layout(Section):
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8-sig"
    sheet: str | None = Field(default=None, description="a workbook's sheet; its first where left out")

    @model_validator(mode="after")
    def _apart(self) -> "_Layout":
        if self.delimiter == self.decimal:
            raise ValueError(f"delimiter and decimal are both {self.decimal!r}; they must differ")
        return self


class RecordMapping(_Layout):
    """A record: one row per step."""

    kind: Literal["record"]
    step: Seconds
    time: TimeColumn
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    checks: StationChecks | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "RecordMapping":
        if self.interval not in MEANS:
            known = ", ".join(f"{span.total_seconds() / 60:g} min" for span in sorted(MEANS))
            raise ValueError(f"step={self.step:g} s must be one of {known}")
        for field in ("column", "series"):
            values = [getattr(c, field) for c in self.columns]
            if twice := sorted({v for v in values if values.count(v) > 1}):
                raise ValueError(f"columns: each {field} must be given once; twice are {twice}")
        return self

    @property
    def interval(self) -> timedelta:
        """The step."""
        return timedelta(seconds=self.step)


class LevelVolumeMapping(_Layout):
    """A table of a tunnel's volume by level, to be held against the site's curve."""

    kind: Literal["level_volume"]
    level: str = Field(description="the column of levels [m]")
    volume: str = Field(description="the column of volumes [m³]")
    agrees_within: Annotated[CubicMetres, Field(gt=0)]


Mapping = Annotated[RecordMapping | LevelVolumeMapping, Field(discriminator="kind")]
MappingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_\-]{0,49}$")]
_Mappings: TypeAdapter[dict[MappingName, Mapping]] = TypeAdapter(dict[MappingName, Mapping])


def mappings_of(site: Site) -> dict[str, RecordMapping | LevelVolumeMapping]:
    """The site's mappings by name; none where its file has no such section. Raises ValueError naming the field."""
    try:
        return _Mappings.validate_python((site.model_extra or {}).get("import") or {})
    except ValidationError as error:
        raise ValueError(f"site {site.site}: import: {explain(error)}") from error


def mapping_of(site: Site, name: str | None) -> tuple[str, RecordMapping | LevelVolumeMapping]:
    """A mapping by name, or the site's first, with its name. Raises ValueError."""
    mappings = mappings_of(site)
    if not mappings:
        raise ValueError(f"site {site.site}: its file has no mapping in the section 'import'")
    wanted = next(iter(mappings)) if name is None else name
    if wanted not in mappings:
        raise ValueError(f"mapping={wanted!r} must be one of {', '.join(mappings)}")
    return wanted, mappings[wanted]


def unit_in(header: str) -> str | None:
    """The unit that a header names last in brackets: `Price (EUR/kWh)` → EUR/kWh; None without one."""
    found = re.search(r"[(\[]([^()\[\]]+)[)\]]\s*$", header)
    return found.group(1).strip() if found else None

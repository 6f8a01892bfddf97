"""What every site file says: its name, which model describes it, its time zone, and the units people read.

The site model of a kind (afterbay_site.py, station_site.py) adds its physics and rules. The other sections belong to the
services that decide on them, and are kept as they were read.
"""

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from headworks.waterway import quantities as q


def _unit_of(si_unit: str) -> AfterValidator:
    return AfterValidator(lambda unit: q.check_unit(unit, si_unit))


class Section(BaseModel):
    """The base of every part of a site file: frozen, no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class DisplayUnits(Section):
    """What people read values in; each is a unit name of the registry."""

    elevation: Annotated[str, _unit_of("m")]
    flow: Annotated[str, _unit_of("m**3/s")]
    volume: Annotated[str, _unit_of("m**3")]
    power: Annotated[str, _unit_of("MW")]


class Site(BaseModel):
    """What all sites have. Sections the site's model does not read are kept raw for their readers."""

    model_config = ConfigDict(frozen=True, extra="allow")

    site: str = Field(pattern=r"^[a-z][a-z0-9_\-]{0,49}$")
    name: str
    model: str
    time_zone: str
    display_units: DisplayUnits

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


def explain(error: ValidationError) -> str:
    """Each wrong field on a line: where it stands, what it is, and what would be right."""
    return "\n".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
        + ("" if isinstance(e["input"], dict) else f" (got {e['input']!r})")
        for e in error.errors()
    )

"""The `alarms` section of a site file: which conditions are told to people, and how soon.

Five kinds: a level beyond a limit, a series without a good value, a series that is not yet known for tomorrow, an award that is
missing, and an event on the bus.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.types import Discriminator, Tag

from headworks.common.messages import Name, Severity
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import Seconds, in_unit
from headworks.waterway.series import SeriesName, si_series
from headworks.waterway.site import explain
from headworks.waterway.site_file import AnySite


def _known_series(base: str) -> str:
    si_series(base)
    return base


def _not_negative(seconds: float) -> float:
    if seconds < 0:
        raise ValueError(f"{seconds} s must not be negative")
    return seconds


Delay = Annotated[Seconds, AfterValidator(_not_negative)]
Base = Annotated[str, AfterValidator(_known_series)]


class _Alarm(BaseModel):
    """What every alarm has: a title, a severity and how long its condition must hold, and be gone [s of plant time]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    severity: Severity
    on_delay: Delay = 0.0
    off_delay: Delay = 0.0

    @property
    def delay(self) -> timedelta:
        """How long the condition must hold before the alarm is raised."""
        return timedelta(seconds=self.on_delay)

    @property
    def return_delay(self) -> timedelta:
        """How long the condition must be gone before the alarm returns."""
        return timedelta(seconds=self.off_delay)


class LevelAlarm(_Alarm):
    """A series below or above a limit; it returns only beyond the deadband. Older values than `valid_for` say nothing."""

    series: Base
    below: str | None = None
    above: str | None = None
    above_float_less: str | None = Field(default=None, description="above the measured float less this")
    deadband: str
    valid_for: Seconds = 7200.0

    @model_validator(mode="after")
    def _one_limit(self) -> "LevelAlarm":
        given = [bound for bound in (self.below, self.above, self.above_float_less) if bound is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of below, above, above_float_less")
        in_unit(given[0], self.name.si_unit)
        if in_unit(self.deadband, self.name.si_unit) <= 0:
            raise ValueError(f"deadband={self.deadband!r} must be above 0, or noise about the limit chatters")
        return self

    @property
    def name(self) -> SeriesName:
        """The series inside."""
        return si_series(self.series)

    def si(self, quantity: str) -> float:
        """A quantity of this section in the series' SI unit."""
        return in_unit(quantity, self.name.si_unit)


class StaleAlarm(_Alarm):
    """No good value of a series that is younger than `stale_after`."""

    series: Base
    stale_after: Seconds


class _TomorrowAlarm(_Alarm):
    """Something of tomorrow is not known after an hour of the local day; before it, of today."""

    missing_for: Literal["tomorrow"]
    from_local_hour: int = Field(ge=0, le=23)


class AheadAlarm(_TomorrowAlarm):
    """A series that is published ahead, such as prices, does not reach to the end of the day."""

    series: Base


class AwardAlarm(_TomorrowAlarm):
    """The award of a trade date is not known."""

    market: Literal["award"]


class EventAlarm(_Alarm):
    """Something that another service says on the bus."""

    event: Literal[
        "run_failed",
        "plan_refused",
        "setpoint_refused",
        "plc_lost",
        "read_back_differs",
        "e_stop",
        "interlock",
        "fail_safe",
        "heartbeat_lost",
        "discovery",
    ]


def _kind(raw: Any) -> str:
    keys = set(raw) if isinstance(raw, dict) else set()
    if "event" in keys:
        return "event"
    if "market" in keys:
        return "award"
    if "missing_for" in keys:
        return "ahead"
    return "stale" if "stale_after" in keys else "level"


Alarm = LevelAlarm | StaleAlarm | AheadAlarm | AwardAlarm | EventAlarm
_Tagged = Annotated[
    Annotated[LevelAlarm, Tag("level")]
    | Annotated[StaleAlarm, Tag("stale")]
    | Annotated[AheadAlarm, Tag("ahead")]
    | Annotated[AwardAlarm, Tag("award")]
    | Annotated[EventAlarm, Tag("event")],
    Discriminator(_kind),
]
_SECTION: TypeAdapter[dict[Name, Alarm]] = TypeAdapter(dict[Name, _Tagged])


def alarms_of(site: AnySite) -> dict[str, Alarm]:
    """The site's alarms by name. Raises ValueError naming the alarm, the field and what would be right."""
    try:
        alarms = dict(_SECTION.validate_python(site.section("alarms")))
    except ValidationError as error:
        raise ValueError(f"site {site.site}: alarms: {explain(error)}") from error
    if not isinstance(site, AfterbaySite):
        for name, alarm in alarms.items():
            if (field := _of_an_afterbay(alarm)) is not None:
                raise ValueError(
                    f"site {site.site}: alarms: {name}: {field}: model={site.model} has none; only an afterbay has"
                )
    return alarms


def _of_an_afterbay(alarm: Alarm) -> str | None:
    """The field that only an afterbay can have an alarm on, or None."""
    if isinstance(alarm, AwardAlarm):
        return "market"
    return "above_float_less" if isinstance(alarm, LevelAlarm) and alarm.above_float_less is not None else None

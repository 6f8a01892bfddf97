"""Decides whether an alarm's condition holds, from what is known and the time; pure.

A reading is None when nothing can be said (no value, or one too old): the alarm then stays as it is, and the alarm on
staleness speaks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import assert_never

from headworks.alerts.sections import AheadAlarm, Alarm, AwardAlarm, EventAlarm, LevelAlarm, StaleAlarm
from headworks.common.messages import Quality, Sample
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si
from headworks.waterway.series import FLOAT_ELEVATION, si_series
from headworks.waterway.site_file import AnySite
from headworks.waterway.timegrid import local_midnight


@dataclass(frozen=True, slots=True)
class Known:
    """The newest good value of a series [SI] and the instant up to which it speaks."""

    value: float
    until: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an event alarm holds: what was said, and when."""

    text: str
    at: datetime


@dataclass
class Facts:
    """What was heard of one site. `watching_since` is when we began to listen."""

    watching_since: datetime
    latest: dict[str, Known] = field(default_factory=dict)
    award_dates: set[date] = field(default_factory=set)

    def learn(self, sample: Sample) -> None:
        """Keep a good value when it is newer than what is known."""
        if sample.value is None or sample.quality is not Quality.GOOD:
            return
        until = sample.valid_at + sample.basis.span
        known = self.latest.get(sample.series)
        if known is None or known.until <= until:
            self.latest[sample.series] = Known(sample.value, until)


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether the condition holds, in words, with the value [unit] it was read from."""

    holds: bool
    text: str
    value: float | None = None
    unit: str = ""


def read(
    alarm: Alarm, site: AnySite, facts: Facts, causes: Mapping[str, Cause], now: datetime, *, held: bool
) -> Reading | None:
    """The condition now. `held` says whether it held before, for the deadband."""
    match alarm:
        case LevelAlarm():
            return _level(alarm, site, facts, now, held)
        case StaleAlarm():
            return _staleness(alarm, facts, now)
        case AheadAlarm():
            return _ahead(alarm, site, facts, now)
        case AwardAlarm():
            return _award(alarm, site, facts, now)
        case EventAlarm():
            return Reading(bool(causes), "; ".join(cause.text for _, cause in sorted(causes.items())))
        case _:
            assert_never(alarm)


def _level(alarm: LevelAlarm, site: AnySite, facts: Facts, now: datetime, held: bool) -> Reading | None:
    known = facts.latest.get(alarm.name.name)
    if known is None or now - known.until > timedelta(seconds=alarm.valid_for):
        return None
    limit, upward = _limit(alarm, site, facts)
    beyond = known.value - limit if upward else limit - known.value
    holds = beyond > (-alarm.si(alarm.deadband) if held else 0.0)
    unit, digits = _display_unit(site, alarm.name.si_unit), 2 if alarm.name.si_unit != "m**3/s" else 0
    value, shown_limit = (from_si(number, alarm.name.si_unit, unit) for number in (known.value, limit))
    side = (
        ("above" if upward else "below") if beyond > 0 else "within the deadband of" if holds else "within the limit of"
    )
    return Reading(holds, f"{value:.{digits}f} {unit} is {side} {shown_limit:.{digits}f} {unit}", value, unit)


def _limit(alarm: LevelAlarm, site: AnySite, facts: Facts) -> tuple[float, bool]:
    """The limit [SI], and whether it is an upper one."""
    if alarm.below is not None:
        return alarm.si(alarm.below), False
    if alarm.above is not None:
        return alarm.si(alarm.above), True
    return _float_m(site, facts) - alarm.si(alarm.above_float_less or "0 m"), True


def _float_m(site: AnySite, facts: Facts) -> float:
    if not isinstance(site, AfterbaySite):
        raise ValueError(f"site {site.site}: model={site.model} has no float; only an afterbay has")
    measured = facts.latest.get(FLOAT_ELEVATION)
    return measured.value if measured else site.afterbay.reservoir.float_elevation


def _display_unit(site: AnySite, si_unit: str) -> str:
    units = site.display_units
    shown = {"m": units.elevation, "m**3/s": units.flow, "m**3": units.volume, "MW": units.power}
    return shown.get(si_unit, si_unit)


def _staleness(alarm: StaleAlarm, facts: Facts, now: datetime) -> Reading:
    known = facts.latest.get(si_series(alarm.series).name)
    since = known.until if known else facts.watching_since
    age = now - since
    holds = age > timedelta(seconds=alarm.stale_after)
    last = f"last good {alarm.series} at {since:%Y-%m-%d %H:%M}Z" if known else f"no good {alarm.series} heard yet"
    return Reading(holds, f"{last}, {max(0.0, age.total_seconds()) / 60:.0f} min ago" if known else last)


def _ahead(alarm: AheadAlarm, site: AnySite, facts: Facts, now: datetime) -> Reading:
    due = _due(alarm, site, now)
    known = facts.latest.get(si_series(alarm.series).name)
    reaches = known is not None and known.until >= local_midnight(due + timedelta(days=1), site.zone)
    reach = f"known up to {known.until:%Y-%m-%d %H:%M}Z" if known else "not known at all"
    return Reading(not reaches, f"{alarm.series} is {reach}; it is wanted to the end of {due}")


def _due(alarm: AheadAlarm | AwardAlarm, site: AnySite, now: datetime) -> date:
    """The last local day that must be known now."""
    local = now.astimezone(site.zone)
    return local.date() + timedelta(days=1 if local.hour >= alarm.from_local_hour else 0)


def _award(alarm: AwardAlarm, site: AnySite, facts: Facts, now: datetime) -> Reading:
    due = _due(alarm, site, now)
    known = due in facts.award_dates
    return Reading(not known, f"the award of {due} is {'known' if known else 'not known'}")

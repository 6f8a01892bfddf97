"""Whether those that the gateway follows have fallen silent: pure. Silence longer than set means the configured fail-safe.

Plans rest on measurements, and not on every one: a market's price or another source's value says nothing of a level that nobody
measures any more. So the site file names the series that its control rests on, and their sources; each must come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import NamedTuple

from headworks.common.messages import Measurements, Quality
from headworks.control_gateway.safety import CLOCKS_DIFFER_S


class Measured(NamedTuple):
    """A series that control rests on, by its inside name, and the one source whose values of it count."""

    source: str
    series: str


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How long silence is borne [s]; None: for ever. Raises ValueError naming the field that cannot be right."""

    plan_updates_silent_after_s: float
    measurements_silent_after_s: float | None = None
    rests_on: tuple[Measured, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would never or always be silent."""
        for name in ("plan_updates_silent_after_s", "measurements_silent_after_s"):
            value: float | None = getattr(self, name)
            if value is not None and not (isfinite(value) and value > 0):
                raise ValueError(f"{name}={value:g} must be above zero")
        if (self.measurements_silent_after_s is None) is not (self.rests_on == ()):
            raise ValueError(
                "measurements_silent_after and measurements must both be there or neither: how long which series may be silent"
            )


@dataclass(frozen=True, slots=True)
class Heard:
    """When whoever made the plan in force last made one, if one is; until when each series that control rests on was measured."""

    plan_at: datetime | None
    measured_at: Mapping[Measured, datetime]


def measured_until(
    before: Mapping[Measured, datetime], came: Measurements, now: datetime
) -> Mapping[Measured, datetime]:
    """Until when each series that control rests on was measured, now that a source gave samples.

    What counts is when a value was measured, not when it came: one that came late, or again and again, is as old as it is. A
    mean was measured until its span ends. What is not GOOD, what somebody put in, and what is of the future is no measurement.
    """
    at = dict(before)
    for sample in came.samples:
        series = Measured(came.source, sample.series)
        of_the_future = sample.valid_at > now + timedelta(seconds=CLOCKS_DIFFER_S)
        if series in at and sample.quality is Quality.GOOD and sample.substituted is None and not of_the_future:
            at[series] = max(at[series], min(sample.valid_at + sample.basis.span, now))
    return at


def silence(limits: WatchLimits, heard: Heard, now: datetime) -> str | None:
    """Who has been silent for too long. An actuator that has no plan at all waits for none."""
    found = []
    plan_at, plans_s, measured_s = heard.plan_at, limits.plan_updates_silent_after_s, limits.measurements_silent_after_s
    if plan_at is not None and not _is_recent(plan_at, plans_s, now):
        found.append(f"no plan update for {plans_s:g} s")
    if measured_s is not None:
        silent = [s for s in limits.rests_on if not _is_recent(heard.measured_at[s], measured_s, now)]
        found += [f"no measurement of {name} by {source} for {measured_s:g} s" for source, name in silent]
    return " and ".join(found) or None


def _is_recent(at: datetime, within_s: float, now: datetime) -> bool:
    """What was heard further in the future than clocks may differ is of a clock that is wrong, and counts as not heard."""
    return -CLOCKS_DIFFER_S <= (now - at).total_seconds() <= within_s

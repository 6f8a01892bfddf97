"""Whether those that the gateway follows have fallen silent: pure. Silence longer than set means the configured fail-safe."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from headworks.control_gateway.safety import CLOCKS_DIFFER_S


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How long silence is borne [s]; None: for ever. Raises ValueError naming the field that cannot be right."""

    plan_updates_silent_after_s: float
    measurements_silent_after_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would never or always be silent."""
        for name in self.__slots__:
            value: float | None = getattr(self, name)
            if value is not None and not (isfinite(value) and value > 0):
                raise ValueError(f"{name}={value:g} must be above zero")


@dataclass(frozen=True, slots=True)
class Heard:
    """When whoever made the plan in force last made one, if one is; when measurements last came, or the gateway began."""

    plan_at: datetime | None
    measured_at: datetime


def silence(limits: WatchLimits, heard: Heard, now: datetime) -> str | None:
    """Who has been silent for too long. An actuator that has no plan at all waits for none."""
    found = []
    plan_at, plans_s, measured_s = heard.plan_at, limits.plan_updates_silent_after_s, limits.measurements_silent_after_s
    if plan_at is not None and not _is_recent(plan_at, plans_s, now):
        found.append(f"no plan update for {plans_s:g} s")
    if measured_s is not None and not _is_recent(heard.measured_at, measured_s, now):
        found.append(f"no measurement for {measured_s:g} s")
    return " and ".join(found) or None


def _is_recent(at: datetime, within_s: float, now: datetime) -> bool:
    """What was heard further in the future than clocks may differ is of a clock that is wrong, and counts as not heard."""
    return -CLOCKS_DIFFER_S <= (now - at).total_seconds() <= within_s

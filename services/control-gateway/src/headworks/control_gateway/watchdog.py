"""Whether those that the gateway follows have fallen silent: pure. Silence longer than set means the configured fail-safe."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite


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
    """When an actuator's newest plan was made, if it has one; when measurements last came, or the gateway began."""

    plan_at: datetime | None
    measured_at: datetime


def silence(limits: WatchLimits, heard: Heard, now: datetime) -> str | None:
    """Who has been silent for too long. An actuator that has no plan at all waits for none."""
    found = []
    plan_at, plans_s, measured_s = heard.plan_at, limits.plan_updates_silent_after_s, limits.measurements_silent_after_s
    if plan_at is not None and (now - plan_at).total_seconds() > plans_s:
        found.append(f"no plan update for {plans_s:g} s")
    if measured_s is not None and (now - heard.measured_at).total_seconds() > measured_s:
        found.append(f"no measurement for {measured_s:g} s")
    return " and ".join(found) or None

"""Plant time: the real clock by default, or a scaled one (demo and e2e run a plant-day in minutes).

Plans, schedules and plant time read this clock; the machines' own timeouts stay on the real one. Decisions never call
it: they take `now` as an argument.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """Plant time = epoch + (wall − wall_epoch)·speed; speed 1 without an epoch is the real clock."""

    epoch: datetime | None = None
    wall_epoch_s: float = 0.0
    speed: float = 1.0

    def now(self) -> datetime:
        """The plant's instant, aware UTC."""
        if self.epoch is None:
            return datetime.now(UTC)
        return self.epoch + timedelta(seconds=(time.time() - self.wall_epoch_s) * self.speed)

    def real_seconds(self, plant: timedelta) -> float:
        """How long a stretch of plant time lasts on the machine's clock."""
        return plant.total_seconds() / self.speed


def clock_from_environment(environment: Mapping[str, str]) -> Clock:
    """The clock that HEADWORKS_CLOCK_EPOCH, _WALL_EPOCH and _SPEED describe. Raises ValueError when half described."""
    epoch_text = environment.get("HEADWORKS_CLOCK_EPOCH")
    if not epoch_text:
        return Clock()
    epoch = datetime.fromisoformat(epoch_text)
    if epoch.tzinfo is None:
        raise ValueError(
            f"HEADWORKS_CLOCK_EPOCH={epoch_text!r} has no time zone; write it as 2026-02-17T08:00:00+00:00"
        )
    speed = float(environment.get("HEADWORKS_CLOCK_SPEED", "1"))
    if not 0 < speed <= 100_000:
        raise ValueError(f"HEADWORKS_CLOCK_SPEED={speed} must lie between 0 and 100000")
    wall_epoch_text = environment.get("HEADWORKS_CLOCK_WALL_EPOCH")
    if not wall_epoch_text:
        raise ValueError("HEADWORKS_CLOCK_WALL_EPOCH is missing: all processes of a scaled clock share one wall epoch")
    return Clock(epoch.astimezone(UTC), float(wall_epoch_text), speed)

"""The simulated world's clock: the same three environment variables as the services read, and its own reading of them."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class WorldClock:
    """Plant time = epoch + (wall − wall_epoch)·speed."""

    epoch: datetime
    wall_epoch_s: float
    speed: float

    def now(self) -> datetime:
        """The plant's instant."""
        return self.epoch + timedelta(seconds=(time.time() - self.wall_epoch_s) * self.speed)


def world_clock() -> WorldClock:
    """The clock that HEADWORKS_CLOCK_* describe; real time without them. Raises ValueError naming the variable."""
    wall_s = float(os.environ.get("HEADWORKS_CLOCK_WALL_EPOCH") or time.time())
    speed = float(os.environ.get("HEADWORKS_CLOCK_SPEED") or 1)
    if not speed > 0:
        raise ValueError(f"HEADWORKS_CLOCK_SPEED={speed} must be above 0")
    text = os.environ.get("HEADWORKS_CLOCK_EPOCH")
    epoch = datetime.fromisoformat(text) if text else datetime.fromtimestamp(wall_s, UTC)
    if epoch.tzinfo is None:
        raise ValueError(f"HEADWORKS_CLOCK_EPOCH={text!r} has no time zone; write it as 2026-02-17T08:00:00+00:00")
    return WorldClock(epoch.astimezone(UTC), wall_s, speed)

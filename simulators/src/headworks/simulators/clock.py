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
    """The clock that HEADWORKS_CLOCK_* describe; real time without them."""
    wall_s = float(os.environ.get("HEADWORKS_CLOCK_WALL_EPOCH") or time.time())
    text = os.environ.get("HEADWORKS_CLOCK_EPOCH")
    epoch = datetime.fromisoformat(text) if text else datetime.fromtimestamp(wall_s, UTC)
    return WorldClock(epoch.astimezone(UTC), wall_s, float(os.environ.get("HEADWORKS_CLOCK_SPEED") or 1))

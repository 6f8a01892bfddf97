"""How far a site's time had come, kept for the next start: a wall clock that is set while the gateway is down is noticed then.

Within one boot of the machine its own seconds tell what the time would be. After another boot nobody knows how long the machine
was off; but a wall clock that stands before what was seen already was surely set back, by that much at least.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.clock import Clock
from headworks.common.messages import Instant
from headworks.control_gateway.lease import seconds

log = structlog.get_logger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ClockMark(BaseModel):
    """An instant, the machine's second in which it was, and the boot that the seconds count from; '' where that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: Instant
    at_s: float
    boot: str


def would_be(mark: ClockMark | None, recorded_at: datetime | None, now: ClockMark, speed: float) -> datetime | None:
    """The instant that it would be now, had nobody set the wall clock; None where nothing says that somebody did.

    `now` has the wall clock's instant, `recorded_at` is that of the last entry in the journal.
    """
    if mark is not None and mark.boot == now.boot != "":
        return mark.at + timedelta(seconds=(now.at_s - mark.at_s) * speed)
    marked_at = None if mark is None else mark.at
    return max((at for at in (marked_at, recorded_at) if at is not None and at > now.at), default=None)


def boot_id() -> str:
    """Which boot of the machine this is; '' where it does not say."""
    with contextlib.suppress(OSError):
        return BOOT_ID.read_text().strip() if sys.platform == "linux" else ""
    return ""


@dataclass(frozen=True, slots=True)
class ClockMarks:
    """The marks of all sites in a folder."""

    folder: Path
    wall: Clock
    recorded_at: datetime | None
    clock_s: Callable[[], float] = seconds
    boot: str = field(default_factory=boot_id)

    def would_be(self, site: str) -> datetime | None:
        """The instant that it would be now for a site, had nobody set the wall clock since this folder was last in use."""
        return would_be(self._read(site), self.recorded_at, self._mark(self.wall.now()), self.wall.speed)

    def leave(self, site: str, at: datetime) -> None:
        """Keep that it is an instant now for a site. One that is lost with the power leaves less to be known, nothing wrong."""
        path = self._path(site)
        part = path.with_suffix(".part")
        with contextlib.suppress(OSError):
            part.write_text(self._mark(at).model_dump_json())
            part.replace(path)

    def _mark(self, at: datetime) -> ClockMark:
        return ClockMark(at=at, at_s=self.clock_s(), boot=self.boot)

    def _path(self, site: str) -> Path:
        return self.folder / f"clock-{site}.json"

    def _read(self, site: str) -> ClockMark | None:
        try:
            return ClockMark.model_validate_json(self._path(site).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            log.exception("a clock's mark cannot be read: the journal alone says what time it was", site=site)
            return None

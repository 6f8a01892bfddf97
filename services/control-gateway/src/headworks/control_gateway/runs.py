"""Since when each pump runs or stands, as the gateway saw it; kept in a local file, so that it holds over a restart.

What was not seen is not known: of a pump first seen, or unseen for too long, the PLC's own count says how long it has run or
stood. Where the PLC keeps none it counts as having just begun; then neither a run nor a rest can come out too short.
"""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from headworks.common.messages import Instant
from headworks.control_gateway.files import replace_durably

log = structlog.get_logger(__name__)


class Run(BaseModel):
    """A pump runs, or stands, since an instant, and was last seen so at another."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    running: bool
    since: Instant
    seen_at: Instant


_runs = TypeAdapter(dict[str, Run])


def run_of(before: Run | None, running: bool, now: datetime, unseen_s: float, in_state_s: float = 0.0) -> Run:
    """What is known once a pump is seen.

    `unseen_s` is the longest time for which nothing can have changed unseen; `in_state_s` what the PLC counts.
    """
    if before is None or not 0 <= (now - before.seen_at).total_seconds() <= unseen_s:
        return Run(running=running, since=now - timedelta(seconds=in_state_s), seen_at=now)
    if running != before.running:
        return Run(running=running, since=now, seen_at=now)
    return before.model_copy(update={"seen_at": now})


class RunBook:
    """The runs of one site's pumps."""

    def __init__(self, folder: Path, site: str, unseen_s: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._unseen_s = folder / f"runs-{site}.json", unseen_s
        self._runs = self._read()
        self._stored_at: datetime | None = None

    def _read(self) -> dict[str, Run]:
        """What was known; a file that cannot be read leaves all unknown."""
        try:
            return _runs.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError):
            log.exception("the pumps' runs cannot be read: each counts as just begun", file=self._path.name)
            return {}

    def saw(self, resource: str, running: bool, now: datetime, in_state_s: float = 0.0) -> datetime:
        """Since when the pump runs or stands, now that it is seen."""
        before = self._runs.get(resource)
        run = self._runs[resource] = run_of(before, running, now, self._unseen_s, in_state_s)
        if before is None or run.since != before.since or self._is_due(now):
            self._store(now)
        return run.since

    def keep(self, by: timedelta = timedelta()) -> None:
        """Keep what is known for the next start, which may be in another time; here it stays as it is. Raises OSError."""
        moved = {
            name: run.model_copy(update={"since": run.since + by, "seen_at": run.seen_at + by})
            for name, run in self._runs.items()
        }
        replace_durably(self._path, _runs.dump_json(moved).decode())

    def _is_due(self, now: datetime) -> bool:
        """Whether what is on the disk would soon count as unseen."""
        return self._stored_at is None or (now - self._stored_at).total_seconds() > self._unseen_s / 6

    def _store(self, now: datetime) -> None:
        """Keep what is known; where the disk refuses, a restart knows less, and waits longer."""
        self._stored_at = now
        with contextlib.suppress(OSError):
            self.keep()

"""The emergency stops of a gateway, kept in a local file: pressing works at once and with all else down, the disk included."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import ValidationError

from headworks.control_gateway.e_stop import ClearRequest, EStops, Press, Scope
from headworks.control_gateway.files import replace_durably

log = structlog.get_logger(__name__)
UNREADABLE = "unreadable e-stop file"


class EStopBoard:
    """The stops in force, of all sites."""

    def __init__(self, folder: Path, real_now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._real_now = folder / "e-stops.json", real_now
        self.stored = True
        """Whether what is in force would hold over a restart."""
        self.now = self._read()
        self.changed = asyncio.Event()
        """Set with each change; whoever hears of it clears it."""

    def _read(self) -> EStops:
        """What is in force; a file that cannot be read stops the system, for nobody knows what was ordered."""
        try:
            return EStops.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return EStops()
        except (OSError, ValidationError):
            log.exception("e-stop: the stops cannot be read", file=self._path.name)
            return EStops().with_press(Press(scope=Scope(), by=UNREADABLE, at=self._real_now()))

    def press(self, scope: Scope, by: str, reason: str, at: datetime) -> Press:
        """Stop, at once and whatever the disk says; see `save_again`."""
        press = Press(scope=scope, by=by, reason=reason, at=at)
        self._take(self.now.with_press(press))
        return press

    def clear(self, scope: Scope, by: str, reason: str) -> ClearRequest | None:
        """Ask to clear, or confirm what another person asked. The request that waits for a second person, if one does now.

        Raises OSError, and leaves all as it was, when it cannot be stored.
        """
        pressed = tuple(press.press_id for press in self.now.active(scope))
        if not pressed:
            return None
        at = self._real_now()
        waiting = self.now.waiting(scope, at)
        if waiting is not None and waiting.may_be_confirmed_by(by):
            self._store(self.now.without(pressed, scope))
            return None
        request = ClearRequest(scope=scope, presses=pressed, by=by, reason=reason, at=at)
        self._store(self.now.with_request(request))
        return request

    def waiting(self, scope: Scope) -> ClearRequest | None:
        """The request that waits for a second person."""
        return self.now.waiting(scope, self._real_now())

    def merge(self, other: EStops) -> bool:
        """Take over what another gateway knows; whether anything is new. It holds whatever the disk says."""
        merged = self.now.merged(other)
        if merged == self.now.merged(self.now):
            return False
        self._take(merged)
        return True

    def save_again(self) -> None:
        """Store what could not be stored before; until then a restart would forget it."""
        if self.stored:
            return
        try:
            self._store(self.now)
        except OSError:
            with contextlib.suppress(OSError):  # the log may lie on the same full disk
                log.exception("e-stop holds, but is not stored: a restart would forget it")

    def _take(self, stops: EStops) -> None:
        self.now, self.stored = stops, False
        self.changed.set()
        self.save_again()

    def _store(self, stops: EStops) -> None:
        replace_durably(self._path, stops.model_dump_json())
        self.now, self.stored = stops, True
        self.changed.set()

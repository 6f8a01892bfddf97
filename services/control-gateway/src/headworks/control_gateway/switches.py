"""Mode and e-stop: a person's orders, kept in a local file so that they hold over a restart and with all else down."""

import contextlib
from datetime import datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.messages import ControlMode, Instant
from headworks.control_gateway.files import replace_durably

log = structlog.get_logger(__name__)


class Switches(BaseModel):
    """The orders in force, with who gave them when."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: ControlMode = ControlMode.AUTO
    mode_by: str = "installation"
    e_stop: bool = False
    e_stop_by: str | None = None
    changed_at: Instant | None = None


class SwitchBoard:
    """The orders of one site."""

    def __init__(self, folder: Path, site: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"switches-{site}.json"
        self.now = self._read()
        self.stored = True
        """Whether the orders in force would hold over a restart."""

    def _read(self) -> Switches:
        """What is in force; a file that cannot be read means e-stop, for nobody knows what was ordered."""
        try:
            return Switches.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Switches()
        except (OSError, ValidationError):
            log.exception("e-stop: the switches cannot be read", file=self._path.name)
            return Switches(e_stop=True, e_stop_by="unreadable switches file")

    @property
    def is_followed(self) -> bool:
        """Whether the plan leads."""
        return self.now.mode is ControlMode.AUTO and not self.now.e_stop

    def set_mode(self, mode: ControlMode, by: str, at: datetime) -> None:
        """Who leads from now on. Raises OSError, and leaves all as it was, when the order cannot be stored."""
        self._store(self.now.model_copy(update={"mode": mode, "mode_by": by, "changed_at": at}))

    def press_e_stop(self, by: str, at: datetime) -> None:
        """Stop all writes, at once and whatever the disk says; see `save_again`."""
        self.now = self.now.model_copy(update={"e_stop": True, "e_stop_by": by, "changed_at": at})
        self.stored = False
        self.save_again()

    def clear_e_stop(self, by: str, at: datetime) -> None:
        """Allow writes again. Raises OSError, and leaves all as it was, when the order cannot be stored."""
        self._store(self.now.model_copy(update={"e_stop": False, "e_stop_by": by, "changed_at": at}))

    def save_again(self) -> None:
        """Store an e-stop that could not be stored before; until then a restart would forget it."""
        if self.stored:
            return
        try:
            self._store(self.now)
        except OSError:
            with contextlib.suppress(OSError):  # the log may lie on the same full disk
                log.exception("e-stop holds, but is not stored: a restart would forget it")

    def _store(self, switches: Switches) -> None:
        replace_durably(self._path, switches.model_dump_json())
        self.now, self.stored = switches, True

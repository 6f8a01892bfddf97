"""Mode and e-stop of a site: people's orders, kept in local files so that they hold over a restart and with all else down."""

from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.messages import ControlMode, Instant, KeptMode
from headworks.control_gateway.e_stop import ClearRequest, Press, Scope
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.files import replace_durably
from headworks.control_gateway.orders import NEVER, mode_after, supersedes

log = structlog.get_logger(__name__)


class Switches(BaseModel):
    """The orders in force, with who gave them when. An e-stop of the system or the site counts; one of an actuator does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: ControlMode = ControlMode.AUTO
    mode_by: str = "installation"
    e_stop: bool = False
    e_stop_by: str | None = None
    changed_at: Instant | None = None
    changed_after: Instant | None = None


class SwitchBoard:
    """The orders of one site."""

    def __init__(self, folder: Path, site: str, e_stops: EStopBoard | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._site = folder / f"switches-{site}.json", site
        self.e_stops = e_stops or EStopBoard(folder)
        self._switches = self._read()

    def _read(self) -> Switches:
        """What is in force; a file that cannot be read means e-stop, for nobody knows what was ordered."""
        try:
            kept = Switches.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Switches()
        except (OSError, ValidationError):
            log.exception("e-stop: the switches cannot be read", file=self._path.name)
            kept = Switches(e_stop=True, e_stop_by="unreadable switches file")
        if kept.e_stop and self.stopped() is None:  # stops had no file of their own once
            at = kept.changed_at or datetime.now(UTC)
            self.e_stops.press(Scope(site=self._site), kept.e_stop_by or "unknown", "", at)
        return kept.model_copy(update={"e_stop": False, "e_stop_by": None})

    @property
    def now(self) -> Switches:
        """The orders in force."""
        press = self.stopped()
        if press is None:
            return self._switches
        changed_at = max(filter(None, (self._switches.changed_at, press.at)))
        return self._switches.model_copy(update={"e_stop": True, "e_stop_by": press.told, "changed_at": changed_at})

    @property
    def stored(self) -> bool:
        """Whether the orders in force would hold over a restart."""
        return self.e_stops.stored

    def stopped(self, resource: str | None = None) -> Press | None:
        """The press that stops the site, or one of its actuators."""
        return self.e_stops.now.stopped(self._site, resource)

    def is_followed(self, resource: str) -> bool:
        """Whether the plan leads an actuator."""
        return self._switches.mode is ControlMode.AUTO and self.stopped(resource) is None

    @property
    def kept_mode(self) -> KeptMode:
        """Who leads, by whose order, since when."""
        kept = self._switches
        return KeptMode(mode=kept.mode, by=kept.mode_by, at=kept.changed_at or NEVER, after=kept.changed_after)

    def take_over(self, mode: KeptMode) -> bool:
        """Take over a mode that was ordered at another gateway, if it is the newer order. It holds whatever the disk says."""
        if not supersedes(mode, self.kept_mode):
            return False
        changed = self._switches.model_copy(update=_fields(mode))
        try:
            self._store(changed)
        except OSError:
            log.exception("a mode of another gateway holds, but is not stored", file=self._path.name)
            self._switches = changed
        return True

    def set_mode(self, mode: ControlMode, by: str, at: datetime) -> None:
        """Who leads from now on. Raises OSError, and leaves all as it was, when the order cannot be stored."""
        self._store(self._switches.model_copy(update=_fields(mode_after(self.kept_mode, mode, by, at))))

    def press_e_stop(self, by: str, at: datetime, *, reason: str = "", resource: str | None = None) -> Press:
        """Stop the site, or one actuator, at once and whatever the disk says."""
        return self.e_stops.press(Scope(site=self._site, resource=resource), by, reason, at)

    def clear_e_stop(self, by: str, *, reason: str = "", resource: str | None = None) -> ClearRequest | None:
        """Ask to allow writes again, or confirm it; the request that now waits for a second person, if one does.

        Raises OSError, and leaves all as it was, when the order cannot be stored.
        """
        waiting = self.e_stops.clear(Scope(site=self._site, resource=resource), by, reason)
        if waiting is None and not self._is_readable():
            self._store(self._switches)
        return waiting

    def save_again(self) -> None:
        """Store an e-stop that could not be stored before."""
        self.e_stops.save_again()

    def _is_readable(self) -> bool:
        """Whether a restart would not stop by the file as it is."""
        try:
            return not Switches.model_validate_json(self._path.read_bytes()).e_stop
        except FileNotFoundError:
            return True
        except (OSError, ValidationError):
            return False

    def _store(self, switches: Switches) -> None:
        replace_durably(self._path, switches.model_dump_json())
        self._switches = switches
        self.e_stops.changed.set()


def _fields(mode: KeptMode) -> dict[str, object]:
    return {"mode": mode.mode, "mode_by": mode.by, "changed_at": mode.at, "changed_after": mode.after}

"""Mode and e-stop: a person's orders, kept in a local file so that they hold over a restart and with all else down."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.messages import ControlMode, Instant


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

    def _read(self) -> Switches:
        """What is in force; a file that cannot be read means e-stop, for nobody knows what was ordered."""
        if not self._path.exists():
            return Switches()
        try:
            return Switches.model_validate_json(self._path.read_bytes())
        except ValidationError:
            return Switches(e_stop=True, e_stop_by="unreadable switches file")

    def set_mode(self, mode: ControlMode, by: str, at: datetime) -> None:
        """Who leads from now on."""
        self._write(self.now.model_copy(update={"mode": mode, "mode_by": by, "changed_at": at}))

    def press_e_stop(self, by: str, at: datetime) -> None:
        """Stop all writes."""
        self._write(self.now.model_copy(update={"e_stop": True, "e_stop_by": by, "changed_at": at}))

    def clear_e_stop(self, by: str, at: datetime) -> None:
        """Allow writes again."""
        self._write(self.now.model_copy(update={"e_stop": False, "e_stop_by": by, "changed_at": at}))

    def _write(self, switches: Switches) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(switches.model_dump_json())
        part.replace(self._path)
        self.now = switches

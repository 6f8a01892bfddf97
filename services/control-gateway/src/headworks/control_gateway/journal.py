"""The gateway's record: a local file first, synced before a write reaches the plant, then PostgreSQL and the bus.

So control goes on, and nothing is lost, with the database and the bus down.
"""

import os
from pathlib import Path

from headworks.common.messages import Setpoint


class Journal:
    """An append-only file of setpoint decisions, one JSON line each, and how far it has been shipped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._mark = folder / "journal.jsonl", folder / "journal.shipped"
        self._path.touch(mode=0o600)
        self._drop_torn_line()
        self._shipped = int(self._mark.read_text()) if self._mark.exists() else 0

    def _drop_torn_line(self) -> None:
        """A crash in the middle of an append leaves a line without its end; its write never reached the plant."""
        content = self._path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(self._path, content.rfind(b"\n") + 1)

    def append(self, entry: Setpoint) -> bool:
        """Record a decision for good; False when the disk refuses."""
        try:
            with self._path.open("ab") as file:
                file.write(entry.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def unshipped(self, most: int = 100) -> tuple[list[Setpoint], int]:
        """The next entries to ship, and the position after them."""
        entries: list[Setpoint] = []
        with self._path.open("rb") as file:
            file.seek(self._shipped)
            while len(entries) < most and (line := file.readline()).endswith(b"\n"):
                entries.append(Setpoint.model_validate_json(line))
            return entries, file.tell()

    def mark_shipped(self, position: int) -> None:
        """Remember that all before `position` is in the database."""
        part = self._mark.with_suffix(".part")
        part.write_text(str(position))
        part.replace(self._mark)
        self._shipped = position

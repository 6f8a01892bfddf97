"""The gateway's record: a local file first, synced before a write reaches the plant, then PostgreSQL and the bus.

So control goes on, and nothing is lost, with the database and the bus down.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import structlog
from pydantic import ValidationError

from headworks.common.messages import Setpoint
from headworks.control_gateway.files import replace_durably, sync_folder

log = structlog.get_logger(__name__)
ROTATE_BYTES = 64 << 20
"""A file of this size that is shipped whole is set aside (one is kept), so that the journal never fills the disk."""


class Journal:
    """An append-only file of setpoint decisions, one JSON line each, and how far it has been shipped."""

    def __init__(self, folder: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._mark = folder / "journal.jsonl", folder / "journal.shipped"
        self._rotate_bytes = rotate_bytes
        self._path.touch(mode=0o600)
        sync_folder(folder)
        self._size = self._path.read_bytes().rfind(b"\n") + 1
        """Where the last whole line ends: what lies beyond is torn, by a crash or a full disk, and its write was never made."""
        self._shipped = self._read_mark()
        self.writable = True
        """Whether the last entry was taken."""
        self.appended = asyncio.Event()

    def _read_mark(self) -> int:
        """How far the file is shipped; when in doubt all of it is shipped again, and stored once by each entry's id."""
        try:
            shipped = int(self._mark.read_text())
        except (OSError, ValueError):
            return 0
        return shipped if 0 <= shipped <= self._size else 0

    def append(self, entry: Setpoint) -> bool:
        """Record a decision for good; False when the disk refuses."""
        line = entry.model_dump_json().encode() + b"\n"
        try:
            with self._path.open("r+b", buffering=0) as file:
                file.truncate(self._size)
                file.seek(self._size)
                written = file.write(line)
                if written != len(line):
                    raise OSError(f"{written} of {len(line)} bytes written")  # noqa: TRY301 - as the system would say it
                os.fsync(file.fileno())
        except OSError:
            told, self.writable = not self.writable, False
            if not told:
                with contextlib.suppress(OSError):  # the log may lie on the same full disk
                    log.exception("the journal cannot be written: no setpoint is", file=self._path.name)
            return False
        self._size += len(line)
        self.writable = True
        self.appended.set()
        return True

    def unshipped(self, most: int = 100) -> tuple[list[Setpoint], int]:
        """The next entries to ship, and the position after them. A line that is no entry is told of and passed over."""
        entries: list[Setpoint] = []
        position = self._shipped
        with self._path.open("rb") as file:
            file.seek(position)
            while len(entries) < most and position < self._size:
                line = file.readline()
                try:
                    entries.append(Setpoint.model_validate_json(line))
                except ValidationError:
                    log.exception("a line of the journal cannot be read", file=self._path.name, position=position)
                position += len(line)
        return entries, position

    def mark_shipped(self, position: int) -> None:
        """Remember that all before `position` is in the database. Raises OSError; then it is shipped again."""
        if position == self._shipped:
            return
        self._shipped = position
        if position == self._size >= self._rotate_bytes:
            self._path.replace(self._path.with_name("journal-before.jsonl"))
            self._path.touch(mode=0o600)
            self._size = self._shipped = 0
        replace_durably(self._mark, str(self._shipped))

"""The plans that a restart with everything else down goes on with: a file, replaced whole, seldom, and beside control."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from headworks.common.messages import Plan

log = structlog.get_logger(__name__)
_plans = TypeAdapter(list[Plan])
GATHER_S = 0.5
"""So long what changed waits to be told: the turn of control that it begins comes first, and its record's way to the disk."""
EVERY_S = 1.0
REST = 50
"""So many times as long as the telling took nothing is told again: it may take a fiftieth of the time."""
AT_ONCE = 100
"""Plans that are told without a pause; a thousand actuators with a day of quarter hours have a hundred thousand."""


class PlanCache:
    """The file of one site's plans. What was heard just before a crash may not be in it; after a stop all is."""

    def __init__(self, file: Path, held: Callable[[], Iterable[Plan]]) -> None:
        self._file, self._held = file, held
        self._changed = asyncio.Event()
        self._storing = threading.Lock()
        self._told = self._stored = 0

    def read(self) -> list[Plan]:
        """What was kept; nothing where that cannot be read."""
        try:
            return _plans.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            log.warning("cached plans cannot be read", file=self._file.name, error=str(error))
            return []

    def changed(self) -> None:
        """Say that other plans are held now."""
        self._changed.set()

    async def keep(self) -> None:
        """Store what changed for ever, and once more when told to stop; run it as a task."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(GATHER_S)
                self._changed.clear()
                began_s = time.monotonic()
                number, content = await self._tell()
                took_s = time.monotonic() - began_s
                await asyncio.to_thread(self._store, number, content)
                await asyncio.sleep(max(EVERY_S, REST * took_s))
        finally:
            self.store()

    def store(self) -> None:
        """Store at once what changed, or was told and is not stored."""
        with self._storing:  # a thread that has begun ends first
            told_only = self._stored < self._told
        if told_only or self._changed.is_set():
            self._changed.clear()
            self._store(self._next(), _plans.dump_json(list(self._held())))

    async def _tell(self) -> tuple[int, bytes]:
        """What is held now, with its place among all that is told; control goes on between its pieces."""
        number, plans, pieces = self._next(), list(self._held()), list[bytes]()
        for first in range(0, len(plans), AT_ONCE):
            pieces.append(_plans.dump_json(plans[first : first + AT_ONCE])[1:-1])
            await asyncio.sleep(0)
        return number, b"[" + b",".join(pieces) + b"]"

    def _next(self) -> int:
        self._told += 1
        return self._told

    def _store(self, number: int, content: bytes) -> None:
        """Replace the file, unless a later word stands in it already: a thread may come late."""
        part = self._file.with_suffix(".part")
        with self._storing:
            if number < self._stored:
                return
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with part.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self._file)
            except OSError as error:  # what is held in memory is followed all the same
                log.warning("plans not cached: a restart would not know them", file=self._file.name, error=repr(error))
            self._stored = number

"""A file that grows by whole lines, and what of it is surely on the disk.

After an fsync that failed the system may have dropped what it could not write, and calls the next one a success. So what is not
known to be on the disk is kept in memory too. Once a sync failed nothing more is taken, until all that was not on the disk by
then is written once more and a sync after that succeeds.
"""

import asyncio
import os
import weakref
from pathlib import Path


class SyncedFile:
    """`size` is where the last whole line ends: what lies beyond is torn, by a crash or a full disk, and nobody counts on it."""

    def __init__(self, path: Path, on_disk: int = 0) -> None:
        """`on_disk`: so much is surely there; what lies beyond was another process', and is written anew before it counts."""
        content = path.read_bytes()
        self._path, self.size = path, content.rfind(b"\n") + 1
        self._waiting = bytearray(content[on_disk : self.size])
        """What is not known to be on the disk."""
        self.doubted = True
        """Whether a sync failed, or none was made yet: nothing is taken."""
        self._torn = False
        self._syncing: asyncio.Task[OSError | None] | None = None
        self._open()
        try:
            _write_anew(path, self.on_disk, bytes(self._waiting))
        except OSError:
            return  # a full disk, perhaps: the gateway begins all the same, for interlocks and e-stop need no record
        self._waiting.clear()
        self.doubted = False

    def _open(self) -> None:
        """One descriptor is always open, so that the system forgets no fault that it met while nobody asked."""
        self._descriptor = os.open(self._path, os.O_RDWR)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    @property
    def on_disk(self) -> int:
        """Where what is surely on the disk ends."""
        return self.size - len(self._waiting)

    def append(self, line: bytes, *, sync: bool) -> None:
        """Put a line behind the last one. Raises OSError; then nobody counts on it."""
        self._check()
        if self._torn:
            os.ftruncate(self._descriptor, self.size)
        self._torn = True
        written = os.pwrite(self._descriptor, line, self.size)
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes written")
        if sync:
            self._sync()
        self._torn = False
        self.size += len(line)
        if not sync:
            self._waiting += line

    def sync(self) -> None:
        """Have all that is appended on the disk, at once. Raises OSError."""
        self._check()
        self._sync()

    def _check(self) -> None:
        if self.doubted:
            raise OSError("a sync failed, and what was not on the disk by then could not be written anew yet")
        if not os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
            raise OSError(f"{self._path.name} is another file than it was")

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError:
            self.doubted = True
            raise
        self._waiting.clear()

    async def synced(self) -> OSError | None:
        """Wait until all that is appended is on the disk; why not, where the disk refuses.

        A disk takes milliseconds for it, so it is done beside the event loop, once for all who wait, and all go on at once.
        """
        wanted = self.size
        while self.doubted or self.on_disk < wanted:
            if fault := await asyncio.shield(self.begin_sync()):
                return fault
        return None

    def begin_sync(self) -> "asyncio.Task[OSError | None]":
        """A sync beside the event loop, or the one that is under way."""
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync_beside())
        return self._syncing

    async def _sync_beside(self) -> OSError | None:
        """Have what is appended by now on the disk. While it is doubted nothing is appended: what is written anew is all."""
        until, anew = self.size, self.doubted
        try:
            if anew:
                await asyncio.to_thread(_write_anew, self._path, self.on_disk, bytes(self._waiting))
                self._reopen()
            else:
                # A descriptor of its own: what one meets is told once, and must not be told to a sync that comes between.
                with self._path.open("rb") as file:  # not in the thread, which waits for the loop at each of its steps
                    await asyncio.to_thread(os.fsync, file.fileno())
        except OSError as error:
            self.doubted = True
            return error
        del self._waiting[: max(0, until - self.on_disk)]
        return None

    def _reopen(self) -> None:
        """Go on with a descriptor that was not told of the fault, and would tell it again."""
        close = self._close
        self._open()
        close()
        self.doubted = self._torn = False


def _write_anew(path: Path, position: int, content: bytes) -> None:
    """Write the end of a file once more, and have it on the disk. Raises OSError."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())

"""A disk that fails under a file."""

import errno
import os
from pathlib import Path

import pytest


class BadDisk:
    """A disk that refuses syncs while it is `bad`. The system then drops what it could not write, and later syncs succeed."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.bad, self._fsync = path, False, os.fsync
        self._kept = b""
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        if not self.path.exists() or os.fstat(descriptor).st_ino != self.path.stat().st_ino:
            return self._fsync(descriptor)
        content = self.path.read_bytes()
        if self.bad:
            assert content.startswith(self._kept)
            self.path.write_bytes(self._kept + bytes(len(content) - len(self._kept)))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._kept = content
        return self._fsync(descriptor)

"""Decides when a sign-in is heard: wrong tries count in a sliding window, for an address and for a name at an address."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Throttle:
    """Wrong tries of the last minutes. Its memory is bounded by `most_keys`."""

    window: timedelta = timedelta(minutes=5)
    most_of_name: int = 5
    most_of_address: int = 30
    most_keys: int = 10_000
    _failures: dict[tuple[str, str], deque[datetime]] = field(default_factory=dict)

    def wait_s(self, address: str, name: str, now: datetime) -> float:
        """How long until a try is heard; 0 is at once."""
        limits = {(address, name): self.most_of_name, (address, ""): self.most_of_address}
        return max(self._wait_s(key, most, now) for key, most in limits.items())

    def note_failure(self, address: str, name: str, now: datetime) -> None:
        """Count a wrong try."""
        if len(self._failures) >= self.most_keys:
            self._forget(now)
        for key in ((address, name), (address, "")):
            self._failures.setdefault(key, deque(maxlen=self.most_of_address)).append(now)

    def note_success(self, address: str, name: str) -> None:
        """A right one clears the name at its address."""
        self._failures.pop((address, name), None)

    def _wait_s(self, key: tuple[str, str], most: int, now: datetime) -> float:
        failures = self._failures.get(key, deque())
        while failures and failures[0] <= now - self.window:
            failures.popleft()
        if len(failures) < most:
            return 0.0
        return (failures[-most] + self.window - now).total_seconds()

    def _forget(self, now: datetime) -> None:
        """Drop what the window has left behind, and the oldest keys where that is not enough."""
        fresh = {key: times for key, times in self._failures.items() if times and times[-1] > now - self.window}
        self._failures = dict(list(fresh.items())[-self.most_keys // 2 :])

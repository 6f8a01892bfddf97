"""What became of one attempt to send a notice."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivered:
    """The next system took it over, and what it said."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """It was not taken over, and why; time may mend it."""

    reason: str


Outcome = Delivered | NotDelivered


class Channel(Protocol):
    """A way out to people."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who is written to."""

    async def send(self, recipient: str, subject: str, text: str) -> Outcome:
        """Hand one notice over."""

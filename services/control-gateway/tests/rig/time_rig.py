"""When the gateway's tests happen."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
"""The shortest time that is told apart."""


def ago(seconds: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(seconds=seconds)

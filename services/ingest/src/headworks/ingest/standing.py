"""Which issue of a forecast stands: the newest one; of equal age the first source's; a held value only where none is fresh."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HYDROFORECAST, CNRFC, HELD = "hydroforecast-short-term", "cnrfc", "held"
ORDER = (HYDROFORECAST, CNRFC)
STALE = timedelta(hours=24)
"""An issue this old is none: what was observed last says more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issue that was known."""

    forecast_id: int
    source: str
    issued_at: datetime


def standing(candidates: Sequence[Candidate], at: datetime) -> Candidate | None:
    """The issue that stands at an instant; None without any."""
    real = [c for c in candidates if c.source != HELD]
    fresh = [c for c in real if at - c.issued_at < STALE]
    held = [c for c in candidates if c.source == HELD]
    return max(fresh or held or real, key=lambda c: (c.issued_at, -_rank(c.source), c.forecast_id), default=None)


def _rank(source: str) -> int:
    return ORDER.index(source) if source in ORDER else len(ORDER)

"""Local times of rows as instants: days of 23 and 25 hours, times that do not exist, and times that come twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from headworks.common.historian.cells import Cell

YEARS = range(1900, 2201)
"""No historian has others."""


class Trouble(StrEnum):
    """Why a row has no instant."""

    UNREADABLE = "time_unreadable"
    NO_SUCH_TIME = "no_such_time"


@dataclass(frozen=True, slots=True)
class Placed:
    """An instant, and whether the local time comes twice on its day."""

    instant: datetime
    twice: bool


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No instant, and why not."""

    trouble: Trouble
    text: str


def place(cell: Cell, formats: Sequence[str], zone: ZoneInfo, last: datetime | None) -> Placed | Unplaced:
    """The instant of a row. Of a local time that comes twice it is the first that follows `last`, else the second."""
    stamp = _read(cell, formats)
    if stamp is None:
        return Unplaced(Trouble.UNREADABLE, f"{cell!r} is no time in the form {' or '.join(formats)}")
    if stamp.year not in YEARS:
        return Unplaced(Trouble.UNREADABLE, f"{stamp:%Y-%m-%d %H:%M} is not of the years {YEARS[0]} to {YEARS[-1]}")
    if stamp.tzinfo is not None:
        return Placed(stamp.astimezone(UTC), twice=False)
    first, second = (stamp.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != stamp:
        return Unplaced(
            Trouble.NO_SUCH_TIME, f"{stamp:%Y-%m-%d %H:%M} does not exist in {zone.key}: clocks went forward"
        )
    if first == second:
        return Placed(first, twice=False)
    return Placed(first if last is None or first > last else second, twice=True)


def _read(cell: Cell, formats: Sequence[str]) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    for form in formats:
        try:
            return datetime.strptime(str(cell), form)  # noqa: DTZ007 - a format without a zone gives local time
        except ValueError:
            continue
    return None

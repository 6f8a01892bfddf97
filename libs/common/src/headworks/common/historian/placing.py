"""Rows placed in time, on one regular grid: what cannot be placed, comes twice, or is not there is found by its row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from headworks.common.historian.cells import MOST_ROWS, Row, Table
from headworks.common.historian.mapping import RecordMapping
from headworks.common.historian.record import Finding, Grid, Kind
from headworks.common.historian.stamps import Trouble, Unplaced, place
from headworks.common.messages import Quality

_KIND_OF = {Trouble.UNREADABLE: Kind.TIME_UNREADABLE, Trouble.NO_SUCH_TIME: Kind.NO_SUCH_TIME}


@dataclass(slots=True)
class PlacedRows:
    """The rows by instant, the local times that came, which come twice on their day, and what was found."""

    by_instant: dict[datetime, Row] = field(default_factory=dict)
    ambiguous: dict[datetime, Row] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def place_rows(table: Table, mapping: RecordMapping, zone: ZoneInfo) -> PlacedRows:
    """Every row at its instant. A row that has none, or whose instant is taken, is found BAD; the first one stands."""
    found, at, last = PlacedRows(), table.place_of(mapping.time.column), None
    for row in table.rows:
        placed = place(row.at(at), mapping.time.formats, zone, last)
        if isinstance(placed, Unplaced):
            found.findings.append(Finding(_KIND_OF[placed.trouble], placed.text, Quality.BAD, row=row.number))
            continue
        if placed.instant in found.by_instant:
            first = found.by_instant[placed.instant]
            text = f"{row.at(at)} stands in row {first.number} too; that one counts"
            found.findings.append(Finding(Kind.ROW_REPEATED, text, Quality.BAD, row=row.number))
            continue
        if last is not None and placed.instant < last:
            text = f"{row.at(at)} comes after a later time; it is put where it belongs"
            found.findings.append(Finding(Kind.ROW_OUT_OF_ORDER, text, row=row.number, stamp=placed.instant))
        found.by_instant[placed.instant] = row
        if placed.twice:
            found.ambiguous[placed.instant] = row
        last = placed.instant if last is None else max(last, placed.instant)
    if not found.by_instant:
        raise ValueError(f"no row has a time in the form {' or '.join(mapping.time.formats)}")
    return found


def grid_of(placed: PlacedRows, step: timedelta) -> tuple[Grid, list[Row | None]]:
    """The grid from the first stamp to the last, and its rows. Rows off the step are found BAD and left out."""
    first, last = min(placed.by_instant), max(placed.by_instant)
    count = (last - first) // step + 1
    if count > MOST_ROWS:
        raise ValueError(
            f"the record goes from {first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}, which is {count} steps; "
            f"{MOST_ROWS} are the most"
        )
    for instant, row in placed.by_instant.items():
        if (instant - first) % step:
            text = f"{instant:%Y-%m-%dT%H:%M:%SZ} is not a whole number of steps after {first:%Y-%m-%dT%H:%M:%SZ}"
            placed.findings.append(Finding(Kind.ROW_OFF_STEP, text, Quality.BAD, row=row.number))
    stamps = tuple(first + i * step for i in range(count))
    rows = [placed.by_instant.get(stamp) for stamp in stamps]
    return Grid(step, stamps, tuple(row.number if row else None for row in rows)), rows


def gaps(grid: Grid) -> Iterator[Finding]:
    """Each run of stamps without a row."""
    start: int | None = None
    for i, row in enumerate(grid.rows):
        if row is None and start is None:
            start = i
        elif row is not None and start is not None:
            text = f"no rows from {grid.stamps[start]:%Y-%m-%dT%H:%MZ} to {grid.stamps[i - 1]:%Y-%m-%dT%H:%MZ} ({i - start})"
            yield Finding(Kind.ROWS_MISSING, text, row=row, stamp=grid.stamps[start])
            start = None


def twofold(placed: PlacedRows, series: tuple[str, ...], zone: ZoneInfo) -> Iterator[Finding]:
    """Rows whose local time comes twice on their day: both there are told apart by their order; one alone is SUSPECT."""
    by_local: dict[datetime, list[datetime]] = {}
    for instant in placed.ambiguous:
        by_local.setdefault(instant.astimezone(zone).replace(tzinfo=None, fold=0), []).append(instant)
    for local, instants in by_local.items():
        for instant in instants:
            which = "first" if instant == min(instants) else "second"
            text = f"{local:%Y-%m-%d %H:%M} comes twice on that day in {zone.key}; read as the {which}"
            quality = Quality.SUSPECT if len(instants) == 1 else None
            yield Finding(Kind.TIME_COMES_TWICE, text, quality, series, placed.ambiguous[instant].number, instant)

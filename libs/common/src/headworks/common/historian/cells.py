"""The cells of a CSV file or a workbook, row by row, as they were written."""

import csv
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineError, CalamineWorkbook

from headworks.common.historian.mapping import LevelVolumeMapping, RecordMapping

MOST_ROWS = 1_000_000
MOST_UNPACKED_BYTES = 512 << 20
ZIP = b"PK\x03\x04"

Cell = str | float | datetime | None
"""A text, a number, a local time, or nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: where it stands in the file (the header is row 1), and its cells."""

    number: int
    cells: tuple[Cell, ...]

    def at(self, place: int) -> Cell:
        """The cell at a place; nothing beyond the row's end."""
        return self.cells[place] if place < len(self.cells) else None


@dataclass(frozen=True, slots=True)
class Table:
    """The header and the rows below it; empty rows are left out."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]

    def place_of(self, column: str) -> int:
        """Where a column stands. Raises ValueError naming the columns that there are."""
        if self.header.count(column) != 1:
            times = "is missing" if column not in self.header else "stands there more than once"
            raise ValueError(f"column {column!r} {times}; the file has {', '.join(map(repr, self.header))}")
        return self.header.index(column)


def read_table(content: bytes, layout: RecordMapping | LevelVolumeMapping) -> Table:
    """The table of a CSV file or a workbook, told apart by how it begins. Raises ValueError."""
    lines = _workbook(content, layout.sheet) if content.startswith(ZIP) else _csv(content, layout)
    rows = tuple(Row(n, cells) for n, cells in enumerate(lines, start=1) if any(c is not None for c in cells))
    if not rows:
        raise ValueError("the file is empty; a header and rows are right")
    header, *below = rows
    return Table(tuple("" if c is None else str(c).strip() for c in header.cells), tuple(below))


def _csv(content: bytes, layout: RecordMapping | LevelVolumeMapping) -> Sequence[tuple[Cell, ...]]:
    try:
        text = content.decode(layout.encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"the file is no CSV text in encoding={layout.encoding!r}, nor a workbook: {error}") from error
    try:
        lines = [
            tuple(cell.strip() or None for cell in line)
            for line in csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter, strict=True)
        ]
    except csv.Error as error:
        raise ValueError(f"the file is no CSV with delimiter={layout.delimiter!r}: {error}") from error
    return _bounded(lines)


def _workbook(content: bytes, sheet: str | None) -> Sequence[tuple[Cell, ...]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked_bytes = sum(part.file_size for part in packed.infolist())
        if unpacked_bytes > MOST_UNPACKED_BYTES:
            raise ValueError(f"the workbook unpacks to {unpacked_bytes} bytes; {MOST_UNPACKED_BYTES} are the most")
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    except (zipfile.BadZipFile, CalamineError) as error:
        raise ValueError(f"the file is no workbook (XLSX): {error}") from error
    name = sheet if sheet is not None else book.sheet_names[0]
    if name not in book.sheet_names:
        raise ValueError(f"sheet={name!r} must be one of {', '.join(book.sheet_names)}")
    rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    return _bounded([tuple(map(_cell, row)) for row in rows])


def _bounded(lines: Sequence[tuple[Cell, ...]]) -> Sequence[tuple[Cell, ...]]:
    if len(lines) > MOST_ROWS:
        raise ValueError(f"the file has {len(lines)} rows; {MOST_ROWS} are the most")
    return lines


def _cell(value: str | float | bool | time | date | datetime | timedelta) -> Cell:
    """A workbook's cell; its times are off by rounding, so they go to the second."""
    match value:
        case bool() | time() | timedelta():
            return str(value)
        case datetime():
            return (value + timedelta(microseconds=500_000)).replace(microsecond=0)
        case date():
            return datetime.combine(value, time())
        case int() | float():
            return float(value)
        case _:
            return value.strip() or None


def number_in(cell: Cell, decimal: str) -> float | str | None:
    """The cell's number; what stands there as a text where it is none; None of an empty cell."""
    if cell is None:
        return None
    text = (
        repr(cell)
        if isinstance(cell, float)
        else str(cell).replace(".", "." if decimal == "." else "?").replace(decimal, ".")
    )
    if not set(text) <= set("0123456789+-.eE"):
        return str(cell)
    try:
        number = float(text)
    except ValueError:
        return str(cell)
    return number if math.isfinite(number) else str(cell)

"""Reads a historian file into a record: rows placed in time, cells as numbers in SI, each doubt a finding.

record = read_record(path, site)               # the site's first mapping, or mapping="name"
record.values("tunnel_inflow_m3s")             # by stamp, None where there is none
record.valid_at("tunnel_inflow_m3s"), record.grid.stamps, record.findings
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from headworks.common.historian.cells import Row, number_in, read_table
from headworks.common.historian.checks import check_station
from headworks.common.historian.mapping import Column, RecordMapping, mapping_of, unit_in
from headworks.common.historian.placing import gaps, grid_of, place_rows, twofold
from headworks.common.historian.record import Finding, Grid, Kind, Record, RecordedSeries, judged
from headworks.common.messages import Quality
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site
from headworks.waterway.station_site import StationSite

Progress = Callable[[float], None]
"""Is told which share of the work is done, 0 to 1."""


def read_record(path: Path, site: Site, mapping: str | None = None) -> Record:
    """The record in a file, by one of the site's mappings (the first without a name). Raises ValueError, OSError."""
    name, found = mapping_of(site, mapping)
    if not isinstance(found, RecordMapping):
        raise ValueError(f"mapping={name!r} is of kind {found.kind}; one of kind record is right")
    return record_in(path.read_bytes(), site, found)


def record_in(content: bytes, site: Site, mapping: RecordMapping, progress: Progress = lambda _: None) -> Record:
    """The record in a file's bytes. Raises ValueError where the file as a whole cannot be read."""
    table = read_table(content, mapping)
    places = [table.place_of(column.column) for column in mapping.columns]
    zone = ZoneInfo(mapping.time.zone) if mapping.time.zone else site.zone
    placed = place_rows(table, mapping, zone)
    grid, rows = grid_of(placed, mapping.interval)
    series: dict[str, RecordedSeries] = {}
    findings = [*placed.findings, *gaps(grid)]
    for done, (column, at) in enumerate(zip(mapping.columns, places, strict=True), start=1):
        series[column.name.name], found = _column(column, at, rows, grid, mapping.decimal)
        findings += found
        progress(done / (len(places) + 1))
    findings += [*twofold(placed, tuple(series), zone), *_notes(mapping.columns, series)]
    record = judged(Record(site.site, grid, series, ()), findings)
    if isinstance(site, StationSite) and mapping.checks is not None:
        record = judged(record, check_station(record, site.pumping_station, mapping.checks))
    progress(1.0)
    return record


def _column(
    column: Column, at: int, rows: Sequence[Row | None], grid: Grid, decimal: str
) -> tuple[RecordedSeries, list[Finding]]:
    """A column's values in SI, and what is doubtful of each."""
    name, factor, (low, high) = column.name.name, column.factor, column.bounds
    values: list[float | None] = []
    findings: list[Finding] = []
    for i, row in enumerate(rows):
        number = number_in(row.at(at), decimal) if row else None
        values.append(number * factor if isinstance(number, float) else None)
        if row and number is None:
            findings.append(grid.finding(Kind.VALUE_MISSING, i, [name], Quality.MISSING, "the cell is empty"))
        elif isinstance(number, str):
            findings.append(grid.finding(Kind.NOT_A_NUMBER, i, [name], Quality.BAD, f"{number[:40]!r} is no number"))
        elif isinstance(number, float) and not low <= number * factor <= high:
            text = f"{number:g} {column.unit} is outside {' to '.join(column.range or ())}"
            findings.append(grid.finding(Kind.OUT_OF_RANGE, i, [name], Quality.SUSPECT, text))
    qualities = tuple(Quality.MISSING if row is None else Quality.GOOD for row in rows)
    return RecordedSeries(column.stands_for, tuple(values), qualities), findings


def _notes(columns: Sequence[Column], series: Mapping[str, RecordedSeries]) -> Iterator[Finding]:
    """What a person should know of a column as a whole."""
    for column in columns:
        name, si_unit = column.name.name, column.name.si_unit
        known = [v for v in series[name].values if v is not None]
        stated = _factor_of_header(column)
        if known and stated is not None and abs(stated / column.factor - 1) > 1e-9:
            median = statistics.median(known)
            text = (
                f"the header says {unit_in(column.column)}, the mapping {column.unit}, and the mapping counts: the median is "
                f"{median:.4g} {si_unit}; by the header it would be {median * stated / column.factor:.4g} {si_unit}"
            )
            yield Finding(Kind.UNIT_DIFFERS, text, series=(name,))
        below = [v for v in known if v < 0] if si_unit == "EUR/MWh" else []
        if below:
            text = f"{len(below)} of {len(known)} values are below zero, the lowest {min(below):g} {si_unit}"
            yield Finding(Kind.NEGATIVE_PRICES, text, series=(name,))


def _factor_of_header(column: Column) -> float | None:
    """What a number would be multiplied by if the header's unit were right; None where it names none that we know."""
    unit = unit_in(column.column)
    try:
        return in_unit(f"1 {unit}", column.name.si_unit) if unit else None
    except ValueError:
        return None

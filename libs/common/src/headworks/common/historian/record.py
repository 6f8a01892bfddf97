"""What a record is: every series on one regular grid of stamps in SI, each value with its quality, and what was found wrong.

A value that is doubtful stays, as SUSPECT; what cannot be a value is none, as BAD; what is not there is none, as MISSING.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headworks.common.historian.mapping import StandsFor
from headworks.common.messages import MEANS, Basis, Quality, Sample

Values = tuple[float | None, ...]
SEVERITY = {Quality.GOOD: 0, Quality.SUSPECT: 1, Quality.BAD: 2, Quality.MISSING: 3}


class Kind(StrEnum):
    """What can be found."""

    TIME_UNREADABLE = "time_unreadable"
    NO_SUCH_TIME = "no_such_time"
    TIME_COMES_TWICE = "time_comes_twice"
    ROW_REPEATED = "row_repeated"
    ROW_OUT_OF_ORDER = "row_out_of_order"
    ROW_OFF_STEP = "row_off_step"
    ROWS_MISSING = "rows_missing"
    VALUE_MISSING = "value_missing"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    UNIT_DIFFERS = "unit_differs_from_header"
    NEGATIVE_PRICES = "negative_prices"
    TOO_FEW_PUMPS = "too_few_pumps"
    PUMP_DISAGREES = "pump_disagrees"
    BALANCE = "balance_does_not_close"
    CURVE = "volume_differs_from_curve"
    DROP = "sudden_drop"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: of which series, in which row of the file, at which stamp, and what it makes of the values.

    Without a quality it is a note, and changes nothing.
    """

    kind: Kind
    text: str
    quality: Quality | None = None
    series: tuple[str, ...] = ()
    row: int | None = None
    stamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Regular stamps, and the row of the file that holds each; None where the file has none."""

    step: timedelta
    stamps: tuple[datetime, ...]
    rows: tuple[int | None, ...]

    def finding(self, kind: Kind, at: int, series: Iterable[str], quality: Quality, text: str) -> Finding:
        """A finding at a place of the grid."""
        return Finding(kind, text, quality, tuple(series), self.rows[at], self.stamps[at])


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """A series: what its values stand for, seen from the stamps, and how good each is; shape (stamps,)."""

    stands_for: StandsFor
    values: Values
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a site."""

    site: str
    grid: Grid
    series: Mapping[str, RecordedSeries]
    findings: tuple[Finding, ...]

    def values(self, name: str) -> Values:
        """A series' values in SI by stamp; None where there is none."""
        return self.series[name].values

    def basis(self, name: str) -> Basis:
        """What a series' values are kept as."""
        return Basis.INSTANT if self.series[name].stands_for is StandsFor.INSTANT else MEANS[self.grid.step]

    def valid_at(self, name: str) -> tuple[datetime, ...]:
        """The instants of a series' values, or the starts of the steps that they are means of."""
        back = self.grid.step if self.series[name].stands_for is StandsFor.STEP_BEFORE else timedelta(0)
        return tuple(stamp - back for stamp in self.grid.stamps)

    @property
    def count(self) -> int:
        """How many values the file has."""
        return len(self.series) * sum(row is not None for row in self.grid.rows)

    def samples(self) -> Iterator[Sample]:
        """Every value that the file has, also where it says nothing; of stamps without a row there is none."""
        for name, series in self.series.items():
            basis = self.basis(name)
            rows = zip(self.grid.rows, self.valid_at(name), series.values, series.qualities, strict=True)
            for row, valid_at, value, quality in rows:
                if row is not None:
                    yield Sample(series=name, valid_at=valid_at, value=value, quality=quality, basis=basis)


def judged(record: Record, findings: Iterable[Finding]) -> Record:
    """The record with these findings too; each value has the worst quality that any gives it."""
    found = tuple(findings)
    place = {stamp: i for i, stamp in enumerate(record.grid.stamps)}
    qualities = {name: list(series.qualities) for name, series in record.series.items()}
    for finding in found:
        if finding.quality is None or finding.stamp is None:
            continue
        i = place[finding.stamp]
        for name in finding.series:
            qualities[name][i] = max(qualities[name][i], finding.quality, key=SEVERITY.__getitem__)
    series = {name: replace(s, qualities=tuple(qualities[name])) for name, s in record.series.items()}
    return replace(record, series=series, findings=record.findings + found)

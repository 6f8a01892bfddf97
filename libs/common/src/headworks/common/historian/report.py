"""What was found in a file, for people and for programs: by series, by kind, and one by one."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headworks.common.historian.level_volume import LevelVolume
from headworks.common.historian.record import SEVERITY, Finding, Kind, Record, RecordedSeries
from headworks.common.messages import Instant, Quality

MOST_LISTED = 1000
"""So many findings are listed one by one; the counts by kind are of all."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FindingReport(_Part):
    """One finding; without a quality it is a note that changes nothing."""

    kind: Kind
    quality: Quality | None
    series: tuple[str, ...]
    row: int | None = Field(description="the row of the file; the header is row 1")
    stamp: Instant | None
    text: str


class KindReport(_Part):
    """How often a kind was found, what it makes of the values, and the first of them."""

    kind: Kind
    quality: Quality | None
    count: int
    first: FindingReport


class SeriesReport(_Part):
    """A series: how many values of which quality, and how low and high the numbers go, in SI."""

    series: str
    values: int
    qualities: dict[Quality, int]
    lowest: float | None
    highest: float | None


class RecordReport(_Part):
    """What a record has and what is wrong with it; `stored` is how many values were new or changed, None when only checked."""

    kind: Literal["record"] = "record"
    site: str
    mapping: str
    first_at: Instant
    last_at: Instant
    step_s: float
    rows: int
    series: tuple[SeriesReport, ...]
    kinds: tuple[KindReport, ...]
    findings: tuple[FindingReport, ...] = Field(description=f"the first {MOST_LISTED}, by time")
    stored: int | None = None


class LevelVolumeReport(_Part):
    """How far a table of volumes is from the site's curve."""

    kind: Literal["level_volume"] = "level_volume"
    site: str
    mapping: str
    rows: int
    largest_difference_m3: float
    at_level_m: float
    kinds: tuple[KindReport, ...]
    findings: tuple[FindingReport, ...] = Field(description=f"the first {MOST_LISTED}, by row")


def report_of_record(record: Record, mapping: str) -> RecordReport:
    """The report of a record."""
    return RecordReport(
        site=record.site,
        mapping=mapping,
        first_at=record.grid.stamps[0],
        last_at=record.grid.stamps[-1],
        step_s=record.grid.step.total_seconds(),
        rows=sum(row is not None for row in record.grid.rows),
        series=tuple(_series(name, series) for name, series in record.series.items()),
        kinds=_kinds(record.findings),
        findings=_listed(record.findings),
    )


def report_of_table(table: LevelVolume, site: str, mapping: str) -> LevelVolumeReport:
    """The report of a table of volumes."""
    return LevelVolumeReport(
        site=site,
        mapping=mapping,
        rows=table.rows,
        largest_difference_m3=table.largest_m3,
        at_level_m=table.at_level_m,
        kinds=_kinds(table.findings),
        findings=_listed(table.findings),
    )


def _series(name: str, series: RecordedSeries) -> SeriesReport:
    known = [value for value in series.values if value is not None]
    counts = Counter(series.qualities)
    return SeriesReport(
        series=name,
        values=len(series.values),
        qualities={quality: counts[quality] for quality in Quality},
        lowest=min(known, default=None),
        highest=max(known, default=None),
    )


def _kinds(findings: Iterable[Finding]) -> tuple[KindReport, ...]:
    """By severity, the worst first, and by number."""
    groups: dict[tuple[Kind, Quality | None], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.quality), []).append(finding)
    reports = [
        KindReport(kind=kind, quality=quality, count=len(found), first=_finding(min(found, key=_order)))
        for (kind, quality), found in groups.items()
    ]
    return tuple(sorted(reports, key=lambda r: (-SEVERITY[r.quality] if r.quality else 1, -r.count)))


def _listed(findings: Iterable[Finding]) -> tuple[FindingReport, ...]:
    return tuple(_finding(finding) for finding in sorted(findings, key=_order)[:MOST_LISTED])


def _order(finding: Finding) -> tuple[int, str]:
    """Notes of the whole first, then by row."""
    return finding.row or 0, finding.kind.value


def _finding(finding: Finding) -> FindingReport:
    return FindingReport(
        kind=finding.kind,
        quality=finding.quality,
        series=finding.series,
        row=finding.row,
        stamp=finding.stamp,
        text=finding.text,
    )

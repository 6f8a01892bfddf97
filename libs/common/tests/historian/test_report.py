"""The report: counts of all, a list that has its limit, the worst first."""

from collections.abc import Callable

import pytest

from headworks.common.historian import report as report_module
from headworks.common.historian.record import Kind, Record
from headworks.common.historian.report import report_of_record
from headworks.common.messages import Quality

Read = Callable[..., Record]
ROWS = """2026-02-17 12:00,9,900
2026-02-17 12:15,x,900
2026-02-17 12:30,9,900
2026-02-17 13:00,1,
"""


def test_the_worst_comes_first_with_its_first_row(read: Read) -> None:
    report = report_of_record(read(ROWS), "plain")
    assert [(k.kind, k.quality, k.count, k.first.row) for k in report.kinds] == [
        (Kind.VALUE_MISSING, Quality.MISSING, 1, 5),
        (Kind.NOT_A_NUMBER, Quality.BAD, 1, 3),
        (Kind.OUT_OF_RANGE, Quality.SUSPECT, 2, 2),
        (Kind.ROWS_MISSING, None, 1, 5),
    ]


def test_series_are_counted_by_quality_with_their_ends(read: Read) -> None:
    report = report_of_record(read(ROWS), "plain")
    assert (report.rows, report.step_s, len(report.series)) == (4, 900.0, 2)
    level = report.series[0]
    assert level.values == 5
    assert level.qualities == {Quality.GOOD: 1, Quality.SUSPECT: 2, Quality.BAD: 1, Quality.MISSING: 1}
    assert (level.lowest, level.highest) == (1.0, 9.0)


def test_the_list_has_its_limit_and_the_counts_have_none(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "MOST_LISTED", 2)
    report = report_of_record(read(ROWS), "plain")
    assert [f.row for f in report.findings] == [2, 3]
    assert sum(k.count for k in report.kinds) == 5

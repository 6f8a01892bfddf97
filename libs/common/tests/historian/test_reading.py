"""Rows of a historian file: what is placed where in time, what becomes of each cell, and what is found and named."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headworks.common.historian import cells
from headworks.common.historian.record import Finding, Kind, Record
from headworks.common.messages import Basis, Quality
from headworks.waterway.series import TUNNEL_INFLOW, TUNNEL_LEVEL

Read = Callable[..., Record]
START, QUARTER = datetime(2026, 2, 17, 10, 0, tzinfo=UTC), timedelta(minutes=15)
GOOD, SUSPECT, BAD, MISSING = Quality.GOOD, Quality.SUSPECT, Quality.BAD, Quality.MISSING


def only(record: Record) -> Finding:
    [finding] = record.findings
    return finding


# ---------------------------------------------------------------- values


def test_values_come_in_si_at_their_instants_or_steps(read: Read) -> None:
    record = read("2026-02-17 12:00,1.5,900\n2026-02-17 12:15,1.6,1800\n")
    assert record.findings == ()
    assert record.grid.stamps == (START, START + QUARTER)
    assert (record.values(TUNNEL_LEVEL), record.valid_at(TUNNEL_LEVEL)) == ((1.5, 1.6), record.grid.stamps)
    assert record.values(TUNNEL_INFLOW) == pytest.approx((1.0, 2.0))
    assert record.valid_at(TUNNEL_INFLOW) == (START - QUARTER, START)
    assert (record.basis(TUNNEL_LEVEL), record.basis(TUNNEL_INFLOW)) == (Basis.INSTANT, Basis.QUARTER_HOUR_MEAN)


@pytest.mark.parametrize(
    ("cell", "value", "quality", "kind"),
    [
        ("0", 0.0, GOOD, None),
        ("8", 8.0, GOOD, None),
        ("8.001", 8.001, SUSPECT, Kind.OUT_OF_RANGE),
        ("-0.016", -0.016, SUSPECT, Kind.OUT_OF_RANGE),
        ("1e0", 1.0, GOOD, None),
        ("", None, MISSING, Kind.VALUE_MISSING),
        ("  ", None, MISSING, Kind.VALUE_MISSING),
        ("No Data", None, BAD, Kind.NOT_A_NUMBER),
        ("nan", None, BAD, Kind.NOT_A_NUMBER),
        ("inf", None, BAD, Kind.NOT_A_NUMBER),
        ("1e999", None, BAD, Kind.NOT_A_NUMBER),
        ("1_000", None, BAD, Kind.NOT_A_NUMBER),
        ('"1,5"', None, BAD, Kind.NOT_A_NUMBER),
        ("#REF!", None, BAD, Kind.NOT_A_NUMBER),
        ("٣", None, BAD, Kind.NOT_A_NUMBER),
    ],
)
def test_a_cell_is_a_number_or_is_marked_with_its_reason(
    read: Read, cell: str, value: float | None, quality: Quality, kind: Kind | None
) -> None:
    record = read(f"2026-02-17 12:00,{cell},900\n")
    assert record.values(TUNNEL_LEVEL) == (value,)
    assert record.series[TUNNEL_LEVEL].qualities == (quality,)
    assert [f.kind for f in record.findings] == ([] if kind is None else [kind])
    assert record.series[TUNNEL_INFLOW].qualities == (GOOD,)
    if kind is not None:
        assert (only(record).row, only(record).stamp, only(record).series) == (2, START, (TUNNEL_LEVEL,))


def test_a_short_row_lacks_what_it_lacks(read: Read) -> None:
    record = read("2026-02-17 12:00,1.5\n")
    assert record.series[TUNNEL_INFLOW].qualities == (MISSING,)


def test_a_decimal_comma_is_one_and_a_point_then_is_not(read: Read) -> None:
    content = b"time;level;in\n2026-02-17 12:00;1,5;900\n2026-02-17 12:15;1.5;900\n"
    record = read(content, delimiter=";", decimal=",")
    assert record.values(TUNNEL_LEVEL) == (1.5, None)
    assert only(record).text == "'1.5' is no number"


def test_a_header_that_names_another_unit_is_not_believed_but_said(read: Read) -> None:
    column = {"column": "level (cm)", "series": "tunnel_level", "unit": "m", "stands_for": "instant"}
    record = read(b"time,level (cm)\n2026-02-17 12:00,1.5\n", columns=[column])
    assert record.values(TUNNEL_LEVEL) == (1.5,)
    assert only(record).quality is None
    assert "the header says cm, the mapping m, and the mapping counts" in only(record).text


def test_samples_are_of_the_rows_that_the_file_has(read: Read) -> None:
    record = read("2026-02-17 12:00,1.5,\n2026-02-17 12:30,x,900\n")
    found = [(s.series, s.valid_at, s.value, s.quality, s.basis) for s in record.samples()]
    assert found == [
        (TUNNEL_LEVEL, START, 1.5, GOOD, Basis.INSTANT),
        (TUNNEL_LEVEL, START + 2 * QUARTER, None, BAD, Basis.INSTANT),
        (TUNNEL_INFLOW, START - QUARTER, None, MISSING, Basis.QUARTER_HOUR_MEAN),
        (TUNNEL_INFLOW, START + QUARTER, pytest.approx(1.0), GOOD, Basis.QUARTER_HOUR_MEAN),
    ]


# ---------------------------------------------------------------- times


def test_rows_that_are_not_there_are_a_gap_with_missing_values(read: Read) -> None:
    record = read("2026-02-17 12:00,1,900\n2026-02-17 12:45,1,900\n")
    assert record.grid.rows == (2, None, None, 3)
    assert record.values(TUNNEL_LEVEL) == (1.0, None, None, 1.0)
    assert record.series[TUNNEL_LEVEL].qualities == (GOOD, MISSING, MISSING, GOOD)
    assert only(record).text == "no rows from 2026-02-17T10:15Z to 2026-02-17T10:30Z (2)"


def test_a_time_that_comes_again_is_bad_and_the_first_row_stands(read: Read) -> None:
    record = read("2026-02-17 12:00,1,900\n2026-02-17 12:00,2,900\n2026-02-17 12:15,3,900\n")
    assert record.values(TUNNEL_LEVEL) == (1.0, 3.0)
    assert (only(record).kind, only(record).row, only(record).quality) == (Kind.ROW_REPEATED, 3, BAD)


def test_rows_out_of_order_are_put_where_they_belong_and_said(read: Read) -> None:
    record = read("2026-02-17 12:15,2,900\n2026-02-17 12:00,1,900\n")
    assert record.values(TUNNEL_LEVEL) == (1.0, 2.0)
    assert (only(record).kind, only(record).row) == (Kind.ROW_OUT_OF_ORDER, 3)


def test_a_row_off_the_step_is_bad(read: Read) -> None:
    record = read("2026-02-17 12:00,1,900\n2026-02-17 12:07,9,900\n2026-02-17 12:15,2,900\n")
    assert record.values(TUNNEL_LEVEL) == (1.0, 2.0)
    assert (only(record).kind, only(record).row, only(record).quality) == (Kind.ROW_OFF_STEP, 3, BAD)


@pytest.mark.parametrize(
    "time", ["", "tomorrow", "2026-02-30 12:00", "17/02/2026 12:00", "1.5", "0001-01-01 00:00", "9999-12-31 23:45"]
)
def test_a_time_that_cannot_be_read_is_bad_by_row(read: Read, time: str) -> None:
    record = read(f"2026-02-17 12:00,1,900\n{time},9,900\n2026-02-17 12:15,2,900\n")
    assert record.values(TUNNEL_LEVEL) == (1.0, 2.0)
    assert (only(record).kind, only(record).row, only(record).quality) == (Kind.TIME_UNREADABLE, 3, BAD)


def quarter_hours(first: datetime, count: int) -> list[str]:
    return [f"{first + i * QUARTER:%Y-%m-%d %H:%M}" for i in range(count)]


def test_an_hour_that_does_not_exist_is_named_row_by_row(read: Read) -> None:
    times = quarter_hours(datetime(2026, 3, 29, 2, 45), 7)  # noqa: DTZ001 - local, as written
    record = read("".join(f"{t},1,900\n" for t in times))
    assert [f.kind for f in record.findings] == [Kind.NO_SUCH_TIME] * 4
    assert "2026-03-29 03:00 does not exist in Europe/Helsinki" in record.findings[0].text
    assert record.grid.rows == (2, 7, 8)
    assert record.grid.stamps[1] - record.grid.stamps[0] == QUARTER


def test_an_hour_that_comes_twice_is_told_apart_by_its_order(read: Read) -> None:
    first = quarter_hours(datetime(2026, 10, 25, 2, 45), 5)  # noqa: DTZ001 - local, as written
    again = quarter_hours(datetime(2026, 10, 25, 3, 0), 5)  # noqa: DTZ001
    record = read("".join(f"{t},1,900\n" for t in first + again))
    assert None not in record.grid.rows
    assert len(record.grid.stamps) == 10
    assert {(f.kind, f.quality) for f in record.findings} == {(Kind.TIME_COMES_TWICE, None)}
    assert len(record.findings) == 8
    assert set(record.series[TUNNEL_LEVEL].qualities) == {GOOD}


def test_an_hour_that_comes_twice_but_stands_there_once_is_suspect(read: Read) -> None:
    times = quarter_hours(datetime(2026, 10, 25, 2, 45), 6)  # noqa: DTZ001 - local, as written
    record = read("".join(f"{t},1,900\n" for t in times))
    assert record.grid.rows == (2, 3, 4, 5, 6, None, None, None, None, 7)
    doubtful = [f for f in record.findings if f.kind is Kind.TIME_COMES_TWICE]
    assert {f.quality for f in doubtful} == {SUSPECT}
    assert "2026-10-25 03:00 comes twice on that day in Europe/Helsinki; read as the first" in doubtful[0].text
    assert record.series[TUNNEL_LEVEL].qualities[1:5] == (SUSPECT,) * 4


def test_a_mapping_may_have_a_zone_of_its_own(read: Read) -> None:
    record = read("2026-02-17 10:00,1,900\n", time={"column": "time", "formats": ["%Y-%m-%d %H:%M"], "zone": "UTC"})
    assert record.grid.stamps == (START,)


def test_times_with_an_offset_say_themselves_when_they_are(read: Read) -> None:
    time = {"column": "time", "formats": ["%Y-%m-%dT%H:%M%z"]}
    assert read("2026-02-17T11:00+01:00,1,900\n", time=time).grid.stamps == (START,)


def is_clear(instant: datetime, zone: ZoneInfo) -> bool:
    local = instant.astimezone(zone).replace(tzinfo=None)
    return len({local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}) == 1


CHANGES = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 8), (3, 29), (4, 5), (10, 25), (11, 1))]


@given(
    st.one_of(
        st.integers(0, 87_600).map(lambda hours: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
        st.sampled_from([change - timedelta(hours=14) for change in CHANGES]),
    ),
    st.sampled_from(["Europe/Helsinki", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_what_was_written_in_local_time_is_read_as_it_was(read: Read, start: datetime, zone: str) -> None:
    instants = [start + i * QUARTER for i in range(160)]
    assume(is_clear(instants[0], ZoneInfo(zone)))
    rows = "".join(f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M},1,900\n" for at in instants)
    record = read(rows, time={"column": "time", "formats": ["%Y-%m-%d %H:%M"], "zone": zone})
    assert record.grid.stamps[: len(instants)] == tuple(instants)
    assert {f.quality for f in record.findings} <= {None, SUSPECT}


# ---------------------------------------------------------------- files


def workbook(rows: list[list[object]]) -> bytes:
    """A workbook of one sheet, written by hand as the format's least."""

    def cell(value: object, place: str) -> str:
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return "" if value is None else f'<c r="{place}"><v>{value}</v></c>'

    lines = "".join(
        f'<row r="{n}">{"".join(cell(value, f"{letter}{n}") for letter, value in zip("ABC", row, strict=False))}</row>'
        for n, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    def relation(kind: str, target: str) -> str:
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        one = f'<Relationship Id="rId1" Type="{office}/{kind}" Target="{target}"/>'
        return f'<Relationships xmlns="{package}">{one}</Relationships>'

    sheets = '<sheets><sheet name="Record" sheetId="1" r:id="rId1"/></sheets>'
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">{sheets}</workbook>',
        "xl/_rels/workbook.xml.rels": relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    packed = BytesIO()
    with ZipFile(packed, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return packed.getvalue()


def test_a_workbook_reads_like_a_text(read: Read) -> None:
    book = workbook([["time", "level", "in"], ["2026-02-17 12:00", 1.5, 900], ["2026-02-17 12:15", None, "x"]])
    record = read(book)
    assert record.values(TUNNEL_LEVEL) == (1.5, None)
    assert [f.kind for f in record.findings] == [Kind.VALUE_MISSING, Kind.NOT_A_NUMBER]


def test_a_workbooks_own_times_are_local_and_go_to_the_second() -> None:
    assert cells._cell(datetime(2026, 2, 17, 12, 14, 59, 999_990)) == datetime(2026, 2, 17, 12, 15)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("content", "changes", "says"),
    [
        (b"", {}, "the file is empty"),
        (b"\n\n", {}, "the file is empty"),
        (b"time,level,in\n", {}, "no row has a time in the form %Y-%m-%d %H:%M"),
        (b"when,level,in\n2026-02-17 12:00,1,2\n", {}, "column 'time' is missing; the file has 'when', 'level', 'in'"),
        (b"time,level,level\n2026-02-17 12:00,1,2\n", {}, "column 'level' stands there more than once"),
        (b'time,level,in\n"2026', {}, "the file is no CSV with delimiter=','"),
        (b"\xff\xfe\x00t", {}, "the file is no CSV text in encoding='utf-8-sig', nor a workbook"),
        (b"time,level,in\n", {"encoding": "klingon"}, "encoding='klingon'"),
        (b"PK\x03\x04 and then nothing", {}, "the file is no workbook (XLSX)"),
        (workbook([["time"]]), {"sheet": "Other"}, "sheet='Other' must be one of Record"),
        (b"time,level,in\n1900-01-01 00:00,1,2\n2200-12-30 00:00,1,2\n", {}, "steps; 1000000 are the most"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(read: Read, content: bytes, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read(content, **changes)


def test_a_workbook_that_unpacks_to_more_than_is_sane_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "MOST_UNPACKED_BYTES", 100)
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes; 100 are the most"):
        read(workbook([["time", "level", "in"]]))


def test_a_file_with_more_rows_than_are_sane_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "MOST_ROWS", 2)
    with pytest.raises(ValueError, match="the file has 3 rows; 2 are the most"):
        read("2026-02-17 12:00,1,900\n2026-02-17 12:15,1,900\n")


def test_a_text_may_begin_with_a_mark_of_its_coding(read: Read) -> None:
    assert read(b"\xef\xbb\xbftime,level,in\n2026-02-17 12:00,1,900\n").values(TUNNEL_LEVEL) == (1.0,)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(read: Read, content: bytes) -> None:
    for start in (b"", b"time,level,in\n2026-02-17 12:00,1,900\n", b"PK\x03\x04"):
        try:
            record = read(start + content)
        except ValueError:
            continue
        for name, series in record.series.items():
            assert all(
                (value is None) == (q in {BAD, MISSING})
                for value, q in zip(series.values, series.qualities, strict=True)
            ), name

"""Award files: the real one where there is one, else generated in its schema, on days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from headworks.simulators.awards import NS, PublishedAwards, award_file, award_hours, published

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_real_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        (date(2026, 2, 17), datetime(2026, 2, 17, 8, tzinfo=UTC), 24),
        (date(2026, 3, 8), datetime(2026, 3, 8, 8, tzinfo=UTC), 23),
        (date(2026, 3, 9), datetime(2026, 3, 9, 7, tzinfo=UTC), 24),
        (date(2026, 11, 1), datetime(2026, 11, 1, 7, tzinfo=UTC), 25),
    ],
)
def test_a_generated_day_has_the_hours_of_the_pacific_day(day: date, start: datetime, hours: int) -> None:
    assert [at for at, _ in award_hours(day)] == [start + h * HOUR for h in range(hours)]
    labels = [e.text for e in records(award_file(day))[0].iterfind(f"{{{NS}}}TradeIntervalData/{{{NS}}}HR")]
    assert labels == [str(h + 1) for h in range(hours)]


def records(content: bytes) -> list[etree._Element]:
    return etree.fromstring(content).findall(f".//{{{NS}}}MarketResultRecord")


def test_a_generated_file_has_the_elements_of_the_real_one(headworks_data: Path) -> None:
    real = records((headworks_data / "caiso_dam_awards_20260217.xml").read_bytes())
    generated = records(award_file(date(2026, 2, 17)))

    def names(record: etree._Element) -> list[str]:
        fields = [e.tag for e in record if e.tag != f"{{{NS}}}TradeIntervalData"]
        interval = record.find(f"{{{NS}}}TradeIntervalData")
        assert interval is not None
        return [str(tag) for tag in [*fields, *(e.tag for e in interval)]]

    like = next(r for r in real if r.findtext(f"{{{NS}}}resource") == "MDFKRL_2_PROJCT")
    assert {tuple(names(r)) for r in generated} == {tuple(names(like))}


def test_cleared_is_market_and_self_together() -> None:
    sums: dict[str, list[float]] = {}
    for record in records(award_file(date(2026, 5, 5))):
        values = [float(str(e.text)) for e in record.iterfind(f"{{{NS}}}TradeIntervalData/{{{NS}}}MW")]
        sums[str(record.findtext(f"{{{NS}}}scheduleType"))] = values
    for cleared, market, own in zip(sums["CLEARED"], sums["MARKET"], sums["SELF"], strict=True):
        assert cleared == pytest.approx(market + own, abs=0.011)


def test_the_real_file_is_served_where_there_is_one(headworks_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_DATA", str(headworks_data))
    real = (headworks_data / "caiso_dam_awards_20260217.xml").read_bytes()
    assert award_file(date(2026, 2, 17)) == real
    assert {mw for _, mw in award_hours(date(2026, 2, 17))} == {40.0}
    assert award_file(date(2026, 2, 18)) != real


@pytest.mark.parametrize(
    ("now", "out"),
    [
        (datetime(2026, 2, 16, 20, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 2, 16, 21, tzinfo=UTC), True),
        (datetime(2026, 2, 16, 21, 0, 1, tzinfo=UTC), True),
    ],
)
def test_results_appear_at_13_pacific_of_the_day_before(now: datetime, out: bool) -> None:
    assert published(date(2026, 2, 17), now) is out


def test_results_of_a_day_after_the_clocks_changed_appear_at_13_by_the_new_time() -> None:
    assert not published(date(2026, 3, 9), datetime(2026, 3, 8, 19, 59, tzinfo=UTC))
    assert published(date(2026, 3, 9), datetime(2026, 3, 8, 20, tzinfo=UTC))


def test_mfra_follows_the_award_of_the_hour_over_the_end_of_a_day() -> None:
    awards = PublishedAwards()
    for day in (date(2026, 3, 8), date(2026, 11, 1)):
        for start, power_mw in award_hours(day):
            assert awards.at(start) == awards.at(start + timedelta(minutes=59, seconds=59)) == power_mw

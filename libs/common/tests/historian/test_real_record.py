"""The station's real record: what its facts say is wrong with it is found, by row, and nothing is mended."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from headworks.common.historian.reading import read_record
from headworks.common.historian.record import Finding, Kind, Record
from headworks.common.messages import Basis, Quality
from headworks.common.sites import read_sites
from headworks.waterway.series import PRICE, TUNNEL_INFLOW, TUNNEL_LEVEL, TUNNEL_VOLUME

HELSINKI, QUARTER = ZoneInfo("Europe/Helsinki"), timedelta(minutes=15)


@pytest.fixture(scope="module")
def record(headworks_data: Path, sites_folder: Path) -> Record:
    return read_record(headworks_data / "hsy_blominmaki_2024-11.csv", read_sites(sites_folder)["blominmaki"])


def found(record: Record, kind: Kind) -> list[Finding]:
    return [f for f in record.findings if f.kind is kind]


def local(day: int, hour: int, minute: int) -> datetime:
    return datetime(2024, 11, day, hour, minute, tzinfo=HELSINKI).astimezone(UTC)


def test_every_quarter_hour_is_there(record: Record) -> None:
    assert len(record.grid.stamps) == 1536
    assert (record.grid.stamps[0], record.grid.stamps[-1]) == (local(15, 0, 0), local(30, 23, 45))
    assert None not in record.grid.rows


def test_the_stop_of_all_pumps_is_found(record: Record) -> None:
    stops = found(record, Kind.TOO_FEW_PUMPS)
    assert [f.stamp for f in stops] == [local(20, 8, 15) + i * QUARTER for i in range(11)]
    assert {f.quality for f in stops} == {Quality.SUSPECT}


def test_the_artefact_of_the_inflow_is_found(record: Record) -> None:
    assert [f.stamp for f in found(record, Kind.DROP)] == [local(17, 10, 30), local(17, 10, 45)]


def test_the_level_below_zero_is_found_and_stays(record: Record) -> None:
    [below] = [f for f in found(record, Kind.OUT_OF_RANGE) if f.series == (TUNNEL_LEVEL,)]
    assert (below.row, below.stamp) == (35, local(15, 8, 15))
    place = record.grid.stamps.index(local(15, 8, 15))
    series = record.series[TUNNEL_LEVEL]
    assert series.values[place] == pytest.approx(-0.0156, abs=1e-4)
    assert series.qualities[place] is Quality.SUSPECT


def test_pumps_that_disagree_at_switching_are_found(record: Record) -> None:
    stamps = {f.stamp for f in found(record, Kind.PUMP_DISAGREES)}
    assert {local(21, 4, 0), local(29, 19, 30)} <= stamps
    assert len(stamps) == 11


def test_the_price_header_is_not_believed(record: Record) -> None:
    assert {f.series for f in found(record, Kind.UNIT_DIFFERS)} == {(PRICE,), ("high_day_ahead_price_eur_per_mwh",)}
    [negative] = found(record, Kind.NEGATIVE_PRICES)
    assert negative.text == "24 of 1536 values are below zero, the lowest -0.5 EUR/MWh"


def test_the_balance_closes_everywhere(record: Record) -> None:
    assert found(record, Kind.BALANCE) == []


def test_nothing_else_is_found(record: Record) -> None:
    assert Counter(f.kind for f in record.findings) == {
        Kind.TOO_FEW_PUMPS: 11,
        Kind.PUMP_DISAGREES: 11,
        Kind.OUT_OF_RANGE: 3,
        Kind.CURVE: 3,
        Kind.DROP: 2,
        Kind.UNIT_DIFFERS: 2,
        Kind.NEGATIVE_PRICES: 1,
    }


def test_flows_hold_for_the_step_that_ends_at_the_stamp_and_levels_at_it(record: Record) -> None:
    assert record.values(TUNNEL_INFLOW)[0] == pytest.approx(1454.531 / 900)
    assert (record.valid_at(TUNNEL_INFLOW)[0], record.basis(TUNNEL_INFLOW)) == (
        local(14, 23, 45),
        Basis.QUARTER_HOUR_MEAN,
    )
    assert (record.valid_at(TUNNEL_VOLUME)[0], record.basis(TUNNEL_VOLUME)) == (local(15, 0, 0), Basis.INSTANT)
    assert (record.valid_at(PRICE)[0], record.basis(PRICE)) == (local(15, 0, 0), Basis.QUARTER_HOUR_MEAN)


def test_the_historys_cost_is_the_facts_by_rows(record: Record) -> None:
    """A row's energy at the row's price, as the reference figures count."""
    pumps = [name for name in record.series if name.endswith("_power_mw")]
    for price, cost_eur in ((PRICE, 25_690.55), ("high_day_ahead_price_eur_per_mwh", 121_824.63)):
        columns = [record.values(name) for name in (price, *pumps)]
        rows = zip(*columns, strict=True)
        cost = sum((row[0] or 0) * sum(p or 0 for p in row[1:]) / 4 for row in rows)
        assert cost == pytest.approx(cost_eur, abs=0.01)


def test_there_is_a_sample_of_every_value(record: Record) -> None:
    samples = list(record.samples())
    assert len(samples) == 1536 * 30
    assert {s.quality for s in samples} == {Quality.GOOD, Quality.SUSPECT}

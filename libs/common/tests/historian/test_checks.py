"""A station's record against itself: pumps, balance, curve and sudden drops, each at its tolerance, inside and outside."""

from typing import Any

import pytest

from headworks.common.historian.mapping import RecordMapping
from headworks.common.historian.reading import record_in
from headworks.common.historian.record import Finding, Kind, Record
from headworks.common.messages import Quality
from headworks.waterway.series import STATION_OUTFLOW, TUNNEL_INFLOW, TUNNEL_LEVEL, TUNNEL_VOLUME
from headworks.waterway.site import Site

RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")
CHECKS = {
    "standing": {"frequency": "1 Hz", "power": "1 kW", "flow": "1 m**3/hour"},
    "balance": "1 m**3",
    "curve": "250 m**3",
    "drops": [{"series": "tunnel_inflow", "share": 0.4, "around": "30 min"}],
}
UNITS = {"frequency": "Hz", "flow": "m**3/hour", "power": "kW"}
RUNS, STANDS = ("49", "1500", "190"), ("0", "0", "0")


def column(name: str, series: str, unit: str) -> dict[str, Any]:
    return {"column": name, "series": series, "unit": unit, "stands_for": "step_before"}


def read(station: Site, columns: dict[str, tuple[str, str]], rows: list[list[str]]) -> Record:
    """A record of columns (by series: name and unit) and rows, a quarter hour each."""
    header = ",".join(["time", *(name for name, _ in columns.values())])
    lines = [f"2026-02-17 {12 + i // 4:02d}:{i % 4 * 15:02d},{','.join(row)}" for i, row in enumerate(rows)]
    mapping = {
        "kind": "record",
        "step": "15 min",
        "time": {"column": "time", "formats": ["%Y-%m-%d %H:%M"]},
        "columns": [column(name, series, unit) for series, (name, unit) in columns.items()],
        "checks": CHECKS,
    }
    return record_in("\n".join([header, *lines]).encode(), station, RecordMapping.model_validate(mapping))


def pumps(station: Site, *steps: dict[str, tuple[str, str, str]]) -> Record:
    """A record of all pumps: those that a step does not name stand."""
    columns = {f"{r.lower()}_{q}": (f"{r} {q}", unit) for r in RESOURCES for q, unit in UNITS.items()}
    rows = [[cell for r in RESOURCES for cell in step.get(r, STANDS)] for step in steps]
    return read(station, columns, rows)


def found(record: Record, kind: Kind) -> list[Finding]:
    return [f for f in record.findings if f.kind is kind]


def test_one_pump_is_enough_and_none_is_too_few(station: Site) -> None:
    record = pumps(station, {"P1_1": RUNS}, {}, {"P2_4": RUNS})
    [stop] = found(record, Kind.TOO_FEW_PUMPS)
    assert (stop.row, stop.quality, stop.text) == (3, Quality.SUSPECT, "0 pumps run; the station's rule is at least 1")
    assert len(stop.series) == 24
    assert record.series["p1_3_power_mw"].qualities == (Quality.GOOD, Quality.SUSPECT, Quality.GOOD)
    assert found(record, Kind.PUMP_DISAGREES) == []


def test_whether_pumps_run_is_not_known_where_a_frequency_is_not(station: Site) -> None:
    record = pumps(station, {"P1_1": ("", "0", "0")})
    assert found(record, Kind.TOO_FEW_PUMPS) == []


@pytest.mark.parametrize(
    ("readings", "agrees"),
    [
        (("49", "1500", "190"), True),
        (("1", "1", "1"), True),
        (("0", "0", "0"), True),
        (("1.001", "1.001", "1.001"), True),
        (("1.001", "1", "1"), False),
        (("1", "1.001", "1"), False),
        (("1", "1", "1.001"), False),
        (("49", "0", "190"), False),
        (("49", "1500", "0"), False),
        (("49", "", "0"), True),
    ],
)
def test_a_pump_agrees_with_itself_whether_it_runs(station: Site, readings: tuple[str, str, str], agrees: bool) -> None:
    record = pumps(station, {"P1_2": readings, "P2_1": RUNS})
    disagreements = found(record, Kind.PUMP_DISAGREES)
    assert len(disagreements) == (0 if agrees else 1)
    if not agrees:
        assert disagreements[0].series == ("p1_2_frequency_hz", "p1_2_flow_m3s", "p1_2_power_mw")
        assert record.series["p1_2_flow_m3s"].qualities == (Quality.SUSPECT,)
        assert record.series["p2_1_flow_m3s"].qualities == (Quality.GOOD,)


FLOWS = {
    "tunnel_volume": ("V", "m**3"),
    "tunnel_inflow": ("F1", "m**3/(15*min)"),
    "station_outflow": ("F2", "m**3/hour"),
}


@pytest.mark.parametrize(("volume", "closes"), [("1100", True), ("1100.9", True), ("1098.9", False), ("1101.1", False)])
def test_the_volume_is_the_balance_of_the_flows(station: Site, volume: str, closes: bool) -> None:
    record = read(station, FLOWS, [["1000", "200", "400"], [volume, "200", "400"]])
    assert len(found(record, Kind.BALANCE)) == (0 if closes else 1)
    if not closes:
        expected = (Quality.GOOD, Quality.SUSPECT)
        assert [record.series[n].qualities for n in (TUNNEL_VOLUME, TUNNEL_INFLOW, STATION_OUTFLOW)] == [expected] * 3


def test_a_balance_is_not_judged_where_a_part_of_it_is_not_known(station: Site) -> None:
    record = read(station, FLOWS, [["1000", "0", "0"], ["", "200", "400"], ["5000", "200", "400"], ["5000", "", "400"]])
    assert found(record, Kind.BALANCE) == []


CURVE = {"tunnel_level": ("L", "m"), "tunnel_volume": ("V", "m**3")}


@pytest.mark.parametrize(
    ("level", "volume", "fits"),
    [
        ("2.4", "10350", True),
        ("2.4", "10599", True),
        ("2.4", "10601", False),
        ("2.4", "10099", False),
        ("0", "350", True),
    ],
)
def test_the_volume_is_that_of_the_level(station: Site, level: str, volume: str, fits: bool) -> None:
    record = read(station, CURVE, [[level, volume]])
    assert len(found(record, Kind.CURVE)) == (0 if fits else 1)
    assert record.series[TUNNEL_LEVEL].qualities == (Quality.GOOD if fits else Quality.SUSPECT,)


def test_a_level_that_the_tunnel_has_not_is_not_judged_by_its_curve(station: Site) -> None:
    assert found(read(station, CURVE, [["-0.1", "350"], ["15", "350"]]), Kind.CURVE) == []


@pytest.mark.parametrize(("value", "drops"), [("399", True), ("401", False), ("5000", False)])
def test_a_value_far_below_its_neighbours_is_a_drop(station: Site, value: str, drops: bool) -> None:
    inflow = {"tunnel_inflow": ("F1", "m**3/(15*min)")}
    record = read(station, inflow, [["1000"], ["1000"], [value], ["1000"], ["1000"]])
    assert [f.row for f in found(record, Kind.DROP)] == ([4] if drops else [])


def test_what_the_record_has_not_is_not_judged(station: Site) -> None:
    assert read(station, {"p1_1_frequency": ("f", "Hz")}, [["0"]]).findings == ()

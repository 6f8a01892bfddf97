"""The one picture of a site's pumps: what was started counts among the station's starts, whoever ordered it."""

from datetime import timedelta
from pathlib import Path

import pytest
from time_rig import NOW, SECOND

from headworks.control_gateway.known import Running
from headworks.control_gateway.pump_limits import PumpLimits
from headworks.control_gateway.runs import RunBook
from headworks.control_gateway.station import Station

RUNS, STANDS = Running(True, True, None), Running(False, False, None)


@pytest.fixture
def station(tmp_path: Path, pump_limits: PumpLimits) -> Station:
    runs = RunBook(tmp_path, "blominmaki", unseen_s=1800.0)
    return Station(pump_limits, pump_limits.interlocks.order, runs, NOW - timedelta(hours=1))


def test_a_start_that_was_not_ordered_here_counts_among_the_stations_starts(station: Station) -> None:
    """By hand, or by the other gateway."""
    station.saw("P1_1", STANDS, NOW)
    assert station.started_at is None
    station.saw("P1_1", RUNS, NOW + SECOND)
    assert station.started_at == NOW + SECOND
    station.saw("P1_1", RUNS, NOW + 2 * SECOND)
    assert station.started_at == NOW + SECOND, "it runs on"
    station.saw("P1_1", STANDS, NOW + 3 * SECOND)
    assert station.started_at == NOW + SECOND, "a stop is no start"
    station.saw("P1_1", RUNS, NOW + 4 * SECOND)
    assert station.started_at == NOW + 4 * SECOND


def test_a_start_by_hand_against_an_order_to_stand_counts_too(station: Station) -> None:
    station.saw("P1_1", STANDS, NOW)
    station.ordered("P1_1", False, NOW + SECOND)
    station.saw("P1_1", RUNS, NOW + 2 * SECOND)
    assert station.started_at == NOW + 2 * SECOND


def test_what_runs_when_it_is_first_seen_was_not_seen_to_start(station: Station) -> None:
    station.saw("P1_1", RUNS, NOW)
    station.saw("P1_2", STANDS, NOW)
    assert station.started_at is None


def test_a_start_that_was_ordered_here_counts_from_its_order(station: Station) -> None:
    station.saw("P1_1", STANDS, NOW)
    station.ordered("P1_1", True, NOW + SECOND)
    station.saw("P1_1", STANDS, NOW + 2 * SECOND)
    assert station.order_of("P1_1") is not None
    station.saw("P1_1", RUNS, NOW + 5 * SECOND)
    assert (station.started_at, station.order_of("P1_1")) == (NOW + SECOND, None)


def test_an_order_stands_until_the_pump_is_seen_to_do_it(station: Station) -> None:
    station.saw("P1_1", RUNS, NOW)
    station.ordered("P1_1", False, NOW + SECOND)
    station.saw("P1_1", RUNS, NOW + 2 * SECOND)
    assert station.order_of("P1_1") is not None
    station.saw("P1_1", STANDS, NOW + 3 * SECOND)
    assert station.order_of("P1_1") is None

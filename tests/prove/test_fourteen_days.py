"""Fourteen days lived through: dry days see the tunnel empty, wet days do not, and no rule is broken on the way."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.optimizer.station.backtest import Inflow, Knowledge, Prices, Record, Turn, run
from headworks.optimizer.station.real_station import RealStation
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_rules import Before, breaches
from headworks.waterway.station_site import StationSite

pytestmark = pytest.mark.prove
SITE_FILE = Path(__file__).parents[2] / "sites" / "blominmaki.yaml"
START = datetime(2026, 3, 9, 22, tzinfo=UTC)
"""Midnight in Helsinki."""
DAYS, A_DAY, STEP_S = 14, 96, 900.0
WET = (4, 5, 9, 10)
"""Two storms of two days each."""
BEFORE = tuple(Before(k in {0, 3}, 40) for k in range(8))


def inflow_m3(t: int) -> float:
    usual = 110_000.0 / A_DAY * (1 + 0.3 * math.sin(2 * math.pi * (t / A_DAY - 0.4)))
    return usual * (2.0 if t // A_DAY in WET else 1.0)


def price(t: int) -> float:
    return 50 - 40 * math.cos(2 * math.pi * (t / A_DAY - 0.15))


@pytest.fixture(scope="module")
def station_site() -> StationSite:
    """The site, quick to solve: alike pumps together, two rounds, a short tail."""
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["planning"]["solve"] |= {"alike": "1 m", "tail": "6 h", "rounds": 2}
    return StationSite.model_validate(raw)


@pytest.fixture(scope="module")
def record() -> Record:
    steps = range(DAYS * A_DAY)
    return Record(START, STEP_S, tuple(map(inflow_m3, steps)), tuple(map(price, steps)), 9_000.0, BEFORE)


@pytest.fixture(scope="module")
def turns(station_site: StationSite, record: Record) -> list[Turn]:
    return list(run(station_site, record, Knowledge(Inflow.PERFECT, Prices.PERFECT), 32))


@pytest.fixture(scope="module")
def ran(station_site: StationSite, record: Record, turns: list[Turn]) -> StationTrajectory:
    asked = [asked_hz for turn in turns for asked_hz in turn.frequency_hz]
    real = RealStation(station_site.pumping_station.station)
    return real.run(record.initial_volume_m3, asked, record.inflow_m3, STEP_S)


def day(k: int) -> range:
    return range(k * A_DAY, (k + 1) * A_DAY - 1)


def test_dry_days_are_emptied_and_wet_ones_are_not(ran: StationTrajectory) -> None:
    emptied = [min(ran.level_m[t] for t in day(k)) <= 0.5 for k in range(DAYS)]
    assert emptied == [k not in WET for k in range(DAYS)]


def test_dry_days_are_emptied_in_the_cheap_half(ran: StationTrajectory, record: Record) -> None:
    """But for the two that begin with what a storm left: these are emptied when they can be."""
    usual = sorted(record.price_eur_per_mwh[:A_DAY])[A_DAY // 2]
    ordinary = [k for k in range(DAYS) if k not in WET and k - 1 not in WET]
    begun = [next(t for t in day(k) if ran.level_m[t] <= 0.5) for k in ordinary]
    assert [record.price_eur_per_mwh[t] <= usual for t in begun] == [True] * 8


def test_no_rule_is_broken_on_the_way(station_site: StationSite, turns: list[Turn], ran: StationTrajectory) -> None:
    asked = [asked_hz for turn in turns for asked_hz in turn.frequency_hz]
    assert breaches(station_site.pumping_station.limits(STEP_S), asked, ran, BEFORE) == []
    assert not any(turn.fallback for turn in turns)

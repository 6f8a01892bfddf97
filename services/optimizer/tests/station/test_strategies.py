"""Strategies of the site file: read with their instants, in order, or refused at the start by field."""

import pytest
import yaml

from headworks.common.database import Database
from headworks.optimizer.station.case import Strategy
from headworks.optimizer.station.kind import StationKind
from headworks.optimizer.station.strategies import default_document
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.waterway.station_site import StationSite


def with_strategies(text: str, *periods: dict[str, str]) -> StationSite:
    """The site with these in its schedule section."""
    raw = yaml.safe_load(text)
    raw["schedule"]["strategies"] = list(periods)
    return StationSite.model_validate(raw)


def period(start: str, end: str, strategy: str = "minimal") -> dict[str, str]:
    return {
        "start": f"2026-03-{start}Z",
        "end": f"2026-03-{end}Z",
        "strategy": strategy,
        "reason": "works at the plant",
    }


def test_the_site_files_strategies_are_version_0(station_text: str) -> None:
    site = with_strategies(station_text, period("10T06:00:00", "10T18:00:00"), period("11T06:00:00", "11T18:00:00"))
    document = default_document(site)
    assert (document.version, document.changed_by, document.changed_at) == (0, "site file", None)
    assert [p.strategy for p in document.periods] == [Strategy.MINIMAL] * 2
    assert default_document(with_strategies(station_text)).periods == ()


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        ([period("10T06:00:00", "10T18:00:00", "fast")], r"schedule.strategies: 0.strategy: .*'fast'"),
        ([period("10T06:00:00", "10T06:00:00")], r"schedule.strategies: 0: end=.* must lie after start="),
        (
            [period("10T06:00:00", "10T18:00:00"), period("10T17:00:00", "10T19:00:00")],
            r"schedule.strategies.1.start: at or after 2026-03-10T18:00:00",
        ),
    ],
)
def test_wrong_strategies_stop_the_service_at_its_start(
    station_text: str, periods: list[dict[str, str]], message: str
) -> None:
    database = Database("postgresql+asyncpg://nobody@nowhere/nothing")
    store = StrategyStore(database, RunStore(database))
    with pytest.raises(ValueError, match=message):
        StationKind(with_strategies(station_text, *periods), store)


def test_a_wrong_planning_section_stops_it_too(station_text: str) -> None:
    database = Database("postgresql+asyncpg://nobody@nowhere/nothing")
    raw = yaml.safe_load(station_text)
    raw["planning"]["solve"]["rounds"] = 0
    with pytest.raises(ValueError, match=r"planning: solve.rounds"):
        StationKind(StationSite.model_validate(raw), StrategyStore(database, RunStore(database)))

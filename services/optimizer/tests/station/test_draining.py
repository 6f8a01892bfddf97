"""A plan that empties the tunnel as soon as can be: it keeps every rule, and is begun with only where it helps."""

from pathlib import Path

import pytest
import yaml

from headworks.optimizer.models.pumping_data import StationCase, StationWeights
from headworks.optimizer.station.continuing import broken_rules, continue_plan
from headworks.optimizer.station.draining import drained_instead
from headworks.optimizer.station.schedule import StationOptions, solve_station
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules
from headworks.waterway.station_site import StationSite

STEPS = 96
WEIGHTS = StationWeights(not_emptied_eur=10_000.0)
IDLE = ((0.0, 0.0, 0.0, 49.0, 0.0, 0.0, 0.0, 0.0),) * STEPS
"""One large pump: it lifts less than flows in."""


@pytest.fixture(scope="module")
def site() -> StationSite:
    file = Path(__file__).parents[4] / "sites" / "blominmaki.yaml"
    return StationSite.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def station(site: StationSite) -> Station:
    return site.pumping_station.station


@pytest.fixture(scope="module")
def rules(site: StationSite) -> StationRules:
    return site.pumping_station.limits(900)


def case_of(volume_m3: float, inflow_m3h: float, *, rested: int = 20, without: tuple[int, ...] = ()) -> StationCase:
    """A dry day from its midnight, pump 1.4 running."""
    before = tuple(Before(on=place == 3, steps=20 if place == 3 else rested) for place in range(8))
    return StationCase(
        initial_volume_m3=volume_m3,
        before=before,
        inflow_m3=(inflow_m3h / 4,) * STEPS,
        price_eur_per_mwh=(50.0,) * STEPS,
        step_s=900,
        dry_days=(range(STEPS - 1),),
        not_planned=without,
    )


@pytest.mark.parametrize("rested", [20, 0], ids=["pumps that rested", "pumps that must rest still"])
@pytest.mark.parametrize(("volume_m3", "inflow_m3h"), [(90_000, 5800), (30_000, 4000), (3000, 4000), (70_000, 6000)])
def test_a_tight_day_is_emptied_within_every_rule(
    station: Station, rules: StationRules, volume_m3: float, inflow_m3h: float, rested: int
) -> None:
    case = case_of(volume_m3, inflow_m3h, rested=rested)
    drained = continue_plan(station, case, drained_instead(station, rules, case, WEIGHTS, IDLE, range(0)))
    assert drained is not None
    assert broken_rules(station, rules, case, *drained) == ()


def test_pumps_that_no_plan_leads_stand(station: Station, rules: StationRules) -> None:
    case = case_of(30_000, 4000, without=(0, 1))
    drained = drained_instead(station, rules, case, WEIGHTS, IDLE, range(0))
    assert drained
    assert {hz for asked_hz in drained for hz in asked_hz[:2]} == {0.0}


def test_a_plan_that_empties_the_tunnel_is_left_alone(station: Station, rules: StationRules) -> None:
    case = case_of(30_000, 4000)
    empties = drained_instead(station, rules, case, WEIGHTS, IDLE, range(0))
    assert drained_instead(station, rules, case, WEIGHTS, empties, range(0)) == ()


def test_a_solve_without_time_empties_the_tunnel_all_the_same(station: Station, rules: StationRules) -> None:
    case = case_of(90_000, 5800)
    options = StationOptions(time_limit_s=0.01, rounds=1, threads=1)
    found = solve_station(station, rules, case, WEIGHTS, options, IDLE)
    assert found.trajectory is not None
    assert min(found.trajectory.level_m) <= 0.5
    assert found.gone_on

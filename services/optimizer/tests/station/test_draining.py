"""A plan that empties the tunnel as soon as can be: it keeps every rule, and is begun with only where it helps."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from headworks.optimizer.models.pumping_data import StationCase, StationWeights
from headworks.optimizer.station.continuing import broken_rules, continue_plan
from headworks.optimizer.station.draining import drained_instead
from headworks.optimizer.station.schedule import StationOptions, solve_station
from headworks.waterway.station import Station, StationTrajectory
from headworks.waterway.station_rules import Before, StationRules
from headworks.waterway.station_site import StationSite

STEPS = 96
WEIGHTS = StationWeights(not_emptied_eur=10_000.0)
IDLE = ((0.0, 0.0, 0.0, 49.0, 0.0, 0.0, 0.0, 0.0),) * STEPS
"""One large pump: it lifts less than flows in."""


@pytest.fixture(scope="module")
def station(station_site: StationSite) -> Station:
    return station_site.pumping_station.station


@pytest.fixture(scope="module")
def rules(station_site: StationSite) -> StationRules:
    return station_site.pumping_station.limits(900)


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


def test_in_a_storm_the_plant_gets_what_it_takes_and_no_more(station: Station, rules: StationRules) -> None:
    """Four pumps at their slowest move more the fuller the tunnel is: one must stop, and smaller ones come for it."""
    case = replace(case_of(106_000, 12_500), dry_days=(), inflow_m3=(12_500 / 4,) * 32, price_eur_per_mwh=(50.0,) * 32)
    on = (False, True, True, True, False, True, False, False)
    case = replace(case, before=tuple(Before(on=runs, steps=20) for runs in on))
    too_much = ((0.0, 47.8, 47.8, 47.8, 0.0, 47.8, 0.0, 0.0),) * 32
    broken = broken_rules(station, rules, case, *continued(station, case, too_much))
    assert {breach.rule for breach in broken} >= {"maximum_outflow"}
    drained = drained_instead(station, rules, case, WEIGHTS, too_much, range(0))
    frequency_hz, trajectory = continued(station, case, drained)
    kept = broken_rules(station, rules, case, frequency_hz, trajectory)
    assert {breach.rule for breach in kept} <= {"maximum_level"}
    assert min(trajectory.outflow_m3s) > 0.9 * rules.maximum_outflow_m3s, "and not much less"


@pytest.mark.parametrize("running", [(0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 6, 7)])
def test_pumps_that_send_the_plant_too_much_are_fewer_also_when_it_is_nearly_empty(
    station: Station, rules: StationRules, running: tuple[int, ...]
) -> None:
    """As a flush window comes to its end: many run, and a little is left."""
    case = case_of(6000, 3000)
    case = replace(case, before=tuple(Before(on=place in running, steps=20) for place in range(8)))
    drained = continued(station, case, drained_instead(station, rules, case, WEIGHTS, IDLE, range(0)))
    assert drained[1].outflow_m3s[0] <= rules.maximum_outflow_m3s + 1e-9
    assert broken_rules(station, rules, case, *drained) == ()


def storm_case(on: tuple[bool, ...]) -> StationCase:
    """A day of 10,440 m³/h from 6.46 m: all that the plant takes, from a level at which few sets of pumps move just that."""
    case = case_of(91_370, 10_440)
    return replace(case, dry_days=(), before=tuple(Before(on=runs, steps=20) for runs in on))


SMALLER = (False, True, False, False, True, False, True, False)
"""1.2, 2.1 and 2.3: at full speed they move 10,050 m³/h at 6.4 m, and a fourth would be too much."""


def test_pumps_that_move_a_little_less_than_the_plant_takes_are_changed_for_others(
    station: Station, rules: StationRules
) -> None:
    case = storm_case(SMALLER)
    kept = replace(rules, maximum_level_m=6.6)
    going_on = (tuple(50.0 * runs for runs in SMALLER),) * STEPS
    risen = broken_rules(station, kept, case, *continued(station, case, going_on))
    assert {breach.rule for breach in risen} == {"maximum_level"}
    drained = continued(station, case, drained_instead(station, kept, case, WEIGHTS, going_on, range(0)))
    assert broken_rules(station, kept, case, *drained) == ()
    assert min(drained[1].outflow_m3s) >= 0.99 * rules.maximum_outflow_m3s


def test_in_a_storm_a_solve_begins_with_all_that_the_plant_takes(station: Station, rules: StationRules) -> None:
    """About the last plan, which floods the tunnel, a search finds nothing better; with no time at all that plan is left."""
    case, kept = storm_case(SMALLER), replace(rules, maximum_level_m=6.6)
    going_on = (tuple(50.0 * runs for runs in SMALLER),) * STEPS
    for options in (
        StationOptions(time_limit_s=30.0, threads=1),
        StationOptions(time_limit_s=0.01, rounds=1, threads=1),
    ):
        found = solve_station(station, kept, case, WEIGHTS, options, going_on)
        assert found.broken == ()
        assert found.gone_on is (options.time_limit_s < 1)
        assert found.gap is None or found.gap <= 0.01
        assert found.rounds <= 1, "no search about another plan came before"


def continued(
    station: Station, case: StationCase, frequency_hz: Sequence[Sequence[float]]
) -> tuple[tuple[tuple[float, ...], ...], StationTrajectory]:
    gone_on = continue_plan(station, case, frequency_hz)
    assert gone_on is not None
    return gone_on

"""The first plan: within half a second, by the rules of runs and rests, and what the long steps make of a case."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.optimizer.models.pumping_data import StationCase, StationWeights
from headworks.optimizer.station.coarse import _joined, first_plan
from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.optimizer.station.planned import Planned
from headworks.optimizer.station.planning import plan_problem
from headworks.waterway.station import simulate_station
from headworks.waterway.station_rules import Before, StationRules, breaches
from headworks.waterway.station_site import StationSite


def planned(site: StationSite, example: str, **changes: Any) -> Planned:
    problem = plan_problem(site, EXAMPLES[example]().model_copy(update=changes))
    assert isinstance(problem, Planned)
    return problem


def first(problem: Planned) -> tuple[tuple[float, ...], ...]:
    return first_plan(problem.station, problem.rules, problem.case, problem.weights, 20_000.0, 5.0)


@pytest.mark.parametrize("example", list(EXAMPLES))
def test_it_is_there_at_once_and_keeps_the_rules(station_site: StationSite, example: str) -> None:
    problem = planned(station_site, example)
    began_s = time.process_time()
    asked_hz = first(problem)
    assert time.process_time() - began_s < 2.0
    assert len(asked_hz) == 96
    ran = simulate_station(
        problem.station,
        initial_volume_m3=problem.case.initial_volume_m3,
        frequency_hz=asked_hz,
        inflow_m3=problem.case.inflow_m3[:96],
        step_s=900.0,
    )
    assert not breaches(problem.rules, asked_hz, ran, problem.case.before)


@settings(max_examples=10, deadline=None)
@given(
    states=st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=8, max_size=8),
    level_m=st.floats(1.0, 7.0),
)
def test_whatever_the_start_runs_and_rests_are_kept(
    station_site: StationSite, states: list[tuple[bool, int]], level_m: float
) -> None:
    pumps = tuple(
        pump.model_copy(update={"on": on, "steps": steps})
        for pump, (on, steps) in zip(EXAMPLES["dry-day"]().pumps, states, strict=True)
    )
    problem = planned(station_site, "dry-day", pumps=pumps, level_m=level_m)
    asked_hz = first(problem)
    ran = simulate_station(
        problem.station,
        initial_volume_m3=problem.case.initial_volume_m3,
        frequency_hz=asked_hz,
        inflow_m3=problem.case.inflow_m3[: len(asked_hz)],
        step_s=900.0,
    )
    assert not {b.rule for b in breaches(problem.rules, asked_hz, ran, problem.case.before)} & {
        "minimum_run",
        "minimum_rest",
        "frequency",
    }


def test_a_case_in_longer_steps_by_hand() -> None:
    rules = StationRules(0.0, 8.0, 47.8, 50.0, 2.9, 3, 2, 0.5)
    case = StationCase(
        initial_volume_m3=1000.0,
        before=(Before(on=True, steps=3), Before(on=True, steps=2), Before(on=False, steps=1)),
        inflow_m3=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 40.0),
        price_eur_per_mwh=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0),
        step_s=900.0,
        dry_days=(range(4), range(4, 7)),
        wanted=(3, 500.0),
        tail_steps=1,
    )
    long = _joined(rules, case, 3)
    assert (long.inflow_m3, long.price_eur_per_mwh) == ((6.0, 15.0, 40.0), (20.0, 50.0, 70.0))
    assert (long.step_s, long.scheduled) == (2700.0, 2)
    assert [(was.on, was.steps) for was in long.before] == [(True, 1), (True, 0), (False, 0)]
    assert (long.dry_days, long.wanted) == ((range(1), range(2, 3)), (1, 500.0))


def test_a_horizon_that_long_steps_do_not_fill_has_none(station_site: StationSite) -> None:
    problem = planned(station_site, "dry-day")
    case = StationCase(1000.0, problem.case.before, (900.0,) * 9, (50.0,) * 9, 900.0)
    assert first_plan(problem.station, problem.rules, case, StationWeights(), 20_000.0, 5.0) == ()


def test_cancelled_it_has_no_plan(station_site: StationSite) -> None:
    problem = planned(station_site, "dry-day")
    asked = []

    def cancel(gap: float | None) -> bool:
        asked.append(gap)
        return True

    assert first_plan(problem.station, problem.rules, problem.case, problem.weights, 20_000.0, 5.0, cancel) == ()
    assert asked

"""A solve begins with the last plan, tries a new one where that leads nowhere, and goes on with it if nothing better is found."""

import dataclasses
from typing import Any

import pytest
from station_rig import CHEAP_NIGHT, GROUPED, MIDNIGHT, STEP, inputs, quick_station, station_with

from headworks.optimizer.models.pumping_data import flat_reference, group_pumps, prepare_station
from headworks.optimizer.station import schedule
from headworks.optimizer.station.answered import StationStatus
from headworks.optimizer.station.case import LastPlan, PumpState
from headworks.optimizer.station.continuing import begun_with, continue_plan, or_begun_with
from headworks.optimizer.station.costing import given_way
from headworks.optimizer.station.draining import drained_instead
from headworks.optimizer.station.planning import plan_problem, solve_inputs
from headworks.optimizer.station.schedule import solve_station
from headworks.waterway.station_rules import Breach


def _after(pump: PumpState, ran_hz: list[float]) -> PumpState:
    """How a pump stands after what it ran."""
    for hz in ran_hz:
        steps = pump.steps + 1 if pump.on == (hz > 0) else 1
        pump = pump.model_copy(update={"on": hz > 0, "steps": steps})
    return pump


def test_the_last_plan_is_gone_on_with() -> None:
    first = solve_inputs(quick_station(), inputs(quick_station(), flow_m3s=1.4))
    plan = LastPlan(start=MIDNIGHT, frequency_hz=tuple(tuple(step.frequency_hz.values()) for step in first.steps))
    asked = inputs(quick_station(), flow_m3s=1.4)
    later = asked.model_copy(
        update={
            "level_m": first.steps[3].level_m,
            "start": MIDNIGHT + 4 * STEP,
            "last_plan": plan,
            "price_eur_per_mwh": CHEAP_NIGHT[4:],
            "pumps": tuple(
                _after(pump, [s.frequency_hz[pump.resource] for s in first.steps[:4]]) for pump in asked.pumps
            ),
        }
    )
    problem = plan_problem(quick_station(), later)
    assert not isinstance(problem, str)
    assert problem.last_hz == plan.frequency_hz[4:]
    found = solve_station(
        problem.station, problem.rules, problem.case, problem.weights, problem.options, problem.last_hz
    )
    assert found.broken == ()
    station, rules, case = problem.station, problem.rules, problem.case
    never_emptied = ((0.0, 50.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0),) * 92
    bad = begun_with(station, rules, case, found, never_emptied)
    assert "emptying" in {breach.rule for breach in bad.broken}
    kept = or_begun_with(station, rules, case, problem.weights, bad, problem.last_hz)
    assert kept.reason.startswith(
        "the last plan is gone on with: what it breaks costs 0.00 EUR (0 breaches), what was found"
    )
    assert kept.frequency_hz[: len(problem.last_hz)] == problem.last_hz
    assert (kept.gone_on, found.gone_on) == (True, False)
    assert or_begun_with(station, rules, case, problem.weights, bad, ()) is bad
    litres = dataclasses.replace(found, broken=(Breach("maximum_outflow", 0, "a litre too much"),) * 9)
    assert or_begun_with(station, rules, case, problem.weights, litres, never_emptied) is litres, (
        "nine small ones are no flood"
    )


NEVER_EMPTIED = ((50.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 0.0),) * 96


@pytest.mark.parametrize(("first_try", "tries"), [(0.5, 1), (1e-6, 2)])
def test_a_search_is_about_the_last_plan_and_then_about_a_new_one(
    monkeypatch: pytest.MonkeyPatch, first_try: float, tries: int
) -> None:
    """Not about the one that empties as soon as can be, though that stands by: about it the program finds no late emptying."""
    last = LastPlan(start=MIDNIGHT, frequency_hz=NEVER_EMPTIED)
    problem = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=1.4, last_plan=last))
    assert not isinstance(problem, str)
    about: list[Any] = []

    def told(*arguments: Any) -> Any:
        about.append(arguments[5])
        return searched(*arguments)

    searched = schedule._best_round
    monkeypatch.setattr(schedule, "_best_round", told)
    monkeypatch.setattr(schedule, "FIRST_TRY", first_try)
    station, rules, case, weights = problem.station, problem.rules, problem.case, problem.weights
    drained = drained_instead(station, rules, case, weights, problem.last_hz, range(0))
    found = solve_station(station, rules, case, weights, problem.options, problem.last_hz)
    assert (found.status, found.broken, found.gone_on) == (StationStatus.SOLVED, (), False)
    assert (about[0], len(about)) == (NEVER_EMPTIED, tries)
    assert drained
    assert drained not in about
    assert about[-1]


def test_a_search_that_was_cut_goes_on_from_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    last = LastPlan(start=MIDNIGHT, frequency_hz=NEVER_EMPTIED)
    problem = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=1.4, last_plan=last))
    assert not isinstance(problem, str)
    found: list[Any] = []

    def cut(*arguments: Any) -> Any:
        outcome, rounds = searched(*arguments)
        assert isinstance(outcome, schedule._Round)
        found.append((arguments[5], dataclasses.replace(outcome, timed_out=not found)))
        return found[-1][1], rounds

    searched = schedule._best_round
    monkeypatch.setattr(schedule, "_best_round", cut)
    answer = solve_station(
        problem.station, problem.rules, problem.case, problem.weights, problem.options, problem.last_hz
    )
    (begun, first), (again, second) = found
    assert (begun, again) == (NEVER_EMPTIED, first.frequency_hz)
    assert answer.cost_eur == min(first.cost_eur, second.cost_eur)


def test_water_below_where_every_pump_is_stopped_has_the_price_of_what_gives_way_last() -> None:
    problem = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=1.4))
    assert not isinstance(problem, str)
    groups = group_pumps(problem.station.pumps, 0.0)
    about = flat_reference(problem.case, groups, problem.case.initial_volume_m3)
    data = prepare_station(problem.station, problem.rules, problem.case, problem.weights, groups, about)
    continued = continue_plan(problem.station, problem.case, ((0.0, 50.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0),))
    assert continued is not None
    frequency_hz, ran = continued
    at, below = (dataclasses.replace(ran, volume_m3=(m3, *ran.volume_m3[1:])) for m3 in (43.75, 33.75))
    assert given_way(data, frequency_hz, below) - given_way(data, frequency_hz, at) == pytest.approx(0.01 * 100 * 1000)


def test_a_solve_without_time_goes_on_with_the_last_plan_and_says_so() -> None:
    hurried = station_with(schedule={"time_limit": "1 ms"}, solve=GROUPED)
    as_it_is = (50.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 0.0)
    last = LastPlan(start=MIDNIGHT - STEP, frequency_hz=(as_it_is,) * 96)
    solution = solve_inputs(hurried, inputs(hurried, flow_m3s=1.4, last_plan=last))
    assert solution.publishable
    assert solution.gone_on
    assert solution.reason == "nothing better was found in time than what the solve began with"
    assert tuple(solution.steps[0].frequency_hz.values()) == as_it_is
    assert solution.gap is None

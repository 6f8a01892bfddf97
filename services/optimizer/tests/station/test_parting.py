"""A day's emptying searched by windows: the same answer as in one piece, with a bound that holds, and every end that is none."""

import math
import time
from dataclasses import replace
from typing import Any

import pulp
import pytest
from station_rig import GROUPED, station_with

from headworks.optimizer import solver
from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_data import flat_reference, group_pumps, prepare_station
from headworks.optimizer.models.pumping_problem import PumpingProblem
from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.optimizer.station.parting import _Search, _windows, solve_by_parts
from headworks.optimizer.station.planned import Planned
from headworks.optimizer.station.planning import plan_problem

LIMITS = solver.SolverOptions(time_limit_s=60.0, mip_gap=0.002, threads=1, cuts=1, search=True)


def program(**weights: Any) -> PumpingProblem:
    """The dry day's program, quick to solve: alike pumps together, no tail."""
    planned = plan_problem(station_with(solve=GROUPED), EXAMPLES["dry-day"]())
    assert isinstance(planned, Planned)
    groups = group_pumps(planned.station.pumps, 1.0)
    about = flat_reference(planned.case, groups, 20_000.0)
    asked = replace(planned.weights, **weights)
    return build_pumping(prepare_station(planned.station, planned.rules, planned.case, asked, groups, about))


def never(_gap: float | None) -> bool:
    return False


def test_windows_give_what_one_search_gives() -> None:
    problem = program()
    whole = solver.solve_with_highs(problem.lp, LIMITS)
    parted = solve_by_parts(problem, LIMITS, never, None, first_share=0.0)
    assert isinstance(whole, solver.Solved)
    assert isinstance(parted, solver.Solved)
    assert parted.objective == pytest.approx(whole.objective, rel=2 * LIMITS.mip_gap)
    assert parted.bound <= whole.objective
    assert parted.objective - parted.bound <= LIMITS.mip_gap * abs(parted.objective) + 1e-6
    assert whole.bound <= parted.objective


@pytest.mark.parametrize(
    ("bounds", "first_bound", "bound", "proven"),
    [
        ([99.9, 120.0], 50.0, 99.9, True),
        ([90.0, 99.9], 50.0, 90.0, False),
        ([90.0, 99.9], 95.0, 95.0, False),
        ([float("-inf"), 99.9], 50.0, 50.0, False),
        ([105.0, float("inf")], 50.0, 100.0, True),
        ([float("-inf"), 99.9], float("-inf"), float("-inf"), False),
    ],
)
def test_the_bound_of_all_is_the_least_window_s_or_the_first_search_s(
    bounds: list[float], first_bound: float, bound: float, proven: bool
) -> None:
    best = solver.Solved(100.0, first_bound, {}, "HiGHS")
    parts = [frozenset({"a"}), frozenset({"b"})]
    ended = _Search(pulp.LpProblem("none"), LIMITS, parts, bounds, never, 0.0, best).result()
    answer = ended if isinstance(ended, solver.Solved) else getattr(ended, "best", None)
    assert isinstance(ended, solver.Solved) == proven
    assert answer is not None
    assert answer.bound == bound
    assert answer.gap == (None if math.isinf(bound) else pytest.approx((100.0 - bound) / 100.0))


def test_progress_without_a_bound_tells_no_gap() -> None:
    """Of windows that had no time for one each: an infinite gap is nothing that a message may hold."""
    told: list[float | None] = []

    def hear(gap: float | None) -> bool:
        told.append(gap)
        return False

    problem = program()
    unknown = solver.Solved(1e6, float("-inf"), {}, "HiGHS")
    parts = _windows(problem)
    until_s = time.perf_counter() + 5
    search = _Search(problem.lp, LIMITS, parts, [float("-inf")] * len(parts), hear, until_s, unknown)
    search.go_on()
    assert told[0] is None
    assert all(gap is None or math.isfinite(gap) for gap in told)


def test_what_has_no_plan_in_any_window_has_none() -> None:
    flooded = program(hard_maximum=True, margin_eur=0.0)
    lp = flooded.lp
    lp += flooded.volume[0] >= flooded.data.maximum_dam3 + 1
    assert isinstance(solve_by_parts(flooded, LIMITS, never, None, first_share=0.0), solver.Infeasible)


def test_who_cancels_among_the_windows_gets_what_there_is() -> None:
    asked = []

    def later(gap: float | None) -> bool:
        asked.append(gap)
        return len(asked) > 40

    ended = solve_by_parts(program(), replace(LIMITS, mip_gap=1e-9), later, None, first_share=0.0)
    assert isinstance(ended, solver.TimedOut)
    assert ended.cancelled
    assert ended.best is None or ended.best.bound <= ended.best.objective

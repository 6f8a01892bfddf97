"""Statuses are values; HiGHS and CBC agree; HiGHS and OR-Tools live in one process."""

import math
import subprocess
import sys

import pulp
import pytest

from headworks.optimizer import solver
from headworks.optimizer.afterbay.case import Form, IntegerOptions
from headworks.optimizer.afterbay.example_cases import calm_winter, spilling_storm, start_above_head_limit
from headworks.optimizer.models.afterbay import build
from headworks.optimizer.models.data import prepare
from headworks.waterway.afterbay_site import AfterbaySite

ALL_INTEGERS = IntegerOptions(spill_above_power_only=True, max_setpoint_changes=6, min_hours_between_changes=3)
OPTIONS = solver.SolverOptions(mip_gap=1e-6)


@pytest.mark.parametrize("first", ["import highspy; from ortools.linear_solver import pywraplp as o", "o-first"])
def test_highspy_and_ortools_load_in_either_order(first: str) -> None:
    imports = "from ortools.linear_solver import pywraplp as o; import highspy" if first == "o-first" else first
    program = f"{imports}\nassert o.Solver.CreateSolver('SCIP') is not None\nassert highspy.Highs().version()"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("integers", [None, ALL_INTEGERS])
def test_cbc_agrees_with_highs(site: AfterbaySite, integers: IntegerOptions | None) -> None:
    data = prepare(site, start_above_head_limit(hours=12))
    ours = solver.solve_with_highs(build(data, Form.MILP, integers=integers).lp, OPTIONS)
    theirs = solver.solve_with_cbc(build(data, Form.MILP, integers=integers).lp, OPTIONS)
    assert isinstance(ours, solver.Solved)
    assert isinstance(theirs, solver.Solved)
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-5, abs=1e-5)


def tiny(*, feasible: bool = True) -> pulp.LpProblem:
    problem = pulp.LpProblem("tiny", pulp.LpMinimize)
    x = problem.add_variable("x", 0, 10, pulp.LpInteger)
    problem += 2 * x + 1
    problem += x >= (2.5 if feasible else 11)
    return problem


@pytest.mark.parametrize("solve", [solver.solve_with_highs, solver.solve_with_cbc])
def test_an_infeasible_problem_is_a_value(solve: solver.SolveFunction) -> None:
    assert isinstance(solve(tiny(feasible=False), OPTIONS), solver.Infeasible)


@pytest.mark.parametrize("threads", [1, 2])
def test_one_process_solves_with_any_number_of_threads(threads: int) -> None:
    for each in (threads, 3 - threads):
        assert isinstance(solver.solve_with_highs(tiny(), solver.SolverOptions(threads=each)), solver.Solved)


def test_only_answers_below_a_value_count() -> None:
    below = solver.solve_with_highs(tiny(), solver.SolverOptions(below=7.5))
    assert isinstance(below, solver.Solved)
    assert below.objective == 7.0
    assert isinstance(solver.solve_with_highs(tiny(), solver.SolverOptions(below=6.5)), solver.Infeasible)


def either_or() -> pulp.LpProblem:
    """4 or more of a (2 each) or of b (3 each); c costs 5 and replaces both."""
    problem = pulp.LpProblem("either_or", pulp.LpMinimize)
    a, b, c = (problem.add_variable(name, 0, most, pulp.LpInteger) for name, most in (("a", 9), ("b", 9), ("c", 0)))
    problem += 2 * a + 3 * b + 5 * c
    problem += a + b + 4 * c >= 3.5
    return problem


def test_a_part_has_the_relaxation_without_the_others() -> None:
    bounds = solver.part_bounds(either_or(), [{"a"}, {"b"}, {"c"}], 10.0)
    assert bounds == pytest.approx([7.0, 10.5, float("inf")])
    alone = solver.solve_with_highs(either_or(), OPTIONS, without={"a", "c"})
    assert isinstance(alone, solver.Solved)
    assert alone.values == {"a": 0.0, "b": 4.0, "c": 0.0}


def test_a_part_that_had_no_time_has_no_bound() -> None:
    assert solver.part_bounds(either_or(), [{"a"}, {"b"}], 0.0) == [float("-inf")] * 2


@pytest.mark.parametrize("solve", [solver.solve_with_highs, solver.solve_with_cbc])
def test_an_answer_names_its_values(solve: solver.SolveFunction) -> None:
    result = solve(tiny(), OPTIONS)
    assert isinstance(result, solver.Solved)
    assert (result.objective, result.values) == (7.0, {"x": 3.0})


def test_an_unbounded_problem_is_a_fault() -> None:
    problem = pulp.LpProblem("unbounded", pulp.LpMinimize)
    problem += 1 * problem.add_variable("x")
    assert isinstance(solver.solve_with_highs(problem, OPTIONS), solver.Failed)


def test_a_hint_is_no_limit() -> None:
    result = solver.solve_with_highs(tiny(), OPTIONS, hints={"x": 9.0, "unknown": 1.0})
    assert isinstance(result, solver.Solved)
    assert result.values["x"] == 3.0


def test_a_cancelled_solve_says_so(site: AfterbaySite) -> None:
    for integers in (None, ALL_INTEGERS):
        problem = build(prepare(site, spilling_storm()), Form.MPC, integers=integers)
        result = solver.solve_with_highs(problem.lp, OPTIONS, lambda _gap: True)
        assert isinstance(result, solver.TimedOut)
        assert result.cancelled


def test_a_late_solve_says_so(site: AfterbaySite) -> None:
    problem = build(prepare(site, spilling_storm()), Form.MPC, integers=ALL_INTEGERS)
    result = solver.solve_with_highs(problem.lp, solver.SolverOptions(time_limit_s=0.01, mip_gap=0.0))
    assert isinstance(result, solver.TimedOut)
    assert not result.cancelled
    assert result.best is None


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(100.0, 95.0, 0.05), (-100.0, -95.0, 0.05), (0.0, 0.0, 0.0), (100.0, -math.inf, None), (100.0, math.inf, None)],
)
def test_a_gap_is_a_share_of_the_objective_or_not_known(objective: float, bound: float, gap: float | None) -> None:
    found = solver.Solved(objective, bound, {}, "HiGHS").gap
    assert found == (None if gap is None else pytest.approx(gap))


def test_an_answer_that_was_not_proven_says_how_far_it_may_be_off() -> None:
    assert solver.out_of_time(0.0312) == "the time ran out at a gap of 3.12%"
    assert solver.out_of_time(None) == "the time ran out before a bound was known"


def test_the_lp_text_reads_as_the_model(site: AfterbaySite) -> None:
    text = solver.write_lp(build(prepare(site, calm_winter(hours=2)), Form.MILP).lp)
    assert "water_balance_abay_001: " in text
    assert text.startswith("\\* abay_milp *\\")

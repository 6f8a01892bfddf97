"""The only file that knows solvers: PuLP problems to HiGHS in process, CBC as the independent fallback.

Statuses are values. highspy must stay below 1.15 beside ortools 9.15: both cannot be loaded in one process otherwise.
"""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pulp


@dataclass(frozen=True, slots=True)
class SolverOptions:
    """Time limit [s], relative gap at which to stop, threads; `cuts` about how many cuts HiGHS keeps (None: as it likes);
    `search` whether HiGHS searches with sub-MIPs also where hints are given; `below`: only answers of a smaller objective count.
    """

    time_limit_s: float = 20.0
    mip_gap: float = 0.001
    threads: int = 1
    cuts: int | None = None
    search: bool = False
    below: float = math.inf


@dataclass(frozen=True, slots=True)
class Solved:
    """A proven answer (within the gap): objective, bound, and each variable's value by name. Without a bound it is −∞ or ∞."""

    objective: float
    bound: float
    values: dict[str, float]
    solver: str

    @property
    def gap(self) -> float | None:
        """How far the objective may be from the best one, as a share of it; None where no bound is known."""
        gap = abs(self.objective - self.bound) / max(1e-9, abs(self.objective))
        return gap if math.isfinite(gap) else None


@dataclass(frozen=True, slots=True)
class Infeasible:
    """No answer can exist."""

    solver: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time ran out or the solve was cancelled; `best` is an answer of unproven quality, if one was found."""

    best: Solved | None
    cancelled: bool
    solver: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The solver itself went wrong."""

    reason: str
    solver: str


Result = Solved | Infeasible | TimedOut | Failed
Progress = Callable[[float | None], bool]
"""Called with the present gap now and then; returns True to cancel."""
DEVEX = 1
SolveFunction = Callable[[pulp.LpProblem, SolverOptions], Result]


def solve_with_highs(
    problem: pulp.LpProblem,
    options: SolverOptions,
    progress: Progress | None = None,
    hints: Mapping[str, float] | None = None,
    without: Collection[str] = (),
) -> Result:
    """Solve a PuLP problem with HiGHS in process. `hints` name integer variables' values to start from; the variables named in
    `without` are held at zero.
    """
    variables = problem.variables()
    # HiGHS keeps its threads for the whole process, and refuses a model that asks for another number of them.
    highspy.Highs.resetGlobalScheduler(True)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("time_limit", options.time_limit_s)
    highs.setOptionValue("mip_rel_gap", options.mip_gap)
    highs.setOptionValue("threads", options.threads)
    highs.setOptionValue("random_seed", 0)
    if options.cuts is not None:
        highs.setOptionValue("mip_pool_soft_limit", options.cuts)
    if math.isfinite(options.below):
        highs.setOptionValue("objective_bound", options.below)
    if highs.passModel(_highs_model(problem, variables)) == highspy.HighsStatus.kError:
        return Failed("HiGHS refused the model", "HiGHS")
    for column in [i for i, v in enumerate(variables) if v.name in without]:
        highs.changeColBounds(column, 0.0, 0.0)
    if any(v.cat == pulp.LpInteger for v in variables):
        _prepare_integers(highs, variables, hints or {}, search=options.search)
    else:
        # The linear form has little to presolve: it is 1.1 to 1.5 times faster without, and as much again with devex prices.
        highs.setOptionValue("presolve", "off")
        highs.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
    if progress is not None:
        _watch(highs, progress)
    highs.run()
    return _highs_result(highs, variables, options)


def part_bounds(problem: pulp.LpProblem, parts: Sequence[Collection[str]], time_limit_s: float) -> list[float]:
    """For each part the least objective of the relaxation in which the other parts' variables are zero; infinite where there is
    none, and minus infinite where the time did not suffice. All parts are bounds of one model, each from the one before.
    """
    variables, started_s = problem.variables(), time.perf_counter()
    model = _highs_model(problem, variables)
    model.integrality_ = []
    highspy.Highs.resetGlobalScheduler(True)
    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("presolve", "off"), ("threads", 1)):
        highs.setOptionValue(option, value)
    highs.passModel(model)
    column = {v.name: i for i, v in enumerate(variables)}
    upper = {name: model.col_upper_[column[name]] for part in parts for name in part}
    bounds = []
    for part in parts:
        left_s = time_limit_s - (time.perf_counter() - started_s)
        highs.setOptionValue("time_limit", highs.getRunTime() + max(0.0, left_s))
        for name, most in upper.items():
            highs.changeColBounds(column[name], 0.0, most if name in part else 0.0)
        highs.run()
        bounds.append(_bound_of(highs))
    return bounds


def _bound_of(highs: highspy.Highs) -> float:
    match highs.getModelStatus():
        case highspy.HighsModelStatus.kOptimal:
            return float(highs.getInfo().objective_function_value)
        case highspy.HighsModelStatus.kInfeasible:
            return math.inf
        case _:
            return -math.inf


def _prepare_integers(
    highs: highspy.Highs, variables: list[pulp.LpVariable], hints: Mapping[str, float], *, search: bool
) -> None:
    """Start from the hints; where they are good, the sub-MIP searches would take 80 % of the time for nothing."""
    known = [(i, hints[v.name]) for i, v in enumerate(variables) if v.name in hints]
    if known:
        for name in () if search else ("rens", "rins", "root_reduced_cost"):
            highs.setOptionValue(f"mip_heuristic_run_{name}", False)
        indices, values = zip(*known, strict=True)
        highs.setSolution(len(known), np.array(indices, dtype=np.int32), np.array(values))


def _highs_model(problem: pulp.LpProblem, variables: list[pulp.LpVariable]) -> highspy.HighsLp:
    """The problem as HiGHS' arrays: columns in PuLP's order, rows by compressed row."""
    # PuLP's variables hash in Python, and their own id is the hash: looking that up is several times faster.
    index = {variable.hash: i for i, variable in enumerate(variables)}
    starts, columns, values, lower, upper = [0], [], [], [], []
    for constraint in problem.constraints():
        for variable, coefficient in constraint.items():
            columns.append(index[variable.hash])
            values.append(coefficient)
        starts.append(len(columns))
        right = -constraint.constant
        lower.append(-highspy.kHighsInf if constraint.sense == pulp.LpConstraintLE else right)
        upper.append(highspy.kHighsInf if constraint.sense == pulp.LpConstraintGE else right)
    model: Any = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(variables), len(lower)
    costs = np.zeros(len(variables))
    for variable, cost in problem.objective.items():
        costs[index[variable.hash]] = cost
    model.col_cost_ = costs
    model.col_lower_ = np.array([-highspy.kHighsInf if v.lowBound is None else v.lowBound for v in variables])
    model.col_upper_ = np.array([highspy.kHighsInf if v.upBound is None else v.upBound for v in variables])
    model.row_lower_, model.row_upper_ = np.array(lower), np.array(upper)
    model.offset_ = problem.objective.constant
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = np.array(starts), np.array(columns)
    model.a_matrix_.value_ = np.array(values, dtype=float)
    if any(v.cat == pulp.LpInteger for v in variables):
        integer, continuous = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        model.integrality_ = [integer if v.cat == pulp.LpInteger else continuous for v in variables]
    return model


def _watch(highs: highspy.Highs, progress: Progress) -> None:
    """Ask `progress` at HiGHS' interrupt points, in simplex and branch and bound alike."""

    def ask(event: Any) -> None:
        gap = getattr(event.data_out, "mip_gap", None)
        known = gap if gap is not None and math.isfinite(gap) else None
        if progress(known):
            event.data_in.user_interrupt = True

    highs.HandleUserInterrupt = True
    highs.cbSimplexInterrupt.subscribe(ask)
    highs.cbMipInterrupt.subscribe(ask)


def _highs_result(highs: highspy.Highs, variables: list[pulp.LpVariable], options: SolverOptions) -> Result:
    status = highs.getModelStatus()
    states = highspy.HighsModelStatus
    if status == states.kOptimal:
        return _highs_answer(highs, variables)
    if status == states.kInfeasible:
        return Infeasible("HiGHS")
    if status == states.kUnboundedOrInfeasible:
        highs.setOptionValue("presolve", "off")
        highs.run()
        again = highs.getModelStatus()
        return Infeasible("HiGHS") if again == states.kInfeasible else Failed(str(again), "HiGHS")
    if status in {states.kTimeLimit, states.kInterrupt}:
        found = highs.getInfo().primal_solution_status == 2
        best = _highs_answer(highs, variables) if found and highs.getLp().integrality_ else None
        return TimedOut(best, status == states.kInterrupt, "HiGHS")
    return Failed(f"HiGHS ended with {status} at a limit of {options.time_limit_s} s", "HiGHS")


def _highs_answer(highs: highspy.Highs, variables: list[pulp.LpVariable]) -> Solved:
    info = highs.getInfo()
    values = {v.name: float(x) for v, x in zip(variables, highs.getSolution().col_value, strict=True)}
    integer = bool(highs.getLp().integrality_)
    bound = info.mip_dual_bound if integer else info.objective_function_value
    return Solved(info.objective_function_value, bound, values, "HiGHS")


def out_of_time(gap: float | None) -> str:
    """What is said of an answer that was not proven."""
    return "the time ran out before a bound was known" if gap is None else f"the time ran out at a gap of {gap:.2%}"


def solve_with_cbc(problem: pulp.LpProblem, options: SolverOptions) -> Result:
    """Solve a PuLP problem with CBC, the independent fallback, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = pulp.COIN_CMD(
            path=pulp.PULP_CBC_CMD.pulp_cbc_path,
            msg=False,
            timeLimit=options.time_limit_s,
            gapRel=options.mip_gap,
            threads=options.threads,
            logPath=str(Path(folder) / "cbc.log"),
        )
        started = time.perf_counter()
        try:
            problem.solve(command)
        except (pulp.PulpSolverError, OSError) as error:
            return Failed(str(error), "CBC")
        elapsed_s = time.perf_counter() - started
    return _cbc_result(problem, options, late=elapsed_s >= options.time_limit_s)


def _cbc_result(problem: pulp.LpProblem, options: SolverOptions, *, late: bool) -> Result:
    if problem.status == pulp.LpStatusInfeasible:
        return Infeasible("CBC")
    if problem.sol_status not in {pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible}:
        return TimedOut(None, cancelled=False, solver="CBC") if late else Failed(pulp.LpStatus[problem.status], "CBC")
    objective = float(pulp.value(problem.objective))
    values = {v.name: float(v.varValue or 0.0) for v in problem.variables()}
    integer = any(v.cat == pulp.LpInteger for v in problem.variables())
    # CBC says of its bound only that it is near enough, where it is.
    proven = problem.sol_status == pulp.LpSolutionOptimal
    away = options.mip_gap * abs(objective) if integer else 0.0
    bound = objective - problem.sense * (away if proven else math.inf)
    answer = Solved(objective, bound, values, "CBC")
    return answer if proven else TimedOut(answer, cancelled=False, solver="CBC")


def solve(
    problem: pulp.LpProblem,
    options: SolverOptions,
    progress: Progress | None = None,
    hints: Mapping[str, float] | None = None,
) -> Result:
    """HiGHS first; CBC when HiGHS itself goes wrong."""
    result = solve_with_highs(problem, options, progress, hints)
    return solve_with_cbc(problem, options) if isinstance(result, Failed) else result


def write_lp(problem: pulp.LpProblem) -> str:
    """The problem in the LP format, as one can read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        with contextlib.suppress(FileNotFoundError):
            problem.writeLP(str(path))
        return path.read_text(encoding="utf-8")

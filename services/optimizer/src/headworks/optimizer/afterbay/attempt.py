"""One way of asking a prepared case: a form, solved in rounds until its answer is what it stands for.

The first round leaves out what is seldom needed; where its answer shows that it is, the next one puts it in:
gates that allow spill at float alone, and changes of setpoint within a rafting window that cannot be met whole.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from headworks.optimizer import solver
from headworks.optimizer.afterbay.case import Form, IntegerOptions
from headworks.optimizer.models.afterbay import Problem, build
from headworks.optimizer.models.data import Data
from headworks.optimizer.models.reading import change_hints, partial_releases, spills_below_float

MAX_ROUNDS = 4
LEAST_TIME_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """One way to ask: a form, with or without the integer options."""

    form: Form
    integers: IntegerOptions | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stage's last problem, what became of it, and the seconds that all its rounds took."""

    stage: Stage
    problem: Problem
    result: solver.Result
    build_s: float
    solve_s: float

    @property
    def found(self) -> solver.Solved | None:
        """An answer of proven or, when time ran out, of stated quality."""
        match self.result:
            case solver.Solved():
                return self.result
            case solver.TimedOut(best=best, cancelled=cancelled):
                return None if cancelled else best
            case solver.Infeasible() | solver.Failed():
                return None
        assert_never(self.result)


@dataclass(frozen=True, slots=True)
class _Round:
    """What a round puts into the problem."""

    integers: IntegerOptions | None = None
    gate_spill: bool = False
    counted: frozenset[int] = frozenset()


def attempt(data: Data, stage: Stage, options: solver.SolverOptions, progress: solver.Progress | None) -> Attempt:
    """Solve a stage. With integers the linear form goes first: it proves infeasibility at once, and shows where to start."""
    tried, this = _solve(data, stage, _Round(), options, progress), _Round()
    linear = tried.found
    if linear is None:
        return tried
    hints: Mapping[str, float] = {}
    for _ in range(MAX_ROUNDS):
        found = tried.found
        following = this if found is None else _following(tried.problem, found.values, stage, this)
        if following == this:
            break
        if stage.integers is not None:
            hints = change_hints(tried.problem.data, _power_mw(tried), stage.integers)
        this = following
        tried = _solve(data, stage, this, options, progress, hints, tried)
    return tried


def _power_mw(tried: Attempt) -> list[float]:
    found = tried.found
    return [] if found is None else [found.values[v.name] for v in tried.problem.power]


def _following(problem: Problem, values: dict[str, float], stage: Stage, this: _Round) -> _Round:
    """What the next round must put in; the same round again when nothing is missing."""
    integers = stage.integers
    if integers is not None and this.integers is None:
        return replace(this, integers=integers)
    counts = integers is not None and integers.counts_changes
    return replace(
        this,
        gate_spill=this.gate_spill or spills_below_float(problem, values),
        counted=this.counted | partial_releases(problem, values) if counts else this.counted,
    )


def _solve(
    data: Data,
    stage: Stage,
    this: _Round,
    options: solver.SolverOptions,
    progress: solver.Progress | None,
    hints: Mapping[str, float] | None = None,
    before: Attempt | None = None,
) -> Attempt:
    """Build and solve one round, within what the rounds before it have left of the time."""
    spent_build_s, spent_s = (before.build_s, before.solve_s) if before else (0.0, 0.0)
    started = time.perf_counter()
    problem = build(data, stage.form, integers=this.integers, gate_spill=this.gate_spill, counted=this.counted)
    built = time.perf_counter()
    left_s = max(LEAST_TIME_SHARE * options.time_limit_s, options.time_limit_s - spent_s)
    result = solver.solve(problem.lp, replace(options, time_limit_s=left_s), progress, hints)
    solve_s = time.perf_counter() - built
    return Attempt(stage, problem, result, spent_build_s + built - started, spent_s + solve_s)

"""Solves a station's program by when the tunnel is emptied: the one great either-or of a dry day.

A relaxation mixes an early and a late emptying, and its bound lies 4 to 6 % low until branching has parted them. So where a first
search does not prove its answer, the day is parted in windows, each with a relaxation of its own. A window whose bound says
that it holds nothing better is done with; the others are searched one by one, the most promising first.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import pulp

from headworks.optimizer import solver
from headworks.optimizer.models.pumping_problem import PumpingProblem

WINDOW_STEPS = 4
FIRST_SHARE = 0.1
"""The share of the time that the first search gets, and the bounds of the windows as much."""
LONGEST_SHARE = 0.3
"""Of the time left the next window gets so much: the most promising is worth more than all the last."""
LEAST_S = 0.5
"""A search that is given less finds nothing."""


def solve_by_parts(
    problem: PumpingProblem,
    limits: solver.SolverOptions,
    on_progress: solver.Progress,
    hints: Mapping[str, float] | None,
    first_share: float = FIRST_SHARE,
) -> solver.Result:
    """The program's answer, as `solver.solve_with_highs` gives it, with the bound of all windows together."""
    parts = _windows(problem)
    if len(parts) < 2:
        return solver.solve_with_highs(problem.lp, limits, on_progress, hints)
    started_s, first_s = time.perf_counter(), first_share * limits.time_limit_s
    first = solver.solve_with_highs(problem.lp, replace(limits, time_limit_s=first_s), on_progress, hints)
    if not isinstance(first, solver.TimedOut) or first.cancelled:
        return first
    bounds = solver.part_bounds(problem.lp, parts, FIRST_SHARE * limits.time_limit_s)
    search = _Search(problem.lp, limits, parts, bounds, on_progress, started_s + limits.time_limit_s, first.best, hints)
    search.go_on()
    return search.result()


def _windows(problem: PumpingProblem) -> list[frozenset[str]]:
    """The variables of each window of the day that has most steps to choose from; beyond the schedule they are one window."""
    days = [_of_schedule(problem, day) for day in problem.empty]
    if not days:
        return []
    day = max(range(len(days)), key=lambda d: len(days[d]))
    windows: dict[int, set[str]] = {}
    for step, variable in problem.empty[day].items():
        window = step // WINDOW_STEPS if step in days[day] else -1
        windows.setdefault(window, set()).add(variable.name)
    return [frozenset(names) for names in windows.values()]


def _of_schedule(problem: PumpingProblem, day: Mapping[int, pulp.LpVariable]) -> list[int]:
    return [step for step in day if step < problem.data.case.scheduled]


@dataclass
class _Search:
    """The windows that are left to search, and the best answer so far; each search begins with the hints."""

    lp: pulp.LpProblem
    limits: solver.SolverOptions
    parts: Sequence[frozenset[str]]
    bounds: list[float]
    on_progress: solver.Progress
    until_s: float
    best: solver.Solved | None
    hints: Mapping[str, float] | None = None
    cancelled: bool = False
    failed: solver.Failed | None = None
    _all: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """What a window leaves out is all the others."""
        self._all = frozenset().union(*self.parts)

    def go_on(self) -> None:
        """Search the open windows, the most promising first, again and again until none is open or the time is over."""
        while open_parts := self._open():
            for part in open_parts:
                left_s = self.until_s - time.perf_counter()
                if left_s < LEAST_S or self.cancelled or self.failed:
                    return
                if self.bounds[part] < self._cutoff():
                    self._search(part, max(LEAST_S, LONGEST_SHARE * left_s, left_s / len(open_parts)))

    def result(self) -> solver.Result:
        """The best answer with its bound over all windows."""
        if self.failed:
            return self.failed
        if self.best is None:
            none_can = min(self.bounds) == float("inf")
            return solver.Infeasible("HiGHS") if none_can else solver.TimedOut(None, self.cancelled, "HiGHS")
        bound = min(self.best.objective, max(self.best.bound, min(self.bounds)))
        best = replace(self.best, bound=bound)
        proven = best.gap is not None and best.gap <= self.limits.mip_gap + 1e-9 and not self.cancelled
        return best if proven else solver.TimedOut(best, self.cancelled, "HiGHS")

    def _open(self) -> list[int]:
        cutoff = self._cutoff()
        return sorted((p for p, bound in enumerate(self.bounds) if bound < cutoff), key=lambda p: self.bounds[p])

    def _cutoff(self) -> float:
        """What a better answer must be below: better by less than the gap is not better."""
        if self.best is None:
            return float("inf")
        return self.best.objective - self.limits.mip_gap * abs(self.best.objective)

    def _search(self, part: int, limit_s: float) -> None:
        cutoff = self._cutoff()
        limits = replace(self.limits, time_limit_s=limit_s, below=cutoff)
        gap = self._gap()
        found = solver.solve_with_highs(
            self.lp, limits, lambda _of_part: self.on_progress(gap), self.hints, without=self._all - self.parts[part]
        )
        match found:
            case solver.Solved():
                self._take(part, found)
            case solver.Infeasible():
                self.bounds[part] = cutoff
            case solver.TimedOut(best=best, cancelled=cancelled):
                self.cancelled = cancelled
                if best is not None:
                    self._take(part, best)
            case solver.Failed():
                self.failed = found
            case _:
                assert_never(found)

    def _gap(self) -> float | None:
        if self.best is None:
            return None
        bound = min(self.best.objective, max(self.best.bound, min(self.bounds)))
        return replace(self.best, bound=bound).gap

    def _take(self, part: int, found: solver.Solved) -> None:
        """A window's answer; its bound is the window's, and the whole's stays what the first search knew."""
        self.bounds[part] = max(self.bounds[part], found.bound)
        if self.best is None or found.objective < self.best.objective:
            known = float("-inf") if self.best is None else self.best.bound
            self.best = replace(found, bound=known)

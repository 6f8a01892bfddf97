"""From a case to an answer: the strict form first, the soft one when that cannot hold; then the replay that judges both.

A schedule is never clamped into range. What had to give way is named, with when and by how much.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import pulp

from headworks.optimizer import solver
from headworks.optimizer.case import Case, Form, Hour, Replay, Solution, Status, Timing
from headworks.optimizer.explain import bindings, next_action, relaxations
from headworks.optimizer.models.afterbay import DAM3, Problem, build, limits_cannot_hold, prepare
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.curves import OutOfRange
from headworks.waterway.simulate import Trajectory, simulate
from headworks.waterway.site import Site

MAX_ELEVATION_ERROR_M = 0.001 * 0.3048
MAX_POWER_ERROR_MW = 0.001


@dataclass(frozen=True, slots=True)
class _Attempt:
    problem: Problem
    result: solver.Result
    build_s: float
    solve_s: float


def solve_case(site: Site, case: Case, progress: solver.Progress | None = None) -> Solution:
    """The best schedule of a case, replayed. Expected failures are statuses; nothing is raised for them."""
    unfit = _unfit(site, case)
    if unfit is not None:
        return Solution(status=Status.INFEASIBLE, reason=unfit)
    if limits_cannot_hold(site, prepare(site, case)):
        return _soft_answer(site, case, None, _attempt(site, case, Form.MPC, progress))
    strict = _attempt(site, case, Form.MILP, progress)
    if isinstance(strict.result, solver.Solved):
        return _answer(site, case, strict, strict.result)
    if isinstance(strict.result, solver.TimedOut) and strict.result.cancelled:
        return Solution(status=Status.FAILED, reason="cancelled", timing=_timing(strict))
    soft = _attempt(site, case, Form.MPC, progress)
    return _soft_answer(site, case, strict, soft)


def _soft_answer(site: Site, case: Case, strict: _Attempt | None, soft: _Attempt) -> Solution:
    """The soft form's answer, else the strict form's unproven one, else why there is none."""
    match soft.result:
        case solver.Solved():
            return _answer(site, case, soft, soft.result, before=strict)
        case solver.TimedOut(best=best, cancelled=cancelled):
            if cancelled:
                return Solution(status=Status.FAILED, reason="cancelled", timing=_timing(soft, strict))
            if best is not None:
                return _answer(site, case, soft, best, before=strict)
            if strict is not None and isinstance(strict.result, solver.TimedOut) and strict.result.best is not None:
                return _answer(site, case, strict, strict.result.best)
            reason = f"no schedule within {case.options.time_limit_s} s in either form"
            return Solution(status=Status.FAILED, reason=reason, timing=_timing(soft, strict))
        case solver.Infeasible():
            reason = "not even physics can hold: the reservoir leaves its surveyed range within the horizon"
            return Solution(status=Status.INFEASIBLE, reason=reason, timing=_timing(soft, strict))
        case solver.Failed(reason=reason):
            return Solution(status=Status.FAILED, reason=reason, timing=_timing(soft, strict))
    assert_never(soft.result)


def _unfit(site: Site, case: Case) -> str | None:
    """Why no schedule can be made of this case at all, or None."""
    curve = site.afterbay.reservoir.stage_storage.curve
    for name, elevation_m in (
        ("initial_elevation_m", case.initial_elevation_m),
        ("float_elevation_m", case.float_elevation_m),
    ):
        if not curve.lowest_m <= elevation_m <= curve.highest_m:
            return f"{name}={elevation_m:.2f} is outside the surveyed {curve.lowest_m:.2f} to {curve.highest_m:.2f} m"
    minimum_m = site.afterbay.reservoir.minimum_elevation
    maximum_m = case.float_elevation_m - site.afterbay.reservoir.float_buffer
    if maximum_m <= minimum_m:
        return f"float_elevation_m={case.float_elevation_m:.2f} leaves no room above the minimum of {minimum_m:.2f} m"
    return None


def _attempt(site: Site, case: Case, form: Form, progress: solver.Progress | None) -> _Attempt:
    started = time.perf_counter()
    problem = build(site, case, form)
    built = time.perf_counter()
    options = solver.SolverOptions(case.options.time_limit_s, case.options.mip_gap)
    result = solver.solve(problem.lp, options, progress)
    return _Attempt(problem, result, built - started, time.perf_counter() - built)


def _answer(
    site: Site, case: Case, attempt: _Attempt, solved: solver.Solved, before: _Attempt | None = None
) -> Solution:
    """Replay the model's schedule and say what it means."""
    started = time.perf_counter()
    problem, values = attempt.problem, solved.values
    power_mw = [values[v.name] for v in problem.power]
    setpoint_mw = _setpoints(site, case, problem, values)
    try:
        trajectory = recalculate(site, case, setpoint_mw)
    except OutOfRange as error:
        return Solution(status=Status.FAILED, reason=f"the replay fails: {error}", timing=_timing(attempt, before))
    replay = _compare(problem, values, power_mw, trajectory)
    relaxed = relaxations(site, case, trajectory)
    timing = _timing(attempt, before, time.perf_counter() - started)
    return Solution(
        status=Status.RELAXED if relaxed else Status.SOLVED,
        form=problem.form,
        solver=solved.solver,
        reason="" if replay.passed else "the replay differs from the model; not to be acted on",
        hours=_hours(case, setpoint_mw, trajectory),
        objective=solved.objective,
        objective_by_term=_by_term(problem, values),
        bound=solved.bound,
        gap=solved.gap,
        relaxations=relaxed,
        bindings=bindings(site, case, trajectory),
        timing=timing,
        replay=replay,
        next_action=next_action(site, case, setpoint_mw),
    )


def _setpoints(site: Site, case: Case, problem: Problem, values: dict[str, float]) -> list[float]:
    """What is published: the generation wanted; in a rafting window the unit's maximum where only the head withholds it."""
    unit, curve = site.afterbay.unit, site.afterbay.reservoir.stage_storage.curve
    setpoints: list[float] = []
    start_m = min(case.initial_elevation_m, case.float_elevation_m)
    for t, variable in enumerate(problem.power):
        power_mw = values[variable.name]
        end_m = curve.elevation_at(values[problem.storage[t].name] * DAM3 + problem.origin_m3)
        at_head = power_mw >= head_limit_mw(unit, min(start_m, end_m)) - MAX_POWER_ERROR_MW
        setpoints.append(unit.max_power if problem.rafting_hours[t] and at_head else power_mw)
        start_m = end_m
    return setpoints


def recalculate(site: Site, case: Case, setpoint_mw: Sequence[float]) -> Trajectory:
    """What a schedule leads to, without solving. Raises OutOfRange when the reservoir leaves its surveyed range."""
    abay = site.afterbay
    return simulate(
        abay.reservoir.stage_storage.curve,
        abay.unit,
        initial_elevation_m=case.initial_elevation_m,
        initial_power_mw=case.initial_power_mw,
        setpoint_mw=setpoint_mw,
        inflow_m3s=case.net_inflow_m3s(abay),
        float_elevation_m=case.float_elevation_m,
        step_s=case.grid.step_s,
    )


def recalculated(site: Site, case: Case, setpoint_mw: Sequence[float]) -> tuple[Hour, ...]:
    """The hours of an edited schedule."""
    return _hours(case, setpoint_mw, recalculate(site, case, setpoint_mw))


def _compare(problem: Problem, values: dict[str, float], power_mw: Sequence[float], trajectory: Trajectory) -> Replay:
    """The greatest differences; storage is turned into elevation at the trajectory's own slope."""
    modelled_m3 = [values[v.name] * DAM3 + problem.origin_m3 for v in problem.storage]
    slopes = _slopes(trajectory)
    elevation_error_m = max(
        abs(model - true) * slope for model, true, slope in zip(modelled_m3, trajectory.storage_m3, slopes, strict=True)
    )
    power_error_mw = max(abs(a - b) for a, b in zip(power_mw, trajectory.power_mw, strict=True))
    passed = elevation_error_m <= MAX_ELEVATION_ERROR_M and power_error_mw <= MAX_POWER_ERROR_MW
    return Replay(elevation_error_m=elevation_error_m, power_error_mw=power_error_mw, passed=passed)


def _slopes(trajectory: Trajectory) -> list[float]:
    """dh/dV [1/m²] of each step, never less than over the whole trajectory."""
    low, high = min(trajectory.storage_m3), max(trajectory.storage_m3)
    if high - low < 1.0:
        return [1.0 / 80_000] * len(trajectory.storage_m3)
    spread_m = max(trajectory.elevation_m) - min(trajectory.elevation_m)
    return [spread_m / (high - low)] * len(trajectory.storage_m3)


def _by_term(problem: Problem, values: dict[str, float]) -> dict[str, float]:
    return {
        name: sum(coefficient * values[variable.name] for variable, coefficient in term.items())
        for name, term in problem.terms.items()
    }


def _hours(case: Case, setpoint_mw: Sequence[float], trajectory: Trajectory) -> tuple[Hour, ...]:
    return tuple(
        Hour(
            start=start,
            setpoint_mw=setpoint_mw[t],
            power_mw=trajectory.power_mw[t],
            elevation_m=trajectory.elevation_m[t],
            spill_m3s=trajectory.spill_m3s[t],
            inflow_m3s=trajectory.inflow_m3s[t],
            outflow_m3s=trajectory.outflow_m3s[t],
        )
        for t, start in enumerate(case.grid.starts)
    )


def _timing(attempt: _Attempt, before: _Attempt | None = None, replay_s: float = 0.0) -> Timing:
    return Timing(
        build_s=attempt.build_s + (before.build_s if before else 0.0),
        solve_s=attempt.solve_s + (before.solve_s if before else 0.0),
        replay_s=replay_s,
    )


def lp_text(site: Site, case: Case, form: Form) -> str:
    """The case's problem in the LP format."""
    problem: pulp.LpProblem = build(site, case, form).lp
    return solver.write_lp(problem)

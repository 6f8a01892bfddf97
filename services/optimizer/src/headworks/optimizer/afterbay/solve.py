"""From a case to an answer: the MILP form first, the MPC form when that cannot hold or is late; the replay judges both.

A schedule is never clamped into range. What had to give way is named, with when and by how much.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from headworks.optimizer import solver
from headworks.optimizer.afterbay.attempt import LEAST_TIME_SHARE, Attempt, Stage, attempt
from headworks.optimizer.afterbay.case import Case, Form, Hour, Replay, Solution, Timing
from headworks.optimizer.afterbay.explain import bindings, dry_text, next_action, relaxations
from headworks.optimizer.models.afterbay import Problem, build
from headworks.optimizer.models.data import DAM3, Data, first_dry_hour, limits_cannot_hold, prepare
from headworks.optimizer.models.reading import whole_releases
from headworks.optimizer.values import Status
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.simulate import Trajectory, simulate

MAX_ELEVATION_ERROR_M = 0.001 * 0.3048
MAX_POWER_ERROR_MW = 0.001


def solve_case(site: AfterbaySite, case: Case, progress: solver.Progress | None = None) -> Solution:
    """The best schedule of a case, replayed. Expected failures are statuses; nothing is raised for them."""
    started = time.perf_counter()
    unfit = _unfit(site, case)
    if unfit is not None:
        return Solution(status=Status.INFEASIBLE, reason=unfit)
    data = prepare(site, case)
    dry = first_dry_hour(data)
    if dry is not None:
        return Solution(status=Status.INFEASIBLE, reason=dry_text(site, case, *dry))
    prepare_s = time.perf_counter() - started
    tried: list[Attempt] = []
    for stage in _stages(case, data):
        left_s = case.options.time_limit_s - (time.perf_counter() - started)
        limit_s = max(left_s, LEAST_TIME_SHARE * case.options.time_limit_s)
        latest = attempt(data, stage, solver.SolverOptions(limit_s, case.options.mip_gap), progress)
        tried.append(latest if tried else replace(latest, build_s=latest.build_s + prepare_s))
        if latest.found is not None:
            return _answer(site, case, tried, latest.found)
        if isinstance(latest.result, solver.TimedOut) and latest.result.cancelled:
            return Solution(status=Status.CANCELLED, reason="cancelled", timing=_timing(tried))
    return _no_answer(tried)


def _stages(case: Case, data: Data) -> list[Stage]:
    """What to try, in order; the MILP form only where its limits are not proven impossible."""
    options = case.options.integer_options
    integers = options if options.any else None
    stages = [Stage(Form.MPC, integers)]
    if not limits_cannot_hold(data):
        stages.insert(0, Stage(Form.MILP, integers))
    if integers is not None:
        stages.append(Stage(Form.MPC, None))
    return stages


def _no_answer(tried: Sequence[Attempt]) -> Solution:
    """Why no form gave a schedule."""
    result, timing = tried[-1].result, _timing(tried)
    match result:
        case solver.Infeasible():
            reason = "no schedule meets the unit's own limits: power range, ramp and head limit contradict one another"
            return Solution(status=Status.INFEASIBLE, reason=reason, timing=timing)
        case solver.TimedOut():
            return Solution(status=Status.FAILED, reason="no schedule within the time limit", timing=timing)
        case solver.Failed(reason=reason):
            return Solution(status=Status.FAILED, reason=reason, timing=timing)
        case solver.Solved():
            raise AssertionError("a solved attempt has an answer")
    assert_never(result)


def _unfit(site: AfterbaySite, case: Case) -> str | None:
    """Why no schedule can be made of this case at all, or None."""
    reservoir = site.afterbay.reservoir
    curve = reservoir.stage_storage.curve
    if case.site != site.site:
        return f"site={case.site!r} is not the site {site.site!r} that it was to be solved for"
    for name in ("initial_elevation_m", "float_elevation_m"):
        elevation_m: float = getattr(case, name)
        if not curve.lowest_m <= elevation_m <= curve.highest_m:
            return f"{name}={elevation_m:.2f} is outside the surveyed {curve.lowest_m:.2f} to {curve.highest_m:.2f} m"
    if case.float_elevation_m - reservoir.float_buffer <= reservoir.minimum_elevation:
        minimum_m = reservoir.minimum_elevation
        return f"float_elevation_m={case.float_elevation_m:.2f} leaves no room above the minimum of {minimum_m:.2f} m"
    return None


def _answer(site: AfterbaySite, case: Case, tried: Sequence[Attempt], solved: solver.Solved) -> Solution:
    """Replay the model's schedule and say what it means."""
    started = time.perf_counter()
    problem, values = tried[-1].problem, solved.values
    setpoint_mw = _setpoints(problem, values)
    try:
        trajectory = recalculate(site, case, setpoint_mw)
    except OutOfRange as error:
        return Solution(status=Status.FAILED, reason=f"the replay fails: {error}", timing=_timing(tried))
    replay = _compare(site, problem, values, trajectory)
    relaxed = relaxations(site, case, trajectory, setpoint_mw)
    return Solution(
        status=Status.RELAXED if relaxed else Status.SOLVED,
        form=tried[-1].stage.form,
        solver=solved.solver,
        reason=_reason(replay, tried, solved),
        hours=_hours(case, setpoint_mw, trajectory),
        objective=solved.objective,
        objective_by_term=_by_term(problem, values),
        bound=solved.bound if math.isfinite(solved.bound) else None,
        gap=solved.gap,
        relaxations=relaxed,
        bindings=bindings(site, case, trajectory),
        timing=_timing(tried, time.perf_counter() - started),
        replay=replay,
        next_action=next_action(site, case, setpoint_mw),
    )


def _reason(replay: Replay, tried: Sequence[Attempt], solved: solver.Solved) -> str:
    """Why the answer is less than was asked for, if it is."""
    if not replay.passed:
        return "the replay differs from the model; not to be acted on"
    if isinstance(tried[-1].result, solver.TimedOut):
        return solver.out_of_time(solved.gap)
    if len(tried) > 1 and isinstance(tried[0].result, solver.TimedOut):
        return "the MILP form found no schedule in its time"
    return ""


def _setpoints(problem: Problem, values: dict[str, float]) -> list[float]:
    """What is published: the generation wanted; in a whole rafting release the unit's maximum, which head or ramp withhold."""
    data, releases = problem.data, whole_releases(problem, values)
    return [
        # The solver's last digits may lie outside the bound by its tolerance.
        data.max_power_mw if t in releases else min(data.max_power_mw, max(data.min_power_mw, values[power.name]))
        for t, power in enumerate(problem.power)
    ]


def recalculate(site: AfterbaySite, case: Case, setpoint_mw: Sequence[float]) -> Trajectory:
    """What a schedule leads to, without solving, shape (hours,).

    Raises OutOfRange when the reservoir leaves its surveyed range, ValueError for a setpoint outside the unit's range.
    """
    abay = site.afterbay
    for start, setpoint in zip(case.grid.starts, setpoint_mw, strict=True):
        if not abay.unit.min_power <= setpoint <= abay.unit.max_power:
            raise ValueError(
                f"setpoint_mw={setpoint} at {start:%Y-%m-%d %H:%M}Z is outside the unit's "
                f"{abay.unit.min_power} to {abay.unit.max_power} MW"
            )
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


def recalculated(site: AfterbaySite, case: Case, setpoint_mw: Sequence[float]) -> tuple[Hour, ...]:
    """The hours of an edited schedule; raises as `recalculate` does."""
    return _hours(case, setpoint_mw, recalculate(site, case, setpoint_mw))


def _compare(site: AfterbaySite, problem: Problem, values: dict[str, float], trajectory: Trajectory) -> Replay:
    """The greatest differences between the model and the forward simulation, in elevation and in power."""
    curve = site.afterbay.reservoir.stage_storage.curve
    modelled_m = [curve.elevation_at(values[v.name] * DAM3 + problem.data.origin_m3) for v in problem.storage]
    elevation_error_m = max(abs(a - b) for a, b in zip(modelled_m, trajectory.elevation_m, strict=True))
    power_mw = [values[v.name] for v in problem.power]
    power_error_mw = max(abs(a - b) for a, b in zip(power_mw, trajectory.power_mw, strict=True))
    passed = elevation_error_m <= MAX_ELEVATION_ERROR_M and power_error_mw <= MAX_POWER_ERROR_MW
    return Replay(elevation_error_m=elevation_error_m, power_error_mw=power_error_mw, passed=passed)


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


def _timing(tried: Sequence[Attempt], replay_s: float = 0.0) -> Timing:
    return Timing(
        build_s=sum(attempt.build_s for attempt in tried),
        solve_s=sum(attempt.solve_s for attempt in tried),
        replay_s=replay_s,
    )


def lp_text(site: AfterbaySite, case: Case, form: Form) -> str:
    """The case's problem in the LP format, with its integer options."""
    options = case.options.integer_options
    return solver.write_lp(build(prepare(site, case), form, integers=options if options.any else None).lp)

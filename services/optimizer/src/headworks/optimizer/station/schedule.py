"""Solves a pumping station's horizon: linear about a reference, simulated, and about that again, until both agree.

Flow and energy depend on the level, and the level on the flow. Each round solves the mixed-integer program about the last
round's simulated volumes; the first-order terms let it see what a fuller tunnel is worth. The best simulated schedule is kept.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from headworks.optimizer import solver
from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_data import (
    DAM3,
    Group,
    PumpingData,
    Reference,
    StationCase,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
)
from headworks.optimizer.models.pumping_flush import flush_of
from headworks.optimizer.models.pumping_problem import PumpingProblem, counts, group_flows
from headworks.optimizer.station.answered import StationSchedule, StationStatus
from headworks.optimizer.station.coarse import LONGEST_S, first_plan
from headworks.optimizer.station.continuing import begun_with, broken_rules, continue_plan, or_begun_with, reference_of
from headworks.optimizer.station.costing import energy_cost, scheduled_days, starts_of, tail_cost, true_cost
from headworks.optimizer.station.draining import MENDED, Frequencies, drained_instead, goes_first
from headworks.optimizer.station.following import Wish, follow
from headworks.optimizer.station.parting import solve_by_parts
from headworks.waterway.station import Station, StationTrajectory, simulate_station
from headworks.waterway.station_rules import StationRules

SHORTEST_ROUND = 0.1
"""With less than this share of the time left, the best schedule so far is the answer."""
CUTS = 1
"""The program is tight already: cuts beyond a few take most of the time for nothing."""
FIRST_TRY = 0.5
"""The share of the time that a search about the last plan gets: one about a new plan has the rest if need be."""
LEFT_FREE = 6
"""So many steps before and after an emptying the program begins without hints."""


@dataclass(frozen=True, slots=True)
class StationOptions:
    """How to solve: the time of all rounds together, rounds at most, agreement of model and simulation [m³] that ends them,
    pumps alike within [m].
    """

    time_limit_s: float = 15.0
    mip_gap: float = 0.01
    threads: int = 2
    rounds: int = 4
    agree_m3: float = 100.0
    alike_m: float = 0.0
    first_volume_m3: float = 20_000.0


@dataclass(frozen=True, slots=True)
class _Round:
    """One round's schedule and its true cost."""

    frequency_hz: tuple[tuple[float, ...], ...]
    trajectory: StationTrajectory
    cost_eur: float
    gap: float | None
    reference: Reference
    disagreement_m3: float
    timed_out: bool
    terms: dict[str, float]
    flush: range
    notes: tuple[str, ...] = ()


def solve_station(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    options: StationOptions,
    last_hz: Sequence[Sequence[float]] = (),
    on_progress: solver.Progress | None = None,
    last_flush: range = range(0),
) -> StationSchedule:
    """The cheapest schedule found for a case. `last_hz` is what is left of the last plan, from the case's start on, and
    `last_flush` the steps of its flush, which may have begun before.

    Where it finds only what breaks more rules than the last plan, that is gone on with, or one that empties the tunnel as soon as
    can be where the last plan would leave a dry day's water or rise above the maximum; and the reason says so.
    """
    watch = _Watch(on_progress)
    begun_hz, kept_flush = last_hz, last_flush
    if not last_hz:
        begun_hz, kept_flush = _first_plan(station, rules, case, weights, options, watch), range(0)
    kept_hz, drained_hz = begun_hz, drained_instead(station, rules, case, weights, begun_hz, kept_flush)
    if drained_hz:
        kept_hz, kept_flush = drained_hz, range(0)
    if _is_a_plan(station, rules, case, kept_hz, kept_flush):
        watch.saw_a_plan()
    best, rounds = _best_try(station, rules, case, weights, options, last_hz, begun_hz, drained_hz, watch)
    if not isinstance(best, _Round):
        nothing = _nothing(best, rounds, watch, hard_maximum=weights.hard_maximum)
        late = nothing.status is StationStatus.TIMED_OUT
        return begun_with(station, rules, case, nothing, kept_hz, kept_flush) if late else nothing
    found = _schedule_of(station, rules, case, best, rounds, watch)
    if not found.broken or not (last_hz or drained_hz):
        return found
    name = "a plan that empties the tunnel as soon as can be" if drained_hz else "the last plan"
    return or_begun_with(station, rules, case, weights, found, kept_hz, kept_flush, name)


def _schedule_of(
    station: Station, rules: StationRules, case: StationCase, best: _Round, rounds: int, watch: "_Watch"
) -> StationSchedule:
    """The answer that a round is, with what it breaks."""
    return StationSchedule(
        status=StationStatus.TIMED_OUT if best.timed_out else StationStatus.SOLVED,
        reason="",
        frequency_hz=best.frequency_hz,
        trajectory=best.trajectory,
        cost_eur=best.cost_eur,
        energy_cost_eur=energy_cost(case, best.trajectory),
        gap=best.gap,
        rounds=rounds,
        first_plan_s=watch.first_plan_s,
        total_s=watch.passed_s,
        broken=broken_rules(station, rules, case, best.frequency_hz, best.trajectory, best.flush),
        reference=best.reference,
        terms=best.terms,
        starts=starts_of(best.frequency_hz, case.before),
        flush=best.flush,
        notes=best.notes,
    )


def _best_try(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    options: StationOptions,
    last_hz: Frequencies,
    begun_hz: Frequencies,
    drained_hz: Frequencies,
    watch: "_Watch",
) -> tuple[_Round | solver.Result, int]:
    """The best round about the last plan, in a share of the time; then about what that found, or, where that floods, leaves a
    dry day's water or sends the plant too much, about a new plan, and with time left about the one that empties as soon as can
    be: about a plan that pumps at other times the program sees other levels, and may find no emptying. Where no dry day is
    ahead that one goes first: in a storm it is all that the plant takes, and a search has little to better.
    """
    begun: list[tuple[float, Callable[[], Frequencies]]] = [(FIRST_TRY if last_hz else 1.0, lambda: begun_hz)]
    if last_hz:
        begun.append((1.0, lambda: _first_plan(station, rules, case, weights, options, watch)))
    if drained_hz and goes_first(case):
        begun.insert(0, (FIRST_TRY, lambda: drained_hz))
    elif drained_hz:
        begun.append((1.0, lambda: drained_hz))

    def search(share: float, about_hz: Frequencies) -> tuple[_Round | solver.Result, int]:
        until_s = watch.passed_s + share * (options.time_limit_s - watch.passed_s)
        limited = replace(options, time_limit_s=until_s)
        return _best_round(station, rules, case, weights, limited, about_hz, watch)

    best: _Round | solver.Result = solver.TimedOut(None, cancelled=False, solver="HiGHS")
    rounds = 0
    for share, begin in begun:
        found, more = search(share, begin())
        rounds += more
        if isinstance(found, _Round) and found.timed_out and share < 1 and _keeps(station, rules, case, found):
            again, more = search(1.0, found.frequency_hz)
            found, rounds = _better(found, again), rounds + more
        best = _better(best, found)
        if isinstance(best, _Round):
            settled = _keeps(station, rules, case, best)
        else:
            settled = not isinstance(best, solver.TimedOut) or best.cancelled
        if settled or watch.passed_s > (1 - SHORTEST_ROUND) * options.time_limit_s:
            break
    return best, rounds


def _better(best: _Round | solver.Result, found: _Round | solver.Result) -> _Round | solver.Result:
    """The cheaper of two schedules; else the outcome that is one, or the later. That a person cancelled goes before all."""
    if isinstance(best, _Round) and isinstance(found, _Round):
        return min(best, found, key=lambda outcome: outcome.cost_eur)
    cancelled = isinstance(found, solver.TimedOut) and found.cancelled
    return best if isinstance(best, _Round) and not cancelled else found


def _keeps(station: Station, rules: StationRules, case: StationCase, found: _Round) -> bool:
    """Whether a schedule empties each dry day, floods nothing and sends the plant no more than it takes."""
    broken = broken_rules(station, rules, case, found.frequency_hz, found.trajectory, found.flush)
    return MENDED.isdisjoint(breach.rule for breach in broken)


def _best_round(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    options: StationOptions,
    begun_hz: Sequence[Sequence[float]],
    watch: "_Watch",
) -> tuple[_Round | solver.Result, int]:
    """The round that costs least, or why there is none; and how many there were."""
    groups = group_pumps(station.pumps, options.alike_m, case.not_planned)
    begin_with = reference_of(station, rules, case, groups, begun_hz)
    if begin_with is not None:
        return _rounds(station, rules, case, weights, options, groups, begin_with, begin_with, watch)
    fuller_m3 = max(case.initial_volume_m3, options.first_volume_m3)
    about = flat_reference(case, groups, fuller_m3)
    outcome, rounds = _rounds(station, rules, case, weights, options, groups, about, None, watch)
    if not isinstance(outcome, solver.Infeasible) or fuller_m3 == case.initial_volume_m3:
        return outcome, rounds
    # Pumps that must run on move more from a fuller tunnel, perhaps more than there is in this one.
    about = flat_reference(case, groups, case.initial_volume_m3)
    return _rounds(station, rules, case, weights, options, groups, about, None, watch)


def _rounds(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    options: StationOptions,
    groups: tuple[Group, ...],
    about: Reference,
    begin_with: Reference | None,
    watch: "_Watch",
) -> tuple[_Round | solver.Result, int]:
    """The same, the first round about a reference."""
    best: _Round | None = None
    for number in range(1, options.rounds + 1):
        shortest_s = SHORTEST_ROUND * options.time_limit_s
        left_s = max(shortest_s, options.time_limit_s - watch.passed_s)
        if best is not None and left_s <= shortest_s:
            return _noted(best, options, number - 1), number - 1
        data = prepare_station(station, rules, case, weights, groups, about)
        outcome = _round(station, data, replace(options, time_limit_s=left_s), begin_with, watch)
        if not isinstance(outcome, _Round):
            cancelled = isinstance(outcome, solver.TimedOut) and outcome.cancelled
            if best is None or cancelled:
                return outcome, number
            without = () if isinstance(outcome, solver.TimedOut) else (f"round {number} had no answer",)
            return _noted(best, options, number, *without), number
        watch.saw_a_plan()
        if best is None or outcome.cost_eur < best.cost_eur:
            best = outcome
        about = begin_with = outcome.reference
        if outcome.disagreement_m3 <= options.agree_m3 and not _missed(rules, case, outcome.trajectory):
            return best, number
    assert best is not None, "a site file asks for one round at least"
    return _noted(best, options, options.rounds), options.rounds


def _noted(best: _Round, options: StationOptions, rounds: int, *notes: str) -> _Round:
    """The round that is kept, with what the others did not come to."""
    if best.disagreement_m3 > options.agree_m3:
        notes = (*notes, f"after {rounds} rounds program and simulation differ by {best.disagreement_m3:.0f} m³")
    return replace(best, notes=notes)


class _Watch:
    """Passes progress on, and keeps the time: since the solve began, and until it had a plan."""

    def __init__(self, on_progress: solver.Progress | None) -> None:
        self._on_progress, self._started_s = on_progress, time.perf_counter()
        self.first_plan_s: float | None = None

    @property
    def passed_s(self) -> float:
        return time.perf_counter() - self._started_s

    def saw_a_plan(self) -> None:
        self.first_plan_s = self.first_plan_s or self.passed_s

    def cancels(self, gap: float | None = None) -> bool:
        return self._on_progress(gap) if self._on_progress is not None else False

    def __call__(self, gap: float | None) -> bool:
        if gap is not None:
            self.saw_a_plan()
        return self.cancels(gap)


def _first_plan(
    station: Station,
    rules: StationRules,
    case: StationCase,
    weights: StationWeights,
    options: StationOptions,
    watch: _Watch,
) -> Sequence[Sequence[float]]:
    """Where no last plan is known, one to begin with; none where there is none."""
    limit_s = min(LONGEST_S, SHORTEST_ROUND * options.time_limit_s)
    return first_plan(station, rules, case, weights, options.first_volume_m3, limit_s, watch.cancels)


def _is_a_plan(
    station: Station, rules: StationRules, case: StationCase, begun_hz: Sequence[Sequence[float]], flush: range
) -> bool:
    """Whether what a solve begins with breaks no rule but, perhaps, an emptying: then it is a plan already."""
    continued = continue_plan(station, case, begun_hz)
    if continued is None:
        return False
    return not {b.rule for b in broken_rules(station, rules, case, *continued, flush)} - {"emptying"}


def _missed(rules: StationRules, case: StationCase, trajectory: StationTrajectory) -> bool:
    """Whether a dry day is not emptied: near the empty tunnel a few m³ decide, and another round may find them."""
    lowest_m = [min(trajectory.level_m[t] for t in day) for day in scheduled_days(case)]
    return any(level_m > rules.emptied_level_m for level_m in lowest_m)


def _nothing(result: solver.Result, rounds: int, watch: _Watch, *, hard_maximum: bool) -> StationSchedule:
    match result:
        case solver.Infeasible():
            dry = "the runs that must go on take more water than there is"
            flooded = (
                ", or no pumping keeps the level below its maximum, which is hard: maximum_level: soft says by how much"
            )
            status, reason = StationStatus.INFEASIBLE, dry + flooded * hard_maximum
        case solver.TimedOut(cancelled=True):
            status, reason = StationStatus.CANCELLED, "cancelled"
        case solver.TimedOut():
            status, reason = StationStatus.TIMED_OUT, "no schedule was found in time"
        case solver.Failed(reason=why):
            status, reason = StationStatus.FAILED, why
        case solver.Solved():
            raise AssertionError("a solved problem has a schedule")
    first_s, total_s = watch.first_plan_s, watch.passed_s
    return StationSchedule(status, reason, (), None, None, None, None, rounds, first_s, total_s, (), None)


def _round(
    station: Station,
    data: PumpingData,
    options: StationOptions,
    begin_with: Reference | None,
    on_progress: solver.Progress,
) -> _Round | solver.Result:
    problem = build_pumping(data)
    limits = solver.SolverOptions(options.time_limit_s, options.mip_gap, options.threads, CUTS, search=True)
    hints = _hints(problem, begin_with) if begin_with else None
    result = solve_by_parts(problem, limits, on_progress, hints)
    late = isinstance(result, solver.TimedOut) and not result.cancelled
    found = result.best if isinstance(result, solver.TimedOut) and late else result
    if not isinstance(found, solver.Solved):
        return result
    on = tuple(
        tuple(float(round(n)) if t < data.case.scheduled else n for t, n in enumerate(of_group))
        for of_group in counts(problem.on, found.values)
    )
    fast = counts(problem.fast, found.values)
    planned_m3 = tuple(found.values[variable.name] * DAM3 for variable in problem.volume)
    scheduled = data.case.scheduled
    flush = flush_of(problem, found.values)
    frequency_hz = follow(station, data, Wish(on, group_flows(problem, found.values), planned_m3, flush))
    trajectory = simulate_station(
        station,
        initial_volume_m3=data.case.initial_volume_m3,
        frequency_hz=frequency_hz,
        inflow_m3=data.case.inflow_m3[:scheduled],
        step_s=data.case.step_s,
    )
    ends_m3 = (*trajectory.volume_m3, *planned_m3[scheduled:])
    return _Round(
        frequency_hz=frequency_hz,
        trajectory=trajectory,
        cost_eur=true_cost(data, frequency_hz, trajectory, flush) + tail_cost(problem, found.values),
        gap=found.gap,
        reference=Reference((data.case.initial_volume_m3, *ends_m3[:-1]), on, fast),
        disagreement_m3=max(abs(a - b) for a, b in zip(planned_m3, ends_m3, strict=True)),
        timed_out=late,
        terms={
            name: term.constant + sum(c * found.values[v.name] for v, c in term.items())
            for name, term in problem.terms.items()
        },
        flush=flush,
    )


def _hints(problem: PumpingProblem, plan: Reference) -> dict[str, float]:
    """The counts of a plan to start from, except about its emptiest steps: there every m³ counts, and has moved."""
    ends_m3 = (*plan.volume_m3[1:], plan.volume_m3[-1])
    emptiest = [min(empty, key=lambda t: ends_m3[t]) for empty in problem.empty if empty]
    return {
        variable.name: plan.on[g][t]
        for g, of_group in enumerate(problem.on)
        for t, variable in enumerate(of_group[: problem.data.case.scheduled])
        if all(abs(t - empty) > LEFT_FREE for empty in emptiest)
    }

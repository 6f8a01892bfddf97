"""A closed loop over a record: plan with what was known then, run the station on what really came, and go on from there.

Each turn plans from the step's start with the same code as the service, and runs the plan's first steps on the station's true
curves with the record's inflow. Nothing of the future reaches a plan but what its knowledge says: `Knowledge` names that.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np

from headworks.optimizer.station.case import (
    LastPlan,
    OutsideInflow,
    PumpState,
    StationInputs,
    StationSolution,
    StrategyPeriod,
    WantedVolume,
)
from headworks.optimizer.station.divergence import OVER, diverged_m3
from headworks.optimizer.station.forecasting import InflowMethod, forecast_inflow
from headworks.optimizer.station.forecasting import Record as ForecastRecord
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.station.real_station import RealStation
from headworks.optimizer.station.settings import horizon_steps, planning_of
from headworks.optimizer.station.skill import JUDGED, SKILL, PastForecast, inflow_errors
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import local_date, local_midnight

RECORD_DAYS = 14
KEPT_STEPS = 999
"""A pump's run or rest is counted up to here."""


class Inflow(StrEnum):
    """What is known of the inflow ahead."""

    PERFECT = "perfect"
    OWN = "own"
    PERSISTENCE = "persistence"


class Prices(StrEnum):
    """What is known of the prices ahead: all, or to the end of the day and tomorrow's from an hour on."""

    PERFECT = "perfect"
    DAY_AHEAD = "day_ahead"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a plan may know, and how the real station differs from the model (nothing, or a noise drawn from a seed)."""

    inflow: Inflow = Inflow.OWN
    prices: Prices = Prices.DAY_AHEAD
    tomorrow_from_hour: int = 14
    noise_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What really came: inflow [m³] and price by step from `start`, the volume before, and how the pumps stood.

    `end_volume_m3` is what the record left: a back-test shall leave no more.
    """

    start: datetime
    step_s: float
    inflow_m3: tuple[float, ...]
    price_eur_per_mwh: tuple[float, ...]
    initial_volume_m3: float
    before: tuple[Before, ...]
    end_volume_m3: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One plan and what was run of it: from which step, the frequencies that were run, how the solve went.

    Without a plan it is a `fallback`; with `gone_on` the plan is only what the solve began with. `planned_m3` is the change of
    volume that each step of it was to bring.
    """

    step: int
    frequency_hz: tuple[tuple[float, ...], ...]
    status: str
    reason: str
    solve_s: float
    first_plan_s: float | None
    gap: float | None
    risk: str
    quality: str
    emergency: bool
    relaxations: int
    fallback: bool
    forecast_m3s: tuple[float, ...]
    gone_on: bool = False
    planned_m3: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Where the loop stands."""

    step: int
    volume_m3: float
    before: tuple[Before, ...]
    hours_run: tuple[float, ...] = ()
    emptied_at: datetime | None = None
    plan: StationSolution | None = None
    forecasts: tuple[PastForecast, ...] = ()
    missed_m3: tuple[float | None, ...] = ()


def run(
    site: StationSite,
    record: Record,
    knowledge: Knowledge,
    every: int,
    strategies: Sequence[StrategyPeriod] = (),
    done: Sequence[Turn] = (),
    left: StationSolution | None = None,
    keep_plan: Callable[[int, StationSolution], None] | None = None,
) -> Iterator[Turn]:
    """The turns of a back-test, each `every` steps; those already `done` are run again without a solve, and not given.

    `left` is the plan that the last of them left; `keep_plan` is told of each turn's, before the turn is given. With both,
    a run in parts is the whole run. Raises ValueError when what is done does not fit the record.
    """
    station = RealStation(site.pumping_station.station, knowledge.noise_seed)
    state = State(0, record.initial_volume_m3, record.before)
    for turn in done:
        if turn.step != state.step:
            raise ValueError(f"what is done has a turn at step {turn.step} where step {state.step} is next")
        state = _after(site, station, record, state, turn, None)
    state = replace(state, plan=left)
    while state.step < len(record.inflow_m3):
        solution = solve_inputs(site, inputs_at(site, record, knowledge, state, strategies))
        turn = _turn(site, record, state, solution, every)
        state = _after(site, station, record, state, turn, solution)
        if keep_plan is not None and state.plan is not None:
            keep_plan(turn.step, state.plan)
        yield turn


def inputs_at(
    site: StationSite, record: Record, knowledge: Knowledge, state: State, strategies: Sequence[StrategyPeriod]
) -> StationInputs:
    """What a plan at this state may know."""
    t, start = state.step, record.start + state.step * timedelta(seconds=record.step_s)
    past = record.inflow_m3[max(0, t - round(RECORD_DAYS * 86_400 / record.step_s)) : t]
    # Before the record nothing is known: its first value stands for the step before it.
    flows = tuple(volume / record.step_s for volume in (past or record.inflow_m3[:1]))
    known = _known_prices(site, record, knowledge, t)
    end = record.start + len(record.inflow_m3) * timedelta(seconds=record.step_s)
    pumps = site.pumping_station.pumps
    tunnel = site.pumping_station.station.tunnel
    return StationInputs(
        site=site.site,
        start=start,
        step_s=record.step_s,
        level_m=tunnel.level_at(state.volume_m3),
        pumps=tuple(
            PumpState(resource=pump.resource, on=was.on, steps=min(was.steps, KEPT_STEPS), hours_run=hours)
            for pump, was, hours in zip(pumps, state.before, state.hours_run or (0.0,) * len(pumps), strict=True)
        ),
        past_inflow_m3s=flows,
        past_price_eur_per_mwh=record.price_eur_per_mwh[max(0, t - len(flows)) : t],
        price_eur_per_mwh=known,
        outside_inflow=_outside(site, record, knowledge.inflow, t, start, flows),
        emptied_at=state.emptied_at,
        diverged_m3=diverged_m3(state.missed_m3),
        past_inflow_error=_errors(record, state),
        strategies=tuple(strategies),
        last_plan=_last_plan(site, state),
        wanted_volume=None if record.end_volume_m3 is None else WantedVolume(at=end, at_most_m3=record.end_volume_m3),
    )


def _outside(
    site: StationSite, record: Record, inflow: Inflow, t: int, start: datetime, past_m3s: Sequence[float]
) -> OutsideInflow | None:
    """What is told of the inflow ahead: the record itself, in which nothing is uncertain; persistence with the errors that
    it made in the record so far; or nothing, for the plan's own forecast.
    """
    quantiles = planning_of(site).forecast.quantiles
    match inflow:
        case Inflow.OWN:
            return None
        case Inflow.PERFECT:
            source, flow_m3s = "the record itself", tuple(volume / record.step_s for volume in record.inflow_m3[t:])
            low_m3s = high_m3s = flow_m3s
        case Inflow.PERSISTENCE:
            steps = sum(horizon_steps(site, planning_of(site), record.step_s))
            known = ForecastRecord(np.array(past_m3s, dtype=float), record.step_s)
            held = forecast_inflow(known, steps, InflowMethod.PERSISTENCE, quantiles)
            source, flow_m3s = held.source, held.flow_m3s
            low_m3s, high_m3s = held.low_m3s[: held.measured], held.high_m3s[: held.measured]
    return OutsideInflow(
        source=source,
        issued_at=start,
        flow_m3s=flow_m3s,
        quantiles=quantiles if low_m3s else None,
        low_m3s=low_m3s,
        high_m3s=high_m3s,
    )


def _errors(record: Record, state: State) -> tuple[float, ...]:
    """How well inflow was forecast of late, by the inflow up to now alone: judged as the service does."""
    step = timedelta(seconds=record.step_s)
    spans = range(max(0, state.step - round((SKILL + JUDGED) / step)), state.step)
    return inflow_errors(state.forecasts, {record.start + t * step: record.inflow_m3[t] / record.step_s for t in spans})


def _known_prices(site: StationSite, record: Record, knowledge: Knowledge, t: int) -> tuple[float, ...]:
    """Prices from step t on, as far as they are known then."""
    if knowledge.prices is Prices.PERFECT:
        return record.price_eur_per_mwh[t:]
    now = record.start + t * timedelta(seconds=record.step_s)
    days = 2 if now.astimezone(site.zone).hour >= knowledge.tomorrow_from_hour else 1
    until = local_midnight(local_date(now, site.zone) + timedelta(days=days), site.zone)
    # The price of a step is that of the stamp it ends at: the step that ends at midnight has tomorrow's first.
    before_midnight = round((until - record.start).total_seconds() / record.step_s) - 1
    return record.price_eur_per_mwh[t : max(t + 1, before_midnight)]


def _last_plan(site: StationSite, state: State) -> LastPlan | None:
    if state.plan is None or not state.plan.steps:
        return None
    names = [pump.resource for pump in site.pumping_station.pumps]
    steps = state.plan.steps
    return LastPlan(
        start=steps[0].start,
        frequency_hz=tuple(tuple(step.frequency_hz[name] for name in names) for step in steps),
        flush_window=state.plan.flush_window,
        flushed=state.plan.flushed,
    )


def _turn(site: StationSite, record: Record, state: State, solution: StationSolution, every: int) -> Turn:
    """What is run: the new plan's first steps; without a plan the last one's, and without that the pumps as they are."""
    names = [pump.resource for pump in site.pumping_station.pumps]
    count = min(every, len(record.inflow_m3) - state.step)
    start = record.start + state.step * timedelta(seconds=record.step_s)
    fallback = not solution.publishable
    steps = (
        solution.steps
        if not fallback
        else tuple(s for s in (state.plan.steps if state.plan else ()) if s.start >= start)
    )
    asked = [tuple(step.frequency_hz[name] for name in names) for step in steps[:count]]
    full_hz = site.pumping_station.rules.maximum_frequency
    as_it_is = tuple(full_hz if was.on else 0.0 for was in state.before)
    asked += [asked[-1] if asked else as_it_is] * (count - len(asked))
    tuning, timing = solution.tuning, solution.timing
    return Turn(
        step=state.step,
        frequency_hz=tuple(asked),
        status=solution.status.value,
        reason=solution.reason,
        solve_s=timing.total_s if timing else 0.0,
        first_plan_s=timing.first_plan_s if timing else None,
        gap=solution.gap,
        risk=tuning.risk.value if tuning else "",
        quality=tuning.quality.value if tuning else "",
        emergency=tuning.emergency if tuning else False,
        relaxations=len(solution.relaxations),
        fallback=fallback,
        forecast_m3s=tuple(step.inflow_m3s for step in solution.steps[: round(JUDGED.total_seconds() / record.step_s)]),
        gone_on=solution.gone_on,
        planned_m3=tuple((step.inflow_m3s - step.outflow_m3s) * record.step_s for step in steps[:count]),
    )


def _after(
    site: StationSite,
    station: RealStation,
    record: Record,
    state: State,
    turn: Turn,
    solution: StationSolution | None,
) -> State:
    """The state after a turn."""
    count, t = len(turn.frequency_hz), state.step
    ran = station.run(state.volume_m3, turn.frequency_hz, record.inflow_m3[t : t + count], record.step_s, t)
    before, step_h = state.before, record.step_s / 3600
    for asked_hz in turn.frequency_hz:
        before = tuple(
            Before(was.on, was.steps + 1) if was.on == (hz > 0) else Before(hz > 0, 1)
            for was, hz in zip(before, asked_hz, strict=True)
        )
    emptied = [i for i, level_m in enumerate(ran.level_m) if level_m <= site.pumping_station.rules.emptied_level]
    ends = [record.start + (t + i + 1) * timedelta(seconds=record.step_s) for i in emptied]
    step = timedelta(seconds=record.step_s)
    said = PastForecast(record.start + t * step, step, turn.forecast_m3s)
    oldest = record.start + (t + count) * step - SKILL - JUDGED
    planned_m3 = (*turn.planned_m3, *[None] * (count - len(turn.planned_m3)))
    changes_m3 = [after - was for was, after in pairwise((state.volume_m3, *ran.volume_m3))]
    missed_m3 = (
        None if planned is None else came - planned for came, planned in zip(changes_m3, planned_m3, strict=True)
    )
    return State(
        step=t + count,
        volume_m3=ran.volume_m3[-1],
        before=before,
        hours_run=tuple(
            hours + step_h * sum(asked_hz[p] > 0 for asked_hz in turn.frequency_hz)
            for p, hours in enumerate(state.hours_run or (0.0,) * len(before))
        ),
        emptied_at=ends[-1] if ends else state.emptied_at,
        plan=solution if solution is not None and solution.publishable else state.plan,
        forecasts=tuple(f for f in (*state.forecasts, said) if f.start >= oldest and f.flow_m3s),
        missed_m3=(*state.missed_m3, *missed_m3)[-(OVER // step) :],
    )

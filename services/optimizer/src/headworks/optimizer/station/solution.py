"""A solved schedule in the words of people and other systems: steps, costs, what gave way, and what is done first."""

from collections.abc import Sequence
from datetime import timedelta

from headworks.optimizer.solver import out_of_time
from headworks.optimizer.station.answered import StationSchedule, StationStatus
from headworks.optimizer.station.case import (
    StationInputs,
    StationRelaxation,
    StationSolution,
    StationStep,
    StationTiming,
)
from headworks.optimizer.station.flush import (
    flushed_before,
    planned_flush,
)
from headworks.optimizer.station.flush_faults import flush_faults
from headworks.optimizer.station.planned import Planned
from headworks.optimizer.values import Status
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite


def solution_of(
    site: StationSite, inputs: StationInputs, problem: Planned, schedule: StationSchedule
) -> StationSolution:
    """The answer in the words of people and other systems."""
    timing = StationTiming(first_plan_s=schedule.first_plan_s, total_s=schedule.total_s)
    known = StationSolution(
        status=STATUSES[schedule.status],
        reason=schedule.reason,
        rounds=schedule.rounds,
        inflow_source=problem.forecast.source,
        tuning=problem.tuning,
        timing=timing,
    )
    trajectory = schedule.trajectory
    if trajectory is None:
        return known
    step = timedelta(seconds=inputs.step_s)
    relaxations = _relaxations(inputs, problem, schedule)
    flush_window = planned_flush(schedule.flush, inputs, problem.flush)
    emptied_m = problem.rules.emptied_level_m
    return known.model_copy(
        update={
            "status": Status.RELAXED if relaxations else Status.SOLVED,
            "reason": schedule.reason or _ran_out(schedule),
            "steps": _steps(site, inputs, problem, schedule),
            "energy_cost_eur": schedule.energy_cost_eur,
            "energy_mwh": trajectory.energy_mwh(inputs.step_s),
            "objective": schedule.cost_eur,
            "objective_by_term": schedule.terms,
            "gap": schedule.gap,
            "gone_on": schedule.gone_on,
            "starts": schedule.starts,
            "relaxations": relaxations,
            "prices_known_until": inputs.start + len(inputs.price_eur_per_mwh) * step
            if inputs.price_eur_per_mwh
            else None,
            "emptied_at": tuple(
                inputs.start + (t + 1) * step for t, level_m in enumerate(trajectory.level_m) if level_m <= emptied_m
            ),
            "flush_window": flush_window,
            "flushed": flushed_before(flush_window, problem.flush),
            "tuning": problem.tuning.model_copy(update={"reasons": (*problem.tuning.reasons, *schedule.notes)}),
            "next_action": _next_action(site, schedule.frequency_hz, problem.case.before),
        }
    )


def _relaxations(inputs: StationInputs, problem: Planned, schedule: StationSchedule) -> tuple[StationRelaxation, ...]:
    """The rules that the schedule breaks, and what is wrong with the flush that was asked."""
    step = timedelta(seconds=inputs.step_s)
    broken = (StationRelaxation(rule=b.rule, at=inputs.start + b.step * step, text=b.text) for b in schedule.broken)
    faults = flush_faults(
        problem.station,
        problem.rules,
        problem.case,
        inputs,
        problem.flush,
        schedule.flush,
        problem.weights.not_flushed_eur,
    )
    return (*broken, *faults)


def _ran_out(schedule: StationSchedule) -> str:
    return out_of_time(schedule.gap) if schedule.status is StationStatus.TIMED_OUT else ""


STATUSES = {
    StationStatus.SOLVED: Status.SOLVED,
    StationStatus.TIMED_OUT: Status.FAILED,
    StationStatus.INFEASIBLE: Status.INFEASIBLE,
    StationStatus.FAILED: Status.FAILED,
    StationStatus.CANCELLED: Status.CANCELLED,
}
"""The status where there is no schedule."""


def _steps(
    site: StationSite, inputs: StationInputs, problem: Planned, schedule: StationSchedule
) -> tuple[StationStep, ...]:
    trajectory, case, forecast = schedule.trajectory, problem.case, problem.forecast
    assert trajectory is not None
    names, step = [pump.resource for pump in site.pumping_station.pumps], timedelta(seconds=inputs.step_s)
    return tuple(
        StationStep(
            start=inputs.start + t * step,
            frequency_hz=dict(zip(names, schedule.frequency_hz[t], strict=True)),
            flow_m3s=dict(zip(names, trajectory.pump_flow_m3s[t], strict=True)),
            pump_power_mw=dict(zip(names, trajectory.pump_power_mw[t], strict=True)),
            level_m=trajectory.level_m[t],
            volume_m3=trajectory.volume_m3[t],
            outflow_m3s=trajectory.outflow_m3s[t],
            inflow_m3s=forecast.flow_m3s[t],
            inflow_low_m3s=forecast.low_m3s[t],
            inflow_high_m3s=forecast.high_m3s[t],
            power_mw=trajectory.power_mw[t],
            price_eur_per_mwh=case.price_eur_per_mwh[t],
            price_known=t < len(inputs.price_eur_per_mwh),
            cost_eur=case.price_eur_per_mwh[t] * trajectory.power_mw[t] * inputs.step_s / 3600,
        )
        for t in range(len(schedule.frequency_hz))
    )


def _next_action(site: StationSite, frequency_hz: Sequence[Sequence[float]], before: Sequence[Before]) -> str:
    """What changes in the first step, in words."""
    changes = []
    for pump, was, hz in zip(site.pumping_station.pumps, before, frequency_hz[0], strict=True):
        if was.on != (hz > 0):
            changes.append(f"start {pump.name} at {hz:.1f} Hz" if hz > 0 else f"stop {pump.name}")
    return ", ".join(changes) or "keep the pumps as they are"

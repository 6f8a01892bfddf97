"""What edited frequencies lead to: the run's inflow and prices, simulated with the true curves, and every rule that breaks."""

from collections.abc import Mapping, Sequence

from headworks.optimizer.station.case import PlannedFlush, StationInputs, StationRelaxation, StationStep
from headworks.optimizer.station.costing import starts_of
from headworks.optimizer.station.settings import planned_rules, planning_of
from headworks.optimizer.values import Value
from headworks.waterway.station import StationTrajectory, simulate_station
from headworks.waterway.station_rules import Before, breaches
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import local_date


class RecalculatedSchedule(Value):
    """An edited schedule step by step, what it costs, and which rules it breaks, when and by how much."""

    steps: tuple[StationStep, ...]
    energy_cost_eur: float
    energy_mwh: float
    starts: int
    breaches: tuple[StationRelaxation, ...]


def recalculated(
    site: StationSite,
    inputs: StationInputs,
    planned: Sequence[StationStep],
    edited_hz: Mapping[str, Sequence[float]],
    flush: PlannedFlush | None = None,
) -> RecalculatedSchedule:
    """Simulate a run's steps with edited frequencies by resource; pumps that are not edited run as planned.

    `planned` are the run's steps: their inflow and prices hold; the days that they empty must be emptied still. In its
    `flush` the plant takes more. The rules are those that a plan keeps: it stays where no interlock takes over.
    """
    station, resources = site.pumping_station.station, [pump.resource for pump in site.pumping_station.pumps]
    frequency_hz = [
        tuple(edited_hz[name][t] if name in edited_hz else step.frequency_hz.get(name, 0.0) for name in resources)
        for t, step in enumerate(planned)
    ]
    trajectory = simulate_station(
        station,
        initial_volume_m3=station.tunnel.water_at(inputs.level_m),
        frequency_hz=frequency_hz,
        inflow_m3=[step.inflow_m3s * inputs.step_s for step in planned],
        step_s=inputs.step_s,
    )
    state = {pump.resource: pump for pump in inputs.pumps}
    before = [Before(state[name].on, state[name].steps) for name in resources]
    rules = planned_rules(site, planning_of(site), inputs.step_s)
    names = [pump.name for pump in site.pumping_station.pumps]
    limits_m3s = [_outflow_limit(site, step, flush) for step in planned]
    broken = breaches(rules, frequency_hz, trajectory, before, _emptied_days(site, planned), names, limits_m3s)
    steps = _steps(resources, planned, frequency_hz, trajectory, inputs.step_s)
    return RecalculatedSchedule(
        steps=steps,
        energy_cost_eur=sum(step.cost_eur for step in steps),
        energy_mwh=trajectory.energy_mwh(inputs.step_s),
        starts=starts_of(frequency_hz, before),
        breaches=tuple(
            StationRelaxation(rule=breach.rule, at=planned[breach.step].start, text=breach.text) for breach in broken
        ),
    )


def _outflow_limit(site: StationSite, step: StationStep, flush: PlannedFlush | None) -> float:
    """What the plant takes in a step [m³/s]: more in the run's flush."""
    usual_m3s = site.pumping_station.rules.maximum_outflow
    if flush is None or not flush.start <= step.start < flush.end:
        return usual_m3s
    return max(usual_m3s, planning_of(site).flush.window.maximum_outflow)


def _emptied_days(site: StationSite, planned: Sequence[StationStep]) -> list[range]:
    """The steps of each local day that the run's own schedule empties."""
    limit_m = site.pumping_station.rules.emptied_level
    days = [local_date(step.start, site.zone) for step in planned]
    emptied = sorted({day for day, step in zip(days, planned, strict=True) if step.level_m <= limit_m})
    return [range(days.index(day), days.index(day) + days.count(day)) for day in emptied]


def _steps(
    resources: Sequence[str],
    planned: Sequence[StationStep],
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    step_s: float,
) -> tuple[StationStep, ...]:
    return tuple(
        step.model_copy(
            update={
                "frequency_hz": dict(zip(resources, frequency_hz[t], strict=True)),
                "flow_m3s": dict(zip(resources, trajectory.pump_flow_m3s[t], strict=True)),
                "pump_power_mw": dict(zip(resources, trajectory.pump_power_mw[t], strict=True)),
                "level_m": trajectory.level_m[t],
                "volume_m3": trajectory.volume_m3[t],
                "outflow_m3s": trajectory.outflow_m3s[t],
                "power_mw": trajectory.power_mw[t],
                "cost_eur": trajectory.power_mw[t] * step_s / 3600 * step.price_eur_per_mwh,
            }
        )
        for t, step in enumerate(planned)
    )

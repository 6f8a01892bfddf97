"""A plan held against an independent replay of it: what the answer says cannot hold is what the replay finds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from station_rig import STEP, inputs

from headworks.optimizer.models.pumping_data import StationCase
from headworks.optimizer.station.case import OutsideInflow, StationInputs, StationSolution
from headworks.optimizer.station.continuing import NEVER
from headworks.optimizer.station.planning import plan_problem, solve_inputs
from headworks.optimizer.station.settings import planned_rules, planning_of
from headworks.waterway.station import Station, StationTrajectory, simulate_station
from headworks.waterway.station_rules import Breach, StationRules, breaches
from headworks.waterway.station_site import StationSite

States = list[tuple[bool, int]]
"""Of each pump: whether it runs, and for how many steps it does or does not."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A plan as it ran on the true curves, and the rules that it broke there."""

    solution: StationSolution
    station: Station
    rules: StationRules
    case: StationCase
    ran: StationTrajectory
    broken: list[Breach]


def standing(
    site: StationSite,
    start: datetime,
    states: States,
    level_m: float,
    by_hour_m3s: list[float],
    emptied_h_ago: float | None,
    led_by_others: Collection[int] = (),
) -> StationInputs:
    """How the station stands at an instant: an inflow for each hour from then on [m³/s]; the places of pumps no plan leads."""
    asked = inputs(site, flow_m3s=1.0, level_m=level_m, start=start)
    pumps = tuple(
        pump.model_copy(update={"on": on, "steps": n, "led_by": "mode off" if place in led_by_others else None})
        for place, (pump, (on, n)) in enumerate(zip(asked.pumps, states, strict=True))
    )
    inflow = OutsideInflow(source="test", issued_at=start, flow_m3s=tuple(f for f in by_hour_m3s for _ in range(4)))
    emptied_at = None if emptied_h_ago is None else start - timedelta(hours=emptied_h_ago)
    return asked.model_copy(update={"pumps": pumps, "outside_inflow": inflow, "emptied_at": emptied_at})


def replayed(site: StationSite, asked: StationInputs, states: States) -> Replayed | None:
    """The plan of these inputs, replayed; None where there is none, as may be where runs that must go on take all water.

    Raises AssertionError where the answer does not say what the replay finds, or breaks what never gives way.
    """
    solution = solve_inputs(site, asked)
    if not solution.publishable:
        assert solution.reason == "the runs that must go on take more water than there is"
        assert any(on and n < 8 for on, n in states), "nothing must go on, and yet there is no plan"
        return None
    problem = plan_problem(site, asked)
    assert not isinstance(problem, str)
    rules, case = planned_rules(site, planning_of(site), asked.step_s), problem.case
    hertz = [tuple(step.frequency_hz.values()) for step in solution.steps]
    ran = simulate_station(
        problem.station,
        initial_volume_m3=problem.station.tunnel.water_at(asked.level_m),
        frequency_hz=hertz,
        inflow_m3=[step.inflow_m3s * asked.step_s for step in solution.steps],
        step_s=asked.step_s,
    )
    days = [day for day in case.dry_days if day.stop <= len(hertz)]
    broken = breaches(rules, hertz, ran, case.before, days)
    said = {(r.rule, round((r.at - asked.start) / STEP)) for r in solution.relaxations}
    assert said == {(breach.rule, breach.step) for breach in broken}
    assert not {breach.rule for breach in broken} & NEVER
    return Replayed(solution, problem.station, rules, case, ran, broken)

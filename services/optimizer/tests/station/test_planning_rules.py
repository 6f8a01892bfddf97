"""Whatever the start and inflow: an independent replay of the plan finds what its answer says, and nothing that need not be."""

from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from station_rig import MIDNIGHT, STEP, inputs, station_with

from headworks.optimizer.models.pumping_data import StationCase
from headworks.optimizer.station.case import OutsideInflow, StationInputs
from headworks.optimizer.station.continuing import NEVER
from headworks.optimizer.station.planning import plan_problem, solve_inputs
from headworks.optimizer.station.settings import planned_rules, planning_of
from headworks.waterway.station import Station, StationTrajectory, simulate_station
from headworks.waterway.station_rules import Before, Breach, StationRules, breaches
from headworks.waterway.station_site import StationSite

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing example takes minutes to shrink, a solve for each try."""
GROUPED = 1.02
"""So near do pumps that are planned as one group come to the outflow's limit: their flows differ."""
EVENING = MIDNIGHT + timedelta(hours=18)
States = list[tuple[bool, int]]
"""Of each pump: whether it runs, and for how many steps it does or does not."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=UNSHRUNK)
@given(
    states=st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=8, max_size=8)
    | st.lists(st.tuples(st.booleans(), st.just(20)), min_size=8, max_size=8),
    level_m=st.floats(0.1, 8.2),
    flows=st.lists(st.floats(0.2, 4.5), min_size=6, max_size=6),
    emptied_h_ago=st.none() | st.floats(0, 40),
    tail_h=st.sampled_from([0, 18]),
    alike=st.sampled_from(["1000 m", "0 m"]),
)
def test_whatever_the_start_and_inflow_a_plan_keeps_the_rules_or_says_which_cannot_hold(
    states: States,
    level_m: float,
    flows: list[float],
    emptied_h_ago: float | None,
    tail_h: int,
    alike: str,
) -> None:
    """What the answer says is what an independent replay finds, what never must give way never does, and what gave way had to.

    The six hours end at midnight, so that the day's emptying is among the rules.
    """
    site = _six_hours(tail_h, alike)
    given_inputs = _in_the_evening(site, states, level_m, flows, emptied_h_ago)
    solution = solve_inputs(site, given_inputs)
    if not solution.publishable:
        assert solution.reason == "the runs that must go on take more water than there is"
        assert any(on and n < 8 for on, n in states), "nothing must go on, and yet there is no plan"
        return
    problem = plan_problem(site, given_inputs)
    assert not isinstance(problem, str)
    rules, case = planned_rules(site, planning_of(site), 900.0), problem.case
    asked = [tuple(step.frequency_hz.values()) for step in solution.steps]
    ran = simulate_station(
        problem.station,
        initial_volume_m3=problem.station.tunnel.water_at(level_m),
        frequency_hz=asked,
        inflow_m3=[step.inflow_m3s * 900 for step in solution.steps],
        step_s=900.0,
    )
    before = tuple(Before(on, n) for on, n in states)
    days = [day for day in case.dry_days if day.stop <= len(asked)]
    broken = breaches(rules, asked, ran, before, days)
    said = {(r.rule, round((r.at - EVENING) / STEP)) for r in solution.relaxations}
    assert said == {(breach.rule, breach.step) for breach in broken}
    assert not {breach.rule for breach in broken} & NEVER
    if not solution.reason and all(n >= 8 for _, n in states):
        _assert_each_had_to(problem.station, rules, case, ran, broken)


def _six_hours(tail_h: int, alike: str) -> StationSite:
    """The station planned until midnight, pumps of a make alike or each by itself, and so much of the time after as a tail."""
    return station_with(
        schedule={"horizon": "6 h", "time_limit": "2 s", "mip_gap": 0.03},
        solve={"alike": alike, "tail": f"{tail_h} h", "rounds": 2},
    )


def _in_the_evening(
    site: StationSite, states: States, level_m: float, flows: list[float], emptied_h_ago: float | None
) -> StationInputs:
    """How it stands then: an inflow for each hour until midnight [m³/s]."""
    asked = inputs(site, flow_m3s=1.0, level_m=level_m, start=EVENING)
    pumps = tuple(
        pump.model_copy(update={"on": on, "steps": n}) for pump, (on, n) in zip(asked.pumps, states, strict=True)
    )
    inflow = OutsideInflow(source="test", issued_at=EVENING, flow_m3s=tuple(f for f in flows for _ in range(4)))
    emptied_at = None if emptied_h_ago is None else EVENING - timedelta(hours=emptied_h_ago)
    return asked.model_copy(update={"pumps": pumps, "outside_inflow": inflow, "emptied_at": emptied_at})


def _assert_each_had_to(
    station: Station, rules: StationRules, case: StationCase, ran: StationTrajectory, broken: list[Breach]
) -> None:
    """Where every pump may start and stop: with water there one runs, the outflow stays at its limit, and a level above the
    maximum is one that three quarters of what the plant takes, which some pumps move at any level, do not keep off either.
    """
    least_m3 = case.initial_volume_m3
    for t in range(case.scheduled):
        least_m3 += case.inflow_m3[t] - 0.75 * rules.maximum_outflow_m3s * case.step_s
        least_m = station.tunnel.level_at(min(station.tunnel.full_m3, max(0.0, least_m3)))
        found = {breach.rule for breach in broken if breach.step == t}
        assert "minimum_pumps_on" not in found or ran.volume_m3[t] < 5000.0
        assert "maximum_outflow" not in found or ran.outflow_m3s[t] <= GROUPED * rules.maximum_outflow_m3s
        assert "maximum_level" not in found or least_m > rules.maximum_level_m - 0.3

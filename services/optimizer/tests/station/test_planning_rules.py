"""Whatever the start and inflow: an independent replay of the plan finds what its answer says, and nothing that need not be.

Six hours at a time; `make prove` does the same with whole days (tests/prove/test_any_day.py).
"""

from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay_rig import Replayed, States, replayed, standing
from station_rig import MIDNIGHT, station_with

from headworks.waterway.station_site import StationSite

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing example takes minutes to shrink, a solve for each try."""
GROUPED = 1.02
"""So near do pumps that are planned as one group come to the outflow's limit: their flows differ."""
EVENING = MIDNIGHT + timedelta(hours=18)


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
    found = replayed(site, standing(site, EVENING, states, level_m, flows, emptied_h_ago), states)
    if found and not found.solution.reason and all(n >= 8 for _, n in states):
        _assert_each_had_to(found)


def _six_hours(tail_h: int, alike: str) -> StationSite:
    """The station planned until midnight, pumps of a make alike or each by itself, and so much of the time after as a tail."""
    return station_with(
        schedule={"horizon": "6 h", "time_limit": "2 s", "mip_gap": 0.03},
        solve={"alike": alike, "tail": f"{tail_h} h", "rounds": 2},
    )


def _assert_each_had_to(found: Replayed) -> None:
    """Where every pump may start and stop: with water there one runs, the outflow stays at its limit, and a level above the
    maximum is one that three quarters of what the plant takes, which some pumps move at any level, do not keep off either.
    """
    case, rules, tunnel, ran = found.case, found.rules, found.station.tunnel, found.ran
    least_m3 = case.initial_volume_m3
    for t in range(case.scheduled):
        least_m3 += case.inflow_m3[t] - 0.75 * rules.maximum_outflow_m3s * case.step_s
        least_m = tunnel.level_at(min(tunnel.full_m3, max(0.0, least_m3)))
        broken = {breach.rule for breach in found.broken if breach.step == t}
        assert "minimum_pumps_on" not in broken or ran.volume_m3[t] < 5000.0
        assert "maximum_outflow" not in broken or ran.outflow_m3s[t] <= GROUPED * rules.maximum_outflow_m3s
        assert "maximum_level" not in broken or least_m > rules.maximum_level_m - 0.3

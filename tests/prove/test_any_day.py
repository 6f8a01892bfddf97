"""A whole day as the site is shipped, whatever start and inflow: the plan keeps every hard rule in replay or says which not."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay_rig import States, replayed, standing
from station_rig import MIDNIGHT, station_with

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]
HOURS = 24


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(
    states=st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=8, max_size=8),
    level_m=st.floats(0, 14.1),
    flows=st.lists(st.floats(0, 8), min_size=HOURS, max_size=HOURS),
    emptied_h_ago=st.none() | st.floats(0, 40),
    led_by_others=st.sets(st.integers(0, 7), max_size=3),
)
def test_a_day_from_any_start_keeps_the_rules_or_says_which_cannot_hold(
    states: States, level_m: float, flows: list[float], emptied_h_ago: float | None, led_by_others: set[int]
) -> None:
    """The tunnel's whole height, an inflow from none to thrice what the plant takes, and up to three pumps in others' hands."""
    site = station_with()
    replayed(site, standing(site, MIDNIGHT, states, level_m, flows, emptied_h_ago, led_by_others), states)

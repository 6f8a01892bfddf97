"""The station's simulation and its rules: by hand, at the edges, and a plan that breaks each rule."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.waterway.pumps import Parabola, Pump, PumpType, operate
from headworks.waterway.station import Station, StationTrajectory, simulate_station
from headworks.waterway.station_rules import Before, Breach, StationRules, breaches
from headworks.waterway.tunnel import Piece, TunnelVolume

STEP_S = 900.0
TUNNEL = TunnelVolume((Piece(0.4, 5.9, 0.4, 2500, 0, 350), Piece(5.9, 8.6, 5.9, 0, 27_500, 75_975)))
MAKE = PumpType(Parabola(42.525, -1.2528, -11.54736), Parabola(0.18067, 0.317592, -0.1358208), 50)
STATION = Station(TUNNEL, 30.0, (Pump("a", MAKE, 4.07, 1.11), Pump("b", MAKE, 4.07, 1.11)))
RULES = StationRules(
    minimum_level_m=0.0,
    maximum_level_m=8.0,
    minimum_hz=47.8,
    maximum_hz=50.0,
    maximum_outflow_m3s=1.5,
    minimum_run_steps=8,
    minimum_rest_steps=8,
    emptied_level_m=0.5,
)
LONG = (Before(on=True, steps=99), Before(on=False, steps=99))


def run(
    frequency_hz: Sequence[tuple[float, float]], inflow_m3: float = 800.0, start_m3: float = 10_000.0
) -> StationTrajectory:
    return simulate_station(
        STATION,
        initial_volume_m3=start_m3,
        frequency_hz=frequency_hz,
        inflow_m3=[inflow_m3] * len(frequency_hz),
        step_s=STEP_S,
    )


def broken(
    frequency_hz: Sequence[tuple[float, float]], before: tuple[Before, Before] = LONG, **keywords: float
) -> list[Breach]:
    return breaches(RULES, frequency_hz, run(frequency_hz, **keywords), before)


def test_one_step_by_hand() -> None:
    trajectory = run([(50, 0)])
    working = operate(STATION.pumps[0], 50, 30 - TUNNEL.level_at(10_000))
    assert trajectory.volume_m3[0] == pytest.approx(10_000 + 800 - working.flow_m3s * STEP_S)
    assert trajectory.level_m[0] == pytest.approx(TUNNEL.level_at(trajectory.volume_m3[0]))
    assert trajectory.energy_mwh(STEP_S) == pytest.approx(working.power_mw / 4)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 48.0, 50.0]), st.sampled_from([0.0, 49.0])), min_size=1, max_size=40),
    st.floats(350, 150_000),
    st.floats(0, 4000),
)
def test_no_water_is_made_or_lost(
    frequency_hz: Sequence[tuple[float, float]], start_m3: float, inflow_m3: float
) -> None:
    trajectory = run(frequency_hz, inflow_m3, start_m3)
    out_m3 = sum(trajectory.outflow_m3s) * STEP_S - sum(trajectory.short_m3) + sum(trajectory.overflow_m3)
    assert start_m3 + inflow_m3 * len(frequency_hz) - out_m3 == pytest.approx(trajectory.volume_m3[-1], abs=1e-6)


def test_an_empty_tunnel_gives_no_more_than_flows_in_and_says_so() -> None:
    trajectory = run([(50, 50)] * 2, inflow_m3=100, start_m3=400)
    assert trajectory.volume_m3 == (0, 0)
    assert trajectory.level_m == (0, 0)
    assert all(short_m3 > 0 for short_m3 in trajectory.short_m3)
    assert {breach.rule for breach in breaches(RULES, [(50, 50)] * 2, trajectory, LONG)} >= {"minimum_level"}


def test_a_pump_that_runs_and_moves_nothing_is_told() -> None:
    tall = Station(TUNNEL, 45.0, STATION.pumps)
    trajectory = simulate_station(
        tall, initial_volume_m3=10_000.0, frequency_hz=[(48.0, 0.0)], inflow_m3=[100.0], step_s=STEP_S
    )
    told = [breach.text for breach in breaches(RULES, [(48.0, 0.0)], trajectory, LONG, names=["1.1", "1.2"])]
    assert told == ["pump 1.1 runs and moves no water at 48.00 Hz"]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="1 steps and inflow_m3 2"):
        simulate_station(STATION, initial_volume_m3=500, frequency_hz=[(0, 0)], inflow_m3=[1, 1], step_s=STEP_S)
    with pytest.raises(ValueError, match="1 frequencies for 2 pumps"):
        simulate_station(STATION, initial_volume_m3=500, frequency_hz=[(0,)], inflow_m3=[1], step_s=STEP_S)


def test_a_good_schedule_breaks_nothing() -> None:
    assert broken([(50.0, 0.0)] * 24) == []


@pytest.mark.parametrize(
    ("frequency_hz", "rule", "step"),
    [
        ([(50, 0)] * 9 + [(0, 0)] + [(0, 50)] * 8, "minimum_pumps_on", 9),
        ([(47.79, 0)] * 8, "frequency", 0),
        ([(50.01, 0)] * 8, "frequency", 0),
        ([(50, 50)] * 8, "maximum_outflow", 0),
        ([(50, 0)] * 3 + [(50, 50)] * 7 + [(50, 0)] * 8, "minimum_run", 3),
        ([(0, 50)] * 7 + [(50, 50)] * 8, "minimum_rest", 0),
    ],
)
def test_each_rule_is_seen_to_be_broken(frequency_hz: Sequence[tuple[float, float]], rule: str, step: int) -> None:
    found = [(breach.rule, breach.step) for breach in broken(frequency_hz)]
    assert (rule, step) in found


@pytest.mark.parametrize(("steps", "seen"), [(7, True), (8, False)])
def test_a_run_before_the_start_counts_from_when_it_began(steps: int, seen: bool) -> None:
    before = (Before(on=True, steps=steps), Before(on=False, steps=99))
    assert ("minimum_run" in {b.rule for b in broken([(0, 50)] * 9, before)}) is seen


def test_a_run_that_the_end_cuts_is_not_judged() -> None:
    assert "minimum_run" not in {b.rule for b in broken([(50, 0)] * 8 + [(50, 50)] * 3)}


@pytest.mark.parametrize(("start_m3", "emptied"), [(375.0, True), (20_000.0, False)])
def test_a_dry_day_must_see_the_tunnel_empty(start_m3: float, emptied: bool) -> None:
    frequency_hz = [(50.0, 0.0)] * 8
    trajectory = run(frequency_hz, inflow_m3=0, start_m3=start_m3)
    found = breaches(RULES, frequency_hz, trajectory, LONG, [range(8)])
    assert ("emptying" in {breach.rule for breach in found}) is not emptied

"""The pumping model: its golden text, a case by hand, all plans of a tiny case, and rules that hold whatever the start."""

import os
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pumping_rig import QUICK, RESTED, RULES, STATION, STEP_S, TUNNEL, case_of, solved

from headworks.optimizer import solver
from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_data import (
    FlushWindow,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
)
from headworks.optimizer.station.answered import StationSchedule, StationStatus
from headworks.optimizer.station.schedule import solve_station
from headworks.waterway.station import Station, simulate_station
from headworks.waterway.station_rules import Before, breaches

GOLDEN = Path(__file__).parent / "golden" / "pumping.lp"
GOLDEN_WHOLE = GOLDEN.with_name("pumping_whole.lp")


def test_the_model_is_its_golden_file() -> None:
    """To accept a meant change: HEADWORKS_WRITE_GOLDEN=1 pytest, and read the difference."""
    groups = group_pumps(STATION.pumps, 1.0)
    case = case_of((30.0, 60.0, 20.0, 50.0), dry_days=(range(4),), volume_m3=1500.0)
    case = replace(case, inflow_above_m3=(300.0,) * 4, missing_by_lead=(0.1, 0.2, 0.3))
    weights = StationWeights(margin_eur=1.0, smooth_eur=0.1, at_risk_eur=5.0, committed_eur=20.0)
    data = prepare_station(STATION, RULES, case, weights, groups, flat_reference(case, groups, 5000.0))
    text = solver.write_lp(build_pumping(data).lp)
    if os.environ.get("HEADWORKS_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_model_with_all_its_families_is_its_golden_file() -> None:
    """Floor, a wanted volume, evenness, specific energy, wear, a flush window of which one begins now, and a tail."""
    groups = group_pumps(STATION.pumps, 1.0)
    flush = FlushWindow(((0, 5.0), (2, 0.0)), 2, 49.0, 12_000.0, 5.0, missing=())
    case = replace(
        case_of((30.0, 60.0, 20.0, 50.0, 45.0), volume_m3=15_000.0),
        tail_steps=1,
        wanted=(3, 9000.0),
        flush=flush,
        hours_run=(9.0, 3.0, 3.0),
    )
    weights = StationWeights(
        margin_eur=1.0,
        floor_eur=1.0,
        floor_level_m=1.5,
        uneven_eur=2.0,
        even_within_m3s=0.3,
        specific_energy_eur_per_mwh=10.0,
        specific_energy_mwh_per_dam3=0.11,
        not_flushed_eur=50.0,
        wear_eur=1.0,
    )
    data = prepare_station(STATION, RULES, case, weights, groups, flat_reference(case, groups, 5000.0))
    text = solver.write_lp(build_pumping(data).lp)
    families = (
        "floor_",
        "wanted_",
        "less_even_",
        "more_even_",
        "specific_energy_",
        "flush_on_",
        "flush_fast_",
        "flush_from_",
    )
    assert [family for family in families if f"\n{family}" not in text] == []
    if os.environ.get("HEADWORKS_WRITE_GOLDEN"):
        GOLDEN_WHOLE.write_text(text, encoding="utf-8")
    assert text == GOLDEN_WHOLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("level_m", "volume_m3"), [(0.0, 0.0), (0.2, 175.0), (0.3, 262.5), (0.4, 350.0), (0.6, 450.0)])
def test_a_raised_floor_is_more_water_in_the_sump_too(level_m: float, volume_m3: float) -> None:
    """The table has the whole sump at any of its levels: by it each of these floors was the same 350 m³."""
    groups, case = group_pumps(STATION.pumps, 1.0), case_of((30.0,))
    weights = StationWeights(floor_eur=1.0, floor_level_m=level_m)
    data = prepare_station(STATION, RULES, case, weights, groups, flat_reference(case, groups, 5000.0))
    floor = next(row for row in build_pumping(data).lp.constraints() if row.name == "floor_000")
    assert floor.constant == pytest.approx(volume_m3 / 1000)


def test_pumps_of_a_make_that_lose_alike_are_planned_together() -> None:
    assert [group.members for group in group_pumps(STATION.pumps, 1.0)] == [(1, 2), (0,)]
    assert [group.members for group in group_pumps(STATION.pumps, 0.0)] == [(1,), (2,), (0,)]


def test_two_steps_of_one_pump_are_as_worked_out_by_hand() -> None:
    """One small pump must run. 10,000 m³ stand at 0.4 + √(9650/2500) = 2.3647 m, to be lifted by 30 − 2.3647 + 3.44 = 31.0753 m.

    At 47.8 Hz, r = 0.956: 81.11664 q² − 36.1574 q + 2.3832 = 0, q = 0.365325 m³/s, that is 328.79 m³ and 0.0411232 MWh. Full
    speed would lift 98.3 m³ more with 0.0083714 MWh: at 300 EUR/MWh that is 2.51 EUR for water worth 0.98 later, so the pump goes
    slowly. 10,571.21 m³ stand at 2.4220 m. At 50 Hz: 81.11664 q² − 37.8216 q − 0.3760 = 0, q = 0.476000 m³/s, 428.40 m³ and
    0.0495297 MWh, at 10 EUR/MWh; slowly, 98 m³ worth 0.98 EUR would stay to save 0.08.
    """
    alone = Station(TUNNEL, 30.0, STATION.pumps[:1])
    found = solve_station(alone, RULES, replace(case_of((300.0, 10.0)), before=RESTED[:1]), StationWeights(), QUICK)
    assert found.trajectory is not None
    assert [hz for asked_hz in found.frequency_hz for hz in asked_hz] == pytest.approx([47.8, 50.0])
    assert found.trajectory.volume_m3 == pytest.approx((10_571.21, 11_042.81), abs=0.01)
    assert found.energy_cost_eur == pytest.approx(300 * 0.0411232 + 10 * 0.0495297, abs=1e-4)


def test_cheap_hours_get_the_work() -> None:
    schedule = solved(case_of((100.0,) * 6 + (1.0,) * 6))
    assert schedule.trajectory is not None
    power_mw = schedule.trajectory.power_mw
    assert sum(power_mw[6:]) > 2 * sum(power_mw[:6])
    assert schedule.broken == ()


def test_no_plan_of_a_tiny_case_is_cheaper() -> None:
    """All 64 ways to run the pumps for three steps at full speed, runs and rests kept: the model finds the cheapest."""
    case = case_of((80.0, 10.0, 40.0))
    schedule = solved(case)
    assert schedule.broken == ()
    costs = []
    for on in product(product((0.0, 50.0), repeat=3), repeat=3):
        trajectory = simulate_station(
            STATION, initial_volume_m3=10_000.0, frequency_hz=on, inflow_m3=case.inflow_m3, step_s=STEP_S
        )
        if not breaches(RULES, on, trajectory, case.before):
            energy = sum(p * mw / 4 for p, mw in zip(case.price_eur_per_mwh, trajectory.power_mw, strict=True))
            shown = [(50.0, 0.0, 0.0), *on]
            starts = sum(
                after > 0 and not before for one, two in pairwise(shown) for before, after in zip(one, two, strict=True)
            )
            costs.append(energy + 0.02 * starts + 0.01 * trajectory.volume_m3[-1])
    assert schedule.cost_eur is not None
    assert schedule.cost_eur <= min(costs) + 0.01 * abs(min(costs))


def test_a_dry_day_is_emptied_when_it_pays_and_said_when_it_cannot_be() -> None:
    emptied = solved(case_of((50.0,) * 12, volume_m3=3000.0, dry_days=(range(12),)))
    assert emptied.trajectory is not None
    assert min(emptied.trajectory.level_m) <= 0.5
    full = solved(case_of((50.0,) * 4, volume_m3=60_000.0, dry_days=(range(4),)))
    assert "emptying" in {breach.rule for breach in full.broken}


def test_a_flood_is_pumped_and_what_is_above_the_limit_is_named() -> None:
    schedule = solved(case_of((50.0,) * 8, volume_m3=133_000.0, inflow_m3=4000.0))
    assert "maximum_level" in {breach.rule for breach in schedule.broken}
    assert all(sum(hz > 0 for hz in asked_hz) == 3 for asked_hz in schedule.frequency_hz[3:])


def test_a_hard_maximum_is_kept_or_there_is_no_plan() -> None:
    hard = StationWeights(hard_maximum=True)
    kept = solved(case_of((50.0, 50.0, 1.0, 1.0), volume_m3=132_000.0, inflow_m3=1200.0), hard)
    assert kept.trajectory is not None
    assert max(kept.trajectory.level_m) <= RULES.maximum_level_m
    flooded = solve_station(STATION, RULES, case_of((50.0,) * 8, volume_m3=133_000.0, inflow_m3=4000.0), hard, QUICK)
    assert flooded.status is StationStatus.INFEASIBLE
    assert "no pumping keeps the level below its maximum" in flooded.reason


def test_what_cannot_hold_is_said_when_it_cannot() -> None:
    stopped = tuple(Before(on=False, steps=1) for _ in STATION.pumps)
    schedule = solved(case_of((50.0,) * 8, before=stopped))
    resting = RULES.minimum_rest_steps - 1
    assert [(breach.rule, breach.step) for breach in schedule.broken] == [
        ("minimum_pumps_on", t) for t in range(resting)
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.tuples(*(st.builds(Before, on=st.booleans(), steps=st.integers(1, 5)) for _ in range(3))),
    prices=st.lists(st.floats(-20, 200), min_size=6, max_size=10),
    volume_m3=st.floats(5_000, 60_000),
    inflow_m3=st.floats(300, 2500),
)
def test_whatever_the_start_runs_rests_and_speeds_are_kept(
    before: tuple[Before, ...], prices: list[float], volume_m3: float, inflow_m3: float
) -> None:
    case = case_of(tuple(prices), before=before, volume_m3=volume_m3, inflow_m3=inflow_m3)
    broken = solved(case).broken
    assert not {"minimum_run", "minimum_rest", "frequency"} & {breach.rule for breach in broken}, broken
    idle = [breach.step for breach in broken if breach.rule == "minimum_pumps_on"]
    may_start = min(0 if was.on else RULES.minimum_rest_steps - was.steps for was in before)
    assert all(step < may_start for step in idle), "a pump may run, and none does"


def test_a_last_plan_that_keeps_the_rules_is_the_first_plan_at_once() -> None:
    case = case_of((80.0, 10.0, 40.0, 20.0))
    plan = solved(case).frequency_hz
    no_time = replace(QUICK, time_limit_s=1e-6)
    found = solve_station(STATION, RULES, case, StationWeights(), no_time, plan)
    assert (found.frequency_hz, found.broken) == (plan, ())
    assert found.first_plan_s is not None
    assert found.first_plan_s < found.total_s
    idle = tuple((0.0,) * 3 for _ in plan)
    assert solve_station(STATION, RULES, case, StationWeights(), no_time, idle).first_plan_s is None


# ---------------------------------------------------------------- soft terms, one by one


def test_energy_beyond_its_target_is_paid_by_the_mwh() -> None:
    weights = StationWeights(specific_energy_eur_per_mwh=500.0, specific_energy_mwh_per_dam3=0.11)
    case = case_of((50.0,) * 8, volume_m3=30_000.0)
    first, cheap = solved(case, weights), solved(case)
    dear = solve_station(STATION, RULES, case, weights, QUICK, first.frequency_hz)
    assert dear.trajectory is not None
    excess = [
        max(0.0, mw / 4 - 0.11 * m3s * 0.9)
        for mw, m3s in zip(dear.trajectory.power_mw, dear.trajectory.outflow_m3s, strict=True)
    ]
    assert dear.terms["specific_energy"] == pytest.approx(500 * sum(excess), rel=0.05, abs=0.5)
    assert "specific_energy" not in cheap.terms


def test_a_pump_that_ran_most_rests_where_wear_has_a_price() -> None:
    case = replace(case_of((50.0,) * 6, inflow_m3=300.0), hours_run=(100.0, 100.0, 10.0))
    schedule = solved(case, StationWeights(wear_eur=20.0))
    first = RULES.minimum_run_steps
    assert all(asked_hz[0] == asked_hz[1] == 0.0 for asked_hz in schedule.frequency_hz[first:])
    assert all(asked_hz[2] > 0 for asked_hz in schedule.frequency_hz[first:])


def test_the_level_stays_above_its_floor_where_that_has_a_price() -> None:
    case = case_of((-40.0,) * 8, volume_m3=20_000.0)
    low, kept = solved(case), solved(case, StationWeights(floor_eur=100.0, floor_level_m=2.5))
    assert low.trajectory is not None
    assert kept.trajectory is not None
    assert min(low.trajectory.level_m) < 2.4
    assert min(kept.trajectory.level_m) >= 2.5 - 0.02


def test_an_emptying_is_put_off_for_cheaper_hours_only_as_far_as_that_pays() -> None:
    """Power gets cheaper by the hour; what putting off costs is told as a term, and is what the true cost holds."""
    case = case_of(tuple(90.0 - 5 * t for t in range(12)), volume_m3=1500.0, inflow_m3=500.0, dry_days=(range(12),))
    emptied = []
    for urgency, put_off_eur in ((1.0, 0.0), (0.0, 100.0), (1.0, 100.0)):
        weights = StationWeights(put_off_eur_per_h=put_off_eur)
        schedule = solved(replace(case, urgency=(urgency,) * 12), weights)
        assert schedule.trajectory is not None
        emptied.append(next(t for t, level_m in enumerate(schedule.trajectory.level_m) if level_m <= 0.5))
    assert schedule.terms["emptying"] == pytest.approx(100.0 * (emptied[2] + 1) / 4)
    assert schedule.cost_eur == pytest.approx(sum(schedule.terms.values()), rel=0.01)
    assert emptied[2] <= 3
    assert min(emptied[:2]) >= 8


def test_a_planned_emptying_bears_more_inflow_than_expected() -> None:
    """Power gets cheaper by the hour. Whenever one sees that more flows in, pumping all that the plant takes still empties it."""
    taken_m3s, above_m3 = 8500 / 3600, 250.0
    rules, steps = replace(RULES, maximum_outflow_m3s=taken_m3s, minimum_run_steps=1, minimum_rest_steps=1), range(16)
    case = case_of(tuple(120.0 - 5 * t for t in steps), volume_m3=12_000.0, dry_days=(range(16),))

    def emptied_when_seen_at(seen: int, schedule: StationSchedule) -> bool:
        assert schedule.trajectory is not None
        volume_m3 = schedule.trajectory.volume_m3[seen] + above_m3 * (seen + 1)
        for _ in range(seen + 1, len(steps)):
            volume_m3 += 900.0 + above_m3 - taken_m3s * STEP_S
        return volume_m3 <= TUNNEL.volume_at(0.5) + 20.0

    for above, price_eur, bears in ((0.0, 100.0, False), (above_m3, 0.0, False), (above_m3, 100.0, True)):
        weights = StationWeights(at_risk_eur=price_eur, outflow_reserve=0.0)
        asked = replace(case, inflow_above_m3=(above,) * len(steps))
        schedule = solve_station(STATION, rules, asked, weights, QUICK)
        assert schedule.trajectory is not None, schedule.reason
        emptied = next(t for t, level_m in enumerate(schedule.trajectory.level_m) if level_m <= 0.5)
        assert all(emptied_when_seen_at(t, schedule) for t in range(emptied)) is bears
        assert schedule.cost_eur == pytest.approx(sum(schedule.terms.values()), rel=0.01)


def test_the_level_stays_below_its_margin_where_that_has_a_price() -> None:
    case = case_of((100.0,) * 6 + (1.0,) * 4, volume_m3=20_000.0, inflow_m3=1500.0)
    high = solved(case, StationWeights(margin_level_m=3.2))
    kept = solved(case, StationWeights(margin_eur=100.0, margin_level_m=3.2))
    assert high.trajectory is not None
    assert kept.trajectory is not None
    assert max(high.trajectory.level_m) > 3.5
    assert max(kept.trajectory.level_m) <= 3.2 + 0.03


def test_water_is_kept_for_a_flush_that_needs_it_to_begin_with() -> None:
    """Pumping is cheap before the window and dear in it: without one the tunnel is low by then, with one it is not."""
    case = case_of((1.0,) * 3 + (60.0,) * 5, volume_m3=20_000.0, inflow_m3=900.0)
    window = FlushWindow(((3, 0.0),), 3, 49.0, 19_000.0, 5.0)
    free, kept = solved(case), solved(replace(case, flush=window), StationWeights(not_flushed_eur=500.0))
    assert free.trajectory is not None
    assert kept.trajectory is not None
    assert free.trajectory.volume_m3[2] < 18_000.0
    assert kept.flush == range(3, 6)
    assert kept.trajectory.volume_m3[2] >= 19_000.0 - 100.0
    assert all(hz >= 49.0 for asked_hz in kept.frequency_hz[3:6] for hz in asked_hz)


def test_a_wanted_volume_is_reached() -> None:
    case = case_of((200.0,) * 8, volume_m3=20_000.0, inflow_m3=600.0)
    wanted = solved(replace(case, wanted=(5, 16_000.0)))
    assert wanted.trajectory is not None
    assert wanted.trajectory.volume_m3[5] <= 16_050.0
    free = solved(case)
    assert free.trajectory is not None
    assert free.trajectory.volume_m3[5] > 17_000.0


def test_a_change_of_the_outflow_has_its_price() -> None:
    case = case_of((100.0, 5.0) * 6, volume_m3=30_000.0)
    rough, smooth = solved(case), solved(case, StationWeights(smooth_eur=50.0))
    steps = []
    for schedule in (rough, smooth):
        assert schedule.trajectory is not None
        steps.append(sum(abs(b - a) for a, b in pairwise(schedule.trajectory.outflow_m3s)))
    assert steps[1] < 0.5 * steps[0]


def test_an_outflow_far_from_the_mean_inflow_has_its_price() -> None:
    case = case_of((100.0, 100.0, 100.0, 5.0, 5.0, 5.0) * 2, volume_m3=20_000.0)
    free, even = solved(case), solved(case, StationWeights(uneven_eur=50.0, even_within_m3s=0.3))
    spreads = []
    for schedule in (free, even):
        assert schedule.trajectory is not None
        spreads.append(max(abs(flow - 1.0) for flow in schedule.trajectory.outflow_m3s))
    assert spreads[0] > 0.8
    assert spreads[1] < 0.75 * spreads[0]


def test_cancelled_in_a_later_round_nothing_is_planned() -> None:
    """A person who cancels wants no plan, not even the one that was there."""
    gaps: list[float] = []

    def cancel(gap: float | None) -> bool:
        if gap is not None:
            gaps.append(gap)
        return bool(gaps) and gap is None

    case = case_of((100.0, 5.0) * 6, volume_m3=30_000.0)
    schedule = solve_station(STATION, RULES, case, StationWeights(), replace(QUICK, agree_m3=0.0), (), cancel)
    assert gaps
    assert schedule.status is StationStatus.CANCELLED
    assert schedule.frequency_hz == ()


def test_no_plan_that_empties_a_tiny_case_is_cheaper() -> None:
    """The bounds on what can be reached cut no plan off: of all 64 at full speed the cheapest that empties costs no less."""
    case = case_of((80.0, 10.0, 40.0), volume_m3=1500.0, inflow_m3=500.0, dry_days=(range(3),))
    weights = StationWeights(empty_reserve_m3=0.0)
    schedule = solved(case, weights)
    assert not schedule.broken
    costs = []
    for on in product(product((0.0, 50.0), repeat=3), repeat=3):
        ran = simulate_station(
            STATION, initial_volume_m3=1500.0, frequency_hz=on, inflow_m3=case.inflow_m3, step_s=STEP_S
        )
        if not breaches(RULES, on, ran, case.before, case.dry_days) and min(ran.volume_m3) >= 200.0:
            energy = sum(p * mw / 4 for p, mw in zip(case.price_eur_per_mwh, ran.power_mw, strict=True))
            shown = [(50.0, 0.0, 0.0), *on]
            starts = sum(b > 0 and not a for x, y in pairwise(shown) for a, b in zip(x, y, strict=True))
            costs.append(energy + 0.02 * starts + 0.01 * ran.volume_m3[-1])
    assert costs
    assert schedule.cost_eur is not None
    assert schedule.cost_eur <= min(costs) + 0.01 * abs(min(costs))

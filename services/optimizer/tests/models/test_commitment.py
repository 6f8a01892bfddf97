"""What is started must run on: a plan starts no pump whose water does not come where less flows in than expected."""

from dataclasses import replace

import pytest
from pumping_rig import RULES, STATION, STEP_S, case_of, solved

from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_commitment import short_dam3
from headworks.optimizer.models.pumping_data import (
    PumpingData,
    StationCase,
    StationWeights,
    flat_reference,
    group_pumps,
    prepare_station,
)
from headworks.optimizer.station.answered import StationSchedule
from headworks.waterway.station import simulate_station
from headworks.waterway.station_rules import Before, StationRules

LONG = replace(RULES, minimum_run_steps=4)
CHEAP_NOW = (1.0,) * 4 + (80.0,) * 6
BEARS = StationWeights(committed_eur=100.0)
LOWEST_M3 = StationWeights().lowest_volume_m3
HALF = 0.5
LARGE_HELD = (Before(on=True, steps=9), Before(on=True, steps=1), Before(on=False, steps=9))


def case(*, missing: float = HALF, volume_m3: float = 2500.0, before: tuple[Before, ...] | None = None) -> StationCase:
    """Power is cheap for an hour. Of the 700 m³ a step that are expected a share may be missing."""
    whole = case_of(CHEAP_NOW, volume_m3=volume_m3, inflow_m3=700.0)
    return replace(whole, missing_by_lead=(missing,) * len(CHEAP_NOW), before=before or whole.before)


def data_of(asked: StationCase, weights: StationWeights = BEARS, rules: StationRules = LONG) -> PumpingData:
    groups = group_pumps(STATION.pumps, 1.0)
    return prepare_station(STATION, rules, asked, weights, groups, flat_reference(asked, groups, 1000.0))


def dry_m3(schedule: StationSchedule, asked: StationCase, seen: int) -> float:
    """What is missing if from step `seen` on the least flows in, and the plans from then on stop all that they may and slow
    down the others."""
    now, asked_hz = list(asked.before), []
    for t, planned_hz in enumerate(schedule.frequency_hz):
        held = [was.on and was.steps < LONG.minimum_run_steps for was in now]
        hz = planned_hz if t <= seen else tuple(LONG.minimum_hz * must for must in held)
        now = [
            Before(is_hz > 0, was.steps + 1 if was.on == (is_hz > 0) else 1) for was, is_hz in zip(now, hz, strict=True)
        ]
        asked_hz.append(hz)
    lived = simulate_station(
        STATION,
        initial_volume_m3=asked.initial_volume_m3,
        frequency_hz=asked_hz,
        inflow_m3=[
            flow * (1 - asked.missing_by_lead[t - seen] * (t >= seen)) for t, flow in enumerate(asked.inflow_m3)
        ],
        step_s=STEP_S,
    )
    return sum(lived.short_m3[: seen + LONG.minimum_run_steps])


def test_pumps_are_started_only_where_their_water_comes_even_if_less_flows_in_from_any_step_on() -> None:
    asked = case()
    bold, careful = (solved(asked, weights, LONG) for weights in (StationWeights(), BEARS))
    assert max(dry_m3(bold, asked, seen) for seen in range(6)) > 200.0
    assert max(dry_m3(careful, asked, seen) for seen in range(6)) == 0.0
    assert min(bold.starts, careful.starts) > 0


def test_where_the_inflow_is_sure_or_there_is_water_plans_are_the_same() -> None:
    for asked in (case(missing=0.0), case(volume_m3=30_000.0)):
        bold, careful = (solved(asked, weights, LONG) for weights in (StationWeights(), BEARS))
        assert careful.frequency_hz == bold.frequency_hz
        assert bold.starts > 0


def test_what_cannot_be_helped_costs_the_same_in_the_program_and_in_the_comparison_of_rounds() -> None:
    """A large pump began a step ago, and the least that comes does not feed it."""
    schedule = solved(case(volume_m3=300.0, before=LARGE_HELD), BEARS, LONG)
    assert schedule.terms["committed"] > 20.0
    assert schedule.cost_eur == pytest.approx(sum(schedule.terms.values()), rel=0.02)


def test_there_are_rows_where_the_inflow_is_not_sure_and_that_has_a_price() -> None:
    for asked, weights, rules, rows in (
        (case(), BEARS, LONG, 9 + 7),
        (case(), BEARS, replace(RULES, minimum_run_steps=1), 0),
        (case(missing=0.0), BEARS, LONG, 0),
        (case(), StationWeights(), LONG, 0),
    ):
        names = [row.name for row in build_pumping(data_of(asked, weights, rules)).lp.constraints()]
        assert len([name for name in names if name.startswith("committed_")]) == rows


def test_what_is_short_by_hand() -> None:
    """A large pump is started in step 2 and must run in the next three; another, from before, in steps 1 and 2; 350 m³ come a
    step at least. Two steps ahead is the first row, three the other."""
    data = data_of(case(before=LARGE_HELD))
    low_m3 = [1000 * step.flow_low for step in data.steps[0]]
    started = [[0, 0, 1] + [0] * 7, [0] * 10]
    kept_m3 = min(400.0 - 350 + 350 - low_m3[3], 400.0 - 350 + 3 * 350 - sum(low_m3[3:6]))
    before_m3 = min(400.0 - 350 + 350 - low_m3[1], 400.0 - 350 + 3 * 350 - sum(low_m3[1:3]))
    assert max(kept_m3, before_m3) < LOWEST_M3
    later_m3 = [9000.0] * 7
    short_m3 = LOWEST_M3 - kept_m3
    assert short_dam3(data, [5000.0, 5000.0, 400.0, *later_m3], started) * 1000 == pytest.approx(short_m3)
    short_m3 += LOWEST_M3 - before_m3
    assert short_dam3(data, [400.0, 5000.0, 400.0, *later_m3], started) * 1000 == pytest.approx(short_m3)
    reserved = replace(data, weights=replace(BEARS, inflow_reserve_m3=30.0))
    assert short_dam3(reserved, [400.0, 5000.0, 400.0, *later_m3], started) * 1000 == pytest.approx(short_m3 - 60.0)

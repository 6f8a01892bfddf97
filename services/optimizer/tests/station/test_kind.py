"""A station's schedule as a plan: every pump, every step from this minute on, in what the registers can hold."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.database import Database
from headworks.common.messages import PumpTargets, ResourceType
from headworks.optimizer.station.case import StationSolution, StationStep
from headworks.optimizer.station.kind import StationKind
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.values import Status
from headworks.waterway.station_site import StationSite

START = datetime(2026, 3, 10, 11, tzinfo=UTC)
STEP = timedelta(minutes=15)
RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")


def solution(frequencies_hz: Sequence[Mapping[str, float]]) -> StationSolution:
    """Steps from START with these frequencies; pumps that are not named are off."""
    steps = tuple(
        StationStep(
            start=START + t * STEP,
            frequency_hz=dict.fromkeys(RESOURCES, 0.0) | dict(asked),
            flow_m3s={name: 0.9 if asked.get(name, 0.0) > 0 else 0.0 for name in RESOURCES},
            pump_power_mw={name: 0.4 if asked.get(name, 0.0) > 0 else 0.0 for name in RESOURCES},
            level_m=2.0 + t,
            volume_m3=10_000.0,
            outflow_m3s=0.9,
            inflow_m3s=1.0,
            inflow_low_m3s=0.9,
            inflow_high_m3s=1.1,
            power_mw=0.4,
            price_eur_per_mwh=50.0,
            price_known=True,
            cost_eur=5.0,
        )
        for t, asked in enumerate(frequencies_hz)
    )
    return StationSolution(status=Status.SOLVED, steps=steps)


def kind_of_station(site: StationSite) -> StationKind:
    """The kind over a database that no plan asks."""
    database = Database("postgresql+asyncpg://nobody@nowhere/nothing")
    return StationKind(site, StrategyStore(database, RunStore(database)))


@pytest.fixture
def kind(station_site: StationSite) -> StationKind:
    return kind_of_station(station_site)


def test_every_pump_has_every_step_from_this_minute_on(kind: StationKind) -> None:
    now = START + timedelta(minutes=1, seconds=30)
    intervals = kind.intervals(solution([{"P1_4": 49.0}] * 96), now)
    assert len(intervals) == 8 * 96
    for resource in RESOURCES:
        own = [i for i in intervals if i.resource == resource]
        assert [(own[0].interval_start, own[0].interval_end)] == [(START + timedelta(minutes=1), START + STEP)]
        assert [i.interval_start for i in own[1:]] == [START + t * STEP for t in range(1, 96)]
        assert own[-1].interval_end == START + 96 * STEP
        assert {i.resource_type for i in own} == {ResourceType.PUMP}


def test_a_step_that_is_over_is_not_planned(kind: StationKind) -> None:
    intervals = kind.intervals(solution([{"P1_4": 49.0}] * 3), START + STEP)
    assert {i.interval_start for i in intervals} == {START + STEP, START + 2 * STEP}


def test_targets_are_the_pumps_own_in_the_plans_units(kind: StationKind) -> None:
    by_resource = {i.resource: i.targets for i in kind.intervals(solution([{"P1_4": 49.0}]), START)}
    assert by_resource["P1_4"] == PumpTargets(
        suggested_speed_hz=49.0, target_flow_m3h=3240.0, target_power_kw=400.0, target_level_m=2.0
    )
    assert by_resource["P1_1"] == PumpTargets(
        suggested_speed_hz=0.0, target_flow_m3h=0.0, target_power_kw=0.0, target_level_m=2.0
    )


def test_a_power_that_was_not_given_is_not_made_up(kind: StationKind) -> None:
    [step] = solution([{"P1_4": 49.0}]).steps
    bare = StationSolution(status=Status.SOLVED, steps=(step.model_copy(update={"pump_power_mw": {}}),))
    assert {i.targets.target_power_kw for i in kind.intervals(bare, START) if isinstance(i.targets, PumpTargets)} == {
        None
    }


SPEEDS = st.one_of(st.just(0.0), st.floats(47.8 - 1e-9, 50.0 + 1e-9))


@given(st.lists(SPEEDS, min_size=1, max_size=8))
def test_no_speed_is_more_than_was_solved_or_outside_the_limits(station_site: StationSite, speeds: list[float]) -> None:
    kind = kind_of_station(station_site)
    asked = dict(zip(RESOURCES, speeds, strict=False))
    for interval in kind.intervals(solution([asked]), START):
        assert isinstance(interval.targets, PumpTargets)
        speed, solved = interval.targets.suggested_speed_hz, asked.get(interval.resource, 0.0)
        assert speed is not None
        assert speed == 0.0 if solved == 0.0 else 47.8 <= speed <= 50.0
        assert solved - 0.01 < speed <= max(solved + 1e-6, 47.8 if solved else 0.0)
        assert round(speed * 100) == pytest.approx(speed * 100)

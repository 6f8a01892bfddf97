"""Tuning changes the plan itself, not only its record: one tight case each, side by side with the untuned plan."""

from itertools import pairwise
from typing import Any

import pytest
from station_rig import GROUPED, MIDNIGHT, STEP, inputs, station_with

from headworks.optimizer.station.case import Risk, StationSolution, Strategy, StrategyPeriod
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.station.settings import planning_of
from headworks.waterway.station_site import StationSite

DEAR_FIRST = (150.0,) * 20 + (10.0,) * 12
"""Five hours in which waiting pays, and three in which pumping does."""
SWINGING = ((60.0,) * 8 + (40.0,) * 8) * 2
"""Another price every two hours."""


@pytest.fixture(scope="module")
def site() -> StationSite:
    return station_with(schedule={"horizon": "8 h", "time_limit": "30 s"}, solve=GROUPED | {"rounds": 2})


@pytest.fixture(scope="module")
def untuned(site: StationSite) -> StationSolution:
    return filling(site)


def filling(site: StationSite, **changes: Any) -> StationSolution:
    """A tunnel that is filled as far as may be until power gets cheap."""
    return solved(site, flow_m3s=2.5, level_m=5.8, price_eur_per_mwh=DEAR_FIRST, **changes)


def solved(site: StationSite, **asked: Any) -> StationSolution:
    solution = solve_inputs(site, inputs(site, **asked))
    assert solution.publishable, solution.reason
    return solution


def period(strategy: Strategy) -> tuple[StrategyPeriod, ...]:
    return (StrategyPeriod(start=MIDNIGHT, end=MIDNIGHT + 32 * STEP, strategy=strategy),)


def peak_m(solution: StationSolution) -> float:
    return max(step.level_m for step in solution.steps)


def cost_eur(solution: StationSolution) -> float:
    assert solution.energy_cost_eur is not None
    return solution.energy_cost_eur


def risk(solution: StationSolution) -> Risk:
    assert solution.tuning is not None
    return solution.tuning.risk


def starts(solution: StationSolution) -> int:
    assert solution.starts is not None
    return solution.starts


def changes_m3h(solution: StationSolution) -> float:
    """The sum of the outflow's changes."""
    flows = [step.outflow_m3s * 3600 for step in solution.steps]
    return sum(abs(after - before) for before, after in pairwise(flows))


def test_balanced_fills_the_tunnel_up_to_its_margin(site: StationSite, untuned: StationSolution) -> None:
    assert peak_m(untuned) == pytest.approx(planning_of(site).margin_level, abs=0.1)
    stated = filling(site, strategies=period(Strategy.BALANCED))
    assert [step.frequency_hz for step in stated.steps] == [step.frequency_hz for step in untuned.steps]


@pytest.mark.parametrize(("strategy", "keeps_m"), [(Strategy.KEEP_BUFFER, 1.0), (Strategy.CONSERVATIVE, 0.5)])
def test_a_strategy_that_keeps_room_fills_it_less_and_pays_for_it(
    site: StationSite, untuned: StationSolution, strategy: Strategy, keeps_m: float
) -> None:
    kept = filling(site, strategies=period(strategy))
    assert peak_m(kept) == pytest.approx(planning_of(site).margin_level - keeps_m, abs=0.1)
    assert cost_eur(kept) > 1.5 * cost_eur(untuned)


def test_aggressive_goes_further_above_the_margin_for_cheaper_energy(
    site: StationSite, untuned: StationSolution
) -> None:
    bold = filling(site, strategies=period(Strategy.AGGRESSIVE))
    assert peak_m(untuned) + 0.03 < peak_m(bold) < 7.3
    assert cost_eur(bold) < cost_eur(untuned)


def test_minimal_changes_the_outflow_less_and_starts_less(site: StationSite) -> None:
    balanced, minimal = (
        solved(site, flow_m3s=1.4, level_m=3.0, price_eur_per_mwh=SWINGING, strategies=period(strategy))
        for strategy in (Strategy.BALANCED, Strategy.MINIMAL)
    )
    assert changes_m3h(minimal) < 0.2 * changes_m3h(balanced)
    assert starts(minimal) < starts(balanced)


def test_the_poorer_forecasts_were_the_less_the_tunnel_is_filled(site: StationSite, untuned: StationSolution) -> None:
    fair, poor = (filling(site, past_inflow_error=(error,) * 8) for error in (0.12, 0.25))
    assert peak_m(fair) == pytest.approx(planning_of(site).margin_level - 0.36, abs=0.1)
    assert peak_m(poor) == pytest.approx(planning_of(site).margin_level - 1.0, abs=0.1)
    assert cost_eur(untuned) < cost_eur(fair) < cost_eur(poor)


def test_the_higher_the_risk_the_nearer_the_margin_is_kept(site: StationSite, untuned: StationSolution) -> None:
    rising = filling(site, past_inflow_m3s=(1.5,) * 8 + (2.5,) * 8)
    assert (risk(untuned), risk(rising)) == (Risk.HIGH, Risk.CRITICAL)
    assert peak_m(rising) + 0.02 < peak_m(untuned)
    assert cost_eur(rising) > cost_eur(untuned)


def test_in_an_emergency_the_tunnel_is_pumped_down_at_once_however_dear_that_is(
    site: StationSite, untuned: StationSolution
) -> None:
    emergency = filling(site, diverged_m3=5000.0)
    assert peak_m(emergency) < 5.8
    assert emergency.steps[-1].level_m < 5.5
    assert sum(step.outflow_m3s for step in emergency.steps[:20]) > 2 * sum(
        step.outflow_m3s for step in untuned.steps[:20]
    )

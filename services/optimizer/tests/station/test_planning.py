"""From how a station stands to its schedule: flushed when dry, never flooded, and what cannot be is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from station_rig import CHEAP_NIGHT, GROUPED, MIDNIGHT, STEP, inputs, quick_station, raw_station, station_with

from headworks.optimizer import solver
from headworks.optimizer.station import schedule
from headworks.optimizer.station.case import LastPlan, OutsideInflow, Risk
from headworks.optimizer.station.planning import plan_problem, solve_inputs
from headworks.optimizer.station.settings import planning_of
from headworks.optimizer.values import Status
from headworks.waterway.station import simulate_station
from headworks.waterway.station_rules import breaches
from headworks.waterway.station_site import StationSite


def test_a_plan_begins_with_the_water_that_its_level_has() -> None:
    """Also within the sump, where the table has all of it at any level: a plan that counts on 350 m³ pumps what is not there."""
    problem = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=1.4, level_m=0.2))
    assert not isinstance(problem, str)
    assert problem.case.initial_volume_m3 == pytest.approx(175)


@pytest.mark.parametrize("share", [1.0, 0.4, 0.0])
def test_what_may_be_missing_of_the_inflow_is_the_band_below_it_by_steps_ahead(share: float) -> None:
    """Where nothing is expected the share of the step before; a site file without the section asks for nothing."""
    outside = OutsideInflow(
        source="the test",
        issued_at=MIDNIGHT,
        flow_m3s=(2.0, 1.0, 0.0, 4.0),
        quantiles=(0.1, 0.9),
        low_m3s=(1.8, 0.8, 0.0, 2.0),
        high_m3s=(2.2, 1.2, 0.0, 6.0),
    )
    site = station_with(solve=GROUPED, commitment={"allow_for": share})
    problem = plan_problem(site, inputs(site, flow_m3s=1.4, outside_inflow=outside))
    assert not isinstance(problem, str)
    assert problem.case.missing_by_lead[:4] == pytest.approx([share * of for of in (0.1, 0.2, 0.2, 0.5)])
    assert problem.weights.committed_eur == planning_of(site).commitment.short > 0
    raw = raw_station()
    del raw["planning"]["commitment"]
    without = plan_problem(StationSite.model_validate(raw), inputs(site, flow_m3s=1.4, outside_inflow=outside))
    assert not isinstance(without, str)
    assert (set(without.case.missing_by_lead), without.weights.committed_eur) == ({0.0}, 0.0)


def test_a_dry_day_is_flushed_in_the_cheap_night_and_keeps_every_rule() -> None:
    asked = inputs(quick_station(), flow_m3s=1.4)
    solution = solve_inputs(quick_station(), asked)
    assert (solution.status, solution.relaxations) == (Status.SOLVED, ())
    assert solution.emptied_at
    assert solution.emptied_at[0] <= MIDNIGHT + timedelta(hours=7)
    again = simulate_station(
        quick_station().pumping_station.station,
        initial_volume_m3=quick_station().pumping_station.station.tunnel.water_at(2.4),
        frequency_hz=[tuple(step.frequency_hz.values()) for step in solution.steps],
        inflow_m3=[step.inflow_m3s * 900 for step in solution.steps],
        step_s=900.0,
    )
    assert [step.level_m for step in solution.steps] == pytest.approx(again.level_m)
    assert solution.energy_cost_eur == pytest.approx(
        sum(p * mw / 4 for p, mw in zip(CHEAP_NIGHT, again.power_mw, strict=True))
    )
    assert solution.gap is not None
    assert solution.gap <= 0.01


def test_a_flood_is_pumped_at_all_the_plant_takes_and_named() -> None:
    solution = solve_inputs(quick_station(), inputs(quick_station(), flow_m3s=3.2, level_m=7.9))
    limit_m3s = quick_station().pumping_station.rules.maximum_outflow
    assert solution.status is Status.RELAXED
    assert "maximum_level" in {relaxation.rule for relaxation in solution.relaxations}
    assert all(0.95 * limit_m3s < step.outflow_m3s < 1.02 * limit_m3s for step in solution.steps[8:48])


def test_no_plan_goes_to_where_the_interlock_takes_over() -> None:
    """However much cheaper later hours are: the level stays below the highest that may be planned, 7.3 m."""
    dear = (3000.0,) * 40 + (10.0,) * 56
    solution = solve_inputs(quick_station(), inputs(quick_station(), flow_m3s=2.6, level_m=6.8, price_eur_per_mwh=dear))
    assert solution.publishable, solution.reason
    assert 7.0 < max(step.level_m for step in solution.steps) < 7.32


def test_a_plan_whose_inflow_stays_away_for_a_step_leaves_the_pumps_running() -> None:
    """As much less than the site bears, in whichever step that is: the water does not come to where every pump is stopped."""
    quick = station_with(schedule={"horizon": "8 h", "time_limit": "20 s"}, solve=GROUPED | {"rounds": 2})
    solution = solve_inputs(quick, inputs(quick, flow_m3s=1.4, start=MIDNIGHT + timedelta(hours=18)))
    assert (solution.status, solution.relaxations) == (Status.SOLVED, ())
    assert min(step.volume_m3 for step in solution.steps) < 340
    station, reserve_m3 = quick.pumping_station.station, planning_of(quick).inflow_reserve
    for less in range(len(solution.steps)):
        ran = simulate_station(
            station,
            initial_volume_m3=station.tunnel.water_at(2.4),
            frequency_hz=[tuple(step.frequency_hz.values()) for step in solution.steps],
            inflow_m3=[step.inflow_m3s * 900 - reserve_m3 * (t == less) for t, step in enumerate(solution.steps)],
            step_s=900.0,
        )
        assert min(ran.level_m) >= 0.05, less


def test_a_plan_that_comes_to_where_every_pump_is_stopped_says_so() -> None:
    """The smallest pump must run on, and takes a little more than flows in."""
    quick = station_with(schedule={"horizon": "2 h", "time_limit": "5 s"}, solve=GROUPED)
    asked = inputs(quick, flow_m3s=0.28, level_m=0.1)
    pumps = tuple(pump.model_copy(update={"on": pump.resource == "P1_1", "steps": 2}) for pump in asked.pumps)
    solution = solve_inputs(quick, asked.model_copy(update={"pumps": pumps}))
    assert solution.status is Status.RELAXED
    told = [relaxation.text for relaxation in solution.relaxations if relaxation.rule == "minimum_level"]
    assert told
    assert all(text.endswith("m is below 0.05 m") for text in told)


def test_a_plan_above_the_highest_planned_level_says_so() -> None:
    quick = station_with(schedule={"horizon": "4 h", "time_limit": "5 s"}, solve=GROUPED)
    solution = solve_inputs(quick, inputs(quick, flow_m3s=3.2, level_m=7.28))
    assert solution.status is Status.RELAXED
    told = [relaxation.text for relaxation in solution.relaxations if relaxation.rule == "maximum_level"]
    assert told
    assert all(text.endswith("m is above 7.3 m") for text in told)


def test_an_emptying_grows_urgent_from_20_h_on_and_the_run_says_so() -> None:
    asked = inputs(quick_station(), flow_m3s=1.4, emptied_at=MIDNIGHT - timedelta(hours=21))
    problem = plan_problem(quick_station(), asked)
    assert not isinstance(problem, str)
    assert problem.case.urgency[:4] == pytest.approx((1.25 / 4, 1.5 / 4, 1.75 / 4, 0.5))
    assert set(problem.case.urgency[11:]) == {1.0}
    assert problem.weights.put_off_eur_per_h == 0.5
    assert "21.0 h since the tunnel was emptied: urgency 0.25" in problem.tuning.reasons
    done = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=2.4, level_m=5.0))
    assert not isinstance(done, str)
    assert not any("urgency" in reason for reason in done.tuning.reasons), "on a wet day none is due"


def test_an_outside_forecast_is_gone_on_with_by_our_own() -> None:
    """From where it ends, not by its last value: here a surge that is over in an hour, of a record that never had one."""
    surge = OutsideInflow(source="the test", issued_at=MIDNIGHT, flow_m3s=(1.4, 3.0, 3.0, 3.0))
    problem = plan_problem(quick_station(), inputs(quick_station(), flow_m3s=1.4, outside_inflow=surge))
    assert not isinstance(problem, str)
    assert problem.forecast.flow_m3s[:4] == (1.4, 3.0, 3.0, 3.0)
    assert problem.forecast.flow_m3s[4:] == pytest.approx((1.4,) * 92)
    assert problem.forecast.source.startswith("the test; from its end persistence")


def test_an_outside_forecast_without_a_record_may_be_very_wrong_and_says_so() -> None:
    alone = inputs(quick_station(), flow_m3s=1.4, past_inflow_m3s=())
    known = inputs(quick_station(), flow_m3s=1.4, past_inflow_m3s=(1.4,) * 96 * 10)
    without, within = (plan_problem(quick_station(), asked) for asked in (alone, known))
    assert not isinstance(without, str)
    assert not isinstance(within, str)
    assert without.forecast.flow_m3s == (1.4,) * 96
    assert (without.forecast.low_m3s[0], without.forecast.high_m3s[-1]) == pytest.approx((0.7, 2.1))
    assert without.forecast.source == "the test, its last value held; no record says how wrong it may be: ± 50%"
    risks = list(Risk)
    assert risks.index(without.tuning.risk) == risks.index(within.tuning.risk) + 1
    assert "the inflow's band is 100% of it" in without.tuning.reasons


def test_a_pump_that_no_plan_leads_stands_and_the_others_do_its_work() -> None:
    """The last plan had it run, and so does it now: both go by the board."""
    asked = inputs(quick_station(), flow_m3s=1.4)
    out = {"P1_4": "in mode maintenance", "P1_2": "stopped by ann"}
    pumps = tuple(pump.model_copy(update={"led_by": out.get(pump.resource)}) for pump in asked.pumps)
    last = LastPlan(start=MIDNIGHT, frequency_hz=((0.0, 49.0, 0.0, 49.0, 0.0, 0.0, 0.0, 0.0),) * 96)
    solution = solve_inputs(quick_station(), asked.model_copy(update={"pumps": pumps, "last_plan": last}))
    assert (solution.status, solution.relaxations) == (Status.SOLVED, ())
    assert solution.emptied_at
    ran = {resource for step in solution.steps for resource, hz in step.frequency_hz.items() if hz > 0}
    assert ran
    assert not ran & set(out)
    assert solution.tuning is not None
    assert {"P1_4 is not planned: in mode maintenance", "P1_2 is not planned: stopped by ann"} <= set(
        solution.tuning.reasons
    )


def test_where_no_pump_can_be_planned_there_is_no_plan() -> None:
    asked = inputs(quick_station(), flow_m3s=1.4)
    pumps = tuple(pump.model_copy(update={"led_by": "in mode off"}) for pump in asked.pumps)
    solution = solve_inputs(quick_station(), asked.model_copy(update={"pumps": pumps}))
    assert solution.status is Status.FAILED
    assert solution.reason.startswith("no pump can be planned: P1_1 is not planned: in mode off; ")


@pytest.mark.parametrize(
    ("change", "day"), [(datetime(2024, 3, 31, 1, tzinfo=UTC), 23), (datetime(2024, 10, 27, 1, tzinfo=UTC), 25)]
)
def test_over_a_change_of_the_clock_prices_and_inflow_keep_their_time_of_day(change: datetime, day: int) -> None:
    """Dear and wet from 7 to 9 by the local clock: so on the day of the change and on the next, by the days before."""

    def habit(at: datetime) -> float:
        return 2.0 if 7 <= at.astimezone(quick_station().zone).hour < 9 else 1.0

    def of(start: datetime, steps: int) -> tuple[float, ...]:
        return tuple(habit(start + t * STEP) for t in range(steps))

    for start in (change - timedelta(hours=9), change + timedelta(hours=day)):
        past = of(start - 10 * 96 * STEP, 10 * 96)
        asked = inputs(quick_station(), flow_m3s=1.0, start=start, outside_inflow=None, past_inflow_m3s=past,
                       past_price_eur_per_mwh=past, price_eur_per_mwh=of(start, 4))  # fmt: skip
        problem = plan_problem(quick_station(), asked)
        assert not isinstance(problem, str)
        right = of(start, 96)
        assert problem.case.price_eur_per_mwh == pytest.approx(right)
        peak = [t for t, value in enumerate(right) if value == 2.0]
        forecast = problem.forecast.flow_m3s
        assert sum(forecast[t] for t in peak) / 8 > 1.6
        assert sum(value for t, value in enumerate(forecast) if t not in peak) / 88 < 1.1


def test_what_is_not_known_is_said() -> None:
    unknown = inputs(quick_station(), flow_m3s=1.0, past_inflow_m3s=(None, None), outside_inflow=None)
    solution = solve_inputs(quick_station(), unknown)
    assert (solution.status, solution.steps) == (Status.FAILED, ())
    assert solution.reason == "no inflow is known: neither a record nor a forecast from outside"
    swapped = inputs(quick_station(), flow_m3s=1.0)
    swapped = swapped.model_copy(update={"pumps": swapped.pumps[::-1]})
    assert "must be the site's, in its order" in solve_inputs(quick_station(), swapped).reason


def test_a_solve_can_be_cancelled() -> None:
    hard = station_with(solve={"threads": 1})
    solution = solve_inputs(hard, inputs(hard, flow_m3s=1.4), lambda _gap: True)
    assert (solution.status, solution.steps) == (Status.CANCELLED, ())


def test_no_rule_is_broken_on_a_dry_day_with_the_whole_model() -> None:
    whole = station_with(schedule={"time_limit": "60 s"})
    asked = inputs(whole, flow_m3s=1.4)
    solution = solve_inputs(whole, asked)
    problem = plan_problem(whole, asked)
    assert not isinstance(problem, str)
    assert solution.publishable, solution.reason
    frequency_hz = [tuple(step.frequency_hz.values()) for step in solution.steps]
    trajectory = simulate_station(
        problem.station,
        initial_volume_m3=problem.case.initial_volume_m3,
        frequency_hz=frequency_hz,
        inflow_m3=problem.case.inflow_m3[:96],
        step_s=900.0,
    )
    assert breaches(problem.rules, frequency_hz, trajectory, problem.case.before, problem.case.dry_days[:1]) == []


def test_a_nearly_empty_tunnel_is_not_planned_with_the_flows_of_a_fuller_one() -> None:
    """Without a last plan, and too short for a first one: a small pump must run on, and about what it takes flows in."""
    short = station_with(schedule={"horizon": "2 h", "time_limit": "10 s"}, solve={"tail": "0 h"})
    asked = inputs(short, flow_m3s=0.55, level_m=0.5)
    pumps = tuple(pump.model_copy(update={"on": pump.resource == "P1_4", "steps": 5}) for pump in asked.pumps)
    solution = solve_inputs(short, asked.model_copy(update={"pumps": pumps}))
    assert solution.publishable, solution.reason
    assert all(step.frequency_hz["P1_4"] > 0 for step in solution.steps[:3])


def test_where_program_and_simulation_differ_to_the_last_round_the_run_says_so() -> None:
    def reasons(rounds: int, agree: str) -> str:
        site = station_with(schedule={"horizon": "4 h"}, solve=GROUPED | {"rounds": rounds, "agree": agree})
        solution = solve_inputs(site, inputs(site, flow_m3s=1.4))
        assert solution.tuning is not None
        return "; ".join(solution.tuning.reasons)

    assert "after 1 rounds program and simulation differ by" in reasons(1, "0.000001 m**3")
    assert "differ" not in reasons(4, "100 m**3")


def test_a_later_round_without_an_answer_leaves_the_one_before_it_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    well = schedule._round
    rounds = iter([1, 2])

    def fails_in_the_second(*given: Any) -> Any:
        return well(*given) if next(rounds) == 1 else solver.Failed("out of memory", "HiGHS")

    monkeypatch.setattr(schedule, "_round", fails_in_the_second)
    site = station_with(schedule={"horizon": "4 h"}, solve=GROUPED | {"rounds": 3, "agree": "0.000001 m**3"})
    solution = solve_inputs(site, inputs(site, flow_m3s=1.4))
    assert (solution.status, solution.rounds) == (Status.SOLVED, 2)
    assert solution.tuning is not None
    assert "round 2 had no answer" in solution.tuning.reasons

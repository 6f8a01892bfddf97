"""The flush as a window: two hours of all pumps at speed on a dry day where a period asks for one, and once begun, whole."""

from datetime import datetime, time, timedelta
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from station_rig import station_with

from headworks.optimizer.station.case import (
    LastPlan,
    PlannedFlush,
    StationInputs,
    StationSolution,
    Strategy,
    StrategyPeriod,
)
from headworks.optimizer.station.example_cases import EXAMPLES, START, STEP
from headworks.optimizer.station.flush import Ahead, FlushAsked, flush_asked, flushed_before, last_steps, planned_flush
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.station.settings import FlushWindowSection, planning_of
from headworks.optimizer.values import Status
from headworks.waterway.station import simulate_station
from headworks.waterway.station_site import StationSite

DAY = timedelta(hours=24)
ALL_RUN = tuple(pump.model_copy(update={"on": True, "steps": 3}) for pump in EXAMPLES["dry-day"]().pumps)
WINDOW = 9 * STEP
"""Two hours of all pumps together, and eight minutes until the last of them runs, in whole steps."""
DRY, STEADY = (True,) * 96, (1.0,) * 96


@pytest.fixture(scope="module")
def station_site() -> StationSite:
    """Eight hours of all pumps of a make alike, and the rest of the day as a tail: small, and as long as it takes."""
    return station_with(
        schedule={"horizon": "8 h", "time_limit": "300 s", "mip_gap": 0.1}, solve={"alike": "1000 m", "tail": "16 h"}
    )


@pytest.fixture(scope="module")
def section(station_site: StationSite) -> FlushWindowSection:
    return planning_of(station_site).flush.window


def inputs(
    *, begin: datetime = START, end: datetime = START + DAY, level_m: float = 4.2, **changes: Any
) -> StationInputs:
    period = StrategyPeriod(start=begin, end=end, strategy=Strategy.BALANCED, flush_window=True)
    return EXAMPLES["dry-day"]().model_copy(update={"level_m": level_m, "strategies": (period,)} | changes)


def asked(
    site: StationSite, section: FlushWindowSection, given: StationInputs, ahead: Ahead | None = None
) -> FlushAsked:
    expected = ahead or Ahead(STEADY, STEADY, DRY)
    return flush_asked(section, site.pumping_station.station.tunnel, site.zone, given, expected)


def begins(found: FlushAsked) -> list[int]:
    return [] if found.window is None else [s for s, _ in found.window.begins]


# ---------------------------------------------------------------- the plan


@pytest.fixture(scope="module")
def solution(station_site: StationSite) -> StationSolution:
    return solve_inputs(station_site, inputs())


def test_for_two_hours_and_their_starts_all_pumps_run_at_speed_and_the_tunnel_drains(
    solution: StationSolution,
) -> None:
    assert (solution.status.value, solution.relaxations) == ("SOLVED", ())
    window = solution.flush_window
    assert window is not None
    assert window.end - window.start == WINDOW
    within = [step for step in solution.steps if window.start <= step.start < window.end]
    assert all(hz >= 49.0 for step in within for hz in step.frequency_hz.values())
    assert max(step.level_m for step in solution.steps) > 4.5
    assert within[-1].level_m < 1.5
    assert max(step.outflow_m3s for step in within) * 3600 > 20_000
    beside = [step.outflow_m3s * 3600 for step in solution.steps if step not in within]
    assert max(beside) <= 10_478.01


def test_it_is_in_the_cheap_hours_of_the_night(solution: StationSolution) -> None:
    assert solution.flush_window is not None
    begin = solution.flush_window.start
    local = begin.astimezone(ZoneInfo("Europe/Helsinki"))
    assert 2 <= local.hour < 6
    paid = next(step.price_eur_per_mwh for step in solution.steps if step.start == begin)
    assert paid < fmean(EXAMPLES["dry-day"]().price_eur_per_mwh)


def test_once_begun_it_is_gone_through_with(station_site: StationSite, solution: StationSolution) -> None:
    assert solution.flush_window is not None
    resources = list(solution.steps[0].frequency_hz)
    k = round((solution.flush_window.start - START) / STEP) + 3
    last = LastPlan(
        start=START,
        frequency_hz=tuple(tuple(step.frequency_hz[name] for name in resources) for step in solution.steps),
        flush_window=solution.flush_window,
    )
    given = inputs(level_m=solution.steps[k - 1].level_m, last_plan=last)
    later = given.model_copy(
        update={
            "start": START + k * STEP,
            "price_eur_per_mwh": given.price_eur_per_mwh[k:],
            "past_inflow_m3s": (*given.past_inflow_m3s, *(step.inflow_m3s for step in solution.steps[:k])),
            "pumps": tuple(pump.model_copy(update={"on": True, "steps": 3}) for pump in given.pumps),
        }
    )
    again = solve_inputs(station_site, later)
    assert again.flush_window == solution.flush_window
    assert all(hz >= 49.0 for step in again.steps[:5] for hz in step.frequency_hz.values())


# ---------------------------------------------------------------- what is asked


def test_nobody_asks(station_site: StationSite, section: FlushWindowSection) -> None:
    assert asked(station_site, section, EXAMPLES["dry-day"]()) == FlushAsked()


def test_a_pump_that_no_plan_leads_is_missing_from_the_window_and_named(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    given = inputs()
    led = tuple(
        p.model_copy(update={"led_by": "mode maintenance"} if p.resource == "P1_4" else {}) for p in given.pumps
    )
    found = asked(station_site, section, given.model_copy(update={"pumps": led}))
    assert found.window is not None
    assert found.faults == ("the flush is without P1_4: mode maintenance",)
    assert asked(station_site, section, given).faults == ()


def test_a_window_lies_within_its_period(station_site: StationSite, section: FlushWindowSection) -> None:
    given = inputs(begin=START + timedelta(hours=3), end=START + timedelta(hours=6))
    assert begins(asked(station_site, section, given)) == [12, 13, 14, 15]


def test_a_wet_day_has_none_and_it_is_said(station_site: StationSite, section: FlushWindowSection) -> None:
    found = asked(station_site, section, inputs(), Ahead(STEADY, STEADY, (False,) * 96))
    assert found.window is None
    assert "no dry time within its period is long enough" in found.reasons[0]
    assert found.faults == found.reasons
    partly = Ahead(STEADY, STEADY, tuple(40 <= t < 50 for t in range(96)))
    assert begins(asked(station_site, section, inputs(), partly)) == [40, 41]


def test_a_period_that_goes_on_after_the_schedule_may_have_its_window_then(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    given = inputs(begin=START + DAY - 4 * STEP, end=START + DAY + timedelta(hours=6))
    found = asked(station_site, section, given)
    assert (found.window, found.faults) == (None, ())
    assert "it goes on after" in found.reasons[0]


def test_now_it_begins_only_with_something_to_drain(station_site: StationSite, section: FlushWindowSection) -> None:
    assert begins(asked(station_site, section, inputs(level_m=1.9)))[0] == 1
    assert begins(asked(station_site, section, inputs(level_m=2.0)))[0] == 0


def test_hours_inflow_and_price_are_preferred(station_site: StationSite, section: FlushWindowSection) -> None:
    low, high = tuple(0.5 if 16 <= t < 32 else 1.0 for t in range(96)), tuple(2.0 if t < 89 else 1.0 for t in range(96))
    found = asked(station_site, section, inputs(), Ahead(low, high, DRY))
    assert found.window is not None
    costs = dict(found.window.begins)
    # The example begins at midnight in Helsinki: 02:00 is step 8, 06:00 step 24; a window takes nine.
    assert (costs[0], costs[8], costs[15], costs[24], costs[87]) == (15.0, 10.0, 5.0, 10.0, 10.0)
    assert (costs[7], costs[16], costs[23]) == (15.0, 10.0, 10.0), "not the whole of these lies within the hours"


def test_preferred_hours_may_go_over_midnight(station_site: StationSite, section: FlushWindowSection) -> None:
    nightly = section.model_copy(update={"preferred": (time(20), time(3, 15))})
    found = asked(station_site, nightly, inputs())
    assert found.window is not None
    costs = dict(found.window.begins)
    # From midnight to 03:15 is thirteen steps; 20:00 is step 80, and a window that ends at midnight begins with step 87.
    cheap = [s for s, cost in costs.items() if cost == min(costs.values())]
    assert cheap == [*range(5), *range(80, 88)]


def test_a_window_of_the_last_plan_is_kept_while_it_lasts_and_done_after(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    def after(steps: int) -> FlushAsked:
        window = PlannedFlush(start=START - steps * STEP, end=START - steps * STEP + WINDOW)
        last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
        given = inputs(begin=START - timedelta(hours=12), last_plan=last, pumps=ALL_RUN)
        found = asked(station_site, section, given)
        done = found.window is None
        assert planned_flush(range(0) if done else last_steps(given, found), given, found) == window
        return found

    assert begins(after(3)) == [-3]
    assert begins(after(9)) == []
    assert "was done" in after(9).reasons[0]


def test_what_was_begun_goes_on_without_the_pumps_that_do_not_run_and_names_them(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    window = PlannedFlush(start=START - 3 * STEP, end=START + 6 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    stood = tuple(p.model_copy(update={"on": p.resource != "P1_3"}) for p in ALL_RUN)
    given = inputs(begin=START - timedelta(hours=12), last_plan=last, pumps=stood)
    found = asked(station_site, section, given)
    assert begins(found) == [-3]
    assert found.window is not None
    assert (found.window.steps, found.window.missing) == (9, (2,))
    assert found.faults == ("the flush of 09 Mar 21:15Z is under way without P1_3",)
    assert last_steps(given, found) == range(-3, 6)


def test_a_flush_with_a_dead_pump_ends_when_it_should_and_none_is_begun_after() -> None:
    """Turn by turn: P1_3 stands whatever it is told. Each turn keeps the window, and after its end no other is planned.

    Each pump for itself, as the site file has it: of pumps alike the dead one would count as one of those that run.
    """
    station_site = station_with(
        schedule={"horizon": "8 h", "time_limit": "300 s", "mip_gap": 0.1}, solve={"alike": "0 m", "tail": "16 h"}
    )
    period = StrategyPeriod(
        start=START, end=START + 40 * STEP, strategy=Strategy.BALANCED, flush_window=True, reason="once"
    )
    given = inputs(level_m=4.6).model_copy(update={"strategies": (period,)})
    solution = solve_inputs(station_site, given)
    window = solution.flush_window
    assert window is not None
    first = (window.start - START) // STEP
    for steps in (first + 1, 6, 5):
        given = lived(station_site, given, solution, steps, dead=2)
        solution = solve_inputs(station_site, given)
        assert solution.flush_window == window
        said = [relaxation.text for relaxation in solution.relaxations if relaxation.rule == "flush_window"]
        assert (["P1_3" in text for text in said] == [True]) == (given.start < window.end)
        within = [step for step in solution.steps if step.start < window.end]
        assert all(hz >= 49.0 for step in within for name, hz in step.frequency_hz.items() if name != "P1_3")
    assert given.start > window.end


def lived(
    site: StationSite, given: StationInputs, solution: StationSolution, steps: int, *, dead: int
) -> StationInputs:
    """What is known after some steps of a plan with a pump that does not run."""
    run = [tuple(0.0 if p == dead else hz for p, hz in enumerate(s.frequency_hz.values())) for s in solution.steps]
    ran = simulate_station(
        site.pumping_station.station,
        initial_volume_m3=site.pumping_station.station.tunnel.water_at(given.level_m),
        frequency_hz=run[:steps],
        inflow_m3=[step.inflow_m3s * 900 for step in solution.steps[:steps]],
        step_s=900.0,
    )
    pumps = given.pumps
    for asked_hz in run[:steps]:
        pumps = tuple(
            pump.model_copy(update={"on": hz > 0, "steps": pump.steps + 1 if pump.on == (hz > 0) else 1})
            for pump, hz in zip(pumps, asked_hz, strict=True)
        )
    return given.model_copy(
        update={
            "start": given.start + steps * STEP,
            "level_m": ran.level_m[-1],
            "pumps": pumps,
            "price_eur_per_mwh": given.price_eur_per_mwh[steps:],
            "past_inflow_m3s": (*given.past_inflow_m3s, *(step.inflow_m3s for step in solution.steps[:steps])),
            "last_plan": LastPlan(
                start=given.start,
                frequency_hz=tuple(tuple(step.frequency_hz.values()) for step in solution.steps),
                flush_window=solution.flush_window,
                flushed=solution.flushed,
            ),
        }
    )


def test_a_window_that_the_water_does_not_last_for_is_cut_short_and_not_begun_again(station_site: StationSite) -> None:
    window = PlannedFlush(start=START - 3 * STEP, end=START + 6 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    rested = tuple(pump.model_copy(update={"steps": 9}) for pump in ALL_RUN)
    given = inputs(begin=START - timedelta(hours=12), last_plan=last, pumps=rested, level_m=1.2)
    solution = solve_inputs(station_site, given)
    assert solution.status is Status.RELAXED
    assert solution.flush_window == PlannedFlush(start=window.start, end=START)
    [said] = [relaxation.text for relaxation in solution.relaxations if relaxation.rule == "flush_window"]
    assert said == "the flush of 09 Mar 21:15Z is cut short: there is too little water to go on"
    after = given.model_copy(update={"last_plan": last.model_copy(update={"flush_window": solution.flush_window})})
    [reason] = asked(station_site, planning_of(station_site).flush.window, after).reasons
    assert reason == "the flush asked was cut short at 22:00Z; it began 09 Mar 21:15Z"


# ---------------------------------------------------------------- why none is planned


def texts(solution: StationSolution) -> list[str]:
    assert solution.publishable
    return [relaxation.text for relaxation in solution.relaxations if relaxation.rule == "flush_window"]


def test_one_that_costs_too_much_is_said_not_to_be_planned(station_site: StationSite) -> None:
    dear = solve_inputs(station_site, inputs(price_eur_per_mwh=(3000.0,) * 96))
    assert (dear.status, dear.flush_window) == (Status.RELAXED, None)
    [said] = texts(dear)
    assert said.startswith(
        "a flush is asked until 10 Mar 22:00Z, and none is planned: no plan was found with one that "
    )
    assert "500 EUR for not flushing" in said


def test_one_that_there_is_no_water_for_is_said_not_to_be_planned(station_site: StationSite) -> None:
    soon = inputs(level_m=2.1, end=START + 10 * STEP)
    assert texts(solve_inputs(station_site, soon)) == [
        "a flush is asked until 10 Mar 00:30Z, and none is planned: there is too little water for all pumps to run so long"
    ]


def test_one_that_pumps_rest_too_long_for_is_said_not_to_be_planned(station_site: StationSite) -> None:
    tired = tuple(p.model_copy(update={"steps": 1} if p.resource == "P2_1" else {}) for p in inputs().pumps)
    soon = inputs(level_m=5.0, end=START + 10 * STEP, pumps=tired)
    assert texts(solve_inputs(station_site, soon)) == [
        "a flush is asked until 10 Mar 00:30Z, and none is planned: pumps must still rest"
    ]


def test_one_that_was_done_is_remembered_while_the_next_period_s_is_planned(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    done = PlannedFlush(start=START - 12 * STEP, end=START - 3 * STEP)
    one, two = (
        StrategyPeriod(start=START + a * STEP, end=START + b * STEP, strategy=Strategy.BALANCED, flush_window=True)
        for a, b in ((-40, 8), (8, 30))
    )
    plan = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=done)
    given = inputs(last_plan=plan).model_copy(update={"strategies": (one, two)})
    found = asked(station_site, section, given)
    next_one = planned_flush(range(10, 19), given, found)
    assert next_one == PlannedFlush(start=START + 10 * STEP, end=START + 19 * STEP)
    assert flushed_before(next_one, found) == (done,)
    later = plan.model_copy(update={"flush_window": next_one, "flushed": flushed_before(next_one, found)})
    again = asked(station_site, section, given.model_copy(update={"last_plan": later}))
    assert min(begins(again)) == 8, "none in the first period, which had its own"


def test_when_one_period_is_done_the_next_is_asked(station_site: StationSite, section: FlushWindowSection) -> None:
    window = PlannedFlush(start=START - 12 * STEP, end=START - 3 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    done, then = (
        StrategyPeriod(start=START + a * STEP, end=START + b * STEP, strategy=Strategy.BALANCED, flush_window=True)
        for a, b in ((-40, 8), (20, 30))
    )
    given = inputs(last_plan=last).model_copy(update={"strategies": (done, then)})
    assert begins(asked(station_site, section, given)) == [20, 21]


def test_a_window_of_another_period_does_not_count(station_site: StationSite, section: FlushWindowSection) -> None:
    window = PlannedFlush(start=START - timedelta(hours=3), end=START - timedelta(hours=1))
    last = LastPlan(start=START - timedelta(hours=4), frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    assert len(begins(asked(station_site, section, inputs(last_plan=last)))) == 88

"""The flush as a window: two hours of all pumps at speed on a dry day where a period asks for one, and once begun, whole."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.optimizer.station.case import (
    LastPlan,
    PlannedFlush,
    StationInputs,
    StationSolution,
    Strategy,
    StrategyPeriod,
)
from headworks.optimizer.station.example_cases import EXAMPLES, START, STEP
from headworks.optimizer.station.flush import Ahead, FlushAsked, flush_asked, last_steps, planned_flush
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.station.settings import FlushWindowSection, planning_of
from headworks.waterway.station_site import StationSite

SITE_FILE = Path(__file__).parents[4] / "sites" / "blominmaki.yaml"
DAY = timedelta(hours=24)
ALL_RUN = tuple(pump.model_copy(update={"on": True, "steps": 3}) for pump in EXAMPLES["dry-day"]().pumps)
DRY, STEADY = (True,) * 96, (1.0,) * 96


@pytest.fixture(scope="module")
def station_site() -> StationSite:
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["planning"]["solve"] |= {"alike": "1 m", "tail": "0 h"}
    return StationSite.model_validate(raw)


@pytest.fixture(scope="module")
def section(station_site: StationSite) -> FlushWindowSection:
    return planning_of(station_site).flush.window


def inputs(
    *, begin: datetime = START, end: datetime = START + DAY, level_m: float = 4.0, **changes: Any
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


def test_for_two_hours_of_a_dry_day_all_pumps_run_at_speed_and_the_tunnel_is_emptied(solution: StationSolution) -> None:
    assert (solution.status.value, solution.relaxations) == ("SOLVED", ())
    window = solution.flush_window
    assert window is not None
    assert window.end - window.start == timedelta(hours=2)
    within = [step for step in solution.steps if window.start <= step.start < window.end]
    assert all(hz >= 49.0 for step in within for hz in step.frequency_hz.values())
    assert min(step.level_m for step in solution.steps) <= 0.5
    assert max(step.outflow_m3s for step in within) * 3600 > 20_000
    beside = [step.outflow_m3s * 3600 for step in solution.steps if step not in within]
    assert max(beside) <= 10_478.01


def test_it_is_in_the_cheap_hours_of_the_night(solution: StationSolution) -> None:
    assert solution.flush_window is not None
    begin = solution.flush_window.start.astimezone(START.tzinfo)
    cheapest = sorted(step.price_eur_per_mwh for step in solution.steps)
    paid = next(step.price_eur_per_mwh for step in solution.steps if step.start == begin)
    assert paid <= cheapest[24]


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


def test_a_window_lies_within_its_period(station_site: StationSite, section: FlushWindowSection) -> None:
    given = inputs(begin=START + timedelta(hours=3), end=START + timedelta(hours=6))
    assert begins(asked(station_site, section, given)) == [12, 13, 14, 15, 16]


def test_a_wet_day_has_none_and_it_is_said(station_site: StationSite, section: FlushWindowSection) -> None:
    found = asked(station_site, section, inputs(), Ahead(STEADY, STEADY, (False,) * 96))
    assert found.window is None
    assert "no dry time within its period is long enough" in found.reasons[0]
    partly = Ahead(STEADY, STEADY, tuple(40 <= t < 49 for t in range(96)))
    assert begins(asked(station_site, section, inputs(), partly)) == [40, 41]


def test_now_it_begins_only_with_something_to_drain(station_site: StationSite, section: FlushWindowSection) -> None:
    assert begins(asked(station_site, section, inputs(level_m=1.9)))[0] == 1
    assert begins(asked(station_site, section, inputs(level_m=2.0)))[0] == 0


def test_hours_inflow_and_price_are_preferred(station_site: StationSite, section: FlushWindowSection) -> None:
    low, high = tuple(0.5 if 16 <= t < 32 else 1.0 for t in range(96)), tuple(2.0 if t < 90 else 1.0 for t in range(96))
    found = asked(station_site, section, inputs(), Ahead(low, high, DRY))
    assert found.window is not None
    costs = dict(found.window.begins)
    # The example begins at midnight in Helsinki: 02:00 is step 8, 06:00 step 24.
    assert (costs[0], costs[8], costs[16], costs[24], costs[88]) == (15.0, 10.0, 5.0, 10.0, 10.0)


def test_a_window_of_the_last_plan_is_kept_while_it_lasts_and_done_after(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    def after(steps: int) -> FlushAsked:
        window = PlannedFlush(start=START - steps * STEP, end=START - steps * STEP + timedelta(hours=2))
        last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
        given = inputs(begin=START - timedelta(hours=12), last_plan=last, pumps=ALL_RUN)
        found = asked(station_site, section, given)
        done = found.window is None
        assert planned_flush(range(0) if done else last_steps(given, found), given, found) == window
        return found

    assert begins(after(3)) == [-3]
    assert begins(after(8)) == []
    assert "was done" in after(8).reasons[0]


def test_a_window_that_the_pumps_did_not_begin_is_planned_anew(
    station_site: StationSite, section: FlushWindowSection
) -> None:
    window = PlannedFlush(start=START - 3 * STEP, end=START + 5 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    given = inputs(begin=START - timedelta(hours=12), last_plan=last)
    assert len(begins(asked(station_site, section, given))) == 89
    assert last_steps(given, asked(station_site, section, given)) == range(0)


def test_a_window_that_the_water_does_not_last_for_is_cut_short_and_not_begun_again(station_site: StationSite) -> None:
    window = PlannedFlush(start=START - 3 * STEP, end=START + 5 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    rested = tuple(pump.model_copy(update={"steps": 9}) for pump in ALL_RUN)
    given = inputs(begin=START - timedelta(hours=12), last_plan=last, pumps=rested, level_m=1.2)
    solution = solve_inputs(station_site, given)
    assert solution.publishable
    assert solution.flush_window == PlannedFlush(start=window.start, end=START)


def test_when_one_period_is_done_the_next_is_asked(station_site: StationSite, section: FlushWindowSection) -> None:
    window = PlannedFlush(start=START - 12 * STEP, end=START - 4 * STEP)
    last = LastPlan(start=START - 20 * STEP, frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    done, then = (
        StrategyPeriod(start=START + a * STEP, end=START + b * STEP, strategy=Strategy.BALANCED, flush_window=True)
        for a, b in ((-40, 8), (20, 30))
    )
    given = inputs(last_plan=last).model_copy(update={"strategies": (done, then)})
    assert begins(asked(station_site, section, given)) == [20, 21, 22]


def test_a_window_of_another_period_does_not_count(station_site: StationSite, section: FlushWindowSection) -> None:
    window = PlannedFlush(start=START - timedelta(hours=3), end=START - timedelta(hours=1))
    last = LastPlan(start=START - timedelta(hours=4), frequency_hz=((49.0,) * 8,) * 40, flush_window=window)
    assert len(begins(asked(station_site, section, inputs(last_plan=last)))) == 89

"""The closed loop: nothing of the future reaches a plan, what is done can be gone on with, and the score is the facts' own."""

import math
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from station_rig import GROUPED, STATION_FILE, station_with
from typer.testing import CliRunner

from headworks.common.cli import create_app
from headworks.optimizer.station.backtest import (
    Inflow,
    Knowledge,
    Prices,
    Record,
    State,
    Turn,
    inputs_at,
    run,
)
from headworks.optimizer.station.backtest_folder import BacktestFolder
from headworks.optimizer.station.case import Strategy, StrategyPeriod
from headworks.optimizer.station.planning import plan_problem
from headworks.optimizer.station.real_station import RealStation
from headworks.optimizer.station.report import solving_of
from headworks.optimizer.station.skill import PastForecast
from headworks.waterway.pumps import operate
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

START = datetime(2024, 11, 19, 21, 45, tzinfo=UTC)
OWN = Knowledge(Inflow.OWN, Prices.DAY_AHEAD)


@pytest.fixture(scope="module")
def station_site() -> StationSite:
    """A short horizon and pumps in groups, for speed."""
    return station_with(schedule={"horizon": "4 h"}, solve=GROUPED | {"rounds": 1})


def lived(steps: int = 64, **changes: Any) -> Record:
    known: dict[str, Any] = {
        "start": START,
        "step_s": 900.0,
        "inflow_m3": tuple(1300.0 + 4 * t for t in range(steps)),
        "price_eur_per_mwh": tuple(40.0 + (t % 8) * 5 for t in range(steps)),
        "initial_volume_m3": 9000.0,
        "before": tuple(Before(place in {0, 3}, 20) for place in range(8)),
    }
    return Record(**known | changes)


def test_nothing_of_the_future_reaches_a_plan(station_site: StationSite) -> None:
    known = lived(steps=192)
    now = 40
    other = lived(
        steps=192,
        inflow_m3=known.inflow_m3[:now] + (9999.0,) * (192 - now),
        # Today's prices are known: 96 rows from the record's first, whose step ends at midnight and has that stamp's price.
        price_eur_per_mwh=known.price_eur_per_mwh[:96] + (999.0,) * 96,
    )
    state = State(now, 9000.0, known.before)
    assert inputs_at(station_site, known, OWN, state, ()) == inputs_at(station_site, other, OWN, state, ())
    assert len(inputs_at(station_site, known, OWN, state, ()).price_eur_per_mwh) == 96 - now
    afternoon = State(60, 9000.0, known.before)
    told = inputs_at(station_site, known, OWN, afternoon, ())
    assert len(told.price_eur_per_mwh) == 192 - 60, "from 14 h local tomorrow's are known"


def test_what_is_done_is_gone_on_with_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    """In the midst of a flush: it goes on to its end, and every turn after runs what the whole run does."""
    site, record = flushing_site(), lived(steps=20, initial_volume_m3=53_000.0)
    period = StrategyPeriod(start=START, end=START + timedelta(hours=3), strategy=Strategy.BALANCED, flush_window=True)
    folder = BacktestFolder(tmp_path)
    whole = []
    for turn in run(site, record, OWN, 4, (period,), keep_plan=folder.keep_plan):
        whole.append(turn)
        folder.keep(turn)
        if turn.step == 4:
            shutil.copytree(tmp_path, tmp_path / "then")
    assert [turn.step for turn in whole] == [0, 4, 8, 12, 16]
    assert not any(turn.fallback for turn in whole)
    assert all(hz >= 49.0 for hz in whole[1].frequency_hz[-1] + whole[2].frequency_hz[0]), "the flush is under way at 8"
    then = BacktestFolder(tmp_path / "then")
    done, left = then.done(), then.plan_of(4)
    assert (done, left is None) == (whole[:2], False)
    again = list(run(site, record, OWN, 4, (period,), done, left))
    assert [turn.frequency_hz for turn in again] == [turn.frequency_hz for turn in whole[2:]]
    with pytest.raises(ValueError, match="a turn at step 4 where step 0 is next"):
        list(run(site, record, OWN, 4, done=whole[1:]))


def flushing_site() -> StationSite:
    """Four hours of all pumps of a make alike, and the rest of the day: small, and the same each time."""
    return station_with(
        schedule={"horizon": "4 h", "time_limit": "300 s", "mip_gap": 0.03},
        solve={"alike": "1000 m", "tail": "21 h", "threads": 1},
    )


def test_forecasts_are_judged_as_the_service_judges_them(station_site: StationSite) -> None:
    """Step by step over two hours, by what has come up to now, for a day: too much and too little do not make up for another."""
    record, step = lived(steps=192, inflow_m3=(1800.0,) * 192), timedelta(minutes=15)
    said = tuple(PastForecast(START + t * step, step, (1.0, 3.0) * 4) for t in (0, 4, 20, 90, 91))
    state = State(98, 9000.0, record.before, forecasts=said)
    assert inputs_at(station_site, record, OWN, state, ()).past_inflow_error == (0.5,) * 4
    assert (
        inputs_at(station_site, record, OWN, State(97, 9000.0, record.before, forecasts=said), ()).past_inflow_error
        == (0.5,) * 3
    ), "what has not come true yet is not judged"
    far = State(105, 9000.0, record.before, forecasts=said)
    assert inputs_at(station_site, record, OWN, far, ()).past_inflow_error == (0.5,) * 4, (
        "a day and two hours ago is too long"
    )


def test_a_run_keeps_what_it_forecast(station_site: StationSite) -> None:
    turn = next(run(station_site, lived(steps=24), OWN, 8))
    assert len(turn.forecast_m3s) == 8


def test_what_is_pumped_less_than_planned_is_known_to_the_next_plan(station_site: StationSite) -> None:
    """The model's own pumps do what is planned but for the inflow's forecast; here that is the record's own."""
    record, knowing = lived(steps=24), Knowledge(Inflow.PERFECT, Prices.PERFECT)
    turns = list(run(station_site, record, knowing, 8))
    assert [len(turn.planned_m3) for turn in turns] == [8, 8, 8]
    volume_m3 = record.initial_volume_m3 + sum(
        planned for turn in turns for planned in turn.planned_m3 if planned is not None
    )
    real = RealStation(station_site.pumping_station.station)
    ran = real.run(
        record.initial_volume_m3, [hz for turn in turns for hz in turn.frequency_hz], record.inflow_m3, 900.0
    )
    assert volume_m3 == pytest.approx(ran.volume_m3[-1])
    state = State(16, 9000.0, record.before, missed_m3=(None, 900.0, 800.0, 900.0))
    assert inputs_at(station_site, record, knowing, state, ()).diverged_m3 == 2600.0
    assert inputs_at(station_site, record, knowing, State(0, 9000.0, record.before), ()).diverged_m3 is None


def test_a_turn_that_only_goes_on_counts_as_a_fallback() -> None:
    own = Turn(0, ((0.0,) * 8,), "SOLVED", "", 1.0, 0.1, 0.01, "", "", False, 0, False, ())
    went_on = replace(own, step=1, gap=None, gone_on=True, reason="nothing better was found")
    without = replace(own, step=2, gap=None, fallback=True)
    solving = solving_of([own, went_on, without])
    assert (solving["fallbacks"], solving["gone_on"], solving["without_gap"]) == (2, 1, 2)
    assert solving["gap_p95"] == 0.01
    assert solving_of([went_on])["gap_p95"] is None


def test_perfect_forecasts_are_the_record_and_persistence_its_last_hour(station_site: StationSite) -> None:
    record, state = lived(), State(10, 9000.0, lived().before)
    perfect = inputs_at(station_site, record, Knowledge(Inflow.PERFECT, Prices.PERFECT), state, ())
    assert perfect.outside_inflow is not None
    assert perfect.outside_inflow.flow_m3s == pytest.approx([v / 900 for v in record.inflow_m3[10:]])
    assert perfect.outside_inflow.low_m3s == perfect.outside_inflow.high_m3s == perfect.outside_inflow.flow_m3s
    assert perfect.price_eur_per_mwh == record.price_eur_per_mwh[10:]
    held = inputs_at(station_site, record, Knowledge(Inflow.PERSISTENCE), state, ())
    assert held.outside_inflow is not None
    assert len(held.outside_inflow.flow_m3s) == 16, "as far as the plan looks: its 4 h"
    assert held.outside_inflow.flow_m3s[-1] == pytest.approx(sum(record.inflow_m3[6:10]) / 4 / 900, rel=0.05)


@pytest.mark.parametrize(("inflow_m3", "dry"), [(143_000.0, True), (145_000.0, False)])
def test_a_day_that_is_known_is_dry_or_wet_by_its_water_alone(inflow_m3: float, dry: bool) -> None:
    """Whatever errors forecasts of that record would have made: its flow rose and fell by the hour, at other hours each day."""
    past = tuple(inflow_m3 / 96 * (1 + 0.8 * math.sin(t / 4 + (t // 96) ** 2)) for t in range(480))
    midnight = START + timedelta(minutes=15)
    record = Record(midnight, 900.0, (*past, *(inflow_m3 / 96,) * 192), (50.0,) * 672, 9000.0, lived().before)
    site = station_with(solve={"tail": "0 h"})
    known = inputs_at(site, record, Knowledge(Inflow.PERFECT, Prices.PERFECT), State(480, 9000.0, record.before), ())
    problem = plan_problem(site, known)
    assert not isinstance(problem, str)
    assert bool(problem.case.dry_days) == dry


def test_a_noisy_station_moves_more_or_less_at_the_same_power(station_site: StationSite) -> None:
    model = station_site.pumping_station.station
    before, *after = (operate(s.pumps[1], 50.0, 28.0) for s in (model, *map(RealStation(model, 3).at, range(200))))
    assert [work.power_mw for work in after] == pytest.approx([before.power_mw] * 200)
    logs = np.log([work.flow_m3s / before.flow_m3s for work in after])
    assert logs.std() == pytest.approx(0.04, rel=0.2)
    assert abs(logs.mean()) > 0.02
    assert RealStation(model).at(7) is model


def test_noise_means_on_the_average_over_many_runs(station_site: StationSite) -> None:
    model = station_site.pumping_station.station
    flow_m3s = operate(model.pumps[1], 50.0, 28.0).flow_m3s
    logs = np.log([operate(RealStation(model, k).at(0).pumps[1], 50.0, 28.0).flow_m3s / flow_m3s for k in range(300)])
    assert logs.std() == pytest.approx(math.hypot(0.11, 0.04), rel=0.15)
    assert abs(logs.mean()) < 0.025


def test_a_run_in_parts_is_the_whole_run(station_site: StationSite) -> None:
    real, hz, m3 = RealStation(station_site.pumping_station.station, 5), [(50.0,) * 8, (48.0,) * 8], [5000.0, 6000.0]
    whole = real.run(30_000.0, hz, m3, 900.0, first=4)
    first = real.run(30_000.0, hz[:1], m3[:1], 900.0, first=4)
    then = real.run(first.volume_m3[0], hz[1:], m3[1:], 900.0, first=5)
    assert whole.volume_m3 == (*first.volume_m3, *then.volume_m3)
    assert whole.pump_power_mw == (*first.pump_power_mw, *then.pump_power_mw)


# ---------------------------------------------------------------- on the real record


def test_the_command_tells_resumes_and_refuses_another_folder(headworks_data: Path, tmp_path: Path) -> None:
    record = headworks_data / "hsy_blominmaki_2024-11.csv"
    quick = [
        "--change",
        "planning.solve.alike=1 m",
        "--change",
        "schedule.horizon=12 h",
        "--change",
        "schedule.mip_gap=0.05",
        "--change",
        "planning.solve.tail=0 h",
        "--change",
        "planning.solve.rounds=1",
    ]
    command = ["backtest", str(record), "--site", str(STATION_FILE), "--mapping", "quarter_hours", "--out", str(tmp_path / "out"),
               "--days", "1", "--every", "48", "--inflow", "perfect", "--prices", "perfect", *quick]  # fmt: skip
    first = CliRunner().invoke(create_app(), command)
    assert first.exit_code == 0, first.output
    assert "dry days emptied" in first.output
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "asked.json",
        "plan-48.json",
        "turns.jsonl",
        "results.json",
        "picture.png",
    }
    turns = (tmp_path / "out" / "turns.jsonl").read_text()
    assert len(turns.splitlines()) == 2
    (tmp_path / "out" / "turns.jsonl").write_text(turns.splitlines(keepends=True)[0] + '{"step": 48, "frequ')
    assert CliRunner().invoke(create_app(), command).exit_code == 0
    other = CliRunner().invoke(create_app(), [*command, "--price", "high_day_ahead_price_eur_per_mwh"])
    assert other.exit_code == 2
    assert "holds another back-test (other: price)" in " ".join(other.output.split())
    wrong = CliRunner().invoke(create_app(), [*command, "--change", "planning.nothing=1"])
    assert (wrong.exit_code, "planning.nothing is no key" in " ".join(wrong.output.split())) == (2, True)

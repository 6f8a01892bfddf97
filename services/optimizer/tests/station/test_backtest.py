"""The closed loop: nothing of the future reaches a plan, what is done can be gone on with, and the score is the facts' own."""

import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from headworks.common.cli import create_app
from headworks.common.historian.reading import read_record
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
from headworks.optimizer.station.backtest_cli import record_of
from headworks.optimizer.station.backtest_folder import BacktestFolder
from headworks.optimizer.station.case import Strategy, StrategyPeriod
from headworks.optimizer.station.real_station import RealStation
from headworks.optimizer.station.report import Judged, history_of, prices_of, score_of
from headworks.waterway.pumps import operate
from headworks.waterway.series import PRICE
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

SITE_FILE = Path(__file__).parents[4] / "sites" / "blominmaki.yaml"
START = datetime(2024, 11, 19, 21, 45, tzinfo=UTC)
OWN = Knowledge(Inflow.OWN, Prices.DAY_AHEAD)


@pytest.fixture(scope="module")
def station_site() -> StationSite:
    """A short horizon and pumps in groups, for speed."""
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["planning"]["solve"] |= {"alike": "1 m", "tail": "0 h", "rounds": 1}
    raw["schedule"]["horizon"] = "4 h"
    return StationSite.model_validate(raw)


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
        # Today's prices are known: the day ends 97 steps after the record's start, which is a step before midnight.
        price_eur_per_mwh=known.price_eur_per_mwh[:97] + (999.0,) * 95,
    )
    state = State(now, 9000.0, known.before)
    assert inputs_at(station_site, known, OWN, state, ()) == inputs_at(station_site, other, OWN, state, ())
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
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["planning"]["solve"] |= {"alike": "1000 m", "tail": "21 h", "threads": 1}
    raw["schedule"] |= {"horizon": "4 h", "time_limit": "300 s", "mip_gap": 0.03}
    return StationSite.model_validate(raw)


def test_perfect_forecasts_are_the_record_and_persistence_its_last_hour(station_site: StationSite) -> None:
    record, state = lived(), State(10, 9000.0, lived().before)
    perfect = inputs_at(station_site, record, Knowledge(Inflow.PERFECT, Prices.PERFECT), state, ())
    assert perfect.outside_inflow is not None
    assert perfect.outside_inflow.flow_m3s == pytest.approx([v / 900 for v in record.inflow_m3[10:]])
    assert perfect.price_eur_per_mwh == record.price_eur_per_mwh[10:]
    held = inputs_at(station_site, record, Knowledge(Inflow.PERSISTENCE), state, ())
    assert held.outside_inflow is not None
    assert held.outside_inflow.flow_m3s == pytest.approx((sum(record.inflow_m3[6:10]) / 4 / 900,))


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


@pytest.fixture(scope="module")
def history(headworks_data: Path) -> Judged:
    """The record as if it were a back-test of pumps that never turn: its own figures are what is looked at."""
    site = StationSite.model_validate(yaml.safe_load(SITE_FILE.read_text(encoding="utf-8")))
    historian = read_record(headworks_data / "hsy_blominmaki_2024-11.csv", site, "quarter_hours")
    record = record_of(site, historian, PRICE, None, None)
    still = Turn(0, ((0.0,) * 8,) * len(record.inflow_m3), "", "", 0.0, None, None, "", "", False, 0, True, ())
    return Judged(site, historian, record, [still], {"price": PRICE, "noise_seed": None})


def test_the_record_costs_what_the_facts_say(history: Judged) -> None:
    figures = history_of(history, prices_of(history))
    assert figures["cost_eur"][PRICE] == pytest.approx(25_690.55, abs=0.01)
    assert figures["cost_eur"][f"high_{PRICE}"] == pytest.approx(121_824.63, abs=0.01)
    assert figures["energy_mwh"] == pytest.approx(292.806, abs=0.001)
    assert figures["outflow"]["largest"] == pytest.approx(10_478, abs=1)


def test_the_record_begins_and_is_dry_as_the_facts_say(history: Judged) -> None:
    assert history.lived.initial_volume_m3 == pytest.approx(9739.4, abs=0.1)
    assert [was.on for was in history.lived.before] == [True, False, False, True, False, False, False, False]
    judged = score_of(history, history.trajectory(), prices_of(history))
    assert judged.dry_days == 8
    assert judged.breaches["minimum_pumps_on"] == 1536


def test_the_command_tells_resumes_and_refuses_another_folder(headworks_data: Path, tmp_path: Path) -> None:
    record = headworks_data / "hsy_blominmaki_2024-11.csv"
    quick = [
        "--change",
        "planning.solve.alike=1000 m",
        "--change",
        "planning.solve.tail=0 h",
        "--change",
        "planning.solve.rounds=1",
    ]
    command = ["backtest", str(record), "--site", str(SITE_FILE), "--mapping", "quarter_hours", "--out", str(tmp_path / "out"),
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


def test_the_grid_is_of_quarter_hours(history: Judged) -> None:
    assert history.lived.start == history.historian.grid.stamps[0] - timedelta(minutes=15)

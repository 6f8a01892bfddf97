"""A back-test and the record beside it, judged by the same rules: the record as the facts say it, and nothing unknown as 0."""

import io
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from station_rig import station_with

from headworks.common.historian.reading import read_record
from headworks.optimizer.station.backtest import Turn
from headworks.optimizer.station.backtest_cli import lived_of
from headworks.optimizer.station.history import History, history_of, known_rows, summed_power_mw, to_history
from headworks.optimizer.station.judged import Judged, prices_of, score_of
from headworks.optimizer.station.pictures import Shown, costs_eur
from headworks.optimizer.station.report import pump_hours, report
from headworks.optimizer.station.score import Score
from headworks.waterway.series import PRICE
from headworks.waterway.station import StationTrajectory


@pytest.fixture(scope="module")
def history(headworks_data: Path) -> Judged:
    """The record as if it were a back-test of pumps that never turn: its own figures are what is looked at."""
    site = station_with()
    historian = read_record(headworks_data / "hsy_blominmaki_2024-11.csv", site, "quarter_hours")
    record = lived_of(site, historian, PRICE, None, None)
    still = Turn(0, ((0.0,) * 8,) * len(record.inflow_m3), "", "", 0.0, None, None, "", "", False, 0, True, ())
    return Judged(
        site, historian, record, [still], {"price": PRICE, "noise_seed": None, "inflow": "own", "prices": "day_ahead"}
    )


def figures_of(judged: Judged) -> History:
    found = history_of(judged, prices_of(judged))
    assert found is not None
    return found


def own_score(judged: Judged) -> Score:
    return score_of(judged, judged.frequency_hz, judged.trajectory(), prices_of(judged))


def test_the_record_costs_what_the_facts_say(history: Judged) -> None:
    figures = figures_of(history)
    assert figures.score.cost_eur[PRICE] == pytest.approx(25_690.55, abs=0.01)
    assert figures.score.cost_eur[f"high_{PRICE}"] == pytest.approx(121_824.63, abs=0.01)
    assert figures.score.energy_mwh == pytest.approx(292.806, abs=0.001)
    assert figures.score.kwh_per_m3 == pytest.approx(0.1220, abs=5e-5)
    assert (figures.steps_not_known, figures.steps_held) == (0, 0)


def test_the_record_broke_the_rules_that_the_facts_say(history: Judged) -> None:
    """By the code that judges plans. The facts count two short runs more: those of the pumps that ran as the record began,
    of which nobody knows since when.
    """
    score = figures_of(history).score
    assert (score.starts, score.breaches["minimum_pumps_on"]) == (162, 11)
    assert (score.dry_days, score.dry_days_emptied, score.breaches["emptying"]) == (8, 3, 5)
    assert score.breaches["minimum_run"] == 56 - 2
    just_begun = tuple(replace(was, steps=0) for was in history.lived.before)
    begun = replace(history, lived=replace(history.lived, before=just_begun))
    assert figures_of(begun).score.breaches["minimum_run"] == 56
    flow = score.outflow
    told = (flow.standard_deviation, flow.mean_step, flow.largest)
    assert told == pytest.approx((2499, 172, 10_478), abs=1)
    assert (score.lowest_level_m, score.end_volume_m3) == pytest.approx((-0.016, 5405.2), abs=0.05)


def test_a_record_that_nobody_metered_is_not_compared_with(history: Judged, tmp_path: Path) -> None:
    """Its powers may not be in it at all; the run is reported all the same."""
    series = {name: of for name, of in history.historian.series.items() if not name.endswith("_power_mw")}
    unmetered = replace(history, historian=replace(history.historian, series=series))
    assert history_of(unmetered, prices_of(unmetered)) is None
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report(unmetered, tmp_path))
    assert "not known" in console.export_text()
    assert json.loads((tmp_path / "results.json").read_text())["history"] is None


def test_the_hours_of_each_pump_are_told_beside_the_records(history: Judged) -> None:
    hours = pump_hours(history)
    assert {name: of["plan"] for name, of in hours.items()} == dict.fromkeys(hours, 0.0), "these pumps never turn"
    assert hours["1.3"]["history"] == 0, "1.3 never ran"
    assert all(of["history"] > 40 for name, of in hours.items() if name != "1.3")


def test_the_record_begins_and_is_dry_as_the_facts_say(history: Judged) -> None:
    assert history.lived.initial_volume_m3 == pytest.approx(9739.4, abs=0.1)
    assert [was.on for was in history.lived.before] == [True, False, False, True, False, False, False, False]
    judged = own_score(history)
    assert judged.dry_days == 8
    assert judged.breaches["minimum_pumps_on"] == 1536


def test_what_the_record_does_not_know_is_not_zero(headworks_data: Path, tmp_path: Path, history: Judged) -> None:
    """The energy of a row in which a pump's power is not known is left out and counted; how a pump stood first must be known."""
    lines = (headworks_data / "hsy_blominmaki_2024-11.csv").read_text(encoding="utf-8-sig").splitlines()
    titles = lines[0].split(",")
    power, frequency = (
        next(i for i, title in enumerate(titles) if title.startswith(f"Pump {what} 1.1"))
        for what in ("efficiency", "frequency")
    )

    def without(row: int, column: int) -> Path:
        cells = lines[row].split(",")
        file = tmp_path / f"without_{row}_{column}.csv"
        file.write_text(
            "\n".join([*lines[:row], ",".join([*cells[:column], "", *cells[column + 1 :]]), *lines[row + 1 :]])
        )
        return file

    less = replace(history, historian=read_record(without(6, power), history.site, "quarter_hours"))
    figures, whole = figures_of(less), figures_of(history)
    assert (figures.steps_not_known, figures.steps_held, figures.known[:6]) == (1, 1, (0, 1, 2, 3, 4, 6))
    assert 0 < whole.score.energy_mwh - figures.score.energy_mwh < 0.3
    assert (figures.score.starts, figures.score.breaches) == (whole.score.starts, whole.score.breaches)
    unknown = read_record(without(1, frequency), history.site, "quarter_hours")
    with pytest.raises(ValueError, match=r"p1_1_frequency_hz at .* is not known"):
        lived_of(history.site, unknown, PRICE, None, None)


def test_a_plan_is_compared_with_history_over_the_same_steps(history: Judged) -> None:
    """A plan that does what history did costs as much, whatever the record does not know; nothing unknown counts as nothing."""
    prices, count = prices_of(history), history.count
    measured = replace(history.trajectory(), power_mw=tuple(mw or 0.0 for mw in summed_power_mw(history)))
    own = replace(own_score(history), end_correction_eur=dict.fromkeys(prices, 0.0))
    unknown = "p1_1_power_mw"
    series = history.historian.series[unknown]
    gap = replace(series, values=(*[None] * 700, *series.values[700:]))
    less = replace(history, historian=replace(history.historian, series={**history.historian.series, unknown: gap}))
    figures = figures_of(less)
    assert figures.steps_not_known == 700
    assert figures.score.cost_eur[PRICE] < 0.9 * figures_of(history).score.cost_eur[PRICE]
    shares = to_history(less, own, measured, figures, prices)
    assert list(shares.values()) == pytest.approx([0.0, 0.0], abs=1e-9)
    dearer = replace(own, end_correction_eur={name: 0.1 * figures.score.cost_eur[name] for name in prices})
    assert to_history(less, dearer, measured, figures, prices)[PRICE] == pytest.approx(0.1)
    assert known_rows(less) == tuple(range(700, count))


def shown(history_power_mw: list[float | None]) -> Shown:
    """Four steps of an hour at 10 EUR/MWh; the plan draws 1 MW."""
    flat = (1.0,) * 4
    trajectory = StationTrajectory(flat, flat, flat, flat, ((1.0,),) * 4, ((1.0,),) * 4, flat, flat)
    return Shown(
        stamps=[datetime(2024, 11, 20, t, tzinfo=UTC) for t in range(4)], trajectory=trajectory, frequency_hz=[(50.0,)] * 4,
        pump_names=["1.1"], inflow_m3h=flat, price_eur_per_mwh=(10.0,) * 4, step_s=3600.0, history_level_m=flat,
        history_outflow_m3h=flat, history_power_mw=history_power_mw,
    )  # fmt: skip


def test_the_picture_has_both_costs_over_the_same_steps_and_gaps_where_history_has_them() -> None:
    plan_eur, history_eur = costs_eur(shown([2.0, None, 2.0, 2.0]))
    assert plan_eur == pytest.approx([10.0, math.nan, 20.0, 30.0], nan_ok=True)
    assert history_eur == pytest.approx([20.0, math.nan, 40.0, 60.0], nan_ok=True)
    plan_eur, history_eur = costs_eur(shown([None] * 4))
    assert plan_eur == pytest.approx([10.0, 20.0, 30.0, 40.0])
    assert np.isnan(history_eur).all()


def test_steps_from_the_interlock_on_are_counted(history: Judged) -> None:
    judged = own_score(history)
    levels = history.trajectory().level_m
    assert judged.steps_above_high_high == sum(level_m >= 7.4 for level_m in levels)
    assert 0 < judged.steps_above_maximum < judged.steps_above_high_high < judged.steps_above_alarm
    assert judged.steps_below_low_low == 0


def test_steps_below_the_interlock_that_stops_the_pumps_are_counted(history: Judged) -> None:
    """At the plant all pumps would stop there: a run that keeps every rule by its replay does not keep them by itself."""
    trajectory = history.trajectory()
    low = replace(trajectory, level_m=(0.04, 0.05, *trajectory.level_m[2:]))
    judged = score_of(history, history.frequency_hz, low, prices_of(history))
    assert judged.steps_below_low_low == 1
    assert "minimum_level" not in judged.breaches


def test_the_grid_is_of_quarter_hours(history: Judged) -> None:
    assert history.lived.start == history.historian.grid.stamps[0] - timedelta(minutes=15)

"""What a back-test came to: judged apart from the optimizer, beside history, as a table, JSON and a picture."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from headworks.optimizer.station.backtest import Turn
from headworks.optimizer.station.history import (
    History,
    history_of,
    known_rows,
    outflow_m3h,
    summed_power_mw,
    to_history,
)
from headworks.optimizer.station.judged import Judged, prices_of, score_of
from headworks.optimizer.station.pictures import Shown, draw
from headworks.optimizer.station.score import Score
from headworks.waterway.series import TUNNEL_LEVEL, pump_series
from headworks.waterway.station import StationTrajectory

RUNNING_HZ = 40.0
"""A pump of a record turns for the most of a step whose mean lies above; drives coast down slowly."""


def report(judged: Judged, out: Path) -> Table:
    """Write results.json and picture.png, and give the table. Raises OSError."""
    trajectory, prices = judged.trajectory(), prices_of(judged)
    own, history = score_of(judged, judged.frequency_hz, trajectory, prices), history_of(judged, prices)
    shares = {} if history is None else to_history(judged, own, trajectory, history, prices)
    solving, hours = solving_of(judged.turns), pump_hours(judged)
    results = {
        "asked": judged.asked,
        "score": dataclasses.asdict(own),
        "history": None if history is None else _as_results(history),
        "to_history": shares,
        "solving": solving,
        "pump_hours": hours,
    }
    (out / "results.json").write_text(json.dumps(results, indent=1, default=str), encoding="utf-8")
    _draw(judged, trajectory, out / "picture.png")
    return _table(own, history, shares, solving, hours, str(judged.asked["price"]))


def _as_results(history: History) -> dict[str, Any]:
    """As the plan's score, and what the record does not know."""
    return {
        "steps_not_known": history.steps_not_known,
        "steps_held": history.steps_held,
        **dataclasses.asdict(history.score),
    }


def pump_hours(judged: Judged) -> dict[str, dict[str, float]]:
    """How long each pump ran: by the plans, and by the record's frequencies."""
    step_h, historian = judged.lived.step_s / 3600, judged.historian
    hours = {}
    for place, pump in enumerate(judged.site.pumping_station.pumps):
        was_hz = historian.values(pump_series(pump.resource, "frequency"))[: judged.count]
        hours[pump.name] = {
            "plan": step_h * sum(asked_hz[place] > 0 for asked_hz in judged.frequency_hz),
            "history": step_h * sum(hz is not None and hz > RUNNING_HZ for hz in was_hz),
        }
    return hours


def _draw(judged: Judged, trajectory: StationTrajectory, file: Path) -> None:
    station, lived, asked = judged.site.pumping_station, judged.lived, judged.asked
    known = set(known_rows(judged))
    shown = Shown(
        stamps=[stamp.astimezone(judged.site.zone) for stamp in judged.historian.grid.stamps[: judged.count]],
        trajectory=trajectory,
        frequency_hz=judged.frequency_hz,
        pump_names=[pump.name for pump in station.pumps],
        inflow_m3h=[volume * 3600 / lived.step_s for volume in lived.inflow_m3],
        price_eur_per_mwh=lived.price_eur_per_mwh,
        step_s=lived.step_s,
        history_level_m=judged.historian.values(TUNNEL_LEVEL)[: judged.count],
        history_outflow_m3h=outflow_m3h(judged),
        history_power_mw=[mw if t in known else None for t, mw in enumerate(summed_power_mw(judged))],
    )
    title = f"{judged.site.name}: inflow {asked['inflow']}, prices {asked['prices']}, planned for {asked['price']}"
    draw(shown, station.limits(lived.step_s), station.rules.alarm_level, title, file)


def solving_of(turns: Sequence[Turn]) -> dict[str, float | None]:
    """How the solves went; times in seconds. A fallback has no plan of its own: none at all, or the last one gone on with."""
    times = np.array([turn.solve_s for turn in turns])
    first = np.array([turn.first_plan_s for turn in turns if turn.first_plan_s is not None])
    gaps = np.array([turn.gap for turn in turns if turn.gap is not None])
    return {
        "solves": len(turns),
        "fallbacks": sum(turn.fallback or turn.gone_on for turn in turns),
        "gone_on": sum(turn.gone_on for turn in turns),
        "relaxed": sum(turn.relaxations > 0 for turn in turns),
        "emergencies": sum(turn.emergency for turn in turns),
        "mean_s": float(times.mean()),
        "median_s": float(np.median(times)),
        "p95_s": float(np.percentile(times, 95)),
        "max_s": float(times.max()),
        "first_plan_median_s": float(np.median(first)) if first.size else None,
        "gap_p95": float(np.percentile(gaps, 95)) if gaps.size else None,
        "without_gap": len(turns) - gaps.size,
    }


def _table(
    own: Score,
    history: History | None,
    shares: dict[str, float | None],
    solving: dict[str, float | None],
    pump_hours: dict[str, dict[str, float]],
    price: str,
) -> Table:
    table = Table("", "plan", "history", title="back-test")
    for name, cost in own.cost_eur.items():
        mark = " (planned for)" if name == price else ""
        share = "" if (share_of := shares.get(name)) is None else f" ({share_of:+.1%})"
        was = "not known" if history is None else f"{history.score.cost_eur[name]:,.0f}"
        table.add_row(f"cost {name}{mark} EUR", f"{cost + own.end_correction_eur[name]:,.0f}{share}", was)
    for text, told in _figures(own).items():
        table.add_row(text, told, "not known" if history is None else _figures(history.score)[text])
    ran = [
        ", ".join(f"{pump} {hours[whose]:.0f}" for pump, hours in pump_hours.items()) for whose in ("plan", "history")
    ]
    table.add_row("hours by pump", *ran)
    if history is not None:
        without = f"{history.steps_not_known}, {history.steps_held}"
        table.add_row("steps not known: left out of costs; as the row before", "", without)
    table.add_row("solves, fallbacks", f"{solving['solves']}, {solving['fallbacks']}", "")
    table.add_row("solve s: median, p95, max",
                  f"{solving['median_s']:.2f}, {solving['p95_s']:.2f}, {solving['max_s']:.2f}", "")  # fmt: skip
    return table


def _figures(of: Score) -> dict[str, str]:
    """The rows of the table that plan and history have alike."""
    above = (of.steps_above_alarm, of.steps_above_high_high, of.steps_above_maximum)
    flow = of.outflow
    return {
        "energy MWh, kWh/m³": f"{of.energy_mwh:.1f}, {of.kwh_per_m3 or 0:.4f}",
        "level m": f"{of.lowest_level_m:.2f} to {of.highest_level_m:.2f}",
        "steps above alarm, interlock, maximum": ", ".join("–" if steps is None else str(steps) for steps in above),
        "steps below interlock": "–" if of.steps_below_low_low is None else str(of.steps_below_low_low),
        "dry days emptied; wet ones": f"{of.dry_days_emptied} of {of.dry_days}; {of.wet_days_emptied}",
        "starts, short runs and rests": f"{of.starts}, {of.short_runs}",
        "end volume m³": f"{of.end_volume_m3:,.0f}",
        "outflow sd m³/h": f"{flow.standard_deviation:,.0f}",
        "outflow largest m³/h": f"{flow.largest:,.0f}",
        "outflow mean, p95, largest step m³/h": f"{flow.mean_step:,.0f}, {flow.p95_step:,.0f}, {flow.largest_step:,.0f}",
        "rules broken": ", ".join(f"{n} × {rule}" for rule, n in of.breaches.items()) or "none",
    }

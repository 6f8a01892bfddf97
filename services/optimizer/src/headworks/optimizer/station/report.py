"""What a back-test came to: judged apart from the optimizer, beside history, as a table, JSON and a picture."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from headworks.common.historian.record import Record as Historian
from headworks.optimizer.station.backtest import Record, Turn
from headworks.optimizer.station.pictures import Shown, draw
from headworks.optimizer.station.real_station import RealStation
from headworks.optimizer.station.score import Score, days_of, outflow_of, score
from headworks.optimizer.station.settings import high_high_level_m
from headworks.waterway.series import STATION_OUTFLOW, TUNNEL_LEVEL, TUNNEL_VOLUME, pump_series
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_site import StationSite

RUNNING_HZ = 40.0
"""A pump of a record runs above; drives coast down slowly."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A back-test that has ended: of what site and record, what was lived through, the turns, and what was asked."""

    site: StationSite
    historian: Historian
    lived: Record
    turns: Sequence[Turn]
    asked: dict[str, object]

    @property
    def count(self) -> int:
        """How many steps."""
        return len(self.lived.inflow_m3)

    @property
    def frequency_hz(self) -> list[tuple[float, ...]]:
        """What was run, shape (steps, pumps)."""
        return [asked_hz for turn in self.turns for asked_hz in turn.frequency_hz]

    def trajectory(self) -> StationTrajectory:
        """What that led to."""
        seed = self.asked["noise_seed"]
        real = RealStation(self.site.pumping_station.station, seed if isinstance(seed, int) else None)
        return real.run(self.lived.initial_volume_m3, self.frequency_hz, self.lived.inflow_m3, self.lived.step_s)


def report(judged: Judged, out: Path) -> Table:
    """Write results.json and picture.png, and give the table. Raises OSError."""
    trajectory, prices = judged.trajectory(), prices_of(judged)
    own, history = score_of(judged, trajectory, prices), history_of(judged, prices)
    solving = solving_of(judged.turns)
    hours = pump_hours(judged)
    results = {
        "asked": judged.asked,
        "score": dataclasses.asdict(own),
        "history": history,
        "solving": solving,
        "pump_hours": hours,
    }
    (out / "results.json").write_text(json.dumps(results, indent=1, default=str), encoding="utf-8")
    _draw(judged, trajectory, out / "picture.png")
    return _table(own, history, solving, hours, str(judged.asked["price"]))


def there(historian: Historian, series: str, row: int) -> float:
    """A value that must be known. Raises ValueError naming it."""
    value = historian.values(series)[row]
    if value is None:
        raise ValueError(f"{series} at {historian.grid.stamps[row]:%Y-%m-%d %H:%M}Z is not known; a back-test needs it")
    return value


def price_series(historian: Historian) -> list[str]:
    """The price columns of a record."""
    return [name for name in historian.series if name.endswith("_eur_per_mwh")]


def prices_of(judged: Judged) -> dict[str, list[float]]:
    """Every price column of the record."""
    names = price_series(judged.historian)
    return {name: [there(judged.historian, name, i) for i in range(judged.count)] for name in names}


def score_of(judged: Judged, trajectory: StationTrajectory, prices: dict[str, list[float]]) -> Score:
    """The back-test's own score."""
    rules, lived = judged.site.pumping_station.rules, judged.lived
    return score(
        judged.site.pumping_station.limits(lived.step_s),
        rules.alarm_level,
        rules.dry_day_inflow,
        judged.frequency_hz,
        trajectory,
        lived.before,
        lived.inflow_m3,
        prices,
        days_of([stamp.astimezone(judged.site.zone) for stamp in judged.historian.grid.stamps[: judged.count]]),
        there(judged.historian, TUNNEL_VOLUME, judged.count - 1),
        lived.step_s,
        high_high_level_m(judged.site),
    )


def history_of(judged: Judged, prices: dict[str, list[float]]) -> dict[str, Any]:
    """What was done in the record, by its own measured powers and flows; rows in which they are not known are left out."""
    hours = judged.lived.step_s / 3600
    powers, flows = _summed_power_mw(judged), _history_outflow_m3h(judged)
    known = [t for t, (power, flow) in enumerate(zip(powers, flows, strict=True)) if None not in (power, flow)]
    energy = {t: (powers[t] or 0.0) * hours for t in known}
    outflow_m3h = [flows[t] or 0.0 for t in known]
    levels = [level for level in judged.historian.values(TUNNEL_LEVEL)[: judged.count] if level is not None]
    return {
        "steps_not_known": judged.count - len(known),
        "cost_eur": {name: sum(price[t] * energy[t] for t in known) for name, price in prices.items()},
        "energy_mwh": sum(energy.values()),
        "kwh_per_m3": sum(energy.values()) * 1000 / (sum(outflow_m3h) * hours),
        "lowest_level_m": min(levels),
        "highest_level_m": max(levels),
        "outflow": dataclasses.asdict(outflow_of(outflow_m3h)),
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


def _history_outflow_m3h(judged: Judged) -> list[float | None]:
    flows = judged.historian.values(STATION_OUTFLOW)[: judged.count]
    return [None if flow is None else flow * 3600 for flow in flows]


def _summed_power_mw(judged: Judged) -> list[float | None]:
    """The power of all pumps together, by row; None where one of them is not known."""
    columns = [judged.historian.values(pump_series(p.resource, "power")) for p in judged.site.pumping_station.pumps]
    rows = ([value for value in row if value is not None] for row in zip(*columns, strict=True))
    return [sum(row) if len(row) == len(columns) else None for row in rows][: judged.count]


def _draw(judged: Judged, trajectory: StationTrajectory, file: Path) -> None:
    station, lived, asked = judged.site.pumping_station, judged.lived, judged.asked
    shown = Shown(
        stamps=[stamp.astimezone(judged.site.zone) for stamp in judged.historian.grid.stamps[: judged.count]],
        trajectory=trajectory,
        frequency_hz=judged.frequency_hz,
        pump_names=[pump.name for pump in station.pumps],
        inflow_m3h=[volume * 3600 / lived.step_s for volume in lived.inflow_m3],
        price_eur_per_mwh=lived.price_eur_per_mwh,
        step_s=lived.step_s,
        history_level_m=judged.historian.values(TUNNEL_LEVEL)[: judged.count],
        history_outflow_m3h=_history_outflow_m3h(judged),
        history_power_mw=_summed_power_mw(judged),
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
    history: dict[str, Any],
    solving: dict[str, float | None],
    pump_hours: dict[str, dict[str, float]],
    price: str,
) -> Table:
    table = Table("", "plan", "history", title="back-test")
    for name, cost in own.cost_eur.items():
        was, more = history["cost_eur"][name], own.end_correction_eur[name]
        mark = " (planned for)" if name == price else ""
        table.add_row(f"cost {name}{mark} EUR", f"{cost + more:,.0f} ({(cost + more) / was - 1:+.1%})", f"{was:,.0f}")
    table.add_row("energy MWh, kWh/m³", f"{own.energy_mwh:.1f}, {own.kwh_per_m3 or 0:.4f}",
                  f"{history['energy_mwh']:.1f}, {history['kwh_per_m3']:.4f}")  # fmt: skip
    table.add_row("level m", f"{own.lowest_level_m:.2f} to {own.highest_level_m:.2f}",
                  f"{history['lowest_level_m']:.2f} to {history['highest_level_m']:.2f}")  # fmt: skip
    high_high = "–" if own.steps_above_high_high is None else own.steps_above_high_high
    table.add_row(
        "steps above alarm, interlock, maximum", f"{own.steps_above_alarm}, {high_high}, {own.steps_above_maximum}", ""
    )
    table.add_row("dry days emptied; wet ones", f"{own.dry_days_emptied} of {own.dry_days}; {own.wet_days_emptied}", "")
    table.add_row("starts, short runs and rests", f"{own.starts}, {own.short_runs}", "")
    ran = [
        ", ".join(f"{pump} {hours[whose]:.0f}" for pump, hours in pump_hours.items()) for whose in ("plan", "history")
    ]
    table.add_row("hours by pump", *ran)
    table.add_row("end volume m³", f"{own.end_volume_m3:,.0f}", "")
    flows = (
        ("sd", "standard_deviation"),
        ("largest", "largest"),
        ("mean step", "mean_step"),
        ("largest step", "largest_step"),
    )
    for text, field in flows:
        mine, was = getattr(own.outflow, field), history["outflow"][field]
        table.add_row(f"outflow {text} m³/h", f"{mine:,.0f}", f"{was:,.0f}")
    table.add_row("rules broken", ", ".join(f"{n} × {rule}" for rule, n in own.breaches.items()) or "none", "")
    table.add_row("solves, fallbacks", f"{solving['solves']}, {solving['fallbacks']}", "")
    table.add_row("solve s: median, p95, max",
                  f"{solving['median_s']:.2f}, {solving['p95_s']:.2f}, {solving['max_s']:.2f}", "")  # fmt: skip
    return table

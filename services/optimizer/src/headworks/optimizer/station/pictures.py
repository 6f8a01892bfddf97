"""Pictures of a back-test: level, outflow and inflow, pumps, price, and cost beside history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_rules import StationRules

Instants = NDArray[np.object_]
BLUE, GREY, RED, GREEN = "#1f5fa8", "#8a8f98", "#b3261e", "#2e7d4f"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn, shape (steps,) each; history where the record has it, None where not."""

    stamps: Sequence[datetime]
    trajectory: StationTrajectory
    frequency_hz: Sequence[Sequence[float]]
    pump_names: Sequence[str]
    inflow_m3h: Sequence[float]
    price_eur_per_mwh: Sequence[float]
    step_s: float
    history_level_m: Sequence[float | None]
    history_outflow_m3h: Sequence[float | None]
    history_power_mw: Sequence[float | None]


def draw(shown: Shown, rules: StationRules, alarm_level_m: float, title: str, file: Path) -> None:
    """Draw all into one PNG file. Raises OSError."""
    figure = Figure(figsize=(13, 13), layout="constrained")
    axes = figure.subplots(5, 1, sharex=True, height_ratios=(3, 3, 2.4, 1.5, 2.2))
    figure.suptitle(title)
    at = np.array([stamp.replace(tzinfo=None) for stamp in shown.stamps])
    _level(axes[0], at, shown, rules, alarm_level_m)
    _flows(axes[1], at, shown, rules)
    _pumps(axes[2], at, shown, rules)
    axes[3].step(at, shown.price_eur_per_mwh, where="pre", color=BLUE, linewidth=1)
    axes[3].set_ylabel("price\nEUR/MWh")
    _cost(axes[4], at, shown)
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.margins(x=0)
    figure.savefig(file, dpi=110)


def _level(axis: Axes, at: Instants, shown: Shown, rules: StationRules, alarm_level_m: float) -> None:
    axis.plot(at, _known(shown.history_level_m), color=GREY, linewidth=0.8, label="history")
    axis.plot(at, shown.trajectory.level_m, color=BLUE, linewidth=1.2, label="plan")
    for level_m, text, style in (
        (rules.maximum_level_m, "maximum", "-"),
        (alarm_level_m, "alarm", "--"),
        (rules.emptied_level_m, "emptied", ":"),
    ):
        axis.axhline(level_m, color=RED, linestyle=style, linewidth=0.9, label=text)
    axis.set_ylabel("level m")
    axis.legend(loc="upper left", ncols=5, fontsize=8)


def _flows(axis: Axes, at: Instants, shown: Shown, rules: StationRules) -> None:
    axis.plot(at, _known(shown.history_outflow_m3h), color=GREY, linewidth=0.8, label="outflow, history")
    axis.plot(at, shown.inflow_m3h, color=GREEN, linewidth=0.8, label="inflow")
    axis.step(
        at,
        [flow * 3600 for flow in shown.trajectory.outflow_m3s],
        where="pre",
        color=BLUE,
        linewidth=1,
        label="outflow",
    )
    axis.axhline(rules.maximum_outflow_m3s * 3600, color=RED, linewidth=0.9, label="limit")
    axis.set_ylabel("m³/h")
    axis.legend(loc="upper left", ncols=4, fontsize=8)


def _pumps(axis: Axes, at: Instants, shown: Shown, rules: StationRules) -> None:
    hz = np.array(shown.frequency_hz).T
    masked = np.ma.masked_where(hz <= 0, hz)
    edges = np.append(at, at[-1] + (at[-1] - at[-2]))
    mesh = axis.pcolormesh(
        edges,
        np.arange(len(shown.pump_names) + 1),
        masked,
        vmin=rules.minimum_hz,
        vmax=rules.maximum_hz,
        cmap="viridis",
    )
    axis.set_yticks(np.arange(len(shown.pump_names)) + 0.5, shown.pump_names)
    axis.set_ylabel("pumps")
    axis.figure.colorbar(mesh, ax=axis, label="Hz", pad=0.01)


def _cost(axis: Axes, at: Instants, shown: Shown) -> None:
    plan_eur, history_eur = costs_eur(shown)
    axis.plot(at, plan_eur, color=BLUE, label="plan")
    axis.plot(at, history_eur, color=GREY, label="history")
    axis.set_ylabel("cost EUR")
    unknown = sum(mw is None for mw in shown.history_power_mw)
    without = f"both without {unknown} steps that the record does not know" if unknown else None
    axis.legend(loc="upper left", ncols=2, fontsize=8, title=without, title_fontsize=8)


def costs_eur(shown: Shown) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What plan and history have cost by the end of each step, over the steps that history knows; nan in those that it does not.

    Where it knows none, the plan's is of all.
    """
    hours, price = shown.step_s / 3600, np.array(shown.price_eur_per_mwh)
    history_mw, plan_mw = _known(shown.history_power_mw), np.array(shown.trajectory.power_mw)
    known = ~np.isnan(history_mw)
    history_eur = np.where(known, np.cumsum(np.where(known, price * history_mw * hours, 0.0)), np.nan)
    shared = known if known.any() else ~known
    return np.where(shared, np.cumsum(np.where(shared, price * plan_mw * hours, 0.0)), np.nan), history_eur


def _known(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])

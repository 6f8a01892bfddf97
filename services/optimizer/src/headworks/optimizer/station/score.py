"""How a schedule did on a record: cost, energy, rules, smoothness, starts. Judged on the station's true curves alone."""

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

import numpy as np

from headworks.optimizer.station.costing import starts_of
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_rules import Before, StationRules, breaches

LATER_KWH_PER_M3 = 0.122
"""What the record needed for each cubic metre: water left beyond the record's own end costs so much energy at the mean price."""


@dataclass(frozen=True, slots=True)
class Outflow:
    """How even the outflow was [m³/h]: its spread, its largest, and its changes from step to step."""

    standard_deviation: float
    largest: float
    mean_step: float
    p95_step: float
    largest_step: float


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of a schedule. Costs [EUR] by price column, with the end's water added; `breaches` by rule.

    From the high-high level on the gateway's interlock would run pumps of its own, and below the low-low level it would stop all;
    None where the site has none.
    """

    cost_eur: dict[str, float]
    end_correction_eur: dict[str, float]
    energy_mwh: float
    kwh_per_m3: float | None
    end_volume_m3: float
    lowest_level_m: float
    highest_level_m: float
    steps_above_alarm: int
    steps_above_high_high: int | None
    steps_above_maximum: int
    steps_below_low_low: int | None
    dry_days: int
    dry_days_emptied: int
    wet_days_emptied: int
    starts: int
    short_runs: int
    outflow: Outflow
    breaches: dict[str, int]


def days_of(stamps: Sequence[datetime]) -> list[range]:
    """The steps of each local day; the stamps are local."""
    days, at = [], 0
    for _, of_day in groupby(stamp.date() for stamp in stamps):
        count = sum(1 for _ in of_day)
        days.append(range(at, at + count))
        at += count
    return days


def score(
    rules: StationRules,
    alarm_level_m: float,
    dry_day_inflow_m3: float,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    before: Sequence[Before],
    inflow_m3: Sequence[float],
    prices: Mapping[str, Sequence[float]],
    days: Sequence[range],
    end_volume_m3: float,
    step_s: float,
    high_high_level_m: float | None = None,
    low_low_level_m: float | None = None,
) -> Score:
    """The score of frequencies that were simulated on a record; `end_volume_m3` is what the record itself left."""
    dry = [day for day in days if sum(inflow_m3[day.start : day.stop]) <= dry_day_inflow_m3]
    emptied = {
        day.start for day in days if min(trajectory.level_m[day.start : day.stop]) <= rules.emptied_level_m + 1e-6
    }
    hours = step_s / 3600
    energy_mwh = trajectory.energy_mwh(step_s)
    pumped_m3 = sum(trajectory.outflow_m3s) * step_s
    more_m3 = max(0.0, trajectory.volume_m3[-1] - end_volume_m3)
    broken = Counter(breach.rule for breach in breaches(rules, frequency_hz, trajectory, before, dry))
    return Score(
        cost_eur={
            name: sum(p * mw * hours for p, mw in zip(price, trajectory.power_mw, strict=True))
            for name, price in prices.items()
        },
        end_correction_eur={
            name: more_m3 * LATER_KWH_PER_M3 / 1000 * sum(price) / len(price) for name, price in prices.items()
        },
        energy_mwh=energy_mwh,
        kwh_per_m3=energy_mwh * 1000 / pumped_m3 if pumped_m3 > 0 else None,
        end_volume_m3=trajectory.volume_m3[-1],
        lowest_level_m=min(trajectory.level_m),
        highest_level_m=max(trajectory.level_m),
        steps_above_alarm=sum(level_m > alarm_level_m for level_m in trajectory.level_m),
        steps_above_high_high=_steps(trajectory, high_high_level_m, operator.ge),
        steps_above_maximum=sum(level_m > rules.maximum_level_m for level_m in trajectory.level_m),
        steps_below_low_low=_steps(trajectory, low_low_level_m, operator.lt),
        dry_days=len(dry),
        dry_days_emptied=sum(day.start in emptied for day in dry),
        wet_days_emptied=sum(day.start in emptied for day in days if day not in dry),
        starts=starts_of(frequency_hz, before),
        short_runs=broken["minimum_run"] + broken["minimum_rest"],
        outflow=outflow_of([flow * 3600 for flow in trajectory.outflow_m3s]),
        breaches=dict(sorted(broken.items())),
    )


def _steps(trajectory: StationTrajectory, limit_m: float | None, beyond: Callable[[float, float], bool]) -> int | None:
    """How many steps end beyond a level; None where there is no such limit."""
    return None if limit_m is None else sum(beyond(level_m, limit_m) for level_m in trajectory.level_m)


def outflow_of(flow_m3h: Sequence[float]) -> Outflow:
    """How even an outflow was."""
    steps = np.abs([after - before for before, after in pairwise(flow_m3h)])
    return Outflow(
        standard_deviation=float(np.std(flow_m3h)),
        largest=max(flow_m3h),
        mean_step=float(steps.mean()),
        p95_step=float(np.percentile(steps, 95)),
        largest_step=float(steps.max()),
    )

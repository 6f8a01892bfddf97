"""What was done in the record, judged as a plan is: by the same rules, on what was measured.

What a row does not know is never 0. Rows whose powers or outflow are not known have no part in cost, energy and outflow, and a
plan's cost is compared without them. Where the rules need a frequency, a power or a level that is not known, the row before
stands in. Both kinds are counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from headworks.optimizer.station.judged import Judged, score_of
from headworks.optimizer.station.score import Score, outflow_of
from headworks.waterway.series import STATION_OUTFLOW, TUNNEL_LEVEL, TUNNEL_VOLUME, pump_series
from headworks.waterway.station import StationTrajectory

RUNNING_MW = 0.005
"""A pump of a record runs in a step in which it draws more: after it has stopped its frequency fades for long."""
Column = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class History:
    """The record's score, with cost, energy and outflow of the rows `known`; in so many steps the row before stood in."""

    score: Score
    known: tuple[int, ...]
    steps_not_known: int
    steps_held: int


def history_of(judged: Judged, prices: dict[str, list[float]]) -> History | None:
    """The record as it was; None where no row knows powers and outflow."""
    known = known_rows(judged)
    if not known:
        return None
    hours, powers_mw, flows_m3h = judged.lived.step_s / 3600, summed_power_mw(judged), outflow_m3h(judged)
    energy_mwh = {t: (powers_mw[t] or 0.0) * hours for t in known}
    pumped_m3h = [flows_m3h[t] or 0.0 for t in known]
    score = replace(
        score_of(judged, _frequency_hz(judged), _trajectory(judged), prices),
        cost_eur={name: sum(price[t] * energy_mwh[t] for t in known) for name, price in prices.items()},
        energy_mwh=sum(energy_mwh.values()),
        kwh_per_m3=sum(energy_mwh.values()) * 1000 / (sum(pumped_m3h) * hours) if sum(pumped_m3h) > 0 else None,
        outflow=outflow_of(pumped_m3h),
    )
    return History(score, known, judged.count - len(known), _steps_held(judged))


def to_history(
    judged: Judged, own: Score, trajectory: StationTrajectory, history: History, prices: dict[str, list[float]]
) -> dict[str, float | None]:
    """By how much a plan costs more than history did, as a share: over the rows that history knows, with the water left.

    None where history cost nothing.
    """
    hours = judged.lived.step_s / 3600
    shares: dict[str, float | None] = {}
    for name, was in history.score.cost_eur.items():
        same_rows = sum(prices[name][t] * trajectory.power_mw[t] * hours for t in history.known)
        shares[name] = (same_rows + own.end_correction_eur[name]) / was - 1 if was > 0 else None
    return shares


def known_rows(judged: Judged) -> tuple[int, ...]:
    """The rows in which all powers and the outflow are known."""
    rows = enumerate(zip(summed_power_mw(judged), outflow_m3h(judged), strict=True))
    return tuple(t for t, row in rows if None not in row)


def outflow_m3h(judged: Judged) -> list[float | None]:
    """What went to the plant, by row."""
    return [None if flow is None else flow * 3600 for flow in _column(judged, STATION_OUTFLOW)]


def summed_power_mw(judged: Judged) -> list[float | None]:
    """The power of all pumps together, by row; None where one of them is not known."""
    columns = _of_pumps(judged, "power")
    rows = ([value for value in row if value is not None] for row in zip(*columns, strict=True))
    return [sum(row) if len(row) == len(columns) else None for row in rows]


def _frequency_hz(judged: Judged) -> list[tuple[float, ...]]:
    """The pumps' frequencies, 0 in steps in which they do not run, shape (steps, pumps)."""
    powers, frequencies = (zip(*map(_held, _of_pumps(judged, what)), strict=True) for what in ("power", "frequency"))
    return [
        tuple(hz if mw > RUNNING_MW else 0.0 for mw, hz in zip(power, frequency, strict=True))
        for power, frequency in zip(powers, frequencies, strict=True)
    ]


def _trajectory(judged: Judged) -> StationTrajectory:
    """What was measured, as if it had been simulated. A pump whose flow nobody measured moved some, as far as anybody knows."""
    powers, flows = (list(map(_held, _of_pumps(judged, what))) for what in ("power", "flow"))
    return StationTrajectory(
        level_m=_held(_column(judged, TUNNEL_LEVEL)),
        volume_m3=_held(_column(judged, TUNNEL_VOLUME)),
        outflow_m3s=_held(_column(judged, STATION_OUTFLOW)),
        power_mw=tuple(map(sum, zip(*powers, strict=True))),
        pump_flow_m3s=tuple(zip(*flows, strict=True)),
        pump_power_mw=tuple(zip(*powers, strict=True)),
        short_m3=(0.0,) * judged.count,
        overflow_m3=(0.0,) * judged.count,
    )


def _steps_held(judged: Judged) -> int:
    """Rows in which a value that the rules need is not known."""
    columns = [*_of_pumps(judged, "power"), *_of_pumps(judged, "frequency"), _column(judged, TUNNEL_LEVEL)]
    return sum(None in row for row in zip(*columns, strict=True))


def _of_pumps(judged: Judged, quantity: str) -> list[Column]:
    return [_column(judged, pump_series(p.resource, quantity)) for p in judged.site.pumping_station.pumps]


def _column(judged: Judged, series: str) -> Column:
    """The values of the rows that were lived through; what the record does not have is not known."""
    there = series in judged.historian.series
    return judged.historian.values(series)[: judged.count] if there else (None,) * judged.count


def _held(column: Column) -> tuple[float, ...]:
    """Each value that is not known as the one before; before the first known one as that. Of an empty column no end."""
    value = next((value for value in column if value is not None), math.inf)
    held = []
    for measured in column:
        value = value if measured is None else measured
        held.append(value)
    return tuple(held)

"""What will flow in, and what power will cost: forecasts from the recent record alone, each with the errors it would have made.

Inflow    persistence: the mean of the last hour, held;  daily pattern: the usual day of the record, moved to the present
          level;  storm-aware: a regression for each lead on the present excess over the usual day and on its trend.
          The first two begin at the last value and come to their own within the hour
Quantiles the method is applied to the record as it was then; the relative errors it made at each lead give the band
Prices    beyond the known ones: the mean of the last days at the same time of day, recent days counting more
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from headworks.optimizer.station.case import OutsideInflow

Array = NDArray[np.float64]
DAY_S = 86_400.0
HOUR_S = 3600.0
LEADS_H = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 18.0, 24.0)
"""Leads for which the regression is fitted; between them it is interpolated."""
RIDGE = 0.02
TREND_H = 2.0
PRICE_MEMORY_DAYS = 2.0
LEAST_ERRORS = 24
"""A quantile from fewer errors would say nothing."""
LEAST_OF_USUAL, MOST_OF_RECORD = 0.25, 1.2
WIDEST = 0.5
"""The band where the record is too short to know: half below, as much above."""


class InflowMethod(StrEnum):
    """How inflow is forecast."""

    PERSISTENCE = "persistence"
    DAILY_PATTERN = "daily_pattern"
    STORM_AWARE = "storm_aware"


@dataclass(frozen=True, slots=True)
class InflowForecast:
    """Inflow of each step ahead and its band [m³/s], shape (steps,); which method gave it, after those that could not.

    Of the first `measured` steps the band is what the record says, or the forecast's maker; from there on it is wholly or in
    part a guess.
    """

    source: str
    flow_m3s: tuple[float, ...]
    low_m3s: tuple[float, ...]
    high_m3s: tuple[float, ...]
    measured: int = 0

    def low_taking(self, share_of_a_guess: float) -> tuple[float, ...]:
        """The low end of the band [m³/s], and of a guess only a share of the way down to it."""
        return tuple(
            low if t < self.measured else flow - share_of_a_guess * (flow - low)
            for t, (flow, low) in enumerate(zip(self.flow_m3s, self.low_m3s, strict=True))
        )

    def at(self, places: Sequence[int]) -> "InflowForecast":
        """The forecast at other steps: of each step that of a place."""
        flow, low, high = (tuple(of[place] for place in places) for of in (self.flow_m3s, self.low_m3s, self.high_m3s))
        measured = next((t for t, place in enumerate(places) if place >= self.measured), len(places))
        return InflowForecast(self.source, flow, low, high, measured)

    def gone_on_with(self, longer: "InflowForecast") -> "InflowForecast":
        """This forecast, and from where it ends a longer one of the same start."""
        end = len(self.flow_m3s)
        return InflowForecast(
            f"{self.source}; from its end {longer.source}",
            (*self.flow_m3s, *longer.flow_m3s[end:]),
            (*self.low_m3s, *longer.low_m3s[end:]),
            (*self.high_m3s, *longer.high_m3s[end:]),
            self.measured if self.measured < end else max(end, longer.measured),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """Past inflow [m³/s], one value a step, oldest first, ending now; gaps are filled for the methods alone."""

    flow_m3s: Array
    step_s: float

    @property
    def steps_a_day(self) -> int:
        """Steps of a day."""
        return round(DAY_S / self.step_s)


def record_of(past_inflow_m3s: Sequence[float | None], step_s: float) -> Record | None:
    """The record with its gaps bridged in a straight line; None when nothing is known."""
    values = np.array([np.nan if value is None else value for value in past_inflow_m3s], dtype=float)
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return None
    values = np.interp(np.arange(values.size), known, values[known])
    return Record(values[known[0] :], step_s)


def forecast_inflow(
    record: Record, steps: int, method: InflowMethod, quantiles: tuple[float, float] = (0.1, 0.9)
) -> InflowForecast:
    """The forecast of a method; where the record is too short for it, of the next simpler one, which the source names."""
    order = list(InflowMethod)[: list(InflowMethod).index(method) + 1][::-1]
    used = next(m for m in order if record.flow_m3s.size >= _least_steps(m, record.steps_a_day))
    flow = _apply(used, record, steps)
    source = used.value if used is method else f"{used.value}: the record is too short for {method.value}"
    return _banded(source, flow, _errors(used, record), quantiles)


def with_band(outside: OutsideInflow, steps: int, record: Record, quantiles: tuple[float, float]) -> InflowForecast:
    """At most `steps` of a forecast from outside, with its own band; where it gives none, as wide as our errors of late.

    Ours are the daily pattern's, or in a short record those of persistence.
    """
    enough = record.flow_m3s.size >= _least_steps(InflowMethod.DAILY_PATTERN, record.steps_a_day)
    method = InflowMethod.DAILY_PATTERN if enough else InflowMethod.PERSISTENCE
    flow = np.array(outside.flow_m3s[:steps], dtype=float)
    return _own_band(_banded(outside.source, flow, _errors(method, record), quantiles), outside)


def held_on(outside: OutsideInflow, steps: int) -> InflowForecast:
    """A forecast from outside where no record says how it goes on: its last value; nor how wrong it may be: its own band, then
    the widest.
    """
    given = outside.flow_m3s
    flow = (*given[:steps], *[given[-1]] * max(0, steps - len(given)))
    low, high = (tuple(value * share for value in flow) for share in (1 - WIDEST, 1 + WIDEST))
    own = _own_band(InflowForecast(outside.source, flow, low, high), outside)
    held = "" if len(given) >= steps else ", its last value held"
    unknown = "" if own.measured == steps else f"; no record says how wrong it may be: ± {WIDEST:.0%}"
    return replace(own, source=f"{own.source}{held}{unknown}")


def _own_band(forecast: InflowForecast, outside: OutsideInflow) -> InflowForecast:
    """The forecast with the band that its maker gives, for as long as that is; the forecast itself lies within."""
    if outside.quantiles is None:
        return forecast
    flow, given = forecast.flow_m3s, min(len(outside.low_m3s), len(forecast.flow_m3s))
    low, high = map(min, outside.low_m3s[:given], flow), map(max, outside.high_m3s[:given], flow)
    return replace(
        forecast,
        source=f"{forecast.source}, quantiles {outside.quantiles[0]:g} and {outside.quantiles[1]:g}",
        low_m3s=(*low, *forecast.low_m3s[given:]),
        high_m3s=(*high, *forecast.high_m3s[given:]),
        measured=max(given, forecast.measured),
    )


def forecast_prices(
    known: Sequence[float], past: Sequence[float | None], steps: int, step_s: float
) -> tuple[float, ...]:
    """`steps` prices: the known ones, then what is expected from the last days at the same time of day."""
    a_day = round(DAY_S / step_s)
    series = [*past, *known]
    here = len(past)
    prices = list(known[:steps])
    for t in range(len(prices), steps):
        weighted = [
            (0.5 ** ((days - 1) / PRICE_MEMORY_DAYS), value)
            for days in range(1, 8)
            if 0 <= (place := here + t - days * a_day) < len(series) and (value := series[place]) is not None
        ]
        everything = [value for value in series if value is not None]
        weighted = weighted or [(1.0, sum(everything) / len(everything))]
        prices.append(sum(w * v for w, v in weighted) / sum(w for w, _ in weighted))
    return tuple(prices)


def _least_steps(method: InflowMethod, a_day: int) -> int:
    match method:
        case InflowMethod.PERSISTENCE:
            return 1
        case InflowMethod.DAILY_PATTERN:
            return a_day
        case InflowMethod.STORM_AWARE:
            return 3 * a_day


def _apply(method: InflowMethod, record: Record, steps: int) -> Array:
    flow, hour = record.flow_m3s, max(1, round(HOUR_S / record.step_s))
    fading = np.exp(-np.arange(1, steps + 1) / hour)
    if method is InflowMethod.PERSISTENCE:
        mean = flow[-hour:].mean()
        held: Array = mean + (flow[-1] - mean) * fading
        return held
    pattern = _pattern(flow, record.steps_a_day)
    ahead = pattern[np.arange(1, steps + 1) % record.steps_a_day]
    if method is InflowMethod.DAILY_PATTERN:
        recent = flow[-4 * hour :].mean() / max(1e-9, pattern[np.arange(1 - min(4 * hour, flow.size), 1)].mean())
        usual: Array = np.maximum(0.0, ahead * recent + (flow[-1] - pattern[0] * recent) * fading)
        return usual
    return _storm_aware(record, pattern, ahead)


def _pattern(flow: Array, a_day: int) -> Array:
    """The usual day: the lower quartile over the record's days, so that storms do not count; entry 0 is the present time."""
    days = flow.size // a_day
    # Row by row back from now: column a_day-1 is the present step.
    table = flow[-days * a_day :].reshape(days, a_day)
    usual = np.quantile(table, 0.25 if days > 2 else 0.5, axis=0)
    kernel = np.ones(5) / 5
    smooth = np.convolve(np.concatenate([usual[-2:], usual, usual[:2]]), kernel, "valid")
    pattern: Array = np.roll(smooth, 1).astype(np.float64)
    return pattern


def _storm_aware(record: Record, pattern: Array, ahead: Array) -> Array:
    """Usual day ahead + what the regression expects of the excess over it at each lead."""
    flow, a_day = record.flow_m3s, record.steps_a_day
    usual = pattern[np.arange(1 - flow.size, 1) % a_day]
    excess = flow - usual
    back = max(1, round(TREND_H * HOUR_S / record.step_s))
    hour = max(1, round(HOUR_S / record.step_s))
    level = np.convolve(excess, np.ones(hour) / hour)[: excess.size]
    leads = np.array([max(1, round(lead_h * HOUR_S / record.step_s)) for lead_h in LEADS_H])
    now = np.array([excess[-1], level[-1], level[-1] - level[-1 - back]])
    excesses = [_regress(excess, level, back, int(lead)) @ now for lead in leads]
    along = np.interp(np.arange(1, ahead.size + 1), leads, excesses)
    # A regression on days that are all alike has nothing to hold it: what never came is not expected.
    expected: Array = np.clip(ahead + along, LEAST_OF_USUAL * ahead, max(MOST_OF_RECORD * flow.max(), ahead.max()))
    return expected


def _regress(excess: Array, level: Array, back: int, lead: int) -> Array:
    """The ridge weights of the present excess, its last hour's mean and its trend, for the excess `lead` steps later."""
    at = np.arange(back, excess.size - lead)
    if at.size < 4 * LEAST_ERRORS:
        return np.array([0.0, 0.5 ** (lead / max(1, back * 6)), 0.0])
    features: Array = np.stack([excess[at], level[at], level[at] - level[at - back]], axis=1)
    target: Array = excess[at + lead]
    ridge = RIDGE * max(1e-9, float(np.mean(features**2))) * np.eye(3)
    weights = np.linalg.solve(features.T @ features / at.size + ridge, features.T @ target / at.size)
    return np.asarray(weights, dtype=np.float64)


def _errors(method: InflowMethod, record: Record) -> dict[int, list[float]]:
    """For each lead [steps] the relative errors that the method would have made in the record."""
    a_day, size = record.steps_a_day, record.flow_m3s.size
    every = max(1, a_day // 8)
    leads = [max(1, round(lead_h * HOUR_S / record.step_s)) for lead_h in LEADS_H]
    errors: dict[int, list[float]] = {lead: [] for lead in leads}
    for issue in range(_least_steps(method, a_day), size - every, every):
        said = _apply(method, Record(record.flow_m3s[:issue], record.step_s), min(max(leads), size - issue))
        for lead in (lead for lead in errors if lead <= said.size):
            errors[lead].append(float(record.flow_m3s[issue + lead - 1] / max(1e-6, said[lead - 1]) - 1))
    return errors


def _banded(source: str, flow: Array, errors: dict[int, list[float]], quantiles: tuple[float, float]) -> InflowForecast:
    """A forecast with the band that errors of its method give: their quantiles at each lead, a guess where they are few."""
    leads, at = list(errors), np.arange(1, flow.size + 1)
    low, high = (
        np.array([float(np.quantile(e, q)) if len(e) >= LEAST_ERRORS else sign * WIDEST for e in errors.values()])
        for q, sign in zip(quantiles, (-1, 1), strict=True)
    )
    enough = [lead for lead, e in errors.items() if len(e) >= LEAST_ERRORS]
    return InflowForecast(
        source,
        tuple(map(float, flow)),
        tuple(map(float, flow * (1 + np.minimum(0.0, np.interp(at, leads, low))))),
        tuple(map(float, flow * (1 + np.maximum(0.0, np.interp(at, leads, high))))),
        flow.size if len(enough) == len(errors) else min(flow.size, max(enough, default=0)),
    )

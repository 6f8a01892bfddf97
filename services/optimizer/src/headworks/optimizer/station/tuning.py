"""Tunes a solve to the moment: how well inflow was forecast, how near the tunnel is to trouble, what strategy is in force.

Quality     mean relative error of the forecasts of late: good, fair, poor; fair and poor narrow the level band
Risk        from the room left below the maximum, raised a level each by rising inflow and by a wide forecast
Emergency   measured and predicted water diverge: the band narrows further, safety counts more and cost less
Strategy    of the period that holds the start; where several do, the last; balanced where none does
Urgency     of an emptying, by the hours since the last one: what putting it off costs
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from headworks.optimizer.station.case import ForecastQuality, Risk, StationInputs, Strategy, Tuning
from headworks.optimizer.station.forecasting import InflowForecast
from headworks.optimizer.station.settings import PlanningSection, QualitySection
from headworks.waterway.station_rules import StationRules
from headworks.waterway.tunnel import TunnelVolume

RISKS = tuple(Risk)
TREND_S = 7200.0
HOUR_S = 3600.0
LEAST_KNOWN = 4
"""From fewer past errors the quality is not known."""


@dataclass(frozen=True, slots=True)
class Band:
    """The levels that the schedule aims to keep [m]."""

    minimum_m: float
    maximum_m: float


def tune(
    planning: PlanningSection,
    rules: StationRules,
    tunnel: TunnelVolume,
    inputs: StationInputs,
    forecast: InflowForecast,
) -> Tuning:
    """The tuning of a moment, each part of it with its reason."""
    quality, error = quality_of(inputs.past_inflow_error, planning.quality)
    risk, why = risk_of(planning, rules, tunnel, inputs, forecast)
    emergency = _diverged(planning, inputs)
    period = next((p for p in reversed(inputs.strategies) if p.start <= inputs.start < p.end), None)
    strategy = period.strategy if period else Strategy.BALANCED
    asked = planning.strategies[strategy]
    band, reasons = _band(planning, rules, quality, error, strategy, emergency=emergency)
    named = (
        [f"strategy {strategy.value}" + (f": {period.reason}" if period and period.reason else "")] if period else []
    )
    trouble = planning.emergency if emergency else None
    return Tuning(
        quality=quality,
        inflow_error=error,
        risk=risk,
        emergency=emergency,
        strategy=strategy,
        maximum_level_m=band.maximum_m,
        minimum_level_m=band.minimum_m,
        cost_factor=asked.cost_factor * (trouble.cost_factor if trouble else 1.0),
        safety_factor=asked.safety_factor
        * planning.risk.safety_factors[risk.value]
        * (trouble.safety_factor if trouble else 1.0),
        smooth_eur_per_dam3=planning.prices.change_of_outflow + asked.change_of_outflow,
        hours_since_emptied=None
        if inputs.emptied_at is None
        else (inputs.start - inputs.emptied_at).total_seconds() / HOUR_S,
        emptying_urgency=urgency(planning, inputs.emptied_at, inputs.start),
        reasons=(*reasons, *why, *named),
    )


def quality_of(errors: Sequence[float], limits: QualitySection) -> tuple[ForecastQuality, float | None]:
    """The quality by the mean size of relative errors of late."""
    if len(errors) < LEAST_KNOWN:
        return ForecastQuality.UNKNOWN, None
    error = sum(abs(e) for e in errors) / len(errors)
    if error < limits.fair_from:
        return ForecastQuality.GOOD, error
    return (ForecastQuality.FAIR if error < limits.poor_from else ForecastQuality.POOR), error


def risk_of(
    planning: PlanningSection,
    rules: StationRules,
    tunnel: TunnelVolume,
    inputs: StationInputs,
    forecast: InflowForecast,
) -> tuple[Risk, tuple[str, ...]]:
    """The risk and what raised it."""
    limits, most_m3 = planning.risk, tunnel.volume_at(rules.maximum_level_m)
    room = 1 - tunnel.volume_at(inputs.level_m) / most_m3
    if room < limits.critical_below_room:
        level = RISKS.index(Risk.CRITICAL)
    elif room < limits.high_below_room:
        level = RISKS.index(Risk.HIGH)
    else:
        level = RISKS.index(Risk.LOW if room > limits.low_above_room else Risk.NORMAL)
    reasons = [f"{room:.0%} of the tunnel is free below {rules.maximum_level_m:g} m"]
    trend = _trend(inputs)
    if trend is not None and surges(planning, inputs):
        level += 1
        reasons.append(f"inflow rose by {trend:.0%} in two hours")
    spread = _spread(forecast)
    if spread > limits.spread_over:
        level += 1
        reasons.append(f"the inflow's band is {spread:.0%} of it")
    return RISKS[min(level, len(RISKS) - 1)], tuple(reasons)


def urgency(planning: PlanningSection, emptied_at: datetime | None, at: datetime) -> float:
    """How urgent an emptying is at an instant: 0 to 1 with the age of the last; 1 when none is known."""
    if emptied_at is None:
        return 1.0
    age_s = (at - emptied_at).total_seconds()
    flush = planning.flush
    return min(1.0, max(0.0, (age_s - flush.urgent_from) / (flush.urgent_at - flush.urgent_from)))


def surges(planning: PlanningSection, inputs: StationInputs) -> bool:
    """Whether the inflow rises so fast that the risk is higher for it."""
    trend = _trend(inputs)
    return trend is not None and trend > planning.risk.rising_by


def _trend(inputs: StationInputs) -> float | None:
    """The inflow's relative rise over two hours; None while not known."""
    back = max(1, round(TREND_S / inputs.step_s))
    if len(inputs.past_inflow_m3s) <= back:
        return None
    now, before = inputs.past_inflow_m3s[-1], inputs.past_inflow_m3s[-1 - back]
    return None if now is None or before is None or before <= 0 else now / before - 1


def _spread(forecast: InflowForecast) -> float:
    """The mean width of the band over the mean of the forecast."""
    total = sum(forecast.flow_m3s)
    return (sum(forecast.high_m3s) - sum(forecast.low_m3s)) / total if total > 0 else 0.0


def _diverged(planning: PlanningSection, inputs: StationInputs) -> bool:
    diverged_m3 = inputs.diverged_m3
    return diverged_m3 is not None and abs(diverged_m3) > planning.emergency.diverges_by


def _band(
    planning: PlanningSection,
    rules: StationRules,
    quality: ForecastQuality,
    error: float | None,
    strategy: Strategy,
    *,
    emergency: bool,
) -> tuple[Band, tuple[str, ...]]:
    """The band of levels: the rules' own, narrowed by each reason there is."""
    low_m, high_m, reasons = rules.minimum_level_m, min(planning.margin_level, rules.maximum_level_m), []
    for down_m, up_m, reason in _narrowings(planning, quality, error, strategy, emergency=emergency):
        low_m, high_m = low_m + up_m, high_m - down_m
        reasons.append(reason)
    # Whatever narrows it, a band is left.
    return Band(min(low_m, rules.emptied_level_m + 1.0), max(high_m, rules.emptied_level_m + 2.0)), tuple(reasons)


def _narrowings(
    planning: PlanningSection, quality: ForecastQuality, error: float | None, strategy: Strategy, *, emergency: bool
) -> Iterator[tuple[float, float, str]]:
    """By how much the maximum is lowered and the minimum raised [m], and why."""
    section = planning.quality
    per_percent = {
        ForecastQuality.FAIR: (section.fair_lowers_maximum, section.fair_raises_minimum),
        ForecastQuality.POOR: (section.poor_lowers_maximum, section.poor_raises_minimum),
    }.get(quality)
    if per_percent is not None and error is not None:
        down_m = min(section.most_lowered, per_percent[0] * error * 100)
        yield (
            down_m,
            per_percent[1],
            f"forecasts were {quality.value}, {error:.0%} off: maximum lowered by {down_m:.2f} m, "
            f"minimum raised by {per_percent[1]:.2f} m",
        )
    keeps_m = planning.strategies[strategy].lowers_maximum
    if keeps_m > 0:
        yield keeps_m, 0.0, f"strategy {strategy.value} keeps {keeps_m:.2f} m free"
    if emergency:
        trouble = planning.emergency
        text = f"emergency: in the last hour the water changed by over {trouble.diverges_by:,.0f} m³ otherwise than planned"
        yield trouble.lowers_maximum, trouble.raises_minimum, text

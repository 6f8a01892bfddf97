"""Somebody else's forecast of the inflow, as a plan may take it: from the start, for as long as it goes without a gap, with the
band that it gives itself. Why it is not taken, or its band only in part, is in the run's record.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from headworks.common.ingest import on_grid
from headworks.common.messages import Forecast, ForecastStep
from headworks.optimizer.inputs import DEFAULT_REQUIRED_AGE, Uses, joined
from headworks.optimizer.station.case import OutsideInflow
from headworks.waterway.timegrid import TimeGrid

OUTSIDE_INFLOW = "outside_inflow_m3s"
"""What a run's record calls it; `required_age` does without the unit."""
HELD = "held"
"""The source of what ingest has where nobody gave a forecast: the last observation. Our own forecast knows that, and more."""


def outside_inflow(
    forecast: Forecast | None, asked: tuple[float, float], uses: Uses, grid: TimeGrid
) -> OutsideInflow | str | None:
    """The forecast, with the quantiles nearest to those that are asked; why it is not taken; or None where there is none."""
    if forecast is None:
        return None
    flow_m3s = tuple(_up_to_a_gap(on_grid(forecast, grid)))
    why_not = _why_not(forecast, uses, grid, len(flow_m3s))
    if why_not is not None:
        uses.note(OUTSIDE_INFLOW, "none", forecast.issued_at, why_not)
        return why_not
    quantiles = _nearest(forecast, asked, grid)
    band = list(_band(forecast, quantiles, grid))[: len(flow_m3s)] if quantiles is not None else []
    taken = OutsideInflow(
        source=forecast.source,
        issued_at=forecast.issued_at,
        flow_m3s=flow_m3s,
        quantiles=quantiles if band else None,
        low_m3s=tuple(low for low, _ in band),
        high_m3s=tuple(high for _, high in band),
    )
    uses.note(OUTSIDE_INFLOW, forecast.source, forecast.issued_at, joined(forecast.substituted, _of_band(taken, asked)))
    return taken


def _up_to_a_gap(values: Sequence[float | None]) -> Iterator[float]:
    """The values before the first that is not known, or is no inflow."""
    for value in values:
        if value is None or value < 0:
            return
        yield value


def _why_not(forecast: Forecast, uses: Uses, grid: TimeGrid, steps: int) -> str | None:
    """Why the forecast is not taken."""
    age = uses.now - forecast.issued_at
    most = uses.required.get(OUTSIDE_INFLOW, DEFAULT_REQUIRED_AGE)
    if forecast.source == HELD:
        return f"{forecast.substituted or 'no forecast; an observation held'}: that is no forecast"
    if age > most:
        return f"the forecast of {forecast.issued_at:%Y-%m-%d %H:%M}Z is too old: {_h(age)}, at most {_h(most)}"
    if steps == 0:
        return f"the forecast of {forecast.issued_at:%Y-%m-%d %H:%M}Z does not cover {grid.start:%H:%M}Z"
    return None


def _h(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.1f} h"


def _nearest(forecast: Forecast, asked: tuple[float, float], grid: TimeGrid) -> tuple[float, float] | None:
    """Of the quantiles given for the start the nearest below the middle and above it; None where one side has none."""
    step = timedelta(seconds=forecast.step_s)
    first = next((of for of in forecast.steps if of.valid_at <= grid.start < of.valid_at + step), None)
    given = _by_level(first) if first is not None else {}
    below, above = [q for q in given if q < 0.5], [q for q in given if q > 0.5]
    if not below or not above:
        return None
    return min(below, key=lambda q: abs(q - asked[0])), min(above, key=lambda q: abs(q - asked[1]))


def _by_level(step: ForecastStep) -> dict[float, float]:
    """The quantiles of a step by their level; a key that is none is passed over."""
    levels: dict[float, float] = {}
    for key, value in step.quantiles.items():
        try:
            levels[float(key)] = value
        except ValueError:
            continue
    return levels


def _band(forecast: Forecast, quantiles: tuple[float, float], grid: TimeGrid) -> Iterator[tuple[float, float]]:
    """Low and high end by step, before the first step where either is not known or they are the wrong way round."""
    lows, highs = (on_grid(_of_quantile(forecast, q), grid) for q in quantiles)
    for low, high in zip(lows, highs, strict=True):
        if low is None or high is None or low > high:
            return
        yield max(0.0, low), max(0.0, high)


def _of_quantile(forecast: Forecast, quantile: float) -> Forecast:
    """The forecast with a quantile in the place of the mean, where it is given."""
    steps = tuple(
        ForecastStep(valid_at=step.valid_at, value=value)
        for step in forecast.steps
        if (value := _by_level(step).get(quantile)) is not None
    )
    return forecast.model_copy(update={"steps": steps})


def _of_band(taken: OutsideInflow, asked: tuple[float, float]) -> str | None:
    """What is said of the band; nothing where all of it is what was asked."""
    if taken.quantiles is None:
        return "it gives no quantiles on both sides of the middle: the band is by our own errors"
    known, all_steps = len(taken.low_m3s), len(taken.flow_m3s)
    low, high = taken.quantiles
    nearest = f"quantiles {low:g} and {high:g} are the nearest to {asked[0]:g} and {asked[1]:g} that it gives"
    ends = f"it gives quantiles for {known} of its {all_steps} steps: beyond, the band is by our own errors"
    return joined(nearest if taken.quantiles != asked else None, ends if known < all_steps else None)

"""Which flush window is asked: all pumps at speed for a while, within a period of the strategy document that asks for one.

Where one may begin: on a day that is expected to be dry, the whole of it within the period and the schedule. Where it had
better: in the hours of the site file, at an inflow under 80 % of the mean, at a price 0.3 standard deviations under the mean. The
water that it needs is the program's to find. A window once begun is gone through with, and one a period is enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from statistics import fmean, pstdev
from zoneinfo import ZoneInfo

from headworks.optimizer.models.pumping_data import FlushWindow
from headworks.optimizer.station.case import PlannedFlush, StationInputs, StrategyPeriod
from headworks.optimizer.station.settings import FlushWindowSection
from headworks.waterway.tunnel import TunnelVolume

LOW_INFLOW = 0.8
LOW_PRICE_DEVIATIONS = 0.3


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected over the schedule, by step: inflow [m³/s], price, and whether its local day is dry."""

    inflow_m3s: Sequence[float]
    price_eur_per_mwh: Sequence[float]
    dry: Sequence[bool]


@dataclass(frozen=True, slots=True)
class FlushAsked:
    """What is asked of the program, the last plan's window where it holds on, and what is said of it."""

    window: FlushWindow | None = None
    last: PlannedFlush | None = None
    reasons: tuple[str, ...] = ()


def flush_asked(
    section: FlushWindowSection, tunnel: TunnelVolume, zone: ZoneInfo, inputs: StationInputs, ahead: Ahead
) -> FlushAsked:
    """What the periods ask for now."""
    end = inputs.start + len(ahead.dry) * timedelta(seconds=inputs.step_s)
    found = FlushAsked()
    for period in inputs.strategies:
        if period.flush_window and inputs.start < period.end and period.start < end:
            found = _of_period(section, tunnel, zone, inputs, ahead, period)
            if found.window is not None:
                break
    return found


def _of_period(
    section: FlushWindowSection,
    tunnel: TunnelVolume,
    zone: ZoneInfo,
    inputs: StationInputs,
    ahead: Ahead,
    period: StrategyPeriod,
) -> FlushAsked:
    """What one period asks for: what is under way is gone through with while all pumps run, and what is over was done."""
    step = timedelta(seconds=inputs.step_s)
    last = inputs.last_plan.flush_window if inputs.last_plan is not None else None
    last = last if last is not None and period.start <= last.start < period.end else None
    if last is not None and last.end <= inputs.start:
        return FlushAsked(last=last, reasons=(f"the flush asked was done from {last.start:%d %b %H:%M}Z",))
    count = round(timedelta(seconds=section.length) / step)
    if last is not None and last.start < inputs.start and all(pump.on for pump in inputs.pumps):
        begins = [(round((last.start - inputs.start) / step), 0.0)]
        reason = f"the flush of {last.start:%d %b %H:%M}Z is under way"
    else:
        begins = list(_begins(section, zone, inputs, ahead, period.start, period.end, count))
        reason = f"a flush is asked: it may begin at {len(begins)} steps"
    if not begins:
        return FlushAsked(reasons=("a flush is asked, and no dry time within its period is long enough",))
    asked = FlushWindow(
        begins=tuple(begins),
        steps=count,
        least_hz=section.speed,
        least_volume_m3=tunnel.volume_at(section.level_above),
        maximum_outflow_m3s=section.maximum_outflow,
    )
    return FlushAsked(asked, last, (reason,))


def _begins(
    section: FlushWindowSection,
    zone: ZoneInfo,
    inputs: StationInputs,
    ahead: Ahead,
    earliest: datetime,
    latest_end: datetime,
    count: int,
) -> Iterator[tuple[int, float]]:
    """Each step that a window may begin with, and what it costs to begin where it had better not."""
    step, mean_inflow, prices = timedelta(seconds=inputs.step_s), fmean(ahead.inflow_m3s), ahead.price_eur_per_mwh
    low_price = fmean(prices) - LOW_PRICE_DEVIATIONS * pstdev(prices)
    for s in range(len(ahead.dry) - count + 1):
        begin, window = inputs.start + s * step, slice(s, s + count)
        if not (earliest <= begin and begin + count * step <= latest_end and all(ahead.dry[window])):
            continue
        if s == 0 and inputs.level_m < section.level_above:
            continue
        misses = (
            not _within(begin.astimezone(zone).time(), section.preferred),
            fmean(ahead.inflow_m3s[window]) >= LOW_INFLOW * mean_inflow,
            fmean(prices[window]) >= low_price,
        )
        yield s, section.not_preferred * sum(misses)


def _within(at: time, hours: tuple[time, time]) -> bool:
    begin, end = hours
    return begin <= at < end if begin <= end else at >= begin or at < end


def planned_flush(steps: range, inputs: StationInputs, asked: FlushAsked) -> PlannedFlush | None:
    """The window of a schedule, or the one that was done, or cut short where there was too little water to go on."""
    if not steps:
        if asked.last is None or asked.last.start >= inputs.start:
            return None
        return PlannedFlush(start=asked.last.start, end=min(asked.last.end, inputs.start))
    step = timedelta(seconds=inputs.step_s)
    return PlannedFlush(start=inputs.start + steps.start * step, end=inputs.start + steps.stop * step)


def last_steps(inputs: StationInputs, asked: FlushAsked) -> range:
    """The steps of the last plan's window, where it holds on."""
    if asked.window is None or asked.last is None:
        return range(0)
    begin = round((asked.last.start - inputs.start) / timedelta(seconds=inputs.step_s))
    may_begin = any(s == begin for s, _ in asked.window.begins)
    return range(begin, begin + asked.window.steps) if may_begin else range(0)

"""Which flush window is asked: all pumps at speed for a while, within a period of the strategy document that asks for one.

Where one may begin: on a day that is expected to be dry, the whole of it within the period and the schedule. Where it had
better: in the hours of the site file, at a low inflow and at a low price. The
water that it needs is the program's to find. A window once begun is gone through with, whatever the pumps do, and one a
period is enough. It is planned longer than it shall last by what the station takes to start its pumps, one after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from math import ceil
from statistics import fmean, pstdev
from zoneinfo import ZoneInfo

from headworks.optimizer.models.pumping_data import FlushWindow
from headworks.optimizer.station.case import PlannedFlush, StationInputs, StrategyPeriod
from headworks.optimizer.station.settings import FlushWindowSection
from headworks.waterway.tunnel import TunnelVolume


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected over the schedule, by step: inflow [m³/s], price, and whether its local day is dry."""

    inflow_m3s: Sequence[float]
    price_eur_per_mwh: Sequence[float]
    dry: Sequence[bool]


@dataclass(frozen=True, slots=True)
class FlushAsked:
    """What is asked of the program and until when, which window holds on or is over, and those begun before.

    `reasons` explain; `faults` are what cannot be as it was asked, whatever the program finds.
    """

    window: FlushWindow | None = None
    until: datetime | None = None
    last: PlannedFlush | None = None
    begun: tuple[PlannedFlush, ...] = ()
    reasons: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def flush_asked(
    section: FlushWindowSection, tunnel: TunnelVolume, zone: ZoneInfo, inputs: StationInputs, ahead: Ahead
) -> FlushAsked:
    """What the periods ask for now: the first one that may still have a window is planned for."""
    end = inputs.start + len(ahead.dry) * timedelta(seconds=inputs.step_s)
    asking = [p for p in inputs.strategies if p.flush_window and inputs.start < p.end and p.start < end]
    all_begun = tuple(w for w in _begun(inputs) if any(p.start <= w.start < p.end for p in asking))
    found = FlushAsked(begun=all_begun)
    for period in asking:
        of_period = _of_period(section, tunnel, zone, inputs, ahead, period, all_begun)
        found = replace(
            of_period,
            last=of_period.last or found.last,
            begun=all_begun,
            reasons=(*found.reasons, *of_period.reasons),
            faults=(*found.faults, *of_period.faults),
        )
        if found.window is not None:
            break
    return found


def _begun(inputs: StationInputs) -> tuple[PlannedFlush, ...]:
    """The windows that were begun before the start, by the plans: whatever the pumps then did."""
    plan = inputs.last_plan
    if plan is None:
        return ()
    newest = () if plan.flush_window is None else (plan.flush_window,)
    return tuple(window for window in (*plan.flushed, *newest) if window.start < inputs.start)


def _of_period(
    section: FlushWindowSection,
    tunnel: TunnelVolume,
    zone: ZoneInfo,
    inputs: StationInputs,
    ahead: Ahead,
    period: StrategyPeriod,
    begun: Sequence[PlannedFlush],
) -> FlushAsked:
    """What one period asks for: what was begun is gone through with, or is over; else one that may begin."""
    mine = next((window for window in begun if period.start <= window.start < period.end), None)
    if mine is not None and mine.end <= inputs.start:
        whole = mine.end - mine.start >= timedelta(seconds=section.length)
        became = "was done from" if whole else f"was cut short at {mine.end:%H:%M}Z; it began"
        return FlushAsked(last=mine, reasons=(f"the flush asked {became} {mine.start:%d %b %H:%M}Z",))
    if mine is not None:
        return _under_way(section, tunnel, inputs, period, mine)
    step, end = timedelta(seconds=inputs.step_s), inputs.start + len(ahead.dry) * timedelta(seconds=inputs.step_s)
    count = ceil((section.length + section.starts_take) / inputs.step_s)
    begins = tuple(_begins(section, zone, inputs, ahead, period.start, period.end, count))
    if not begins:
        why = f"a flush is asked until {period.end:%d %b %H:%M}Z, and no dry time within its period is long enough"
        if period.end > end:
            return FlushAsked(reasons=(f"{why} in this schedule; it goes on after",))
        return FlushAsked(reasons=(why,), faults=(why,))
    planned = inputs.last_plan.flush_window if inputs.last_plan is not None else None
    return FlushAsked(
        window=_window(section, tunnel, begins, count),
        until=period.end,
        last=planned if planned is not None and planned.end - planned.start == count * step else None,
        reasons=(f"a flush is asked: it may begin at {len(begins)} steps",),
        faults=tuple(f"the flush is without {p.resource}: {p.led_by}" for p in inputs.pumps if p.led_by is not None),
    )


def _under_way(
    section: FlushWindowSection,
    tunnel: TunnelVolume,
    inputs: StationInputs,
    period: StrategyPeriod,
    begun: PlannedFlush,
) -> FlushAsked:
    """What was begun goes on to its end, without the pumps that did not come or stopped: they are named."""
    step = timedelta(seconds=inputs.step_s)
    begins, count = round((begun.start - inputs.start) / step), round((begun.end - begun.start) / step)
    missing = tuple(place for place, pump in enumerate(inputs.pumps) if not pump.on)
    names = ", ".join(inputs.pumps[place].resource for place in missing)
    reason = f"the flush of {begun.start:%d %b %H:%M}Z is under way"
    return FlushAsked(
        window=replace(_window(section, tunnel, ((begins, 0.0),), count), missing=missing),
        until=period.end,
        last=begun,
        reasons=(f"{reason}, without {names}" if missing else reason,),
        faults=(f"{reason} without {names}",) if missing else (),
    )


def _window(
    section: FlushWindowSection, tunnel: TunnelVolume, begins: tuple[tuple[int, float], ...], count: int
) -> FlushWindow:
    return FlushWindow(
        begins=begins,
        steps=count,
        least_hz=section.speed,
        least_volume_m3=tunnel.volume_at(section.level_above),
        maximum_outflow_m3s=section.maximum_outflow,
    )


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
    low_price = fmean(prices) - section.low_price * pstdev(prices)
    for s in range(len(ahead.dry) - count + 1):
        begin, window = inputs.start + s * step, slice(s, s + count)
        if not (earliest <= begin and begin + count * step <= latest_end and all(ahead.dry[window])):
            continue
        if s == 0 and inputs.level_m < section.level_above:
            continue
        misses = (
            not _lies_within(begin.astimezone(zone), (begin + count * step).astimezone(zone), section.preferred),
            fmean(ahead.inflow_m3s[window]) >= section.low_inflow * mean_inflow,
            fmean(prices[window]) >= low_price,
        )
        yield s, section.not_preferred * sum(misses)


def _lies_within(begin: datetime, end: datetime, hours: tuple[time, time]) -> bool:
    """Whether a window lies in local hours, the whole of it: one from 05:45 on does not lie in 02 to 06 h."""
    first, last = hours
    opened = datetime.combine(begin.date() if begin.time() >= first else begin.date() - timedelta(days=1), first)
    closed = datetime.combine(opened.date() if first < last else opened.date() + timedelta(days=1), last)
    return begin.replace(tzinfo=None) >= opened and end.replace(tzinfo=None) <= closed


def planned_flush(steps: range, inputs: StationInputs, asked: FlushAsked) -> PlannedFlush | None:
    """The window of a schedule, or the one that was done, or cut short where there was too little water to go on."""
    if not steps:
        if asked.last is None or asked.last.start >= inputs.start:
            return None
        return PlannedFlush(start=asked.last.start, end=min(asked.last.end, inputs.start))
    step = timedelta(seconds=inputs.step_s)
    return PlannedFlush(start=inputs.start + steps.start * step, end=inputs.start + steps.stop * step)


def flushed_before(window: PlannedFlush | None, asked: FlushAsked) -> tuple[PlannedFlush, ...]:
    """The windows that were begun besides the one that an answer tells."""
    return tuple(begun for begun in asked.begun if window is None or begun.start != window.start)


def last_steps(inputs: StationInputs, asked: FlushAsked) -> range:
    """The steps of the last plan's window, where it holds on."""
    if asked.window is None or asked.last is None:
        return range(0)
    begin = round((asked.last.start - inputs.start) / timedelta(seconds=inputs.step_s))
    may_begin = any(s == begin for s, _ in asked.window.begins)
    return range(begin, begin + asked.window.steps) if may_begin else range(0)

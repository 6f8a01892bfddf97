"""Which days count as dry, by what has flowed in and what is forecast: for emptying the tunnel, and for a flush window.

The two ask differently. An emptying that was not begun may come too late, so a day that may well be dry is kept for one. A flush
of all pumps takes more than the plant's usual outflow, so it needs a day that is expected to be dry, and no surge.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from headworks.optimizer.station.case import StationInputs
from headworks.optimizer.station.forecasting import InflowForecast, record_of
from headworks.optimizer.station.settings import planning_of
from headworks.optimizer.station.tuning import surges
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid, local_date, local_midnight


@dataclass(frozen=True, slots=True)
class _Day:
    """A local day that ends within the forecast: its steps, whether the tunnel was seen empty in it, and its water [m³], as
    expected and at the low end of the forecast.
    """

    steps: range
    emptied: bool
    expected_m3: float
    least_m3: float


def dry_days(site: StationSite, inputs: StationInputs, forecast: InflowForecast) -> tuple[range, ...]:
    """The steps of each local day that ends within the horizon, may well be dry, and has not seen the tunnel empty.

    Near the limit the forecast crosses it again and again, and an emptying put off for hours may come too late: a day is
    given up as wet only when even the low end of its forecast is. Where that end is a guess, a share of it counts.
    """
    limit_m3 = site.pumping_station.rules.dry_day_inflow
    days = _days(site, inputs, forecast)
    return tuple(day.steps for day in days if day.least_m3 <= limit_m3 and not day.emptied)


def dry_steps(site: StationSite, inputs: StationInputs, forecast: InflowForecast) -> list[bool]:
    """Whether each step lies in a day that is expected to be dry, emptied or not; of a day that ends later it is not known.

    While the inflow surges today is not.
    """
    dry, limit_m3 = [False] * len(forecast.flow_m3s), site.pumping_station.rules.dry_day_inflow
    surge = surges(planning_of(site), inputs)
    for day in _days(site, inputs, forecast):
        if day.expected_m3 <= limit_m3 and not (surge and day.steps.start == 0):
            for t in (*day.steps, day.steps.stop):
                dry[t] = True
    return dry


def _days(site: StationSite, inputs: StationInputs, forecast: InflowForecast) -> Iterator[_Day]:
    low_m3s = forecast.low_taking(planning_of(site).flush.allow_for)
    grid = TimeGrid(inputs.start, timedelta(seconds=inputs.step_s), len(forecast.flow_m3s))
    date = local_date(inputs.start, site.zone)
    while (end := local_midnight(date + timedelta(days=1), site.zone)) <= grid.end:
        begin = local_midnight(date, site.zone)
        # Emptied by the step that ends at midnight, it might be tomorrow: that step's water counts, its end does not.
        first, stop = max(0, round((begin - grid.start) / grid.step)), round((end - grid.start) / grid.step) - 1
        if stop > first:
            came_m3, steps = _came_m3(inputs, begin, forecast), slice(first, stop + 1)
            yield _Day(
                steps=range(first, stop),
                emptied=inputs.emptied_at is not None and begin <= inputs.emptied_at < end,
                expected_m3=came_m3 + sum(forecast.flow_m3s[steps]) * inputs.step_s,
                least_m3=came_m3 + sum(low_m3s[steps]) * inputs.step_s,
            )
        date += timedelta(days=1)


def _came_m3(inputs: StationInputs, since: datetime, forecast: InflowForecast) -> float:
    """What has flowed in since an instant: steps that are not known as those about them, without a record as what comes next."""
    back = max(0, round((inputs.start - since).total_seconds() / inputs.step_s))
    record = record_of(inputs.past_inflow_m3s, inputs.step_s)
    flow_m3s = (forecast.flow_m3s[0],) if record is None else record.flow_m3s[-back:]
    return float(sum(flow_m3s[:back]) + flow_m3s[0] * max(0, back - len(flow_m3s))) * inputs.step_s


def unknown_today(inputs: StationInputs, zone: ZoneInfo) -> tuple[str, ...]:
    """What is said where it is partly a guess whether today is dry."""
    begin = local_midnight(local_date(inputs.start, zone), zone)
    back = round((inputs.start - begin).total_seconds() / inputs.step_s)
    known = sum(flow is not None for flow in inputs.past_inflow_m3s[-back:]) if back > 0 else back
    if known == back:
        return ()
    about = "those about them" if any(flow is not None for flow in inputs.past_inflow_m3s) else "what is forecast"
    return (f"the inflow of {back - known} of today's {back} steps is not known, and taken as {about}",)

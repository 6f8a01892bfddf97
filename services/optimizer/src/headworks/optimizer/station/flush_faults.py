"""What is said of a flush window that is not as it was asked: not planned, cut short, or without some pumps; and why."""

from collections.abc import Iterator

from headworks.optimizer.models.pumping_data import FlushWindow, StationCase
from headworks.optimizer.station.case import StationInputs, StationRelaxation
from headworks.optimizer.station.flush import FlushAsked
from headworks.waterway.station import Station, simulate_station
from headworks.waterway.station_rules import StationRules

RULE = "flush_window"


def flush_faults(
    station: Station,
    rules: StationRules,
    case: StationCase,
    inputs: StationInputs,
    asked: FlushAsked,
    planned: range,
    not_flushed_eur: float,
) -> tuple[StationRelaxation, ...]:
    """Each fault of the window that is asked; `planned` are the steps of the schedule's own."""
    texts = [*asked.faults, *_not_planned(station, rules, case, asked, planned, not_flushed_eur)]
    return tuple(StationRelaxation(rule=RULE, at=inputs.start, text=text) for text in texts)


def _not_planned(
    station: Station,
    rules: StationRules,
    case: StationCase,
    asked: FlushAsked,
    planned: range,
    not_flushed_eur: float,
) -> Iterator[str]:
    if asked.window is None or planned:
        return
    if asked.last is not None and any(s < 0 for s, _ in asked.window.begins):
        yield f"the flush of {asked.last.start:%d %b %H:%M}Z is cut short: there is too little water to go on"
        return
    why = _why_not(station, rules, case, asked.window)
    costs = f"no plan was found with one that costs less than without, and {not_flushed_eur:g} EUR for not flushing"
    yield f"a flush is asked until {asked.until:%d %b %H:%M}Z, and none is planned: {why or costs}"


def _why_not(station: Station, rules: StationRules, case: StationCase, window: FlushWindow) -> str:
    """What stands against every window; nothing where it is the price alone."""
    rest = rules.minimum_rest_steps
    rested = [s for s, _ in window.begins if all(was.on or was.steps + s >= rest for was in case.before)]
    if not rested:
        return "pumps must still rest"
    if not any(_lasts(station, case, window, s) for s in rested):
        return "there is too little water for all pumps to run so long"
    return ""


def _lasts(station: Station, case: StationCase, window: FlushWindow, s: int) -> bool:
    """Whether the water lasts for a window that begins with s, if no pump ran before it."""
    most_m3 = min(station.tunnel.full_m3, case.initial_volume_m3 + sum(case.inflow_m3[:s]))
    hertz = tuple(0.0 if place in case.not_planned else window.least_hz for place in range(len(station.pumps)))
    ran = simulate_station(
        station,
        initial_volume_m3=most_m3,
        frequency_hz=[hertz] * window.steps,
        inflow_m3=case.inflow_m3[s : s + window.steps],
        step_s=case.step_s,
    )
    return (s == 0 or most_m3 >= window.least_volume_m3) and not any(ran.short_m3)

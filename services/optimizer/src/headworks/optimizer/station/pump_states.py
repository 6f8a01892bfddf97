"""How a pump stands, and for how long it has, read from the record of its frequency; and whether a plan leads it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from headworks.common.messages import Basis, ControlMode, ControlState, ResourceState, Sample
from headworks.optimizer.station.case import PumpState
from headworks.waterway.timegrid import TimeGrid

RUNNING_ABOVE_HZ = 1.0
"""Below it is the noise of a pump that stands."""
MOST_GAP = timedelta(minutes=15)
"""Beyond a longer time without a value nobody knows how the pump stood."""
LATE = timedelta(minutes=5)
"""A start or stop of a step's own may be seen so late: the station starts one pump a minute. The gateway keeps runs in full."""
WHOLE = 0.9
"""A quarter hour whose mean is at least so much of what the pump ran at after it was run through."""


def pump_state(resource: str, newest: Sample, record: Sequence[Sample], grid: TimeGrid) -> PumpState:
    """The state of the newest value, for the whole steps since the one it began with; and the hours that the pump ran."""
    frequency_hz = newest.value or 0.0
    since = _since(frequency_hz, newest.valid_at, record)
    steps = max(0, (grid.start - since + LATE) // grid.step)
    return PumpState(resource=resource, on=_running(frequency_hz), steps=steps, hours_run=_hours_run(record))


def led_by_others(control: ControlState) -> dict[str, str]:
    """The pumps that no plan leads, and who does instead. None where that is so of all: then a plan is what people go by.

    A pump that a person keeps running is planned: it is there when the override ends.
    """
    found = ((state.resource, _led_by(control, state)) for state in control.resources)
    led = {resource: who for resource, who in found if who is not None}
    return led if len(led) < len(control.resources) else {}


def _led_by(control: ControlState, state: ResourceState) -> str | None:
    if state.e_stop_by is not None and not control.e_stop:
        return f"stopped by {state.e_stop_by}"
    if state.mode not in {None, control.mode, ControlMode.AUTO}:
        return f"in mode {state.mode}"
    if state.override is not None and state.override.value <= 0:
        return f"held off by {state.override.by} until {state.override.until:%d %b %H:%M}Z: {state.override.reason}"
    if state.leader == "interlock" and control.interlock is None:
        return f"held by an interlock: {state.leads_because}"
    return None


def _hours_run(record: Sequence[Sample]) -> float:
    """Hours of the quarter hours in which the pump ran for most of the time."""
    means = [s for s in record if s.basis is Basis.QUARTER_HOUR_MEAN and s.value is not None]
    most_hz = max((mean.value or 0.0 for mean in means), default=0.0)
    ran = [mean for mean in means if _running(mean.value or 0.0) and (mean.value or 0.0) > most_hz / 2]
    return sum((mean.basis.span for mean in ran), timedelta()) / timedelta(hours=1)


def _since(frequency_hz: float, at: datetime, record: Sequence[Sample]) -> datetime:
    """Back from the newest value for as long as the pump stood the same."""
    on, since = _running(frequency_hz), at
    instants = [s for s in record if s.basis is Basis.INSTANT and s.valid_at < at]
    for sample in reversed(instants):
        if sample.value is None or _running(sample.value) != on or since - sample.valid_at > MOST_GAP:
            return since
        since = sample.valid_at
    means = [s for s in record if s.basis is Basis.QUARTER_HOUR_MEAN and s.valid_at + s.basis.span <= since]
    for mean in reversed(means):
        end = mean.valid_at + mean.basis.span
        if mean.value is None or since - end > MOST_GAP or not _same_throughout(mean.value, frequency_hz):
            return since
        since = mean.valid_at
    return since


def _running(frequency_hz: float) -> bool:
    return frequency_hz > RUNNING_ABOVE_HZ


def _same_throughout(mean_hz: float, frequency_hz: float) -> bool:
    """Whether a pump stood through a quarter hour as it does at `frequency_hz`."""
    return mean_hz >= WHOLE * frequency_hz if _running(frequency_hz) else not _running(mean_hz)

"""An alarm's life by ISA-18.2: raised, acknowledged, returned, shelved; pure. Every change is a transition to journal.

normal → active unacknowledged → (acknowledge) active acknowledged → (condition gone) normal
                               → (condition gone) returned unacknowledged → (acknowledge) normal
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from headworks.alerts.conditions import Cause, Reading
from headworks.alerts.sections import Alarm
from headworks.common.messages import AlarmState

MONITOR = "monitor"
LONGEST_SHELVING = timedelta(hours=24)
_NEXT = {
    (AlarmState.NORMAL, True): AlarmState.ACTIVE_UNACKNOWLEDGED,
    (AlarmState.ACTIVE_UNACKNOWLEDGED, False): AlarmState.RETURNED_UNACKNOWLEDGED,
    (AlarmState.ACTIVE_ACKNOWLEDGED, False): AlarmState.NORMAL,
    (AlarmState.RETURNED_UNACKNOWLEDGED, True): AlarmState.ACTIVE_UNACKNOWLEDGED,
}
_ACKNOWLEDGED = {
    AlarmState.ACTIVE_UNACKNOWLEDGED: AlarmState.ACTIVE_ACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED: AlarmState.NORMAL,
}


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one alarm. `holds` and `holds_since` are of its condition, `state` and `since` of the alarm."""

    state: AlarmState
    since: datetime
    holds: bool
    holds_since: datetime
    text: str = ""
    value: float | None = None
    unit: str = ""
    causes: Mapping[str, Cause] = field(default_factory=dict)
    acknowledged_by: str | None = None
    shelved_until: datetime | None = None

    @staticmethod
    def new(now: datetime) -> "Record":
        """An alarm that was never raised."""
        return Record(AlarmState.NORMAL, now, False, now)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, for the journal."""

    from_state: AlarmState
    to_state: AlarmState
    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Why an operator's order cannot be followed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The record after, and the transition if the state changed."""

    record: Record
    transition: Transition | None = None


def observe(alarm: Alarm, record: Record, reading: Reading | None, now: datetime) -> Changed:
    """What a reading makes of an alarm; without one it stays as it is, but a shelving still ends."""
    if reading is not None:
        since = record.holds_since if reading.holds == record.holds else now
        record = replace(
            record, holds=reading.holds, holds_since=since, text=reading.text, value=reading.value, unit=reading.unit
        )
    if record.state is AlarmState.SHELVED:
        over = record.shelved_until is not None and now >= record.shelved_until
        return _unshelved(record, now, MONITOR, "the shelving's time is over") if over else Changed(record)
    settled = now - record.holds_since >= (alarm.delay if record.holds else alarm.return_delay)
    target = _NEXT.get((record.state, record.holds)) if settled else None
    return Changed(record) if target is None else _moved(record, target, now, MONITOR, record.text)


def acknowledge(record: Record, by: str, comment: str, now: datetime) -> Changed | Denied:
    """A person has seen it."""
    target = _ACKNOWLEDGED.get(record.state)
    if target is None:
        return Denied(f"the alarm is {record.state.value}; only an unacknowledged one can be acknowledged")
    return _moved(replace(record, acknowledged_by=by), target, now, by, comment)


def shelve(record: Record, by: str, reason: str, lasting: timedelta, now: datetime) -> Changed | Denied:
    """A person wants no word of it for a time; it comes back by itself."""
    if not timedelta() < lasting <= LONGEST_SHELVING:
        return Denied(f"{lasting} must be longer than 0 and at most {LONGEST_SHELVING}")
    if record.state is AlarmState.SHELVED:
        return Denied(f"the alarm is shelved until {record.shelved_until}")
    return _moved(replace(record, shelved_until=now + lasting), AlarmState.SHELVED, now, by, reason)


def unshelve(record: Record, by: str, now: datetime) -> Changed | Denied:
    """A person takes it back before its time."""
    if record.state is not AlarmState.SHELVED:
        return Denied(f"the alarm is {record.state.value}, not shelved")
    return _unshelved(record, now, by, "taken back")


def _unshelved(record: Record, now: datetime, by: str, text: str) -> Changed:
    target = AlarmState.ACTIVE_UNACKNOWLEDGED if record.holds else AlarmState.NORMAL
    return _moved(replace(record, shelved_until=None), target, now, by, text)


def _moved(record: Record, target: AlarmState, now: datetime, by: str, text: str) -> Changed:
    acknowledged_by = record.acknowledged_by if target is AlarmState.ACTIVE_ACKNOWLEDGED else None
    after = replace(record, state=target, since=now, acknowledged_by=acknowledged_by)
    return Changed(after, Transition(record.state, target, now, by, text))

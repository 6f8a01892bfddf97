"""Alarms and their changes of state."""

from enum import StrEnum

from headworks.common.messages.base import Id, Instant, Message, Name


class Severity(StrEnum):
    """How soon a person must act."""

    INFORMATION = "information"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmState(StrEnum):
    """ISA-18.2 states."""

    NORMAL = "normal"
    ACTIVE_UNACKNOWLEDGED = "active_unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active_acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"


class AlarmTransition(Message):
    """An alarm's change of state, with who or what caused it."""

    transition_id: Id
    site: Name
    alarm: Name
    at: Instant
    severity: Severity
    title: str
    from_state: AlarmState
    to_state: AlarmState
    by: str
    text: str = ""
    value: float | None = None
    unit: str = ""

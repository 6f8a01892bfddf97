"""What we read of the other services' answers. One that does not answer is `Away`, with why."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from headworks.common.auth import Role
from headworks.common.messages import (
    AlarmState,
    ControlState,
    Instant,
    Plan,
    PlanSubmission,
    RunStage,
    RunStatus,
    Sample,
    Setpoint,
    Severity,
)


class Answer(BaseModel):
    """What we read of another service's answer; fields that it adds later do no harm."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class KnownSeries(Answer):
    """A series that ingest has values of."""

    series: str


class SourceHealth(Answer):
    """How a source of ingest does."""

    source: str
    last_success_at: Instant | None
    lag_s: float | None
    error: str | None


class InputUse(Answer):
    """An input of a run."""

    series: str
    source: str
    valid_at: Instant | None
    age_s: float | None
    stale: bool = False
    substituted: str | None = None


class RunRecord(Answer):
    """A run of the optimizer."""

    run_id: str
    requested_at: Instant
    requested_by: str
    reason: str
    stage: RunStage
    status: RunStatus | None
    status_reason: str
    finished_at: Instant | None
    mfra_summary: str = ""
    inputs: list[InputUse] | None = None


class ApprovalRecord(Answer):
    """A plan that waits for a person, with what it asks."""

    approval_id: int
    site: str
    publisher: str
    resources: tuple[str, ...]
    begins: Instant
    ends: Instant
    asked_by: str
    asked_at: Instant
    expires_at: Instant
    roles: tuple[Role, ...]
    submission: PlanSubmission


class ApprovalState(Answer):
    """Where an approval is, and by whom."""

    approval_id: int
    state: str
    decided_by: str | None = None


class AlarmRecord(Answer):
    """An alarm as the alerts service tells it."""

    alarm: str
    state: AlarmState
    severity: Severity
    title: str
    text: str = ""
    since: Instant
    value: float | None = None
    unit: str = ""
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """A service that did not answer, or not in a form we know."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What every part that all sites have answered; None where a service says that there is nothing."""

    latest: list[tuple[Sample, Sample | None]] | Away
    """The newest value of each series; with the last good one where the newest is not good."""
    sources: list[SourceHealth] | Away
    newest_run: RunRecord | Away | None
    plans: list[Plan] | Away
    approvals: list[ApprovalRecord] | Away
    control: ControlState | Away
    journal: list[Setpoint] | Away
    alarms: list[AlarmRecord] | Away

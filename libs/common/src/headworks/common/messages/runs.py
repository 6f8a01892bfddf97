"""Runs of the optimizer: asked for, under way, ended."""

from enum import StrEnum

from pydantic import Field

from headworks.common.messages.base import Id, Instant, Message, Name


class Override(Message):
    """A person's value for one hour of one input series, in place of what was forecast."""

    series: Name
    valid_at: Instant
    value: float


class SolveJob(Message):
    """A request to solve a site; the run's id is the job's."""

    run_id: Id
    site: Name
    requested_at: Instant
    requested_by: str
    reason: str = Field(description="scheduled, new award, new forecast, or what a person gave")
    overrides: tuple[Override, ...] = ()
    publish: bool = True


class RunStage(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    GATHERING = "gathering"
    BUILDING = "building"
    SOLVING = "solving"
    REPLAYING = "replaying"
    PUBLISHING = "publishing"


class RunProgress(Message):
    """A step of a run, for people who watch."""

    run_id: Id
    site: Name
    at: Instant
    stage: RunStage
    attempt: int = Field(default=1, ge=1)
    gap: float | None = None
    text: str = ""


class RunStatus(StrEnum):
    """How a run ended."""

    SOLVED = "SOLVED"
    RELAXED = "RELAXED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunFinished(Message):
    """The end of a run: its status, what had to give way, and the submission it published, if any."""

    run_id: Id
    site: Name
    at: Instant
    status: RunStatus
    reason: str = ""
    relaxed: tuple[str, ...] = ()
    submission_id: Id | None = None

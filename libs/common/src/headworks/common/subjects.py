"""The one registry of the bus: every subject with its message, its stream, who may publish and who hears.

Streams are declared from it, the AsyncAPI document is generated from it, and NATS permissions are generated from it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from headworks.common import messages
from headworks.common.messages import Message

M_co = TypeVar("M_co", bound=Message, covariant=True)


SHORTEST_WINDOW = timedelta(milliseconds=100)
"""The shortest in which the server drops a message whose id the stream had; it takes no shorter one."""


class Retention(StrEnum):
    """How a stream lets go of messages."""

    LIMITS = "limits"
    WORK_QUEUE = "workqueue"
    INTEREST = "interest"
    """A message goes once every consumer that hears its subject is done with it."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A JetStream stream: its name, retention, greatest age and duplicate window. Full, it lets the oldest go, unless said."""

    name: str
    retention: Retention
    max_age: timedelta
    description: str
    duplicate_window: timedelta = timedelta(minutes=10)
    max_bytes: int = 1 << 30
    max_per_subject: int = -1
    """How many messages of each subject are kept; all without it."""
    max_message_bytes: int = -1
    refuses_when_full: bool = False
    """What there is no room for is refused at its publisher, and nothing that is kept goes for it."""
    kept_for: str | None = None
    """The durable consumer that is made with the stream: by interest nothing is kept while there is none."""


@dataclass(frozen=True, slots=True)
class Subject(Generic[M_co]):
    """A subject pattern such as `telemetry.{site}.{source}` and what it carries."""

    pattern: str
    message: type[M_co]
    stream: Stream | None
    publishers: tuple[str, ...]
    hearers: tuple[str, ...]
    description: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(re.findall(r"{(\w+)}", self.pattern))

    @property
    def wildcard(self) -> str:
        """The pattern with `*` for every parameter."""
        return re.sub(r"{\w+}", "*", self.pattern)

    def at(self, **parts: str) -> str:
        """The concrete subject. Raises ValueError when a part is missing or cannot stand in a subject."""
        if set(parts) != set(self.parameters):
            raise ValueError(f"subject {self.pattern} takes {self.parameters}, got {tuple(parts)}")
        for name, value in parts.items():
            if not re.fullmatch(r"[A-Za-z0-9_:\-]+", value):
                raise ValueError(f"{name}={value!r} cannot stand in subject {self.pattern}: letters, digits, - _ :")
        return self.pattern.format(**parts)

    def filter(self, **parts: str) -> str:
        """The subject with `*` for the parts not given."""
        return self.pattern.format(**{name: parts.get(name, "*") for name in self.parameters})

    def matches(self, subject: str) -> bool:
        """Whether a concrete subject belongs here."""
        return re.fullmatch(re.escape(self.wildcard).replace(r"\*", r"[^.]+"), subject) is not None


TELEMETRY_STREAM = Stream("TELEMETRY", Retention.LIMITS, timedelta(days=7), "what the plants measured")
FORECASTS_STREAM = Stream("FORECASTS", Retention.LIMITS, timedelta(days=14), "issued forecasts")
MARKET_STREAM = Stream("MARKET", Retention.LIMITS, timedelta(days=30), "market results")
JOBS_STREAM = Stream("JOBS", Retention.WORK_QUEUE, timedelta(days=1), "solves that wait for a worker")
RUNS_STREAM = Stream("RUNS", Retention.LIMITS, timedelta(days=7), "progress and ends of solves")
PLAN_SUBMISSIONS_STREAM = Stream(
    "PLAN_SUBMISSIONS",
    Retention.INTEREST,
    timedelta(days=7),
    "plans as publishers sent them, until they are answered",
    max_bytes=2 << 30,
    # While plans is down: 21 hours of the usual quota of 12 an hour; 512 MiB of the longest messages, a quarter of the stream.
    max_per_subject=256,
    max_message_bytes=2 << 20,  # 4,000 intervals of 500 bytes
    refuses_when_full=True,
    kept_for="plans",
    # The server compares ids of the whole stream, whoever sent them: one publisher's would drop another's. Who answers a
    # submission knows it by its own id.
    duplicate_window=SHORTEST_WINDOW,
)
PLAN_EVENTS_STREAM = Stream("PLAN_EVENTS", Retention.LIMITS, timedelta(days=30), "committed changes of plans")
CONTROL_STREAM = Stream("CONTROL", Retention.LIMITS, timedelta(days=30), "setpoints and the gateway's state")
LEASES_STREAM = Stream(
    "LEASES",
    Retention.LIMITS,
    timedelta(days=366),
    "who leads, and the orders that a gateway takes over: the newest of each alone",
    max_bytes=64 << 20,
    max_per_subject=1,
)
ALARMS_STREAM = Stream("ALARMS", Retention.LIMITS, timedelta(days=90), "alarm transitions")
DEAD_LETTERS_STREAM = Stream(
    "DEAD_LETTERS",
    Retention.LIMITS,
    timedelta(days=90),
    "messages that no consumer could handle, with the reason",
)

SERVICES = ("ingest", "optimizer", "plans", "control_gateway", "alerts", "dashboard")

TELEMETRY = Subject(
    "telemetry.{site}.{source}", messages.Measurements, TELEMETRY_STREAM,
    ("ingest",), ("optimizer", "control_gateway", "alerts", "dashboard"), "measured values of one source and poll",
)  # fmt: skip
FORECAST = Subject(
    "forecast.{site}.{series}", messages.Forecast, FORECASTS_STREAM,
    ("ingest",), ("optimizer", "alerts", "dashboard"), "one issue of a forecast",
)  # fmt: skip
MARKET = Subject(
    "market.{site}.{product}", messages.Award, MARKET_STREAM,
    ("ingest",), ("optimizer", "alerts", "dashboard"), "a market award of a trade date",
)  # fmt: skip
SOLVE_JOB = Subject(
    "jobs.solve.{site}", messages.SolveJob, JOBS_STREAM,
    ("optimizer",), ("optimizer",), "a solve that waits for a worker",
)  # fmt: skip
RUN_PROGRESS = Subject(
    "runs.{site}.{run_id}.progress", messages.RunProgress, RUNS_STREAM,
    ("optimizer",), ("optimizer", "dashboard"), "a step of a run",
)  # fmt: skip
RUN_FINISHED = Subject(
    "runs.{site}.{run_id}.finished", messages.RunFinished, RUNS_STREAM,
    ("optimizer",), ("optimizer", "alerts", "dashboard"), "the end of a run",
)  # fmt: skip
PLAN_SUBMISSION = Subject(
    "plans.submit.{publisher}.{site}", messages.PlanSubmission, PLAN_SUBMISSIONS_STREAM,
    ("optimizer", "vendor"), ("plans",), "a publisher's whole horizon",
)  # fmt: skip
PLAN_REPLY = Subject(
    "plans.reply.{publisher}.{site}", messages.PlanReply, PLAN_EVENTS_STREAM,
    ("plans",), ("optimizer", "vendor", "alerts"), "accepted with plan ids, or refused with reasons",
)  # fmt: skip
PLAN_EVENT = Subject(
    "plans.event.{site}.{resource}", messages.PlanEvent, PLAN_EVENTS_STREAM,
    ("plans",), ("control_gateway", "alerts", "dashboard"), "a committed change of one resource's plans",
)  # fmt: skip
SETPOINT = Subject(
    "control.setpoint.{site}.{resource}", messages.Setpoint, CONTROL_STREAM,
    ("control_gateway",), ("alerts", "dashboard"), "one journalled setpoint decision",
)  # fmt: skip
CONTROL_STATE = Subject(
    "control.state.{site}", messages.ControlState, CONTROL_STREAM,
    ("control_gateway",), ("optimizer", "alerts", "dashboard"), "the gateway's state",
)  # fmt: skip
LEASE = Subject(
    "control.lease.{site}", messages.Lease, LEASES_STREAM,
    ("control_gateway",), ("control_gateway",), "who leads a site's actuators",
)  # fmt: skip
GATEWAY_ORDERS = Subject(
    "control.orders.{gateway}", messages.GatewayOrders, LEASES_STREAM,
    ("control_gateway",), ("control_gateway",), "people's orders, for the gateway that may take over",
)  # fmt: skip
ALARM = Subject(
    "alarms.{site}.{alarm}", messages.AlarmTransition, ALARMS_STREAM,
    ("alerts",), ("dashboard",), "an alarm's change of state",
)  # fmt: skip

SUBJECTS: tuple[Subject[Message], ...] = (
    TELEMETRY, FORECAST, MARKET, SOLVE_JOB, RUN_PROGRESS, RUN_FINISHED, PLAN_SUBMISSION, PLAN_REPLY, PLAN_EVENT,
    SETPOINT, CONTROL_STATE, LEASE, GATEWAY_ORDERS, ALARM,
)  # fmt: skip

_WITHOUT_IDS = tuple(
    subject for subject in SUBJECTS if subject.stream and subject.stream.duplicate_window <= SHORTEST_WINDOW
)

DEAD_LETTER_PREFIX = "dead"
MAX_DELIVERIES_ADVISORY = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"


def takes_ids(name: str) -> bool:
    """Whether a message on this subject goes with its id, for the stream to store it once."""
    return not any(subject.matches(name) for subject in _WITHOUT_IDS)


def stream_subjects() -> dict[Stream, list[str]]:
    """Every stream with the subjects it keeps."""
    kept: dict[Stream, list[str]] = {}
    for subject in SUBJECTS:
        if subject.stream is not None:
            kept.setdefault(subject.stream, []).append(subject.wildcard)
    kept[DEAD_LETTERS_STREAM] = [f"{DEAD_LETTER_PREFIX}.>", f"{MAX_DELIVERIES_ADVISORY}.>"]
    return kept

"""Decides what a message of another service means for the event alarms: a cause that begins, or one that ends; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from headworks.alerts.conditions import Cause
from headworks.common.messages import (
    ControlState,
    Interlock,
    Outcome,
    PlanReply,
    Quantity,
    RunFinished,
    RunStatus,
    Setpoint,
)

INTERLOCKS = {
    Interlock.LOW_LOW: "low-low: pumps stop whatever the plan says,",
    Interlock.HIGH_HIGH: "high-high: pumps start whatever the plan says,",
}


@dataclass(frozen=True, slots=True)
class CauseChange:
    """A cause of an event that begins (with its text) or has ended (None), by what it concerns."""

    event: str
    about: str
    at: datetime
    text: str | None

    def applied(self, causes: dict[str, Cause]) -> dict[str, Cause]:
        """The causes after it; what was said later is not undone by what was said before."""
        known = causes.get(self.about)
        if known is not None and known.at > self.at:
            return causes
        others = {about: cause for about, cause in causes.items() if about != self.about}
        return others if self.text is None else others | {self.about: Cause(self.text, self.at)}


def of_run(finished: RunFinished) -> Iterator[CauseChange]:
    """A run that failed, until one succeeds; a cancelled run says nothing."""
    match finished.status:
        case RunStatus.FAILED | RunStatus.INFEASIBLE:
            text = f"run {finished.run_id}: {finished.status}: {finished.reason}"
            yield CauseChange("run_failed", "run", finished.at, text)
        case RunStatus.SOLVED | RunStatus.RELAXED:
            yield CauseChange("run_failed", "run", finished.at, None)
        case RunStatus.CANCELLED:
            return


def of_reply(reply: PlanReply) -> Iterator[CauseChange]:
    """A publisher whose last submission was refused. One that waits for an approval says nothing yet."""
    if reply.waits_until is not None:
        return
    first = next((f"{r.field}={r.value!r}, expected {r.expected}" for r in reply.refusals), "")
    more = f" and {len(reply.refusals) - 1} more" if len(reply.refusals) > 1 else ""
    text = None if reply.accepted else f"{reply.publisher}'s {reply.submission_id}: {first}{more}"
    yield CauseChange("plan_refused", reply.publisher, reply.at, text)


def of_setpoint(setpoint: Setpoint) -> Iterator[CauseChange]:
    """What became of a setpoint or a run command: a verified one ends all that was wrong with it."""
    resource, about, at = setpoint.resource, _about(setpoint.resource, setpoint.quantity), setpoint.at
    match setpoint.outcome:
        case Outcome.READ_BACK_DIFFERS:
            text = f"{about}: wrote {setpoint.enforced} {setpoint.unit}, the PLC holds {setpoint.read_back}"
            yield CauseChange("read_back_differs", about, at, text)
        case Outcome.LINK_LOST:
            yield CauseChange("plc_lost", resource, at, f"{resource}: {setpoint.reason}")
        case Outcome.REFUSED:
            yield CauseChange("setpoint_refused", about, at, f"{about}: {'; '.join(setpoint.violations)}")
        case Outcome.VERIFIED:
            yield CauseChange("plc_lost", resource, at, None)
            for event in ("read_back_differs", "setpoint_refused"):
                yield CauseChange(event, about, at, None)
        case Outcome.INTENDED | Outcome.HELD:
            return


def of_state(state: ControlState) -> Iterator[CauseChange]:
    """The gateway's own view: e-stop, interlocks and fail-safes above the plan, and which links and refusals are over."""
    pressed = f"pressed by {state.e_stop_by or 'someone not known'}" if state.e_stop else _stopped_alone(state)
    yield CauseChange("e_stop", "gateway", state.at, pressed)
    yield CauseChange("interlock", "gateway", state.at, _tripped(state))
    safe = [f"{r.resource}: {r.leads_because}" for r in state.resources if r.fail_safe]
    yield CauseChange("fail_safe", "gateway", state.at, "; ".join(safe) or None)
    deaf = ", ".join(state.heartbeat_lost)
    yield CauseChange("heartbeat_lost", "gateway", state.at, f"{deaf} does not hold the heartbeat" if deaf else None)
    yield CauseChange("discovery", "gateway", state.at, "; ".join(state.findings) or None)
    for resource in state.resources:
        if resource.link_up:
            yield CauseChange("plc_lost", resource.resource, state.at, None)
        if not resource.refused:
            for quantity in Quantity:
                yield CauseChange("setpoint_refused", _about(resource.resource, quantity), state.at, None)


def _tripped(state: ControlState) -> str | None:
    """The interlocks in force, those of the level first."""
    level = [] if state.interlock is None else [f"{INTERLOCKS[state.interlock]} at {_level(state)}"]
    return "; ".join([*level, *(f"{tripped.name}: {tripped.why}" for tripped in state.interlocks)]) or None


def _stopped_alone(state: ControlState) -> str | None:
    """Which actuators somebody stopped by themselves, if any."""
    stopped = [f"{r.resource} by {r.e_stop_by}" for r in state.resources if r.e_stop_by is not None]
    return f"pressed for {', '.join(stopped)}" if stopped else None


def _about(resource: str, quantity: Quantity) -> str:
    """A pump has two things to write: one that is verified ends nothing of the other."""
    return resource if quantity is Quantity.SETPOINT else f"{resource} run command"


def _level(state: ControlState) -> str:
    return "a level that is not known" if state.level_m is None else f"{state.level_m:.2f} m"

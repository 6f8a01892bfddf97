"""What the gateway knows of one actuator, as people and the bus are told it."""

from datetime import datetime
from typing import assert_never

from headworks.common.messages import Interlock, ResourceState, SetpointOverride
from headworks.control_gateway.due import target_of
from headworks.control_gateway.interlocks import Tripped
from headworks.control_gateway.known import Known
from headworks.control_gateway.leading import Leader
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.pump_safety import Keep, RunDecision, Start, Stop
from headworks.control_gateway.safety import Decision, FailSafe, Hold, Refused, Write


def resource_state(
    actuator: Actuator,
    known: Known,
    override: SetpointOverride | None,
    plans_confirmed_at: datetime | None,
    now: datetime,
    e_stop_by: str | None = None,
) -> ResourceState:
    """One actuator's state. What was read is told only while the link is up."""
    plan, feedback, decision, run = known.plan, known.feedback, known.decision, known.run
    if not known.link_up:
        feedback = run = None
    return ResourceState(
        resource=actuator.resource,
        unit=actuator.unit,
        plan_id=plan.plan_id if plan else None,
        requested=target_of(plan),
        setpoint=actuator.value(decision.counts) if isinstance(decision, Write) else None,
        read_back=actuator.value(feedback.read_back) if feedback else None,
        actual=actuator.value(feedback.actual) if feedback else None,
        plan_age_s=None if plans_confirmed_at is None else max(0.0, (now - plans_confirmed_at).total_seconds()),
        link_up=bool(known.link_up),
        fail_safe=known.lead is not None and known.lead.by in {Leader.FAIL_SAFE, Leader.LOCAL},
        refused=isinstance(decision, Refused) or isinstance(known.run_decision, Refused),
        reason=_reason(actuator, known),
        running=run.running if run else None,
        run_commanded=run.commanded if run else None,
        run_since=run.since if run else None,
        power_kw=known.power_kw if run else None,
        e_stop_by=e_stop_by,
        mode=known.mode,
        leader=known.lead.by.value if known.lead else None,
        leads_because=known.lead.why if known.lead else "",
        override=override,
    )


def interlock_of(tripped: Tripped) -> Interlock | None:
    """The interlock in force; low-low stands above high-high, which cannot be at the same time."""
    if tripped.low_low:
        return Interlock.LOW_LOW
    return Interlock.HIGH_HIGH if tripped.high_high else None


def _reason(actuator: Actuator, known: Known) -> str:
    if known.link_up is False:
        return "the PLC does not answer"
    if actuator.run is None or known.run_decision is None:
        return _why(known.decision)
    whys = (_why_run(known.run_decision), "" if known.decision is None else _why(known.decision))
    return "; ".join(dict.fromkeys(why for why in whys if why))


def _why(decision: Decision | None) -> str:
    match decision:
        case None:
            return "starting"
        case Write(complete=complete):
            return "" if complete else "moving toward the plan at the allowed rate"
        case Hold(reason=reason) | FailSafe(reason=reason):
            return reason
        case Refused(violations=violations):
            return "; ".join(violations)
        case _:
            assert_never(decision)


def _why_run(decision: RunDecision) -> str:
    match decision:
        case Start(reason=reason):
            return f"started: {reason}"
        case Stop(reason=reason):
            return f"stopped: {reason}"
        case Keep(reason=reason):
            return reason
        case Refused(violations=violations):
            return "; ".join(violations)
        case _:
            assert_never(decision)

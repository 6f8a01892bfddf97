"""Brings an actuator's setpoint to what is due: decides, journals, writes, reads back, and remembers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from headworks.common.clock import Clock
from headworks.common.messages import Outcome
from headworks.control_gateway.known import Known
from headworks.control_gateway.last_word import LastWord
from headworks.control_gateway.leading import Lead
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.movement import with_seen, with_unseen
from headworks.control_gateway.plausibility import watched
from headworks.control_gateway.plc import LinkFault, NotPermitted, Plc
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.safety import (
    FailSafe,
    Hold,
    Limits,
    Refused,
    Situation,
    Write,
    decide,
    start_of,
)
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.writer import Differs, Verified, write_setpoint


@dataclass(frozen=True, slots=True)
class SetpointControl:
    """Acts on the setpoints of one site."""

    switches: SwitchBoard
    recorder: Recorder
    clock: Clock
    last_word: LastWord

    async def follow(
        self, actuator: Actuator, plc: Plc, known: Known, lead: Lead, now: datetime, *, standing: bool = False
    ) -> Known:
        """Decide on what is due from whoever leads, and do it. What is then known of the actuator."""
        recordable = self.recorder.journal.writable
        known = with_reading(actuator.limits, known, standing=standing)
        situation = Situation(
            mode=known.mode.value,
            e_stop=self.switches.stopped(actuator.resource) is not None,
            recordable=recordable,
            plan=lead.due,
            feedback=known.feedback,
            ramped_until=known.ramped_until or now,
            ramping=known.ramping,
            standing=standing,
            held=known.held,
            watched=known.watched,
            barred=lead.barred,
            lacking=lead.why,
        )
        decision = decide(actuator.limits, situation, now)
        # A journal that refused is tried again each time: it must be seen to take entries before anything is written.
        news = decision != known.decision or not recordable
        known = known._replace(decision=decision, ramped_until=now, ramping=False)
        match decision:
            case Write():
                return await self._write(actuator, plc, known, decision, lead.why, now)
            case Hold(spare_s=spare_s):
                return known._replace(ramped_until=now - timedelta(seconds=spare_s), ramping=situation.ramping)
            case FailSafe():
                pass  # who leads is recorded by the loop
            case Refused(violations=violations):
                if news:
                    self.recorder.setpoint(actuator, known.plan, Outcome.REFUSED, now, violations=violations)
            case _:
                assert_never(decision)
        return known

    async def _write(
        self, actuator: Actuator, plc: Plc, known: Known, decision: Write, why: str, now: datetime
    ) -> Known:
        """Journal the intent, write, journal what became of it. Without a journal there is no write."""
        counts, plan, record = decision.counts, known.plan, self.recorder.setpoint
        held = None if known.feedback is None else known.feedback.read_back
        if not record(actuator, plan, Outcome.INTENDED, now, counts=counts, read_back=held, reason=why):
            return known._replace(decision=Refused(("the journal cannot be written",)))
        if not await self.recorder.journal.synced():
            return known._replace(decision=Refused(("the journal cannot be written",)))
        result = await write_setpoint(plc, actuator, counts, self.last_word.of(actuator.resource, known.stood))
        at = self.clock.now()
        match result:
            case Verified(read_back=read_back):
                record(actuator, plan, Outcome.VERIFIED, at, counts=counts, read_back=read_back, reason=why)
                # The rate is earned from when the PLC was seen to hold it: a write that came late gains nothing by it.
                spent = at - timedelta(seconds=decision.spare_s)
                known = known._replace(ramped_until=spent, ramping=not decision.complete)
            case Differs(read_back=read_back):
                reason = f"the PLC holds another setpoint than was written{result.why}"
                record(actuator, plan, Outcome.READ_BACK_DIFFERS, at, counts=counts, read_back=read_back, reason=reason)
                known = known._replace(ramped_until=at)
            case NotPermitted(reason=reason):
                record(actuator, plan, Outcome.HELD, at, counts=counts, reason=f"not written: {reason}")
                return known._replace(decision=Hold(reason))
            case LinkFault(reason=reason):
                record(actuator, plan, Outcome.LINK_LOST, at, counts=counts, reason=reason)
                return known._replace(link_up=False, decision=None)
            case _:
                assert_never(result)
        feedback = known.feedback and replace(known.feedback, read_back=read_back, at=at)
        return known._replace(feedback=feedback)


def with_reading(limits: Limits, known: Known, *, standing: bool) -> Known:
    """What is remembered of an actuator once it is read: of a machine that stands nothing counts, for nothing turns.

    What another gateway may have written since this one last looked counts with what is seen.
    """
    feedback = known.feedback
    if standing:
        return known._replace(held=(), held_under=known.leads_under, watched=None)
    start = None if feedback is None else start_of(limits, feedback)
    if feedback is None or start is None:
        return known
    if limits.max_change:
        held, ours = known.held, known.leads_under is not None and known.leads_under == known.held_under
        if not ours:
            held = with_unseen(limits.max_change, limits.rate_per_s, held, start, feedback.at)
        held = with_seen(limits.max_change, held, start, feedback.at)
        known = known._replace(held=held, held_under=known.leads_under)
    if limits.plausible:
        seen = watched(limits.plausible, known.watched, start, feedback.actual, feedback.at)
        known = known._replace(watched=seen)
    return known

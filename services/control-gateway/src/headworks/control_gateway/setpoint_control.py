"""Brings an actuator's setpoint to what is due: decides, journals, writes, reads back, and remembers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from headworks.common.clock import Clock
from headworks.common.messages import Outcome
from headworks.control_gateway.known import Known
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LinkFault, Plc
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.safety import DuePlan, FailSafe, Hold, Refused, Situation, Write, decide
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.writer import Differs, Verified, write_setpoint


@dataclass(frozen=True, slots=True)
class SetpointControl:
    """Acts on the setpoints of one site."""

    switches: SwitchBoard
    recorder: Recorder
    clock: Clock

    async def follow(
        self, actuator: Actuator, plc: Plc, known: Known, due: DuePlan | None, now: datetime, *, standing: bool = False
    ) -> Known:
        """Decide, and do it. What is then known of the actuator."""
        switches, recordable = self.switches.now, self.recorder.journal.writable
        situation = Situation(
            mode=switches.mode.value,
            e_stop=switches.e_stop,
            recordable=recordable,
            plan=due,
            feedback=known.feedback,
            ramped_until=known.ramped_until or now,
            ramping=known.ramping,
            standing=standing,
        )
        decision = decide(actuator.limits, situation, now)
        # A journal that refused is tried again each time: it must be seen to take entries before anything is written.
        news = decision != known.decision or not recordable
        known = replace(known, decision=decision, ramped_until=now, ramping=False)
        match decision:
            case Write():
                return await self._write(actuator, plc, known, decision, now)
            case Hold(spare_s=spare_s):
                return replace(known, ramped_until=now - timedelta(seconds=spare_s), ramping=situation.ramping)
            case FailSafe(reason=reason):
                if news:
                    self.recorder.setpoint(actuator, known.plan, Outcome.HELD, now, reason=f"fail-safe: {reason}")
            case Refused(violations=violations):
                if news:
                    self.recorder.setpoint(actuator, known.plan, Outcome.REFUSED, now, violations=violations)
            case _:
                assert_never(decision)
        return known

    async def _write(self, actuator: Actuator, plc: Plc, known: Known, decision: Write, now: datetime) -> Known:
        """Journal the intent, write, journal what became of it. Without a journal there is no write."""
        counts, plan, record = decision.counts, known.plan, self.recorder.setpoint
        if not record(actuator, plan, Outcome.INTENDED, now, counts=counts):
            return replace(known, decision=Refused(("the journal cannot be written",)))
        result = await write_setpoint(plc, actuator, counts)
        at = self.clock.now()
        match result:
            case Verified(read_back=read_back):
                record(actuator, plan, Outcome.VERIFIED, at, counts=counts, read_back=read_back)
                spent = now - timedelta(seconds=decision.spare_s)
                known = replace(known, ramped_until=spent, ramping=not decision.complete)
            case Differs(read_back=read_back):
                reason = f"the PLC holds another setpoint than was written{result.why}"
                record(actuator, plan, Outcome.READ_BACK_DIFFERS, at, counts=counts, read_back=read_back, reason=reason)
            case LinkFault(reason=reason):
                record(actuator, plan, Outcome.LINK_LOST, at, counts=counts, reason=reason)
                return replace(known, link_up=False, decision=None)
            case _:
                assert_never(result)
        feedback = known.feedback and replace(known.feedback, read_back=read_back, at=at)
        return replace(known, feedback=feedback)

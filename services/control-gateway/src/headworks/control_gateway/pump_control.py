"""Brings a pump to what is due: its speed before its start, its stop before all else, each journalled and read back."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

import structlog

from headworks.common.clock import Clock
from headworks.common.messages import ControlMode, Outcome
from headworks.control_gateway.due import Due, Present, due_speed, fail_safe_speed
from headworks.control_gateway.known import Known
from headworks.control_gateway.last_word import LastWord
from headworks.control_gateway.leading import Lead, Leader, Wishes, at_once, leading, speed_led
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LinkFault, NotPermitted, Plc, Refusal
from headworks.control_gateway.pump_safety import (
    LOW_LOW,
    OFF,
    Duty,
    Keep,
    RunDecision,
    RunSituation,
    Start,
    Stop,
    decide_run,
    doubt_of_standing,
)
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.safety import DuePlan, Hold, Refused
from headworks.control_gateway.setpoint_control import SetpointControl
from headworks.control_gateway.station import Station
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.writer import Differs, Verified, write_run

log = structlog.get_logger(__name__)
NO_SPEED = Refused(("the PLC holds no speed within the limits to start at",))


def doubt_of(actuator: Actuator, known: Known) -> str | None:
    """Why the pump is not believed to stand, though its run feedback says so."""
    if known.run is None or known.feedback is None:
        return None
    return doubt_of_standing(actuator.limits, known.run.running, known.feedback.actual, known.power_kw)


@dataclass(frozen=True, slots=True)
class PumpControl:
    """Acts on the pumps of one site."""

    station: Station
    setpoints: SetpointControl
    switches: SwitchBoard
    recorder: Recorder
    clock: Clock
    last_word: LastWord

    def led(self, actuator: Actuator, known: Known, wishes: Wishes, now: datetime) -> Known:
        """Who leads the pump, and whether it may be called."""
        due = self._due(actuator, known, now)
        lead = self._lead(actuator, known, wishes, due.plan, now)
        self.judge_available(actuator, known, lead, known.mode)
        return known._replace(level_memory=due.memory, lead=lead)

    def judge_available(self, actuator: Actuator, known: Known, lead: Lead, mode: ControlMode) -> None:
        """Whether the pump may be called: modes and e-stop as they are now, also before its own turn."""
        believed = self._doubt(actuator, known, self.clock.now()) is None
        led_here = mode is ControlMode.AUTO and self.switches.stopped(actuator.resource) is None
        self.station.set_available(actuator.resource, led_here and believed and not lead.stops and not lead.by_the_plc)

    async def follow(self, actuator: Actuator, plc: Plc, known: Known, lead: Lead, now: datetime) -> Known:
        """Decide on the run command, then on the speed of what runs; of a start the speed comes first."""
        duty = self.station.duty(actuator.resource, now)
        speed = speed_led(lead, self._interlocked(actuator, duty, now))
        decision = self._decide(actuator, known, lead, duty, now)
        if isinstance(decision, Start):
            return await self._start(actuator, plc, known, lead, speed, now)
        known = await self._act(actuator, plc, known, decision, now)
        runs_on = known.run is not None and known.run.running and not isinstance(decision, Refused | Stop)
        if not runs_on or (speed.due is not None and speed.due.requested == OFF):
            return known._replace(decision=None, ramped_until=now)  # the speed stays as it is
        return await self.setpoints.follow(actuator, plc, known, speed, now)

    def _lead(self, actuator: Actuator, known: Known, wishes: Wishes, due: DuePlan | None, now: datetime) -> Lead:
        """Who leads: without a plan what is due is the fail-safe's."""
        if known.plan is not None:
            return leading(actuator.resource, replace(wishes, plan=due), now)
        return leading(actuator.resource, replace(wishes, fail_safe=due or wishes.fail_safe), now)

    def _interlocked(self, actuator: Actuator, duty: Duty, now: datetime) -> Lead | None:
        """The speed that a level interlock asks, if one does."""
        if duty.called or duty.high_high:
            why = "the level is high-high" if duty.high_high else "too few pumps run"
            return Lead(Leader.INTERLOCK, at_once(actuator.counts(self.station.limits.interlock_hz), now), why)
        return None

    def _due(self, actuator: Actuator, known: Known, now: datetime) -> Due:
        """What the plan asks, or, without one, the fail-safe where one is configured."""
        limits, feedback = self.station.limits, known.feedback
        speed_hz = actuator.value(feedback.actual) if feedback else None
        present = Present(speed_hz, known.power_kw, self.station.level_m(now))
        runs = known.run is not None and known.run.running
        # Where its speed is not followed, the level calculator begins anew at the present speed.
        memory = known.level_memory if runs and self.switches.is_followed(actuator.resource) else None
        control, target_m = limits.level_control, limits.fail_safe_level_m
        if known.plan is None and actuator.fail_safe == "level" and runs and control and target_m is not None:
            return fail_safe_speed(actuator, present, control, target_m, memory, now)
        return due_speed(known.plan, actuator, present, control, memory, now)

    def _decide(self, actuator: Actuator, known: Known, lead: Lead, duty: Duty, now: datetime) -> RunDecision:
        situation = RunSituation(
            mode=known.mode.value,
            e_stop=self.switches.stopped(actuator.resource) is not None,
            recordable=self.recorder.journal.writable,
            plan=lead.run,  # a fail-safe speed is nothing to start or stop by
            feedback=known.run,
            duty=duty,
            ordered=self.station.order_of(actuator.resource),
            started_at=self.station.started_at,
            local=lead.why if lead.by_the_plc else None,
            stops=lead.why if lead.stops else None,
            barred=Keep(lead.barred.reason) if isinstance(lead.barred, Hold) else lead.barred,
            lacking=lead.why,
            doubt=self._doubt(actuator, known, now),
        )
        return decide_run(self.station.limits.runs, actuator.limits, situation, now)

    def _doubt(self, actuator: Actuator, known: Known, now: datetime) -> str | None:
        """Why it is not believed to stand. Of one that was just told to run the feedback comes later than the speed."""
        ordered, takes_s = self.station.order_of(actuator.resource), self.station.limits.runs.start_takes_s
        starts = ordered is not None and ordered.on and (now - ordered.at).total_seconds() < takes_s
        return None if starts else doubt_of(actuator, known)

    async def _start(
        self,
        actuator: Actuator,
        plc: Plc,
        known: Known,
        lead: Lead,
        speed: Lead,
        now: datetime,
    ) -> Known:
        """Set the speed, then start, if that is still right: while the speed was set, an e-stop may have come."""
        standing = known.run is not None and not known.run.running
        known = await self.setpoints.follow(actuator, plc, known, speed, now, standing=standing)
        now = self.clock.now()
        if not known.link_up:
            self.station.ordered(actuator.resource, True, now)  # it was tried: the next one is called
            return known
        decision = self._decide(actuator, known, lead, self.station.duty(actuator.resource, now), now)
        held = known.feedback.read_back if known.feedback else None
        if isinstance(decision, Start) and not (held and actuator.limits.minimum <= held <= actuator.limits.maximum):
            decision = NO_SPEED
            self.station.ordered(actuator.resource, True, now)
        return await self._act(actuator, plc, known, decision, now)

    async def _act(self, actuator: Actuator, plc: Plc, known: Known, decision: RunDecision, now: datetime) -> Known:
        news = decision != known.run_decision or not self.recorder.journal.writable
        known = known._replace(run_decision=decision)
        match decision:
            case Start() | Stop():
                return await self._command(actuator, plc, known, decision, now)
            case Refused(violations=violations):
                if news:
                    self.recorder.run(actuator, known.plan, Outcome.REFUSED, now, violations=violations)
            case Keep():
                pass
            case _:
                assert_never(decision)
        return known

    async def _command(
        self, actuator: Actuator, plc: Plc, known: Known, decision: Start | Stop, now: datetime
    ) -> Known:
        """Journal the intent, write, journal what became of it. What protects is written even where no journal takes it."""
        on, plan, record = isinstance(decision, Start), known.plan, self.recorder.run
        if not record(actuator, plan, Outcome.INTENDED, now, on=on, reason=decision.reason):
            if not decision.forced:
                return known._replace(run_decision=Refused(("the journal cannot be written",)))
            log.error("a pump is commanded without a record", pump=actuator.resource, on=on, reason=decision.reason)
        take_back = self.station.ordered(actuator.resource, on, now)
        result = await write_run(plc, actuator, on, self._refusal(actuator, known, decision))
        at = self.clock.now()
        match result:
            case Verified(read_back=read_back):
                record(actuator, plan, Outcome.VERIFIED, at, on=on, read_back=read_back, reason=decision.reason)
            case Differs(read_back=read_back):
                reason = f"the PLC holds another run command than was written{result.why}"
                record(actuator, plan, Outcome.READ_BACK_DIFFERS, at, on=on, read_back=read_back, reason=reason)
            case NotPermitted(reason=reason):
                take_back()
                record(actuator, plan, Outcome.HELD, at, on=on, reason=f"not written: {reason}")
                return known._replace(run_decision=Keep(reason))
            case LinkFault(reason=reason):
                record(actuator, plan, Outcome.LINK_LOST, at, on=on, reason=reason)
                return known._replace(link_up=False, decision=None, run_decision=None)
            case _:
                assert_never(result)
        return known._replace(run=known.run and replace(known.run, commanded=bool(read_back)))

    def _refusal(self, actuator: Actuator, known: Known, decision: Start | Stop) -> Refusal:
        """What would stand against the command still: orders, and against a start the level."""
        stops = isinstance(decision, Stop)
        of_people = self.last_word.of(actuator.resource, known.stood, stops=stops, protects=decision.forced)

        def refusal() -> str | None:
            dry = not stops and self.station.duty(actuator.resource, self.clock.now()).low_low
            return LOW_LOW if dry else of_people()

        return refusal

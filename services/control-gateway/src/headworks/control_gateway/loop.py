"""The control loop: every tick, and at once when a plan arrives, each actuator is read, decided on, and written."""

import asyncio
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from headworks.common.clock import Clock
from headworks.common.messages import (
    ControlState,
    GenericTargets,
    Outcome,
    Plan,
    ResourceState,
    Setpoint,
    TargetType,
)
from headworks.common.plan_manager import OptimizationPlanManager, PlanUpdate
from headworks.common.tasks import wait_at_most
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.plc import LinkFault, Plc
from headworks.control_gateway.safety import (
    Decision,
    DuePlan,
    FailSafe,
    Feedback,
    Hold,
    Refused,
    Situation,
    Write,
    decide,
)
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.writer import Differs, Verified, WriteResult, write_setpoint

log = structlog.get_logger(__name__)
ALIVE_S = 10.0
"""Longer than a whole turn with a hung PLC."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an actuator between ticks. `link_up` is None before the first answer or fault."""

    feedback: Feedback | None = None
    link_up: bool | None = None
    ramped_until: datetime | None = None
    ramping: bool = False
    decision: Decision | None = None
    plan: Plan | None = None


@dataclass
class ControlLoop:
    """Controls the actuators of one site."""

    site: str
    actuators: tuple[Actuator, ...]
    plcs: Mapping[str, Plc]
    plans: OptimizationPlanManager
    switches: SwitchBoard
    journal: Journal
    clock: Clock
    tick_s: float
    _known: dict[str, Known] = field(default_factory=dict)
    _wake: dict[str, asyncio.Event] = field(default_factory=dict)
    _ticked_s: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Hear of new plans."""
        self._wake = {actuator.plc: asyncio.Event() for actuator in self.actuators}
        self.plans.register_callback(self._on_plan)

    def _on_plan(self, _update: PlanUpdate, _old: int | None, _new: int, _plan: Plan) -> None:
        for wake in self._wake.values():
            wake.set()

    async def run(self) -> None:
        """Tick for ever; run it as a task. A hung PLC delays its own actuators alone."""
        async with asyncio.TaskGroup() as group:
            for name in self._wake:
                group.create_task(self._run_plc(name))

    def is_alive(self) -> bool:
        """Whether every PLC's turn came round lately, whatever the PLC answered."""
        lately_s = time.monotonic() - ALIVE_S - 3 * self.tick_s
        return all(self._ticked_s.get(name, -math.inf) > lately_s for name in self._wake)

    async def _run_plc(self, name: str) -> None:
        own = [actuator for actuator in self.actuators if actuator.plc == name]
        wake, plc = self._wake[name], self.plcs[name]
        try:
            while True:
                started_s = time.monotonic()
                wake.clear()
                self.switches.save_again()
                for actuator in own:
                    await self._tick(actuator, plc)
                self._ticked_s[name] = time.monotonic()
                rest_s = max(0.0, self.tick_s - (time.monotonic() - started_s))
                await wait_at_most(wake, rest_s)
        finally:
            plc.close()

    async def _tick(self, actuator: Actuator, plc: Plc) -> None:
        """One actuator, once."""
        before = self._known.get(actuator.resource, Known())
        feedback = await self._read(actuator, plc)
        now = self.clock.now()
        plan = self.plans.current(self.site, actuator.resource, now)
        known = replace(
            before,
            feedback=before.feedback if isinstance(feedback, LinkFault) else feedback,
            link_up=not isinstance(feedback, LinkFault),
            # While the link is away, as before the first answer, no rate is earned: the return starts from where it was.
            ramped_until=before.ramped_until if before.link_up else now,
            plan=plan,
        )
        if isinstance(feedback, LinkFault):
            known = self._without_link(actuator, known, feedback, now, noted=before.link_up is False)
        else:
            known = await self._decide_and_act(actuator, plc, known, now)
        self._known[actuator.resource] = known
        if (known.decision, known.link_up, known.plan) != (before.decision, before.link_up, before.plan):
            self.changed.set()

    async def _read(self, actuator: Actuator, plc: Plc) -> Feedback | LinkFault:
        held = await plc.read_holding(actuator.readback_address)
        if isinstance(held, LinkFault):
            return held
        actual = await plc.read_input(actuator.actual_address)
        if isinstance(actual, LinkFault):
            return actual
        return Feedback(held[0], actual[0], self.clock.now())

    def _without_link(self, actuator: Actuator, known: Known, fault: LinkFault, now: datetime, *, noted: bool) -> Known:
        """Nothing is decided on what is not seen; a lost link is recorded once."""
        if not noted:
            self._record(actuator, known, Outcome.LINK_LOST, None, now, reason=fault.reason)
        return replace(known, link_up=False, ramped_until=now, ramping=False, decision=None)

    async def _decide_and_act(self, actuator: Actuator, plc: Plc, known: Known, now: datetime) -> Known:
        switches = self.switches.now
        situation = Situation(
            mode=switches.mode.value,
            e_stop=switches.e_stop,
            recordable=self.journal.writable,
            plan=due_plan(known.plan, actuator),
            feedback=known.feedback,
            ramped_until=known.ramped_until or now,
            ramping=known.ramping,
        )
        decision = decide(actuator.limits, situation, now)
        # A journal that refused is tried again each time: it must be seen to take entries before anything is written.
        news = decision != known.decision or not situation.recordable
        known = replace(known, decision=decision, ramped_until=now, ramping=False)
        match decision:
            case Write():
                return await self._write(actuator, plc, known, decision, now)
            case Hold(spare_s=spare_s):
                return replace(known, ramped_until=now - timedelta(seconds=spare_s), ramping=situation.ramping)
            case FailSafe(reason=reason):
                if news:
                    self._record(actuator, known, Outcome.HELD, None, now, reason=f"fail-safe: {reason}")
            case Refused(violations=violations):
                if news:
                    self._record(actuator, known, Outcome.REFUSED, None, now, violations=violations)
            case _:
                assert_never(decision)
        return known

    async def _write(self, actuator: Actuator, plc: Plc, known: Known, decision: Write, now: datetime) -> Known:
        """Journal the intent, write, journal what became of it. Without a journal there is no write."""
        counts = decision.counts
        if not self._record(actuator, known, Outcome.INTENDED, counts, now):
            return replace(known, decision=Refused(("the journal cannot be written",)))
        result: WriteResult = await write_setpoint(plc, actuator, counts)
        at = self.clock.now()
        match result:
            case Verified(read_back=read_back):
                self._record(actuator, known, Outcome.VERIFIED, counts, at, read_back=read_back)
                spent = now - timedelta(seconds=decision.spare_s)
                known = replace(known, ramped_until=spent, ramping=not decision.complete)
            case Differs(read_back=read_back, fault=fault):
                reason = "the PLC holds another setpoint than was written" + (f"; {fault.reason}" if fault else "")
                self._record(actuator, known, Outcome.READ_BACK_DIFFERS, counts, at, read_back=read_back, reason=reason)
            case LinkFault(reason=reason):
                self._record(actuator, known, Outcome.LINK_LOST, counts, at, reason=reason)
                return replace(known, link_up=False, decision=None)
            case _:
                assert_never(result)
        feedback = known.feedback and replace(known.feedback, read_back=read_back, at=at)
        return replace(known, feedback=feedback)

    def record_order(self, order: str) -> bool:
        """Journal a person's order for every actuator; False when the journal cannot be written."""
        now = self.clock.now()
        known = [(actuator, self._known.get(actuator.resource, Known())) for actuator in self.actuators]
        return all(self._record(actuator, of, Outcome.HELD, None, now, reason=order) for actuator, of in known)

    def _record(
        self,
        actuator: Actuator,
        known: Known,
        outcome: Outcome,
        counts: int | None,
        at: datetime,
        *,
        read_back: int | None = None,
        violations: tuple[str, ...] = (),
        reason: str = "",
    ) -> bool:
        plan = known.plan
        entry = Setpoint(
            setpoint_id=uuid.uuid4().hex,
            site=self.site,
            resource=actuator.resource,
            at=at,
            outcome=outcome,
            unit=actuator.unit,
            requested=_target(plan),
            enforced=actuator.value(counts),
            read_back=actuator.value(read_back),
            violations=violations,
            reason=reason,
            plan_id=plan.plan_id if plan else None,
            plan_version=plan.plan_version if plan else None,
        )
        self.changed.set()
        return self.journal.append(entry)

    def state(self) -> ControlState:
        """What is known now, for people and the bus."""
        now, switches = self.clock.now(), self.switches.now
        return ControlState(
            site=self.site,
            at=now,
            mode=switches.mode,
            e_stop=switches.e_stop,
            e_stop_by=switches.e_stop_by if switches.e_stop else None,
            resources=tuple(self._resource_state(actuator, now) for actuator in self.actuators),
        )

    def _resource_state(self, actuator: Actuator, now: datetime) -> ResourceState:
        known = self._known.get(actuator.resource, Known())
        plan, feedback, decision = known.plan, known.feedback, known.decision
        return ResourceState(
            resource=actuator.resource,
            unit=actuator.unit,
            plan_id=plan.plan_id if plan else None,
            requested=_target(plan),
            setpoint=actuator.value(decision.counts) if isinstance(decision, Write) else None,
            read_back=actuator.value(feedback.read_back) if feedback and known.link_up else None,
            actual=actuator.value(feedback.actual) if feedback and known.link_up else None,
            plan_age_s=max(0.0, (now - self.plans.confirmed_at).total_seconds()) if self.plans.confirmed_at else None,
            link_up=bool(known.link_up),
            fail_safe=isinstance(decision, FailSafe),
            refused=isinstance(decision, Refused),
            reason="the PLC does not answer" if known.link_up is False else _why(decision),
        )


def _target(plan: Plan | None) -> float | None:
    if plan is None:
        return None
    return plan.targets.target_value if isinstance(plan.targets, GenericTargets) else plan.targets.suggested_speed_hz


def due_plan(plan: Plan | None, actuator: Actuator) -> DuePlan | None:
    """What the plan asks of this actuator, in its counts; a target of another kind is nothing that it can do."""
    if plan is None:
        return None
    targets = plan.targets
    kind = targets.target_type if isinstance(targets, GenericTargets) else TargetType.SPEED
    target = _target(plan) if kind is actuator.target_type else None
    requested = None if target is None else actuator.counts(target)
    return DuePlan(requested, plan.plan_created_at, plan.interval_start, plan.interval_end)


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

"""The control loop: every tick, and at once when a plan arrives, each actuator is read, decided on, and written."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

import structlog

from headworks.common.clock import Clock
from headworks.common.messages import ControlState, GenericTargets, Outcome, Plan, ResourceState, Setpoint
from headworks.common.plan_manager import OptimizationPlanManager, PlanUpdate
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


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an actuator between ticks."""

    feedback: Feedback | None = None
    link_up: bool = False
    ramped_until: datetime | None = None
    decision: Decision | None = None
    plan: Plan | None = None
    last_outcome: Outcome | None = None


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
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Hear of new plans."""
        self.plans.register_callback(self._on_plan)

    def _on_plan(self, _update: PlanUpdate, _old: int | None, _new: int, _plan: Plan) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Tick for ever; run it as a task. A hung PLC delays its own actuators alone."""
        async with asyncio.TaskGroup() as group:
            for name in {actuator.plc for actuator in self.actuators}:
                group.create_task(self._run_plc(name))

    async def _run_plc(self, name: str) -> None:
        own = [actuator for actuator in self.actuators if actuator.plc == name]
        while True:
            started = time.monotonic()
            self._wake.clear()
            for actuator in own:
                await self._tick(actuator, self.plcs[name])
            rest_s = max(0.0, self.tick_s - (time.monotonic() - started))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), rest_s)

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
            ramped_until=before.ramped_until or now,
            plan=plan,
        )
        if isinstance(feedback, LinkFault):
            # While the link is away no rate is earned: the return starts from where it was.
            known = self._note_lost_link(actuator, replace(known, ramped_until=now), feedback, now)
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

    async def _decide_and_act(self, actuator: Actuator, plc: Plc, known: Known, now: datetime) -> Known:
        switches = self.switches.now
        situation = Situation(
            mode=switches.mode.value,
            e_stop=switches.e_stop,
            recordable=True,
            plan=_due(known.plan, actuator),
            feedback=known.feedback,
            ramped_until=known.ramped_until or now,
        )
        decision = decide(actuator.limits, situation, now)
        repeated = decision == known.decision
        known = replace(known, decision=decision)
        match decision:
            case Write(counts=counts):
                return await self._write(actuator, plc, known, counts, now)
            case Hold(reason=reason):
                # Only a step that waits for its rate may save up time.
                waits = reason == "the rate allows no step yet"
                return known if waits else replace(known, ramped_until=now)
            case FailSafe(reason=reason):
                if not repeated:
                    self._record(actuator, known, Outcome.HELD, None, now, reason=f"fail-safe: {reason}")
            case Refused(violations=violations):
                if not repeated:
                    self._record(actuator, known, Outcome.REFUSED, None, now, violations=violations)
            case _:
                assert_never(decision)
        return replace(known, ramped_until=now)

    async def _write(self, actuator: Actuator, plc: Plc, known: Known, counts: int, now: datetime) -> Known:
        """Journal the intent, write, journal what became of it. Without a journal there is no write."""
        if not self._record(actuator, known, Outcome.INTENDED, counts, now):
            log.error("setpoint refused: the journal cannot be written", resource=actuator.resource)
            return replace(known, decision=Refused(("the journal cannot be written",)), ramped_until=now)
        read_back: int | None = None
        result: WriteResult = await write_setpoint(plc, actuator, counts)
        after = replace(known, ramped_until=now)
        match result:
            case Verified(read_back=read_back):
                outcome, reason = Outcome.VERIFIED, ""
            case Differs(read_back=read_back):
                outcome, reason = Outcome.READ_BACK_DIFFERS, "the PLC holds another setpoint than was written"
            case LinkFault(reason=reason):
                outcome = Outcome.LINK_LOST
                after = replace(after, link_up=False)
            case _:
                assert_never(result)
        if read_back is not None and after.feedback is not None:
            after = replace(after, feedback=replace(after.feedback, read_back=read_back, at=self.clock.now()))
        self._record(actuator, after, outcome, counts, self.clock.now(), read_back=read_back, reason=reason)
        return replace(after, last_outcome=outcome)

    def _note_lost_link(self, actuator: Actuator, known: Known, fault: LinkFault, now: datetime) -> Known:
        if known.last_outcome is not Outcome.LINK_LOST:
            self._record(actuator, known, Outcome.LINK_LOST, None, now, reason=fault.reason)
        return replace(known, last_outcome=Outcome.LINK_LOST)

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
            link_up=known.link_up,
            fail_safe=isinstance(decision, FailSafe),
            refused=isinstance(decision, Refused),
            reason=_why(decision),
        )


def _target(plan: Plan | None) -> float | None:
    if plan is None:
        return None
    return plan.targets.target_value if isinstance(plan.targets, GenericTargets) else plan.targets.suggested_speed_hz


def _due(plan: Plan | None, actuator: Actuator) -> DuePlan | None:
    target = _target(plan)
    if plan is None or target is None:
        return None
    return DuePlan(target / actuator.scale, plan.plan_created_at, plan.interval_start, plan.interval_end)


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

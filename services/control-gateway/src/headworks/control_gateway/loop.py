"""The control loop: every tick, and at once when a plan arrives, each actuator is read, decided on, and written."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headworks.common.clock import Clock
from headworks.common.messages import ControlMode, ControlState, Outcome, Plan, ResourceState
from headworks.common.plan_manager import OptimizationPlanManager, PlanUpdate
from headworks.common.tasks import end_if_cancelled, together, wait_at_most
from headworks.control_gateway.batching import Block
from headworks.control_gateway.due import due_plan
from headworks.control_gateway.fencing import Fence
from headworks.control_gateway.heartbeat import Heartbeat
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.known import ALONE, Known, earned_since, seen_local, seen_running, seen_setpoint
from headworks.control_gateway.last_word import LastWord
from headworks.control_gateway.lead_board import LeadBoard, announced
from headworks.control_gateway.leading import leading
from headworks.control_gateway.lease import seconds
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.local_control import LocalControl
from headworks.control_gateway.plc import LinkFault, Plc, Snapshot
from headworks.control_gateway.pump_control import PumpControl, doubt_of
from headworks.control_gateway.pump_safety import Keep
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.safety import Hold
from headworks.control_gateway.setpoint_control import SetpointControl, with_reading
from headworks.control_gateway.state import interlock_of, resource_state
from headworks.control_gateway.station import Station
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.writer import take_fence

ALIVE_S = 10.0
"""Longer than a whole turn with a hung PLC."""
TOLD_AT_ONCE, PAUSE_S = 25, 0.005
"""Actuators whose state is gathered without a pause, and for how long: a write should not meet a piece at each of its steps."""


@dataclass
class ControlLoop:
    """Controls the actuators of one site.

    `leads` gathers who stands above the plan; `station` is what its pumps have in common, where it has pumps.
    """

    site: str
    actuators: tuple[Actuator, ...]
    plcs: Mapping[str, Plc]
    plans: OptimizationPlanManager
    switches: SwitchBoard
    journal: Journal
    clock: Clock
    tick_s: float
    leads: LeadBoard
    station: Station | None = None
    fences: Mapping[str, Fence] = field(default_factory=dict)
    """By PLC, where another gateway could lead."""
    leader: Callable[[], str | None] = lambda: None
    _known: dict[str, Known] = field(default_factory=dict)
    _of_plc: dict[str, list[Actuator]] = field(default_factory=dict)
    _wake: dict[str, asyncio.Event] = field(default_factory=dict)
    _planned: dict[str, set[str]] = field(default_factory=dict)
    """By PLC, the actuators with a plan that came since its last turn: they come first in the next one."""
    _blocks: dict[str, tuple[Block, ...]] = field(default_factory=dict)
    _ticked_s: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    findings: tuple[str, ...] = ()
    """What the last discovery found wrong in site files and plans."""
    clock_finding: str | None = None
    """What was done of late because somebody set the wall clock."""
    orders_ahead: dict[str, str] = field(default_factory=dict)
    """By gateway what is found of orders that it stamps in this one's future."""
    _ending: bool = False

    def __post_init__(self) -> None:
        """Hear of new plans."""
        self._recorder = Recorder(self.site, self.journal, self.changed)
        self._last_word = LastWord(self.switches, self.leads, self.clock)
        self._setpoints = SetpointControl(self.switches, self._recorder, self.clock, self._last_word)
        self._pumps = (
            None
            if self.station is None
            else PumpControl(self.station, self._setpoints, self.switches, self._recorder, self.clock, self._last_word)
        )
        self._local = LocalControl(self.leads.orders, self._recorder, self.clock, self._last_word)
        self._heartbeat = Heartbeat(self.plcs)
        for actuator in self.actuators:
            self._of_plc.setdefault(actuator.plc, []).append(actuator)
        self._plc_of = {actuator.resource: actuator.plc for actuator in self.actuators}
        self._wake = {name: asyncio.Event() for name in self._of_plc}
        self._planned = {name: set() for name in self._of_plc}
        self._blocks = {name: self._blocks_of(name) for name in self._wake}
        self.plans.register_callback(self._on_plan)
        before = self._recorder.held_before(self.actuators, self.clock.now())
        self._known = {resource: Known(held=held) for resource, held in before.items()}

    def _on_plan(self, _update: PlanUpdate, _old: int | None, _new: int, plan: Plan) -> None:
        plc = self._plc_of.get(plan.resource_id)
        if plc is not None:
            self._planned[plc].add(plan.resource_id)
            self._wake[plc].set()

    def wake(self) -> None:
        """Have every PLC's next turn begin at once: something was ordered or planned."""
        for wake in self._wake.values():
            wake.set()

    async def run(self) -> None:
        """Tick until it is to end; run it as a task. A hung PLC delays its own actuators alone."""
        await together(*(self._run_plc(name) for name in self._wake))

    def end_after_this_turn(self) -> None:
        """Let `run` end, once every PLC's turn is done; one that has not begun yet ends without a turn."""
        self._ending = True
        self.wake()

    def may_run_again(self) -> None:
        """What was to end has ended."""
        self._ending = False

    def is_alive(self) -> bool:
        """Whether every PLC's turn came round lately, whatever the PLC answered."""
        lately_s = time.monotonic() - ALIVE_S - 3 * self.tick_s
        return all(self._ticked_s.get(name, -math.inf) > lately_s for name in self._wake)

    async def _run_plc(self, name: str) -> None:
        wake, plc = self._wake[name], self.plcs[name]
        due_s = time.monotonic() + self.tick_s * (list(self._wake).index(name) / len(self._wake) - 1)
        try:
            while not self._ending:
                end_if_cancelled()
                wake.clear()
                self.switches.save_again()
                await self._turn(name)
                self._ticked_s[name] = now_s = time.monotonic()
                due_s = next_due_s(due_s, now_s, self.tick_s)
                await wait_at_most(wake, due_s - now_s)
        finally:
            plc.close()

    def _blocks_of(self, name: str) -> tuple[Block, ...]:
        """What a turn reads of a PLC: what its actuators and interlocks are decided on, and the tunnel's level."""
        wanted = [point.name for actuator in self._of_plc[name] for point in actuator.read]
        level = self.station.limits.level_points.get(name) if self.station else None
        shared = [*([level.name] if level else []), *self.leads.trips.point_names(name)]
        fence = self.fences.get(name)
        if fence is not None and fence.point is not None:
            shared.append(fence.point.point.name)
        return self.plcs[name].points.blocks(*dict.fromkeys([*wanted, *shared]))

    async def _leads(self, name: str, snapshot: Snapshot, asked_s: float) -> int | None:
        """The epoch with which this gateway may write the PLC now: it leads, and the PLC has it. None while it may not."""
        fence = self.fences.get(name)
        if fence is None:
            return ALONE
        if fence.point is not None:
            epoch = snapshot.counts(fence.point.point)
            if not isinstance(epoch, LinkFault):
                fence.saw(epoch, asked_s)
        if fence.term.held is None or not await take_fence(self.plcs[name], fence):
            return None
        return fence.settled_epoch

    @property
    def is_standby(self) -> bool:
        """Whether another gateway speaks for the site: one leads, and it is not this one."""
        held = any(fence.term.held is not None for fence in self.fences.values())
        return bool(self.fences) and not held and self.leader() is not None

    def reaches(self) -> bool:
        """Whether any PLC of the site answers."""
        return any(known.link_up for known in self._known.values())

    async def _turn(self, name: str) -> None:
        """All actuators of one PLC, once, on one snapshot of it: the tunnel's level first."""
        plc, asked_s, fence = self.plcs[name], seconds(), self.fences.get(name)
        planned, self._planned[name] = self._planned[name], set()
        self.journal.try_again()
        settled = ALONE if fence is None else fence.settled_epoch
        snapshot, at = await plc.read(self._blocks[name]), self.clock.now()
        if self.station is not None and name in self.station.limits.level_points:
            level = snapshot.counts(self.station.limits.level_points[name])
            if not isinstance(level, LinkFault):
                self.station.saw_level(name, level, at)
        self.leads.trips.saw(name, snapshot, at)
        if self.leads.trips.judge(at):
            self.changed.set()
        leads = await self._leads(name, snapshot, asked_s)
        self._judge_available()
        for actuator in sorted(self._of_plc[name], key=lambda of: of.resource not in planned):
            if plc.connection != snapshot.connection:  # a write lost it: what was read before says nothing of now
                snapshot, at = await plc.read(self._blocks[name]), self.clock.now()
            under = ALONE if fence is None else fence.leads_under(settled)
            await self._tick(actuator, plc, snapshot, at, leads=leads, under=under)
        if leads is not None and await self._heartbeat.beat(name, plc):
            self.changed.set()

    def _judge_available(self) -> None:
        """Which pumps may be called, all before the first is decided on: an order of a person holds for all at once."""
        for actuator in self.actuators if self._pumps is not None else ():
            known = self._known.get(actuator.resource)
            if self._pumps is not None and actuator.run is not None and known is not None and known.lead is not None:
                mode = self.leads.mode(self.switches.now.mode, actuator.resource)
                self._pumps.judge_available(actuator, known, known.lead, mode)

    async def _tick(
        self,
        actuator: Actuator,
        plc: Plc,
        snapshot: Snapshot,
        at: datetime,
        *,
        leads: int | None = ALONE,
        under: int | None = ALONE,
    ) -> None:
        """One actuator, once, on what was read `at` an instant.

        `leads`: with which epoch this gateway may write (None: not); `under` which nobody else writes (None: another may).
        """
        before = self._known.get(actuator.resource, Known())
        known = self._seen(actuator, snapshot, before, at)
        now = self.clock.now()
        if isinstance(known, LinkFault):
            plan = self.plans.current(self.site, actuator.resource, now)
            lost = before._replace(plan=plan)
            known = self._without_link(actuator, lost, known, now, noted=before.link_up is False or leads is None)
        else:
            ramped_until = before.ramped_until if earned_since(before, known, leads) else now
            plan = self.plans.current(self.site, actuator.resource, now)
            silent = self.leads.silence(None if plan is None else self.plans.newest_at(plan), now)
            plan = None if silent else plan
            mode = self.leads.mode(self.switches.now.mode, actuator.resource)
            known = known._replace(link_up=True, plan=plan, mode=mode, ramped_until=ramped_until)
            known = known._replace(led=leads, leads_under=under)
            if leads is not None:
                known = await self._follow(actuator, plc, known, silent, now)
            else:
                known = self._watch(actuator, known, now)
        self._known[actuator.resource] = known
        if _news(known) != _news(before):
            self.changed.set()

    def _seen(self, actuator: Actuator, snapshot: Snapshot, before: Known, at: datetime) -> Known | LinkFault:
        """What is known once the actuator's points are read."""
        feedback, local = seen_setpoint(snapshot, actuator, at), seen_local(snapshot, actuator)
        if isinstance(feedback, LinkFault):
            return feedback
        if isinstance(local, LinkFault):
            return local
        if actuator.run is None or self.station is None:
            return before._replace(feedback=feedback, local=local)
        pump = seen_running(snapshot, actuator.run)
        if isinstance(pump, LinkFault):
            return pump
        run = self.station.saw(actuator.resource, pump, at)
        return before._replace(feedback=feedback, local=local, run=run, power_kw=pump.power_kw)

    def _watch(self, actuator: Actuator, known: Known, now: datetime) -> Known:
        """What a gateway that does not lead remembers, so that it can from one moment to the next: no rate is earned."""
        standing = known.run is not None and not known.run.running and doubt_of(actuator, known) is None
        known = with_reading(actuator.limits, known, standing=standing)
        why = f"{self.leader() or 'no gateway'} leads"
        run_decision = None
        if self.station is not None and actuator.run is not None:
            self.station.duty(actuator.resource, now)
            run_decision = Keep(why)
        known = known._replace(decision=Hold(why), run_decision=run_decision, ramped_until=now)
        return known._replace(ramping=False, level_memory=None, lead=None)

    async def _follow(self, actuator: Actuator, plc: Plc, known: Known, silent: str | None, now: datetime) -> Known:
        """Who leads the actuator, told to the journal and, where that is its own control, to the PLC; then what is due."""
        pumps = self._pumps if actuator.run is not None else None
        known = known._replace(stood=self._last_word.stood(actuator.resource))
        asked = due_plan(known.plan, actuator) if pumps is None else None
        wishes = self.leads.wishes(actuator, silent, self._local.of_others(actuator, known), now, asked)
        if pumps is None:
            known = known._replace(lead=leading(actuator.resource, wishes, now))
        else:
            known = pumps.led(actuator, known, wishes, now)
        lead = known.lead
        assert lead is not None, "just set"
        if known.mode is ControlMode.AUTO and self.switches.stopped(actuator.resource) is None:
            known = announced(self._recorder, actuator, known, lead, now)
            known = await self._local.settle(actuator, plc, known, lead, now)
            if not known.link_up:
                return known
        if pumps is None:
            return await self._setpoints.follow(actuator, plc, known, lead, now)
        return await pumps.follow(actuator, plc, known, lead, now)

    def _without_link(self, actuator: Actuator, known: Known, fault: LinkFault, now: datetime, *, noted: bool) -> Known:
        """Nothing is decided on what is not seen; a lost link is recorded once."""
        if self.station is not None and actuator.run is not None:
            self.station.lost(actuator.resource)
        if not noted:
            self._recorder.setpoint(actuator, known.plan, Outcome.LINK_LOST, now, reason=fault.reason)
        known = known._replace(link_up=False, decision=None, run_decision=None)
        return known._replace(ramped_until=now, ramping=False, level_memory=None)

    def record_order(self, order: str, resource: str | None = None) -> bool:
        """Journal a person's order for one actuator, or for all; False when the journal cannot be written."""
        now = self.clock.now()
        ordered = [actuator for actuator in self.actuators if resource in {None, actuator.resource}]
        known = [(actuator, self._known.get(actuator.resource, Known())) for actuator in ordered]
        noted = [self._recorder.setpoint(a, of.plan, Outcome.HELD, now, reason=order) for a, of in known]
        return all(noted) and self.journal.sync()

    def state(self) -> ControlState:
        """What is known now, for people and the bus."""
        return self._state([self._resource_state(actuator) for actuator in self.actuators])

    async def state_in_pieces(self) -> ControlState:
        """The same, while control goes on between its pieces."""
        told: list[ResourceState] = []
        for actuator in self.actuators:
            told.append(self._resource_state(actuator))
            if len(told) % TOLD_AT_ONCE == 0:
                await asyncio.sleep(PAUSE_S)
        return self._state(told)

    def _resource_state(self, actuator: Actuator) -> ResourceState:
        known, now = self._known.get(actuator.resource, Known()), self.clock.now()
        override = self.leads.orders.override_of(actuator.resource, now)
        return resource_state(actuator, known, override, self.plans.confirmed_at, now, self._stopped(actuator))

    def _state(self, resources: Sequence[ResourceState]) -> ControlState:
        now, switches, station = self.clock.now(), self.switches.now, self.station
        press = self.switches.stopped()
        waiting = self.switches.e_stops.waiting(press.scope) if press else None
        return ControlState(
            site=self.site,
            at=now,
            mode=switches.mode,
            e_stop=switches.e_stop,
            e_stop_by=switches.e_stop_by if switches.e_stop else None,
            resources=tuple(resources),
            level_m=station.level_m(now) if station else None,
            interlock=interlock_of(station.tripped) if station else None,
            findings=(*self.findings, *filter(None, (self.clock_finding, *self.orders_ahead.values()))),
            gateway=self.journal.gateway,
            leader=self.leader() if self.fences else self.journal.gateway,
            e_stop_scope=str(press.scope) if press else None,
            e_stop_clear_requested_by=waiting.by if waiting else None,
            e_stop_clear_requested_at=waiting.at if waiting else None,
            interlocks=self.leads.trips.told(),
            heartbeat_lost=tuple(sorted(self._heartbeat.lost)),
        )

    def _stopped(self, actuator: Actuator) -> str | None:
        """Who stopped an actuator, if anybody did."""
        press = self.switches.stopped(actuator.resource)
        return press.told if press else None


def next_due_s(due_s: float, now_s: float, tick_s: float) -> float:
    """When a PLC's turn is due next: at its own times, however late the last one was: PLCs never come all at once."""
    return due_s if now_s < due_s else due_s + tick_s * (1 + (now_s - due_s) // tick_s)


def _news(known: Known) -> tuple[object, ...]:
    """What people are told of at once when it changes."""
    run = known.run and (known.run.running, known.run.commanded)
    return known.decision, known.run_decision, known.link_up, known.plan, run, known.told, known.mode

"""Makes journal entries: what was decided on an actuator, on which plan, and what the PLC then held."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headworks.common.messages import Outcome, Plan, Quantity, Setpoint
from headworks.control_gateway.due import target_of
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.movement import Held, with_seen
from headworks.control_gateway.pump_safety import OFF

RUN_UNIT = "on"
"""The unit of a run command: 1 run, 0 stand."""
LOCAL_UNIT = "local"
"""The unit of who leads: 1 the PLC's own control, 0 the gateway."""


@dataclass
class Recorder:
    """Writes one site's entries; `changed` is set with each."""

    site: str
    journal: Journal
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def setpoint(
        self,
        actuator: Actuator,
        plan: Plan | None,
        outcome: Outcome,
        at: datetime,
        *,
        counts: int | None = None,
        read_back: int | None = None,
        violations: tuple[str, ...] = (),
        reason: str = "",
    ) -> bool:
        """Record a decision on a setpoint; False when the journal cannot be written. Who writes then waits until it is synced."""
        values = {
            "unit": actuator.unit,
            "requested": target_of(plan),
            "enforced": actuator.value(counts),
            "read_back": actuator.value(read_back),
        }
        return self._append(actuator, plan, outcome, at, violations, reason, Quantity.SETPOINT, values, sync=False)

    def held_before(self, actuators: Iterable[Actuator], now: datetime) -> dict[str, tuple[Held, ...]]:
        """What the PLCs held of late, so far as it was written from here, of the actuators whose change has a window."""
        bound = {a.resource: (a, a.limits.max_change) for a in actuators if a.limits.max_change}
        held: dict[str, tuple[Held, ...]] = {}
        longest_s = max((limit.within_s for _, limit in bound.values()), default=0.0)
        for entry in self.journal.since(now - timedelta(seconds=longest_s), self.site) if bound else ():
            if entry.quantity is Quantity.SETPOINT and entry.resource in bound:
                actuator, limit = bound[entry.resource]
                values = [round(actuator.counts(v)) for v in (entry.read_back, entry.enforced) if v is not None]
                for counts in filter(actuator.limits.station.holds, values):
                    held[entry.resource] = with_seen(limit, held.get(entry.resource, ()), counts, min(entry.at, now))
        return held

    def run(
        self,
        actuator: Actuator,
        plan: Plan | None,
        outcome: Outcome,
        at: datetime,
        *,
        on: bool | None = None,
        read_back: int | None = None,
        violations: tuple[str, ...] = (),
        reason: str = "",
    ) -> bool:
        """Record a decision on a run command; False when the journal cannot be written."""
        requested = target_of(plan)
        values = {
            "unit": RUN_UNIT,
            "requested": None if requested is None else float(requested != OFF),
            "enforced": None if on is None else float(on),
            "read_back": None if read_back is None else float(read_back),
        }
        return self._append(actuator, plan, outcome, at, violations, reason, Quantity.RUN, values, sync=True)

    def local(
        self,
        actuator: Actuator,
        plan: Plan | None,
        outcome: Outcome,
        at: datetime,
        *,
        local: bool,
        read_back: int | None = None,
        reason: str = "",
    ) -> bool:
        """Record an order to the PLC that its own control leads, or the gateway; False when the journal cannot be written."""
        values = {
            "unit": LOCAL_UNIT,
            "requested": None,
            "enforced": float(local),
            "read_back": None if read_back is None else float(read_back),
        }
        return self._append(actuator, plan, outcome, at, (), reason, Quantity.LOCAL, values, sync=True)

    def _append(
        self,
        actuator: Actuator,
        plan: Plan | None,
        outcome: Outcome,
        at: datetime,
        violations: tuple[str, ...],
        reason: str,
        quantity: Quantity,
        values: Mapping[str, str | float | None],
        *,
        sync: bool,
    ) -> bool:
        entry = Setpoint.model_validate(
            {
                "setpoint_id": uuid.uuid4().hex,
                "site": self.site,
                "resource": actuator.resource,
                "at": at,
                "outcome": outcome,
                "violations": violations,
                "reason": reason,
                "plan_id": plan.plan_id if plan else None,
                "plan_version": plan.plan_version if plan else None,
                "quantity": quantity,
                **values,
            }
        )
        self.changed.set()
        return self.journal.append(entry, sync=sync)

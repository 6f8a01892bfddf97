"""OptimizationPlanManager: the client's view of the active plans, kept current by bus events and steady refreshes.

It survives the loss of the bus and of the service: it goes on with what it knows until that runs out, and says how old its
knowledge is. What it knows is kept in a file, so that a restart with everything else down goes on too.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import httpx
import structlog
from pydantic import TypeAdapter, ValidationError

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.messages import Plan, PlanStatus, PumpTargets
from headworks.common.subjects import PLAN_EVENT
from headworks.common.tasks import together

log = structlog.get_logger(__name__)
_plans = TypeAdapter(list[Plan])
ENDED_KEPT = 10_000
"""Ids of ended plans that are remembered: such a plan never comes back, however late it is heard of."""


class PlanUpdate(StrEnum):
    """What a callback is told."""

    NEW_PUMP_PLAN = "NEW_PUMP_PLAN"
    PUMP_PLAN_UPDATE = "PUMP_PLAN_UPDATE"
    NEW_GENERIC_PLAN = "NEW_GENERIC_PLAN"
    GENERIC_PLAN_UPDATE = "GENERIC_PLAN_UPDATE"


Callback = Callable[[PlanUpdate, int | None, int, Plan], None]
"""Called with the update type, the old version (None for a new plan), the new version, and the plan."""


class OptimizationPlanManager:
    """Holds the active plans of one site in memory."""

    def __init__(
        self,
        site: str,
        client: httpx.AsyncClient,
        bus: Bus,
        clock: Clock,
        *,
        cache_file: Path | None = None,
        optimization_monitoring_enabled: bool = True,
        optimization_refresh_seconds: float = 30,
    ) -> None:
        self._site, self._client, self._bus, self._clock = site, client, bus, clock
        self._cache_file = cache_file
        self._enabled = optimization_monitoring_enabled
        self._refresh_s = optimization_refresh_seconds
        self._by_id: dict[int, Plan] = {}
        self._by_resource: dict[tuple[str, str], list[Plan]] = {}
        self._ended: set[int] = set()
        self._callbacks: list[Callback] = []
        self.confirmed_at: datetime | None = None
        """When the service last confirmed what is held here (plant time)."""
        self._read_cache()

    def register_callback(self, callback: Callback) -> None:
        """Be told of new and updated plans."""
        self._callbacks.append(callback)

    async def start_monitoring(self) -> None:
        """Keep current for ever; run it as a task."""
        if not self._enabled:
            await asyncio.Event().wait()
        await together(self._hear_events(), self._refresh_steadily())

    def get_current_pump_plan(self, station_id: str, pump_id: str) -> Plan | None:
        """The pump plan in force now."""
        plan = self.current(station_id, pump_id, self._clock.now())
        return plan if plan is not None and isinstance(plan.targets, PumpTargets) else None

    def get_current_generic_plan(self, station_id: str, resource_id: str) -> Plan | None:
        """The generic plan in force now."""
        plan = self.current(station_id, resource_id, self._clock.now())
        return None if plan is None or isinstance(plan.targets, PumpTargets) else plan

    def current(self, station_id: str, resource_id: str, now: datetime) -> Plan | None:
        """The plan in force: the highest priority of those whose interval holds `now`, then the newest."""
        of_resource = self._by_resource.get((station_id, resource_id), [])
        holding = (p for p in of_resource if p.interval_start <= now < p.interval_end)
        return max(holding, key=lambda p: (p.plan_priority, p.plan_id), default=None)

    def newest_at(self, station_id: str, resource_id: str) -> datetime | None:
        """When the newest plan of an actuator was made, of those that are not over; None without one."""
        of_resource = self._by_resource.get((station_id, resource_id), [])
        return max((p.plan_created_at for p in of_resource), default=None)

    @property
    def resources(self) -> frozenset[str]:
        """The actuators that plans are known for."""
        return frozenset(p.resource_id for p in self._by_id.values())

    async def refresh(self) -> bool:
        """Ask the service for all active plans; False when it does not answer. What events said meanwhile is newer."""
        held = set(self._by_id)
        try:
            response = await self._client.get("/plans/active", params={"station": self._site})
            response.raise_for_status()
            plans = _plans.validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("plans not refreshed", site=self._site, error=repr(error))
            return False
        gone = held - {p.plan_id for p in plans}
        self._hold(plans, ended=gone)
        self.confirmed_at = self._clock.now()
        return True

    async def _refresh_steadily(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(self._refresh_s)

    async def _hear_events(self) -> None:
        async for event, _delivery in self._bus.follow(PLAN_EVENT, site=self._site):
            self._ended = set(sorted(self._ended | set(event.ended_plan_ids))[-ENDED_KEPT:])
            self._hold(event.plans, ended=set(event.ended_plan_ids))
            self.confirmed_at = self._clock.now()

    def _hold(self, plans: Iterable[Plan], ended: set[int]) -> None:
        before, known_of = dict(self._by_id), self._by_resource
        for plan_id in ended:
            self._by_id.pop(plan_id, None)
        known = before.keys() | self._ended
        arrived = [p for p in plans if p.plan_status is PlanStatus.ACTIVE and p.plan_id not in known]
        self._by_id.update((p.plan_id, p) for p in arrived)
        if arrived or ended:
            self._forget_the_past()
            self._by_resource = _by_resource(self._by_id.values())
            self._write_cache()
        for plan in arrived:
            self._tell(plan, known_of.get((plan.station_id, plan.resource_id), []))

    def _tell(self, plan: Plan, before: Iterable[Plan]) -> None:
        same = [
            p.plan_version
            for p in before
            if p.interval_start < plan.interval_end and p.interval_end > plan.interval_start
        ]
        old_version = max(same, default=None)
        pump = isinstance(plan.targets, PumpTargets)
        if old_version is None:
            update = PlanUpdate.NEW_PUMP_PLAN if pump else PlanUpdate.NEW_GENERIC_PLAN
        else:
            update = PlanUpdate.PUMP_PLAN_UPDATE if pump else PlanUpdate.GENERIC_PLAN_UPDATE
        for callback in self._callbacks:
            callback(update, old_version, plan.plan_version, plan)

    def _forget_the_past(self) -> None:
        now = self._clock.now()
        self._by_id = {i: p for i, p in self._by_id.items() if p.interval_end > now}

    def _read_cache(self) -> None:
        if self._cache_file is None or not self._cache_file.exists():
            return
        try:
            plans = _plans.validate_json(self._cache_file.read_bytes())
        except (OSError, ValidationError) as error:
            log.warning("cached plans cannot be read", file=self._cache_file.name, error=str(error))
            return
        self._by_id = {p.plan_id: p for p in plans}
        self._by_resource = _by_resource(plans)

    def _write_cache(self) -> None:
        if self._cache_file is None:
            return
        part = self._cache_file.with_suffix(".part")
        try:
            self._cache_file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_plans.dump_json(list(self._by_id.values())))
            part.replace(self._cache_file)
        except OSError as error:  # what is held in memory is followed all the same
            log.warning("plans not cached: a restart would not know them", site=self._site, error=repr(error))


def _by_resource(plans: Iterable[Plan]) -> dict[tuple[str, str], list[Plan]]:
    """The plans of each actuator: eight pumps with a day of quarter hours are asked for at every tick."""
    found: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        found.setdefault((plan.station_id, plan.resource_id), []).append(plan)
    return found

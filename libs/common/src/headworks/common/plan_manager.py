"""OptimizationPlanManager: the client's view of the active plans, kept current by bus events and steady refreshes.

It survives the loss of the bus and of the service: it goes on with what it knows until that runs out, and says how old its
knowledge is. What it knows is kept in a file, so that a restart with everything else down goes on too.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from json import JSONDecoder
from pathlib import Path
from typing import Any

import httpx
import structlog

from headworks.common.bus import Bus
from headworks.common.client import UNANSWERED
from headworks.common.clock import Clock
from headworks.common.messages import Plan, PlanStatus, PumpTargets
from headworks.common.plan_cache import PlanCache
from headworks.common.subjects import PLAN_EVENT
from headworks.common.tasks import together

log = structlog.get_logger(__name__)
_json, _space = JSONDecoder(), re.compile(r"[ \t\n\r]*")
AT_ONCE = 50
"""Plans that are read without a pause; a thousand actuators with a day of quarter hours have a hundred thousand."""
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
        self._enabled = optimization_monitoring_enabled
        self._refresh_s = optimization_refresh_seconds
        self._by_id: dict[int, Plan] = {}
        self._cache = None if cache_file is None else PlanCache(cache_file, self._by_id.values)
        self._by_id.update((p.plan_id, p) for p in (self._cache.read() if self._cache else ()))
        self._by_resource = _by_actuator(self._by_id.values())
        self._begun_at = clock.now()
        self._made_at: dict[tuple[str, str, str], datetime] = {}
        """When each publisher last made a plan for an actuator."""
        self._note_made(self._by_id.values())
        self._ended: set[int] = set()
        self._answer: list[Plan] = []
        self._answer_tag: str | None = None
        self._callbacks: list[Callback] = []
        self.confirmed_at: datetime | None = None
        """When the service last confirmed what is held here (plant time)."""

    def register_callback(self, callback: Callback) -> None:
        """Be told of new and updated plans."""
        self._callbacks.append(callback)

    async def start_monitoring(self) -> None:
        """Keep current for ever; run it as a task."""
        if not self._enabled:
            await asyncio.Event().wait()
        keeping = (self._cache.keep(),) if self._cache else ()
        await together(self._hear_events(), self._refresh_steadily(), *keeping)

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
        return max(holding, key=lambda p: (p.plan_priority, p.plan_created_at, p.plan_id), default=None)

    def newest_at(self, plan: Plan) -> datetime:
        """When the plan's publisher itself last made one for the actuator; what a person changed in its name does not count.

        Where nothing but such changes was ever heard here, when this began.
        """
        return self._made_at.get((*_actuator(plan), plan.publisher), self._begun_at)

    @property
    def resources(self) -> frozenset[str]:
        """The actuators that plans are known for."""
        return frozenset(p.resource_id for p in self._by_id.values())

    async def refresh(self) -> bool:
        """Ask the service for all active plans; False when it does not answer. What events said meanwhile is newer."""
        held = set(self._by_id)
        try:
            plans = await self._ask()
        except (*UNANSWERED, ValueError) as error:
            log.warning("plans not refreshed", site=self._site, error=repr(error))
            return False
        gone = held - {p.plan_id for p in plans}
        self._remember_ended(gone)  # or an event that is late would bring them back until the next refresh
        self._hold(plans, ended=gone)
        self.confirmed_at = self._clock.now()
        return True

    async def _ask(self) -> list[Plan]:
        """The active plans as the service has them. Where it has the same as before, it says only that: reading a thousand
        actuators' plans again takes long. Raises UNANSWERED or ValueError.
        """
        tag = self._answer_tag
        headers = {} if tag is None else {"If-None-Match": tag}
        response = await self._client.get("/plans/active", params={"station": self._site}, headers=headers)
        if tag is None or response.status_code != httpx.codes.NOT_MODIFIED:
            response.raise_for_status()
            self._answer = await self._read(response.content)
            self._answer_tag = response.headers.get("ETag")
        return self._answer

    async def _read(self, content: bytes) -> list[Plan]:
        """The plans of an answer, while others go on between its pieces. Raises ValueError.

        A plan's content never changes under its id: what is held is not read again.
        """
        plans: list[Plan] = []
        for row in _elements(content.decode()):
            plans.append(self._held(row) or Plan.model_validate(row))
            if len(plans) % AT_ONCE == 0:
                await asyncio.sleep(0)
        return plans

    def _held(self, row: object) -> Plan | None:
        """The plan that is held already, if an answer's row is of one, and active."""
        if not isinstance(row, dict) or not isinstance(row.get("plan_id"), int):
            return None
        held = self._by_id.get(row["plan_id"])
        same = held is not None and (row.get("plan_version"), row.get("plan_status")) == (held.plan_version, "ACTIVE")
        return held if same else None

    async def _refresh_steadily(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(self._refresh_s)

    async def _hear_events(self) -> None:
        async for event, _delivery in self._bus.follow(PLAN_EVENT, site=self._site):
            self._remember_ended(event.ended_plan_ids)
            self._hold(event.plans, ended=set(event.ended_plan_ids))
            self.confirmed_at = self._clock.now()

    def _remember_ended(self, plan_ids: Iterable[int]) -> None:
        self._ended.update(plan_ids)
        if len(self._ended) > 2 * ENDED_KEPT:
            self._ended = set(sorted(self._ended)[-ENDED_KEPT:])

    def _hold(self, plans: Iterable[Plan], ended: set[int]) -> None:
        """Take over what is new, and drop what has ended and the past of the same actuators: no others are touched."""
        active = {p.plan_id: p for p in plans if p.plan_status is PlanStatus.ACTIVE}
        arrived = [p for plan_id, p in active.items() if not (plan_id in self._by_id or plan_id in self._ended)]
        left = [p for plan_id in ended if (p := self._by_id.pop(plan_id, None)) is not None]
        if not arrived and not left:
            return
        before = {_actuator(p): self._by_resource.get(_actuator(p), []) for p in (*arrived, *left)}
        self._by_id.update((p.plan_id, p) for p in arrived)
        self._note_made(arrived)
        for actuator, newer in _by_actuator(arrived, before).items():
            self._by_resource[actuator] = self._not_over([*before[actuator], *newer])
        if self._cache:
            self._cache.changed()
        for plan in arrived:
            self._tell(plan, before[_actuator(plan)])

    def _note_made(self, plans: Iterable[Plan]) -> None:
        """Remember when their publishers made plans: a change by a person takes the place of the plan that it changes."""
        for plan in plans:
            if not plan.is_edit:
                key = (*_actuator(plan), plan.publisher)
                self._made_at[key] = max(plan.plan_created_at, self._made_at.get(key, plan.plan_created_at))

    def _not_over(self, plans: list[Plan]) -> list[Plan]:
        """Those that are held, without the past, which is dropped."""
        now = self._clock.now()
        for plan in plans:
            if plan.interval_end <= now:
                self._by_id.pop(plan.plan_id, None)
        return [p for p in plans if p.plan_id in self._by_id]

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


def _elements(text: str) -> Iterator[Any]:
    """The elements of a JSON array, each read when it is asked for. Raises ValueError where it is none."""
    at = _skip(text, _past(text, _skip(text, 0), "["))
    if text[at : at + 1] != "]":
        while True:
            element, at = _json.raw_decode(text, at)
            yield element
            at = _skip(text, at)
            if text[at : at + 1] == "]":
                break
            at = _skip(text, _past(text, at, ","))
    if _skip(text, at + 1) != len(text):
        raise ValueError(f"the array ends at {at}, the text at {len(text)}")


def _past(text: str, at: int, expected: str) -> int:
    if text[at : at + 1] != expected:
        raise ValueError(f"{expected!r} expected at {at}, got {text[at : at + 20]!r}")
    return at + 1


def _skip(text: str, at: int) -> int:
    """Past what stands between two parts of JSON."""
    found = _space.match(text, at)
    return at if found is None else found.end()


def _actuator(plan: Plan) -> tuple[str, str]:
    return plan.station_id, plan.resource_id


def _by_actuator(plans: Iterable[Plan], besides: Iterable[tuple[str, str]] = ()) -> dict[tuple[str, str], list[Plan]]:
    """The plans of each actuator, and of some besides that may have none: these are asked for at every tick."""
    found: dict[tuple[str, str], list[Plan]] = {actuator: [] for actuator in besides}
    for plan in plans:
        found.setdefault(_actuator(plan), []).append(plan)
    return found

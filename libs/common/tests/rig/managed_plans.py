"""The neighbour that keeps the plans, as a test wants it to answer, and managers that ask it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanChange,
    PlanEvent,
    PlanStatus,
    ResourceType,
    TargetType,
)
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.subjects import PLAN_EVENT
from headworks.common.tasks import in_background

NOW = datetime(2026, 2, 17, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-18)


def plan(plan_id: int, version: int = 1, start_h: int = -1, hours: int = 2, **changes: object) -> Plan:
    """A plan of OXPH around now."""
    good: dict[str, object] = {
        "plan_id": plan_id,
        "station_id": "abay",
        "resource_id": "OXPH",
        "resource_type": ResourceType.TURBINE,
        "interval_start": NOW + start_h * HOUR,
        "interval_end": NOW + (start_h + hours) * HOUR,
        "targets": GenericTargets(target_type=TargetType.POWER, target_value=float(version)),
        "plan_version": version,
        "plan_priority": 1,
        "plan_status": PlanStatus.ACTIVE,
        "publisher": "optimizer",
        "submission_id": f"s{plan_id}",
        "optimization_run_id": None,
        "superseded_by": None,
        "plan_created_at": NOW,
        "plan_updated_at": NOW,
    }
    return Plan.model_validate(good | changes)


class Plans:
    """The neighbour that keeps the plans: what it answers, and when, is the test's choice."""

    def __init__(self) -> None:
        self.active: list[Plan] = []
        self.status = 200
        self.body: bytes | None = None
        self.before_answer: Callable[[], None] = lambda: None
        self.answered: list[int] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """All active plans, as they were when the question came."""
        assert (request.url.path, request.url.params["station"]) == ("/plans/active", "abay")
        content = self.body if self.body is not None else TypeAdapter(list[Plan]).dump_json(self.active)
        self.before_answer()
        tag = f'"{hash(content)}"'
        same = self.status == 200 and request.headers.get("If-None-Match") == tag
        self.answered.append(304 if same else self.status)
        return httpx.Response(self.answered[-1], content=b"" if same else content, headers={"ETag": tag})


@asynccontextmanager
async def managing(
    plans: Plans, bus: Bus, cache: Path | None = None, refresh_s: float = 0.05
) -> AsyncIterator[OptimizationPlanManager]:
    """A manager that has been refreshed once and goes on by itself."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(plans.answer), base_url="http://plans") as client:
        manager = OptimizationPlanManager(
            "abay", client, bus, CLOCK, cache_file=cache, optimization_refresh_seconds=refresh_s
        )
        async with in_background(manager.start_monitoring()):
            yield manager


def silent(plans: Plans, bus: Bus, cache: Path | None = None) -> OptimizationPlanManager:
    """A manager that does only what it is asked."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(plans.answer), base_url="http://plans")
    return OptimizationPlanManager("abay", client, bus, CLOCK, cache_file=cache)


async def tell(bus: Bus, event_id: str, *new: Plan, ended: tuple[int, ...] = ()) -> None:
    event = PlanEvent(
        event_id=event_id,
        site="abay",
        resource="OXPH",
        at=NOW,
        change=PlanChange.SUBMITTED,
        by="optimizer",
        plans=new,
        ended_plan_ids=ended,
    )
    await bus.publish(PLAN_EVENT, event, message_id=event_id, site="abay", resource="OXPH")


def current_id(manager: OptimizationPlanManager) -> int | None:
    found = manager.get_current_generic_plan("abay", "OXPH")
    return found.plan_id if found else None

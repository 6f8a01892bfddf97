"""Reading plans: in force, effective, active, at a past instant, all versions, and how two of them differ."""

from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from headworks.common.auth import Viewer
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import Instant, Plan, PlannedActuator
from headworks.common.problems import Problem
from headworks.plans.api.changes import existing
from headworks.plans.difference import FieldDifference, difference
from headworks.plans.effective import EffectiveSpan, effective_spans
from headworks.plans.etags import TAGGED, tagged
from headworks.plans.paging import PAGED, Cursor, Limit, cursor_after, key_of, next_link
from headworks.plans.parameters import End, PlanId, Resource, Start, Station, check_span
from headworks.plans.record import known_at
from headworks.plans.store import PlanStore


def add_plan_routes(app: FastAPI, store: PlanStore, database: Database, clock: Clock) -> None:
    """What is planned, and what was. A single version comes last: its path would take the others' names for ids."""
    _add_in_force(app, store, database, clock)
    _add_past(app, store, database)
    _add_versions(app, store)


def _add_in_force(app: FastAPI, store: PlanStore, database: Database, clock: Clock) -> None:
    """What is planned, and who leads."""

    @app.get("/plans/active", response_model=list[Plan], responses=TAGGED)
    async def active(request: Request, station: Station, _caller: Viewer, resource: Resource | None = None) -> Response:
        """The active plans that have not ended."""
        return tagged(request, await store.active(station, clock.now(), resource))

    @app.get("/plans/actuators", response_model=list[PlannedActuator], responses=TAGGED)
    async def planned(request: Request, _caller: Viewer) -> Response:
        """The actuators of every station that have an active plan which has not ended."""
        return tagged(request, await store.planned(clock.now()))

    @app.get("/plans/current", response_model=Plan, responses={**TAGGED, 404: {"description": "No plan is in force"}})
    async def current(
        request: Request, station: Station, resource: Resource, _caller: Viewer, at: Instant | None = None
    ) -> Response:
        """The plan in force now, or at an instant."""
        instant: datetime = at or clock.now()
        plan = await store.current(station, resource, instant)
        if plan is None:
            raise Problem(404, "No plan is in force", f"{station}/{resource} at {instant.isoformat()}")
        return tagged(request, plan)

    @app.get("/plans/current/all", response_model=list[Plan], responses=TAGGED)
    async def current_of_all(
        request: Request, station: Station, _caller: Viewer, at: Instant | None = None
    ) -> Response:
        """The plan in force now, or at an instant, of every actuator of the station that has one."""
        return tagged(request, (await store.current_of_all(station, at or clock.now())).encode())

    @app.get("/plans/effective", response_model=list[EffectiveSpan], responses=TAGGED)
    async def effective(
        request: Request,
        station: Station,
        start: Start,
        end: End,
        _caller: Viewer,
        resource: Resource | None = None,
        as_of: Annotated[Instant | None, Query(description="as it was known then; now where it is not given")] = None,
    ) -> Response:
        """Which plan leads when within a span, of one actuator or all; the plans that lose to it beside."""
        check_span(start, end)
        if as_of is None:
            return tagged(request, await store.effective(station, resource, start, end))
        known = await known_at(database, station, resource, as_of, start, end)
        return tagged(request, effective_spans(known, start, end))


def _add_past(app: FastAPI, store: PlanStore, database: Database) -> None:
    """What was known at an instant, and all versions."""

    @app.get("/plans/as-of", response_model=list[Plan], responses=TAGGED)
    async def as_of(
        request: Request, station: Station, at: Instant, _caller: Viewer, resource: Resource | None = None
    ) -> Response:
        """The versions that were active at a past instant and had not ended then. Each shows what has become of it since."""
        return tagged(request, await known_at(database, station, resource, at, at, None))

    @app.get("/plans/history", response_model=list[Plan], responses={**PAGED, **TAGGED})
    async def history(
        request: Request,
        station: Station,
        resource: Resource,
        _caller: Viewer,
        limit: Limit = 200,
        cursor: Cursor = None,
        before_plan_id: PlanId | None = None,
    ) -> Response:
        """All versions, newest first. The link goes on; `before_plan_id` does the same by hand."""
        key = key_of(cursor, int)
        plans = await store.history(station, resource, limit + 1, key[0] if key else before_plan_id)
        more = cursor_after(plans[limit - 1].plan_id) if len(plans) > limit else None
        return tagged(request, plans[:limit], next_link(request, more))


def _add_versions(app: FastAPI, store: PlanStore) -> None:
    """Versions by their ids."""

    @app.get("/plans/difference", responses={404: {"description": "No such plan"}})
    async def compare(
        before: Annotated[PlanId, Query(description="the plan_id of the one version")],
        after: Annotated[PlanId, Query(description="the plan_id of the other")],
        _caller: Viewer,
    ) -> list[FieldDifference]:
        """How two versions differ, field by field."""
        return difference(await existing(store, before), await existing(store, after))

    @app.get("/plans/{plan_id}", response_model=Plan, responses={**TAGGED, 404: {"description": "No such plan"}})
    async def plan_by_id(request: Request, plan_id: PlanId, _caller: Viewer) -> Response:
        """One plan version. Its ETag changes with its status, and is what If-Match wants."""
        return tagged(request, await existing(store, plan_id))

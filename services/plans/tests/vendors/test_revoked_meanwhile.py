"""What becomes of a vendor's plan when its access ends, or its terms change, while the plan is on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from ingest_rig import Ingest
from sqlalchemy import text
from vendor_rig import FT, HOUR, NOW, Plans, unit_plan

from headworks.common.messages import Basis, Plan
from headworks.common.testing import eventually
from headworks.plans.preflight.check import Preflight
from headworks.plans.vendors import Terms
from headworks.waterway import series as names
from headworks.waterway.site_file import AnySite

INFLOW_M3S = 5.0


@dataclass
class SlowRoad(httpx.AsyncBaseTransport):
    """The road to ingest, which a test closes for a while: requests wait on it."""

    to: httpx.AsyncBaseTransport
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.waits.set()
        await self.is_open.wait()
        return await self.to.handle_async_request(request)

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        self.is_open.clear()
        self.waits.clear()
        yield
        self.is_open.set()


@pytest.fixture
async def road(ingest: Ingest, plans: Plans, sites: dict[str, AnySite]) -> SlowRoad:
    """Plans ask an ingest that knows a quiet day."""
    await ingest.measured("abay", names.ELEVATION, {NOW: 1170 * FT})
    await ingest.measured("abay", names.FLOAT_ELEVATION, {NOW - HOUR: 1173 * FT})
    flows = {names.R30_FLOW: 5.0, names.R4_FLOW: 0.0, names.R20_FLOW: 5.0, names.R5L_FLOW: 0.0, names.R26_FLOW: 0.0}
    for name, value in {**flows, names.MFRA_POWER: 0.0, names.OXPH_POWER: 2.0}.items():
        hours = [NOW - k * HOUR for k in range(1, 26)]
        await ingest.measured("abay", name, dict.fromkeys(hours, value), Basis.HOUR_MEAN)
    http = ingest.client._client
    made = SlowRoad(http._transport)
    made.is_open.set()
    http._transport = made
    plans.vendors.preflight = Preflight(sites, plans.store, ingest.client)
    return made


async def in_force(plans: Plans) -> list[Plan]:
    return await plans.store.active("abay", NOW)


async def test_one_that_is_revoked_while_its_preflight_flies_is_refused(plans: Plans, road: SlowRoad) -> None:
    await plans.add("acme", preflight=True, max_priority=9)
    assert (await plans.desk.take(unit_plan("s0", 2.0, priority=9))).accepted, "this plan is right while nobody revokes"
    async with plans.api() as ann, road.closed():
        judged = asyncio.create_task(plans.desk.take(unit_plan("s1", 2.0, priority=9)))
        await asyncio.wait_for(road.waits.wait(), 30)
        revoked = await ann.post("/vendors/acme/revoke", json={"reason": "the contract ended"})
        assert (revoked.status_code, revoked.json()["cancelled_plans"]) == (200, 1)
    reply = await asyncio.wait_for(judged, 60)
    assert [refusal.field for refusal in reply.refusals] == ["publisher"]
    assert await in_force(plans) == []


@pytest.mark.parametrize(
    ("changed", "fields"),
    [({"max_priority": 8}, ["priority"]), ({"sites": ("blominmaki",)}, ["site"]), ({"shadow": True}, [])],
)
async def test_what_it_may_when_its_plan_comes_into_force_counts(
    plans: Plans, road: SlowRoad, changed: dict[str, object], fields: list[str]
) -> None:
    vendor = await plans.add("acme", preflight=True, max_priority=9)
    terms = Terms(**vendor.model_dump(include=set(Terms.model_fields))).model_copy(update=changed)
    async with plans.api() as ann, road.closed():
        judged = asyncio.create_task(plans.desk.take(unit_plan("s1", 2.0, priority=9)))
        await asyncio.wait_for(road.waits.wait(), 30)
        assert (await ann.put("/vendors/acme/terms", json=terms.model_dump(mode="json"))).status_code == 200
    reply = await asyncio.wait_for(judged, 60)
    assert [refusal.field for refusal in reply.refusals] == fields
    assert reply.shadow is bool(changed.get("shadow"))
    assert await in_force(plans) == []


async def test_one_that_leaves_the_shadow_meanwhile_is_in_force_as_its_answer_says(
    plans: Plans, road: SlowRoad
) -> None:
    vendor = await plans.add("acme", preflight=True, shadow=True)
    terms = Terms(**vendor.model_dump(include=set(Terms.model_fields))).model_copy(update={"shadow": False})
    async with plans.api() as ann, road.closed():
        judged = asyncio.create_task(plans.desk.take(unit_plan("s1", 2.0)))
        await asyncio.wait_for(road.waits.wait(), 30)
        assert (await ann.put("/vendors/acme/terms", json=terms.model_dump(mode="json"))).status_code == 200
    reply = await asyncio.wait_for(judged, 60)
    assert (reply.accepted, reply.shadow) == (True, False)
    assert [plan.plan_id for plan in await in_force(plans)] == list(reply.plan_ids)


async def test_a_revocation_waits_for_a_plan_that_comes_into_force_and_takes_it_out_again(plans: Plans) -> None:
    """The other order: the plan holds its vendor already, and waits for another writer of the actuator."""
    await plans.add("acme")
    waiting = "select count(*) as n from pg_locks where not granted and locktype = 'advisory'"
    held = "select count(*) as n from pg_locks where not granted and locktype in ('tuple', 'transactionid')"

    async def one(query: str) -> bool:
        return bool((await plans.database.fetch(query))[0]["n"])

    async with plans.api() as ann:
        async with plans.database.transaction() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(hashtextextended('abay/OXPH', 0))"))
            accepted = asyncio.create_task(plans.desk.take(unit_plan("s1", 2.0)))
            await eventually(lambda: one(waiting), 20)
            revoked = asyncio.create_task(ann.post("/vendors/acme/revoke", json={"reason": "the contract ended"}))
            await eventually(lambda: one(held), 20)
        assert (await accepted).accepted
        assert (await revoked).json()["cancelled_plans"] == 1
    assert await in_force(plans) == []


async def test_one_that_is_revoked_keeps_nobody_else_s_plan_from_the_same_call(plans: Plans) -> None:
    await plans.add("acme")
    await plans.add("beta", max_priority=9)
    together = plans.store._together
    async with plans.database.transaction() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(hashtextextended('abay/OXPH', 0))"))
        own = [unit_plan(f"o{k}", 2.0, publisher="optimizer", begins=NOW + k * HOUR) for k in (0, 1)]
        first = [asyncio.create_task(plans.desk.take(plan)) for plan in own]
        await eventually(lambda: len(together._under_way) == 2, 20)
        theirs = [
            unit_plan("a1", 2.0, begins=NOW + 2 * HOUR),
            unit_plan("b1", 2.0, publisher="beta", begins=NOW + 3 * HOUR),
        ]
        rest = [asyncio.create_task(plans.desk.take(plan)) for plan in theirs]
        await eventually(lambda: len(together._waiting) == 2, 20)
        ended = await plans.vendors.registry.revoke("acme", "test", plans.vendors.change_by("ann"))
        assert ended is not None
    replies = [await each for each in (*first, *rest)]
    assert [reply.accepted for reply in replies] == [True, True, False, True]
    assert [refusal.field for refusal in replies[2].refusals] == ["publisher"]

"""A running plans service with its door, and a vendor's own client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import nats
import unit_plans
from nats.aio.client import Client
from plans_rig import NOW
from unit_plans import HOUR

from headworks.common.auth import Issuer, Role
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.embedded.nats import NatsServer
from headworks.common.ingest import IngestClient
from headworks.common.messages import PlanSubmission
from headworks.common.permissions import new_seed, public_key
from headworks.plans.desk import SubmissionDesk
from headworks.plans.lanes import Lanes
from headworks.plans.parts import Parts
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import VendorDesk, vendor_desk
from headworks.plans.vendor_store import Change
from headworks.plans.vendors import Terms, Vendor
from headworks.waterway.afterbay_site import AfterbaySite

__all__ = ["ADMIN", "FT", "HOUR", "NOW", "SECRET", "Plans", "Visitor", "balanced_m3s", "no_vendors", "unit_plan"]
SECRET = "a secret that only the tests know, long enough"
ADMIN = Change("ann", NOW)
FT = 0.3048


def unit_plan(submission_id: str, *megawatts: float, begins: datetime = NOW, **more: Any) -> PlanSubmission:
    """A plan of the afterbay's unit, from NOW on unless said; it was not made later than that."""
    return unit_plans.unit_plan(submission_id, *megawatts, begins=begins, created_at=min(begins, NOW), **more)


def balanced_m3s(site: AfterbaySite, megawatts: float) -> float:
    """What must flow in for the level to stay where it is."""
    return site.afterbay.unit.water_per_power * megawatts + site.afterbay.unit.water_at_zero


def no_vendors(store: PlanStore, clock: Clock) -> VendorDesk:
    """The registry with nobody in it, for tests of what is not about vendors."""
    return vendor_desk(store._database, store, {}, IngestClient(httpx.AsyncClient()), clock, PlansSettings())


@dataclass
class Plans:
    """The running service, and what a test does with it."""

    server: NatsServer
    keys: Path
    settings: PlansSettings
    parts: Parts
    lanes: Lanes
    url: str
    hear: Callable[[], AbstractAsyncContextManager[None]]
    """Hears submissions while it is entered; `silent` ends the one that runs."""
    hearing: AsyncExitStack
    seeds: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.parts.database

    @property
    def desk(self) -> SubmissionDesk:
        return self.parts.desk

    @property
    def vendors(self) -> VendorDesk:
        return self.parts.vendors

    @property
    def store(self) -> PlanStore:
        return self.parts.store

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """Nobody takes a submission meanwhile, as while the service is down; who is connected stays so."""
        await self.hearing.aclose()
        yield
        await self.hearing.enter_async_context(self.hear())

    async def add(self, name: str, *, sites: tuple[str, ...] = ("abay",), **terms: Any) -> Vendor:
        """A vendor of the registry; its seed is kept for `connected`."""
        self.seeds[name] = new_seed()
        terms.setdefault("preflight", False)
        added = await self.vendors.registry.add(name, public_key(self.seeds[name]), Terms(sites=sites, **terms), ADMIN)
        assert isinstance(added, Vendor), added
        return added

    @asynccontextmanager
    async def connected(self, name: str) -> AsyncIterator["Visitor"]:
        """A vendor's own client, as anyone would write it."""
        visitor = Visitor()

        async def on_error(error: Exception) -> None:
            visitor.errors.append(str(error))

        async def on_closed() -> None:
            visitor.closed.set()

        visitor.client = await nats.connect(
            self.server.url,
            nkeys_seed_str=self.seeds[name],
            inbox_prefix=f"_INBOX_{name}",
            error_cb=on_error,
            closed_cb=on_closed,
            allow_reconnect=False,
        )
        try:
            yield visitor
        finally:
            await visitor.client.close()

    def api(self, role: Role = Role.ADMIN, name: str = "ann") -> httpx.AsyncClient:
        """A person at the API."""
        token = Issuer(SECRET, "headworks", "headworks").issue(name, role, timedelta(minutes=5))
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


@dataclass
class Visitor:
    """A client on the bus: what the server told it, and whether it was cut off."""

    client: Client = field(init=False)
    errors: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

"""The vendors' door to the bus: answers the server who may come in, and shows out whoever may not stay.

The server asks here about every key that is none of a service (auth callout), so access is what the registry says now, with no
file to write and nothing to reload. Those inside are looked over after every change and every few seconds: a connection goes by
the name it was given here, and one whose name the registry would not give again is ended.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from headworks.common.audit import Result
from headworks.common.bus import Bus
from headworks.common.database import DatabaseUnavailable
from headworks.common.link import BusUnavailable
from headworks.common.permissions import CONNECTIONS, DOOR, DOORKEEPER, KICK, permissions_of_vendor
from headworks.common.service import Task
from headworks.common.tasks import wait_at_most
from headworks.plans.access_record import AccessRecord
from headworks.plans.door_tokens import read_knock, turned_away, welcome
from headworks.plans.settings import PlansSettings
from headworks.plans.vendor_desk import VendorDesk
from headworks.plans.vendor_store import VendorStore
from headworks.plans.vendors import Vendor

log = structlog.get_logger(__name__)
LOOK_S = 5.0
ANSWERS_S = 1.0
MOST_CONNECTIONS = 65_536


def pass_of(vendor: Vendor) -> str:
    """What a connection is called: whose it is, by which key, for which sites. No service's name has a slash."""
    return f"{vendor.name}/{vendor.public_key}/{'+'.join(vendor.sites)}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that is connected to a server of the bus."""

    server_id: str
    connection_id: int
    name: str


def to_show_out(connections: Iterable[Connection], passes: frozenset[str]) -> list[Connection]:
    """The vendors' connections whose pass is not valid any more."""
    return [each for each in connections if "/" in each.name and each.name not in passes]


class Door:
    """`answer` and `watch` run as tasks; `look_now` after a change of the registry."""

    def __init__(self, registry: VendorStore, issuer_seed_file: Path, record: AccessRecord) -> None:
        self._registry, self._record = registry, record
        self._issuer_seed = issuer_seed_file.read_text().strip()
        self._wake = asyncio.Event()

    async def answer(self, bus: Bus) -> None:
        """Tell the server about each key it asks for, as the plans service."""
        await bus.answer(DOOR, self.judge)

    async def judge(self, request: bytes) -> bytes:
        """The answer to one knock. Nobody comes in without a key of the registry, or while that is away."""
        knock, now = read_knock(request), datetime.now(UTC)
        vendor = await self._registry.with_key(knock.public_key) if knock.proved else None
        if vendor is None or vendor.revoked_at is not None:
            why = "no vendor has this key" if knock.proved else "the client does not prove to hold its key"
            log.warning("a client is turned away", public_key=knock.public_key[:60], why=why)
            key = knock.public_key[:60]
            await self._record.at_the_door(
                "turned_away", "unknown", Result.REFUSED, public_key=key, why=why, address=knock.address
            )
            return turned_away(self._issuer_seed, knock, why, now)
        log.info("a vendor comes in", vendor=vendor.name, sites=vendor.sites)
        await self._record.at_the_door(
            "let_in",
            vendor.name,
            Result.SUCCESS,
            public_key=vendor.public_key,
            sites=vendor.sites,
            address=knock.address,
        )
        allowed = permissions_of_vendor(vendor.name, vendor.sites)
        return welcome(self._issuer_seed, knock, pass_of(vendor), allowed, now)

    def look_now(self) -> None:
        """Look over who is inside at once."""
        self._wake.set()

    async def watch(self, keeper: Bus) -> None:
        """Look over who is inside for ever, as the doorkeeper."""
        while True:
            self._wake.clear()
            try:
                await self.look(keeper)
            except BusUnavailable as error:
                log.warning("the door waits for the bus", error=str(error))
            except DatabaseUnavailable as error:
                log.warning("the door waits for the database", error=repr(error))
            await wait_at_most(self._wake, LOOK_S)

    async def look(self, keeper: Bus) -> None:
        """Show out who may not stay."""
        asked = json.dumps({"auth": True, "limit": MOST_CONNECTIONS}).encode()
        async for answer in keeper.ask(CONNECTIONS, asked, within_s=ANSWERS_S):
            passes = frozenset(pass_of(vendor) for vendor in await self._registry.all() if vendor.revoked_at is None)
            for gone in to_show_out(_connections(answer), passes):
                log.warning("a vendor is shown out", connection=gone.name)
                order = json.dumps({"cid": gone.connection_id}).encode()
                async for _done in keeper.ask(KICK.format(server=gone.server_id), order, within_s=ANSWERS_S):
                    break
                name = gone.name.split("/")[0]
                await self._record.at_the_door("shown_out", name, Result.SUCCESS, connection=gone.name)


def _connections(answer: bytes) -> list[Connection]:
    content = json.loads(answer)
    return [
        Connection(content["server"]["id"], each["cid"], each.get("authorized_user", ""))
        for each in content["data"]["connections"]
    ]


def door_tasks(settings: PlansSettings, bus: Bus, desk: VendorDesk, record: AccessRecord) -> dict[str, Task]:
    """What keeps the door, by name; nothing where the keys are not given: then no vendor can connect."""
    issuer, keeper_seed = settings.vendor_issuer_seed_file, settings.doorkeeper_seed_file
    if issuer is None or keeper_seed is None:
        log.warning(
            "no vendor can connect: HEADWORKS_VENDOR_ISSUER_SEED_FILE and _DOORKEEPER_SEED_FILE are not both set"
        )
        return {}
    door = Door(desk.registry, issuer, record)
    desk.changed = door.look_now

    async def watch() -> None:
        async with Bus.connect_in_background(settings.nats_url, DOORKEEPER, keeper_seed) as keeper:
            await door.watch(keeper)

    return {"door": lambda: door.answer(bus), "doorkeeper": watch}

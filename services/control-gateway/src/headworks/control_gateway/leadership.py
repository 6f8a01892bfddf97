"""Whether this gateway leads a site: it claims a free lease, renews it, and gives it up; run as a task beside control.

The stream takes a claim or a renewal only after the very message that the gateway knows: of two that claim, one succeeds. What
the other gateway was told by people is taken over before anything is written.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from headworks.common.audit import Category
from headworks.common.bus import Bus, BusOvertaken, Deliver
from headworks.common.link import BusUnavailable
from headworks.common.messages import Lease
from headworks.common.subjects import LEASE
from headworks.common.tasks import together
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.fencing import Fence, Term
from headworks.control_gateway.lease import Held, Seen, is_free, is_newer, next_epoch, seconds
from headworks.control_gateway.sharing import SharedOrders

log = structlog.get_logger(__name__)
RENEWALS = 5
"""A lease is renewed so many times while it lasts."""
UNREACHED_S = 10.0
"""A leader that reaches none of the site's PLCs for so long lets another try."""


@dataclass
class Leadership:
    """One site's lease as this gateway holds, seeks or watches it."""

    site: str
    gateway: str
    valid_s: float
    term: Term
    fences: Mapping[str, Fence]
    orders: SharedOrders
    auditor: Auditor
    reaches: Callable[[], bool]
    """Whether any PLC of the site answers."""
    changed: Callable[[], None]
    clock_s: Callable[[], float] = seconds
    seen: Seen | None = None
    _look_again: asyncio.Event = field(default_factory=asyncio.Event)
    _reached_s: float = field(default_factory=seconds)

    def __post_init__(self) -> None:
        """Hear of what a PLC says."""
        self.term.overtaken = self.lose

    @property
    def leads(self) -> bool:
        """Whether this gateway is the one that controls, so far as it knows."""
        return self.term.held is not None

    @property
    def leader(self) -> str | None:
        """Who leads, so far as is known."""
        if self.leads:
            return self.gateway
        return self.seen.lease.gateway if self.seen is not None and not is_free(self.seen, self.clock_s()) else None

    async def keep(self, bus: Bus) -> None:
        """Claim, renew and watch for ever; run it as a task. The lease is given up at the end."""
        try:
            await together(self._watch(bus), self._act(bus))
        finally:
            if self.leads:
                await self._release(bus, "the gateway ends")

    async def _watch(self, bus: Bus) -> None:
        """Hear of every claim and renewal; from the newest on, again and again, as a stream made anew counts from 1."""
        while True:
            self._look_again.clear()
            with contextlib.suppress(BusUnavailable):
                await together(self._hear(bus), self._until_to_look_again())

    async def _until_to_look_again(self) -> None:
        await self._look_again.wait()
        raise BusUnavailable("the newest lease is asked for again")

    async def _hear(self, bus: Bus) -> None:
        async for lease, delivery in bus.follow(LEASE, deliver=Deliver.LAST_PER_SUBJECT, site=self.site):
            self.heard(lease, delivery.sequence)

    def heard(self, lease: Lease, place: int) -> None:
        """A lease was claimed or renewed, here or there."""
        if self.seen is not None and (self.seen.lease, self.seen.place) == (lease, place):
            return
        self.seen = Seen(lease, place, self.clock_s())
        held = self.term.held
        if held is None:
            return
        if (lease.gateway, lease.epoch) != (self.gateway, held.epoch):
            if is_newer(lease.epoch, held.epoch) or place > held.place:
                self.lose(f"{lease.gateway} leads with epoch {lease.epoch}")
        elif place > held.place:  # a renewal of our own whose confirmation was lost
            self.term.held = Held(held.epoch, place, held.until_s)

    async def _act(self, bus: Bus) -> None:
        while True:
            if self.reaches():
                self._reached_s = self.clock_s()
            if self.term.held is None:
                await self._seek(bus)
                await asyncio.sleep(self.valid_s / RENEWALS / 4)
            else:
                await self._renew(bus, self.term.held)
                await asyncio.sleep(self.valid_s / RENEWALS)

    async def _seek(self, bus: Bus) -> None:
        """Claim the lease if it is free, the site is reached, and what people ordered at the other gateway is known."""
        seen = self.seen
        if not bus.is_connected or not self.reaches() or not is_free(seen, self.clock_s()):
            return
        if seen is not None and not self.orders.has_heard(seen.lease.gateway, seen.lease.orders):
            return
        known = [fence.newest_epoch for fence in self.fences.values()]
        epoch = next_epoch(*([seen.lease.epoch] if seen else []), *known)
        place = await self._publish(bus, epoch, seen.place if seen else 0)
        if place is not None:
            log.warning("this gateway leads", site=self.site, epoch=epoch)
            self.auditor.note(Category.CONTROL_SYSTEM, "lease_won", self.gateway, subject=self.site, epoch=epoch)
            self.changed()

    async def _renew(self, bus: Bus, held: Held) -> None:
        if self.clock_s() - self._reached_s > UNREACHED_S:
            await self._release(bus, "no PLC of the site answers here")
        elif self.clock_s() >= held.until_s and self.term.without_bus == "stop":
            self.lose("it could not be renewed in time")
        else:
            await self._publish(bus, held.epoch, held.place)

    async def _publish(self, bus: Bus, epoch: int, last: int, *, released: bool = False) -> int | None:
        """Claim or renew; the place that it then has. It counts from before it was sent."""
        orders = self.orders.place
        if orders is None:
            return None  # what people ordered here is not told yet: nobody could take it over
        sent_s = self.clock_s()
        lease = Lease(
            site=self.site,
            gateway=self.gateway,
            epoch=epoch,
            valid_s=self.valid_s,
            orders=orders,
            released=released,
        )
        try:
            place = await bus.publish_after(LEASE, lease, last, timeout_s=self.valid_s / RENEWALS, site=self.site)
        except BusOvertaken:
            self._look_again.set()
            return None
        except BusUnavailable:
            return None
        self.term.held = None if released else Held(epoch, place, sent_s + self.valid_s)
        return place

    async def _release(self, bus: Bus, why: str) -> None:
        """Let the other gateway lead at once. Nothing is written from before it is told."""
        held = self.term.held
        self.lose(why)
        if held is not None:
            await self._publish(bus, held.epoch, held.place, released=True)

    def lose(self, why: str) -> None:
        """Lead no more, from this moment on."""
        if self.term.held is None:
            return
        epoch, self.term.held = self.term.held.epoch, None
        log.warning("this gateway does not lead any more", site=self.site, why=why)
        self.auditor.note(
            Category.CONTROL_SYSTEM, "lease_lost", self.gateway, subject=self.site, reason=why, epoch=epoch
        )
        self.changed()

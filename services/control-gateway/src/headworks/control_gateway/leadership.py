"""Whether this gateway leads a site: it claims a free lease, renews it, and gives it up; run as a task beside control.

The stream takes a claim or a renewal only after the very message that the gateway knows: of two that claim, one succeeds. What
the other gateway was told by people is taken over before anything is written.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from headworks.common.audit import Category, Result
from headworks.common.bus import Bus, BusOvertaken, Deliver
from headworks.common.link import BusUnavailable
from headworks.common.messages import Lease
from headworks.common.subjects import LEASE
from headworks.common.tasks import together
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.fencing import Fence, Term
from headworks.control_gateway.lease import Held, Seen, Unread, is_free, is_newer, next_epoch, seconds
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
    seen: Seen | Unread | None = None
    _look_again: asyncio.Event = field(default_factory=asyncio.Event)
    _unheard_s: float | None = None
    """Since when the newest lease is not the one that is known, and no other is heard: the stream was emptied, or made anew."""
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
        seen = self.seen
        return seen.lease.gateway if isinstance(seen, Seen) and not is_free(seen, self.clock_s()) else None

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
        newest = bus.follow(
            LEASE,
            deliver=Deliver.LAST_PER_SUBJECT,
            passed_over=lambda passed: self.unread(passed.sequence),
            site=self.site,
        )
        async for lease, delivery in newest:
            self.heard(lease, delivery.sequence)

    def unread(self, place: int) -> None:
        """The newest lease cannot be read. A lease of one's own is nobody else's until its end, but cannot be renewed."""
        seen = self.seen
        if isinstance(seen, Unread) and seen.place == place:
            return
        readable = None if seen is None else seen.readable
        valid_s = self.valid_s if readable is None else max(self.valid_s, readable.valid_s)
        self.seen, self._unheard_s = Unread(readable, place, self.clock_s(), valid_s), None
        if not isinstance(seen, Unread):
            why = "the newest lease cannot be read: it counts as held, and is outlived"
            log.error("lease unreadable", site=self.site, why=why)
            event, lost = "lease_unreadable", Result.FAILURE
            self.auditor.note(Category.CONTROL_SYSTEM, event, self.gateway, result=lost, subject=self.site, reason=why)

    def heard(self, lease: Lease, place: int) -> None:
        """A lease was claimed or renewed, here or there."""
        if isinstance(self.seen, Seen) and (self.seen.lease, self.seen.place) == (lease, place):
            return
        self.seen, self._unheard_s = Seen(lease, place, self.clock_s()), None
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
        readable = None if seen is None else seen.readable
        if readable is not None and not self.orders.has_heard(readable.gateway, readable.orders):
            return
        known = [fence.newest_epoch for fence in self.fences.values()]
        epoch = next_epoch(*([seen.epoch] if seen else []), *known)
        if self._unheard_s is None:
            last = 0 if seen is None else seen.place
        elif self.clock_s() - self._unheard_s > self.valid_s:
            last = 0  # whoever held one that was never heard here does no more
        else:
            return
        if await self._publish(bus, epoch, last) is not None:
            log.warning("this gateway leads", site=self.site, epoch=epoch)
            self.auditor.note(Category.CONTROL_SYSTEM, "lease_won", self.gateway, subject=self.site, epoch=epoch)
            self.changed()

    async def _renew(self, bus: Bus, held: Held) -> None:
        if self.clock_s() - self._reached_s > UNREACHED_S:
            await self._release(bus, "no PLC of the site answers here")
        elif self.clock_s() >= held.until_s and (self.term.without_bus == "stop" or isinstance(self.seen, Unread)):
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
            self._unheard_s = None if last == 0 else self._unheard_s or self.clock_s()
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

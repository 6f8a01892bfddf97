"""What the desk asks of publishers from outside: the registry, the quota, the preflight.

The optimizer's plans pass: they were replayed before they were sent. So do those of a person at the API, who answers for them
by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.handling import Delivery
from headworks.common.ingest import IngestClient
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.plans.challengers.runs import Challengers
from headworks.plans.challengers.store import accept_in_shadow
from headworks.plans.preflight.check import Preflight
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_store import Change, VendorStore, Withdraw
from headworks.plans.vendors import Terms, Vendor, publisher_refusals
from headworks.plans.withdrawal import withdraw
from headworks.waterway.site_file import AnySite

OWN = "optimizer"
"""The publisher that is a service of this system."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found: every reason to refuse, notes for the publisher, and whether its plans are kept apart as a challenger's."""

    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    shadow: bool = False
    of_vendor: bool = False
    """Whether the registry knows the publisher, and is asked once more when its plans come into force."""


@dataclass
class VendorDesk:
    """The registry as the service uses it. `changed` is called when somebody's access may have ended."""

    database: Database
    store: PlanStore
    registry: VendorStore
    preflight: Preflight
    challengers: Challengers
    sites: Mapping[str, AnySite]
    clock: Clock
    changed: Callable[[], None] = field(default=lambda: None)

    def change_by(self, name: str) -> Change:
        """A change of the registry that a person makes now."""
        return Change(name, self.clock.now())

    async def examine(
        self, submission: PlanSubmission, found: Sequence[Refusal], now: datetime, *, over_bus: bool
    ) -> Examined:
        """Add to what the rules of plans found already. The quota counts whatever was sent; only what is right is simulated."""
        if submission.publisher == OWN:
            return Examined(tuple(found))
        vendor = await self.registry.find(submission.publisher)
        if vendor is None:
            return Examined((*found, *(_stranger(submission) if over_bus else ())))
        refusals = (*publisher_refusals(vendor, submission), *found)
        intervals = 0 if refusals else len(submission.intervals)
        refusals += await self.registry.take(vendor, submission.submission_id, intervals, now)
        if refusals or not vendor.preflight:
            return Examined(refusals, (), vendor.shadow, of_vendor=True)
        flown = await self.preflight.of(submission, now)
        return Examined(flown.refusals, flown.notes, vendor.shadow, of_vendor=True)

    async def examine_change(self, changed: PlanSubmission, now: datetime) -> tuple[Refusal, ...]:
        """Why a person may not put this plan in force in its publisher's name. It is in nobody's quota."""
        vendor = None if changed.publisher == OWN else await self.registry.find(changed.publisher)
        if vendor is None:
            return ()
        refusals = (*publisher_refusals(vendor, changed), *_not_live(vendor))
        if refusals or not vendor.preflight:
            return refusals
        return (await self.preflight.of(changed, now)).refusals

    async def revoke(self, name: str, reason: str, by: str, *, keep_plans: bool) -> tuple[Vendor, int] | None:
        """End a vendor's access, and its plans, at once; with how many plans those were. None when it has no access."""
        change = self.change_by(by)
        ended = await self.registry.revoke(name, reason, change, None if keep_plans else self._withdrawal(name, change))
        self._tell()
        return ended

    async def change_terms(self, name: str, terms: Terms, by: str) -> Vendor | None:
        """Other terms; into shadow no plan of it goes along. None when it has no access."""
        change = self.change_by(by)
        changed = await self.registry.change(name, terms, change, self._withdrawal(name, change))
        self._tell()
        return changed

    def _withdrawal(self, name: str, change: Change) -> Withdraw:
        return lambda connection: withdraw(connection, self.store.outbox, name, change.by, change.at)

    def _tell(self) -> None:
        self.store.outbox.wake()
        self.changed()

    async def keep_in_shadow(self, submission: PlanSubmission, now: datetime, notes: Sequence[str]) -> PlanReply:
        """Take a submission that was examined as a challenger's."""
        return await accept_in_shadow(self.database, self.store, submission, now, notes)

    async def count(self, publisher: str, delivery: Delivery, now: datetime) -> tuple[Refusal, ...] | None:
        """Count a message that is no submission, or say why it is too much; None for whoever is no vendor."""
        vendor = None if publisher == OWN else await self.registry.find(publisher)
        if vendor is None:
            return None
        # No submission can have such an id; the instant, for a stream that is made anew counts from one again.
        its_own = f"unread/{delivery.sequence}/{delivery.published_at.timestamp():.6f}"
        return await self.registry.take(vendor, its_own, 0, now)


def _not_live(vendor: Vendor) -> tuple[Refusal, ...]:
    expected = "a vendor that plans live; this one is in shadow, and none of its plans is in force"
    return (Refusal(field="publisher", value=vendor.name, expected=expected),) if vendor.shadow else ()


def _stranger(submission: PlanSubmission) -> tuple[Refusal, ...]:
    return (Refusal(field="publisher", value=submission.publisher, expected="a vendor of the registry"),)


def vendor_desk(
    database: Database,
    store: PlanStore,
    sites: Mapping[str, AnySite],
    ingest: IngestClient,
    clock: Clock,
    settings: PlansSettings,
) -> VendorDesk:
    """The registry and all that hangs on it. Raises ValueError for a site file whose `publishers` cannot be read."""
    registry, preflight = VendorStore(database), Preflight(sites, store, ingest)
    challengers = Challengers(
        database, registry, sites, ingest, clock, timedelta(days=settings.challenger_retention_days)
    )
    return VendorDesk(database, store, registry, preflight, challengers, sites, clock)

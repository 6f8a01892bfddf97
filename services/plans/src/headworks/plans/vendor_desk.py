"""What the desk asks of publishers from outside: the registry, the quota, the preflight.

The optimizer's plans pass: they were replayed before they were sent. So do those of a person at the API, who answers for them
by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.plans.challengers.runs import Challengers
from headworks.plans.challengers.store import accept_in_shadow
from headworks.plans.preflight.check import Preflight
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_store import Change, VendorStore
from headworks.plans.vendors import Vendor, publisher_refusals
from headworks.waterway.site_file import AnySite

OWN = "optimizer"
"""The publisher that is a service of this system."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found: every reason to refuse, notes for the publisher, and whether its plans are kept apart as a challenger's."""

    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    shadow: bool = False


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
        """Add to what the rules of plans found already. The quota counts what is well formed; nothing else is simulated."""
        if submission.publisher == OWN:
            return Examined(tuple(found))
        vendor = await self.registry.find(submission.publisher)
        if vendor is None:
            return Examined((*found, *(_stranger(submission) if over_bus else ())))
        refusals = (*publisher_refusals(vendor, submission), *found)
        refusals = refusals or await self._within_quota(vendor, submission, now)
        if refusals or not vendor.preflight:
            return Examined(refusals, (), vendor.shadow)
        flown = await self.preflight.of(submission, now)
        return Examined(flown.refusals, flown.notes, vendor.shadow)

    async def keep_in_shadow(self, submission: PlanSubmission, now: datetime, notes: Sequence[str]) -> PlanReply:
        """Take a submission that was examined as a challenger's."""
        return await accept_in_shadow(self.database, self.store, submission, now, notes)

    async def _within_quota(self, vendor: Vendor, submission: PlanSubmission, now: datetime) -> tuple[Refusal, ...]:
        return await self.registry.take(vendor, submission.submission_id, len(submission.intervals), now)


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

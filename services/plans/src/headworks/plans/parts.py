"""The service's parts over one database, each with what it needs of the others: what main runs and what documents the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.plans.actuators import Actuator
from headworks.plans.api import create_api
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.approvals import ApprovalRule
from headworks.plans.bus_record import RecordedDesk
from headworks.plans.desk import SubmissionDesk
from headworks.plans.lanes import Lanes
from headworks.plans.settings import PlansSettings
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import VendorDesk, vendor_desk
from headworks.plans.waiting_room import WaitingRoom
from headworks.plans.write_route import Writes
from headworks.waterway.site_file import AnySite


@dataclass(frozen=True)
class Plant:
    """What the service plans for: sites, their actuators, and who must approve."""

    sites: Mapping[str, AnySite] = field(default_factory=dict)
    actuators: Mapping[tuple[str, str], Actuator] = field(default_factory=dict)
    rules: Mapping[str, ApprovalRule] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """Made when they are first asked for."""

    plant: Plant
    database: Database
    clock: Clock
    ingest: IngestClient
    settings: PlansSettings
    writes: Writes

    @cached_property
    def store(self) -> PlanStore:
        """Keeps plans."""
        return PlanStore(self.database)

    @cached_property
    def vendors(self) -> VendorDesk:
        """The registry of vendors, with the preflight and the challengers."""
        return vendor_desk(self.database, self.store, self.plant.sites, self.ingest, self.clock, self.settings)

    @cached_property
    def waiting(self) -> WaitingRoom:
        """Keeps plans that wait for a person."""
        return WaitingRoom(self.database, self.store.outbox, self.plant.rules)

    @cached_property
    def desk(self) -> SubmissionDesk:
        """Takes submissions."""
        return SubmissionDesk(self.store, self.plant.actuators, self.clock, self.vendors, self.waiting)

    @cached_property
    def approvals(self) -> ApprovalDesk:
        """Carries out what people decide."""
        return ApprovalDesk(self.desk, self.store, self.waiting, self.clock, self.writes.audit)

    @cached_property
    def api(self) -> FastAPI:
        """The OpenAPI."""
        return create_api(
            self.database,
            self.store,
            self.desk,
            self.approvals,
            self.vendors,
            self.plant.actuators,
            self.clock,
            self.writes,
        )

    def lanes(self, bus: Bus) -> Lanes:
        """Hears submissions, with what was answered in the audit."""
        recorded = RecordedDesk(self.desk, self.writes.audit, self.clock)
        return Lanes(bus, self.vendors.registry, recorded.on_submission, self.desk.on_unreadable)

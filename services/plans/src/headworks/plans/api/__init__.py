"""The plans' OpenAPI: a file for each thing that can be asked about or changed."""

from collections.abc import Mapping

from fastapi import FastAPI

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.service import create_app
from headworks.plans.actuators import Actuator
from headworks.plans.api.approvals import add_approval_routes
from headworks.plans.api.audit import add_audit_routes
from headworks.plans.api.challengers import add_challenger_routes
from headworks.plans.api.changes import add_change_routes
from headworks.plans.api.export import add_export_routes
from headworks.plans.api.plans import add_plan_routes
from headworks.plans.api.resources import add_resource_routes
from headworks.plans.api.restoring import add_restoring_route
from headworks.plans.api.submissions import add_submission_routes
from headworks.plans.api.vendors import add_vendor_routes
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.desk import SubmissionDesk
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import VendorDesk
from headworks.plans.write_route import Writes


def create_api(
    database: Database,
    store: PlanStore,
    desk: SubmissionDesk,
    approvals: ApprovalDesk,
    vendors: VendorDesk,
    actuators: Mapping[tuple[str, str], Actuator],
    clock: Clock,
    writes: Writes,
) -> FastAPI:
    """The API over a store. Whatever adds routes to it adds them through `writes`, by itself."""
    app = create_app("plans", "Versioned plans by Strategy B: history is immutable, a change is a new version.")
    writes.install(app)
    add_resource_routes(app, actuators)
    add_submission_routes(app, desk, clock)
    add_export_routes(app, database)
    add_plan_routes(app, store, database, clock)
    add_change_routes(app, store, desk, clock)
    add_restoring_route(app, store, desk, clock)
    add_approval_routes(app, approvals)
    add_audit_routes(app, writes.audit)
    add_challenger_routes(app, vendors.challengers, vendors.registry, vendors.sites, clock)
    add_vendor_routes(app, vendors)
    return app

"""The gateway's OpenAPI: state, mode, e-stop and its clearing, journal, and what others have noted in its audit."""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict

from headworks.common.auth import Engineer, Operator, Viewer
from headworks.common.database import DatabaseUnavailable
from headworks.common.messages import ControlState, Setpoint
from headworks.common.problems import FieldProblem, Problem
from headworks.common.refused_requests import RefusedRequests, where_of
from headworks.common.service import create_app
from headworks.control_gateway.actuator_api import ModeOrder, add_actuator_routes
from headworks.control_gateway.audit_api import add_audit_routes
from headworks.control_gateway.by_hand import UNRECORDED, by_hand, recorded, refuse_machines
from headworks.control_gateway.e_stop import Scope
from headworks.control_gateway.e_stop_api import add_e_stop_routes, clear_recorded
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.shipping import Shipper
from headworks.control_gateway.stop_orders import StopOrders
from headworks.control_gateway.text import Text


class Reason(BaseModel):
    """Why; it is kept in the journal."""

    model_config = ConfigDict(extra="forbid")
    reason: Text


def create_api(loops: Mapping[str, ControlLoop], shipper: Shipper, orders: StopOrders) -> FastAPI:
    """The API over the control loops, by site."""
    auditor, clock = orders.auditor, orders.auditor.clock
    app = create_app("control gateway", "The last metre: safety decision, write, read-back, journal.")
    app.middleware("http")(RefusedRequests(auditor.refused_request))
    add_e_stop_routes(app, orders)
    add_audit_routes(app, auditor)

    def loop_of(site: str) -> ControlLoop:
        if site not in loops:
            wrong = FieldProblem(field="site", value=site, expected=f"one of {sorted(loops)}")
            raise Problem(404, "No such site", errors=[wrong])
        return loops[site]

    add_actuator_routes(app, loop_of, auditor, orders.board.changed.set)

    @app.get("/sites/{site}/state")
    async def state(site: str, _caller: Viewer) -> ControlState:
        """Mode, e-stop, and what is known of every actuator."""
        return await loop_of(site).state_in_pieces()

    @app.post("/sites/{site}/mode", responses=UNRECORDED)
    async def set_mode(site: str, order: ModeOrder, request: Request, caller: Operator) -> ControlState:
        """Put the plan, a person, or nobody in the lead. By hand only."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        with recorded(loop, f"mode {order.mode.value} by {by}"):
            loop.switches.set_mode(order.mode, by, clock.now())
        auditor.order(f"mode_{order.mode.value}", caller.name, site, order.reason, where_of(request))
        return loop.state()

    @app.post("/sites/{site}/e-stop")
    async def press_e_stop(site: str, order: Reason, request: Request, caller: Operator) -> ControlState:
        """Stop all pumps and all other writes of the site at once, whether or not it can be recorded."""
        loop = loop_of(site)
        orders.press(Scope(site=site), caller.name, order.reason, where_of(request))
        return loop.state()

    @app.post("/sites/{site}/e-stop/clear", responses=UNRECORDED)
    async def clear_e_stop(site: str, order: Reason, request: Request, caller: Engineer) -> ControlState:
        """Ask to allow writes again, or confirm what another engineer asked: it takes two people. By hand only."""
        loop = loop_of(site)
        refuse_machines(caller)
        clear_recorded(orders, Scope(site=site), caller, order.reason, request)
        return loop.state()

    _add_journal(app, loop_of, shipper)
    return app


def _add_journal(app: FastAPI, loop_of: Callable[[str], ControlLoop], shipper: Shipper) -> None:
    """What was decided, so far as it was shipped."""

    @app.get("/sites/{site}/journal", responses={503: {"description": "The database is away"}})
    async def journal(
        site: str,
        _caller: Viewer,
        resource: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Setpoint]:
        """The newest journal entries that reached the database."""
        loop_of(site)
        try:
            return await shipper.entries(site, resource, limit)
        except DatabaseUnavailable as error:
            raise Problem(503, "The database is away", "control goes on; the journal is shipped later") from error

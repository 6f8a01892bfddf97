"""The gateway's OpenAPI: state, mode, e-stop and its clearing, journal."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from headworks.common.auth import Caller, Engineer, Operator, Role, Viewer
from headworks.common.database import DATABASE_AWAY
from headworks.common.messages import ControlMode, ControlState, Setpoint
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.control_gateway.audit import Auditor, RefusedRequests
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.shipping import Shipper

log = structlog.get_logger(__name__)
UNRECORDED: dict[int | str, dict[str, Any]] = {
    503: {"description": "The order cannot be recorded; nothing was changed"}
}

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,300}$")]


class ModeOrder(BaseModel):
    """Who shall lead."""

    model_config = ConfigDict(extra="forbid")
    mode: ControlMode
    reason: Text


class Reason(BaseModel):
    """Why; it is kept in the journal."""

    model_config = ConfigDict(extra="forbid")
    reason: Text


def create_api(loops: Mapping[str, ControlLoop], shipper: Shipper, auditor: Auditor) -> FastAPI:
    """The API over the control loops, by site."""
    app = create_app("control gateway", "The last metre: safety decision, write, read-back, journal.")
    app.middleware("http")(RefusedRequests(auditor))
    clock = auditor.clock

    def loop_of(site: str) -> ControlLoop:
        if site not in loops:
            wrong = FieldProblem(field="site", value=site, expected=f"one of {sorted(loops)}")
            raise Problem(404, "No such site", errors=[wrong])
        return loops[site]

    @app.get("/sites/{site}/state")
    async def state(site: str, _caller: Viewer) -> ControlState:
        """Mode, e-stop, and what is known of every actuator."""
        return loop_of(site).state()

    @app.post("/sites/{site}/mode", responses=UNRECORDED)
    async def set_mode(site: str, order: ModeOrder, caller: Operator) -> ControlState:
        """Put the plan, a person, or nobody in the lead. By hand only."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        with _recorded(loop, f"mode {order.mode.value} by {by}"):
            loop.switches.set_mode(order.mode, by, clock.now())
        return loop.state()

    @app.post("/sites/{site}/e-stop")
    async def press_e_stop(site: str, order: Reason, caller: Operator) -> ControlState:
        """Stop all pumps and all other writes of the site at once, whether or not it can be recorded."""
        loop, by = loop_of(site), f"{caller.name}: {order.reason}"
        loop.switches.press_e_stop(by, clock.now())
        loop.wake()
        loop.record_order(f"e-stop pressed by {by}")
        log.warning("e-stop pressed", site=site, by=by)
        return loop.state()

    @app.post("/sites/{site}/e-stop/clear", responses=UNRECORDED)
    async def clear_e_stop(site: str, order: Reason, caller: Engineer) -> ControlState:
        """Allow writes again. By hand only, from an engineer."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        with _recorded(loop, f"e-stop cleared by {by}"):
            loop.switches.clear_e_stop(by, clock.now())
        return loop.state()

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
        except DATABASE_AWAY as error:
            raise Problem(503, "The database is away", "control goes on; the journal is shipped later") from error

    return app


def by_hand(caller: Caller, reason: str) -> str:
    """Who gives an order that lets writes go on. Answers 403 to a machine: that is for people."""
    if caller.role is Role.SERVICE:
        raise Problem(403, "Not allowed", f"{caller.name} is a service; this is done by hand, by a person")
    return f"{caller.name}: {reason}"


@contextlib.contextmanager
def _recorded(loop: ControlLoop, order: str) -> Iterator[None]:
    """Carry an order out once it is in the journal. Answers 503 when it cannot be recorded or kept."""
    unrecorded = Problem(503, "The order cannot be recorded", "the gateway's disk refuses; nothing was changed")
    if not loop.record_order(order):
        raise unrecorded
    try:
        yield
    except OSError as error:
        raise unrecorded from error
    finally:
        loop.changed.set()
        loop.wake()

"""The gateway's OpenAPI: state, mode, e-stop and its clearing, journal."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Engineer, Operator, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import ControlMode, ControlState, Setpoint
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.shipping import Shipper


class ModeOrder(BaseModel):
    """Who shall lead."""

    model_config = ConfigDict(extra="forbid")
    mode: ControlMode
    reason: str = Field(min_length=1, max_length=300)


class Reason(BaseModel):
    """Why; it is kept in the log."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)


def create_api(loops: Mapping[str, ControlLoop], shipper: Shipper, clock: Clock) -> FastAPI:
    """The API over the control loops, by site."""
    app = create_app("control gateway", "The last metre: safety decision, write, read-back, journal.")

    def loop_of(site: str) -> ControlLoop:
        if site not in loops:
            wrong = FieldProblem(field="site", value=site, expected=f"one of {sorted(loops)}")
            raise Problem(404, "No such site", errors=[wrong])
        return loops[site]

    @app.get("/sites/{site}/state")
    async def state(site: str, _caller: Viewer) -> ControlState:
        """Mode, e-stop, and what is known of every actuator."""
        return loop_of(site).state()

    @app.post("/sites/{site}/mode")
    async def set_mode(site: str, order: ModeOrder, caller: Operator) -> ControlState:
        """Put the plan, a person, or nobody in the lead."""
        loop = loop_of(site)
        loop.switches.set_mode(order.mode, f"{caller.name}: {order.reason}", clock.now())
        loop.changed.set()
        return loop.state()

    @app.post("/sites/{site}/e-stop")
    async def press_e_stop(site: str, order: Reason, caller: Operator) -> ControlState:
        """Stop all writes to the site at once."""
        loop = loop_of(site)
        loop.switches.press_e_stop(f"{caller.name}: {order.reason}", clock.now())
        loop.changed.set()
        return loop.state()

    @app.post("/sites/{site}/e-stop/clear")
    async def clear_e_stop(site: str, order: Reason, caller: Engineer) -> ControlState:
        """Allow writes again; by hand only, from an engineer."""
        loop = loop_of(site)
        loop.switches.clear_e_stop(f"{caller.name}: {order.reason}", clock.now())
        loop.changed.set()
        return loop.state()

    @app.get("/sites/{site}/journal")
    async def journal(
        site: str,
        _caller: Viewer,
        resource: Annotated[str | None, Query(max_length=50)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Setpoint]:
        """The newest journal entries that reached the database."""
        loop_of(site)
        return await shipper.entries(site, resource, limit)

    return app

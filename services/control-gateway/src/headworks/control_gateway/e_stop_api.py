"""The routes of the emergency stop at every level, the same on the gateway's API and on its local one."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, model_validator

from headworks.common.auth import Caller, Engineer, Operator, Viewer
from headworks.common.messages import Name
from headworks.common.problems import FieldProblem, Problem
from headworks.common.refused_requests import where_of
from headworks.control_gateway import by_hand
from headworks.control_gateway.e_stop import CONFIRM_WITHIN, ClearRequest, Press, Scope
from headworks.control_gateway.stop_orders import StopOrders, Unrecorded
from headworks.control_gateway.text import Text

UNRECORDED = Problem(503, "The order cannot be recorded", "the gateway's disk refuses; nothing was changed")
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "The gateway controls nothing of that name"}}


class StopOrder(BaseModel):
    """What to stop, or to clear: everything without a site, a site without a resource, or one actuator; and why."""

    model_config = ConfigDict(extra="forbid")
    site: Name | None = None
    resource: Name | None = None
    reason: Text

    @model_validator(mode="after")
    def _resource_of_a_site(self) -> "StopOrder":
        if self.resource is not None and self.site is None:
            raise ValueError(f"resource={self.resource!r} needs its site")
        return self

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope(site=self.site, resource=self.resource)


class StopState(BaseModel):
    """The stops in force, the requests that wait for a second person, and what is to be done next."""

    active: Sequence[Press]
    waiting: Sequence[ClearRequest]
    stored: bool
    message: str


def add_e_stop_routes(app: FastAPI, orders: StopOrders, *, keys_of_people: bool = False) -> None:
    """The routes that name what they stop in the body. `keys_of_people`: each key is a person's own secret."""

    @app.get("/e-stop")
    async def stops(_caller: Viewer) -> StopState:
        """Every emergency stop in force, at every level."""
        return state_of(orders)

    @app.post("/e-stop", responses=UNKNOWN)
    async def press(order: StopOrder, request: Request, caller: Operator) -> StopState:
        """Stop at once, whether or not it can be recorded."""
        known(orders, order.scope)
        orders.press(order.scope, caller.name, order.reason, where_of(request))
        return state_of(orders)

    @app.post("/e-stop/clear", responses=UNKNOWN | by_hand.UNRECORDED)
    async def clear(order: StopOrder, request: Request, caller: Engineer) -> StopState:
        """Ask to clear, or confirm what another person asked. By hand only, from an engineer."""
        known(orders, order.scope)
        by_hand.refuse_machines(caller, keys_of_people=keys_of_people)
        clear_recorded(orders, order.scope, caller, order.reason, request)
        return state_of(orders)


def state_of(orders: StopOrders) -> StopState:
    """What is in force now."""
    board = orders.board
    active = board.now.active()
    scopes = list(dict.fromkeys(press.scope for press in active))
    waiting = [request for scope in scopes if (request := board.waiting(scope)) is not None]
    return StopState(active=active, waiting=waiting, stored=board.stored, message=_next_step(scopes, waiting))


def clear_recorded(orders: StopOrders, scope: Scope, caller: Caller, reason: str, request: Request) -> None:
    """Ask to clear, or confirm it. Answers 503 when it cannot be recorded."""
    try:
        orders.clear(scope, caller.name, reason, where_of(request))
    except Unrecorded as error:
        raise UNRECORDED from error


def known(orders: StopOrders, scope: Scope) -> None:
    """Answer 404 for a site or an actuator that the gateway does not control."""
    if scope.site is None:
        return
    loop = orders.loops.get(scope.site)
    if loop is None:
        wrong = FieldProblem(field="site", value=scope.site, expected=f"one of {sorted(orders.loops)}")
        raise Problem(404, "No such site", errors=[wrong])
    names = sorted(actuator.resource for actuator in loop.actuators)
    if scope.resource is not None and scope.resource not in names:
        wrong = FieldProblem(field="resource", value=scope.resource, expected=f"one of {names}")
        raise Problem(404, "No such actuator", errors=[wrong])


def _next_step(scopes: Sequence[Scope], waiting: Sequence[ClearRequest]) -> str:
    minutes = round(CONFIRM_WITHIN.total_seconds() / 60)
    if waiting:
        asked = ", ".join(f"{request.scope} asked by {request.by}" for request in waiting)
        return f"a second person, an engineer, must confirm within {minutes} min: {asked}"
    return f"stopped: {', '.join(map(str, scopes))}" if scopes else "nothing is stopped"

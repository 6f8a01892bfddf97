"""Orders on a single actuator: its mode, and a value in place of the plan's for a while."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from headworks.common.auth import Operator
from headworks.common.messages import ControlMode, ControlState, SetpointOverride
from headworks.common.problems import FieldProblem, Problem
from headworks.common.refused_requests import where_of
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.by_hand import UNRECORDED, by_hand, recorded
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.pump_safety import OFF
from headworks.control_gateway.text import Text

LONGEST_OVERRIDE_MINUTES = 8 * 60
"""A shift: whoever comes next must decide anew."""


class ModeOrder(BaseModel):
    """Who shall lead."""

    model_config = ConfigDict(extra="forbid")
    mode: ControlMode
    reason: Text


class OverrideOrder(BaseModel):
    """A value in the actuator's unit, for how long, and why; of a pump 0 is off."""

    model_config = ConfigDict(extra="forbid")
    value: FiniteFloat
    minutes: Annotated[float, Field(gt=0, le=LONGEST_OVERRIDE_MINUTES)]
    reason: Text


class EndOrder(BaseModel):
    """Why an override ends before its time."""

    model_config = ConfigDict(extra="forbid")
    reason: Text


def add_actuator_routes(
    app: FastAPI, loop_of: Callable[[str], ControlLoop], auditor: Auditor, tell: Callable[[], None]
) -> None:
    """The routes that name an actuator. `tell` has other gateways told of the order at once."""
    clock = auditor.clock

    @app.post("/sites/{site}/actuators/{resource}/mode", responses=UNRECORDED)
    async def set_actuator_mode(
        site: str, resource: str, order: ModeOrder, request: Request, caller: Operator
    ) -> ControlState:
        """Put one actuator into a mode of its own; `auto` leaves it to the site's mode. By hand only."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        actuator_of(loop, resource)
        with recorded(loop, f"mode {order.mode.value} by {by}", resource):
            loop.leads.orders.set_mode(resource, order.mode, by, clock.now())
        _audit(f"mode_{order.mode.value}", loop, resource, caller.name, order.reason, request)
        return loop.state()

    @app.post("/sites/{site}/actuators/{resource}/override", responses=UNRECORDED)
    async def set_override(
        site: str, resource: str, order: OverrideOrder, request: Request, caller: Operator
    ) -> ControlState:
        """Set a value in place of the plan's for a while, within the station's limits, rate and interlocks. By hand only."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        actuator = actuator_of(loop, resource)
        _refuse_what_is_not_followed(loop, actuator, order)
        override = _override(order, caller.name, clock.now())
        text = f"override {order.value:g} {actuator.unit} until {override.until:%Y-%m-%d %H:%M} UTC by {by}"
        with recorded(loop, text, resource):
            loop.leads.orders.override(resource, override)
        _audit("override", loop, resource, caller.name, order.reason, request)
        return loop.state()

    @app.post("/sites/{site}/actuators/{resource}/override/end", responses=UNRECORDED)
    async def end_override(
        site: str, resource: str, order: EndOrder, request: Request, caller: Operator
    ) -> ControlState:
        """End an override before its time: the plan leads again, through the rate limit. By hand only."""
        loop, by = loop_of(site), by_hand(caller, order.reason)
        actuator_of(loop, resource)
        if loop.leads.orders.override_of(resource, clock.now()) is None:
            raise Problem(409, "Nothing to end", f"no override of {resource} is in force")
        with recorded(loop, f"override ended by {by}", resource):
            loop.leads.orders.end_override(resource, clock.now())
        _audit("override_ended", loop, resource, caller.name, order.reason, request)
        return loop.state()

    def _audit(event: str, loop: ControlLoop, resource: str, name: str, reason: str, request: Request) -> None:
        tell()
        auditor.order(event, name, f"{loop.site}/{resource}", reason, where_of(request))


def _override(order: OverrideOrder, by: str, now: datetime) -> SetpointOverride:
    until = now + timedelta(minutes=order.minutes)
    return SetpointOverride(value=order.value, by=by, reason=order.reason, given_at=now, until=until)


def actuator_of(loop: ControlLoop, resource: str) -> Actuator:
    """The loop's actuator of this name. Answers 404 where there is none."""
    known = {actuator.resource: actuator for actuator in loop.actuators}
    if resource not in known:
        wrong = FieldProblem(field="resource", value=resource, expected=f"one of {sorted(known)}")
        raise Problem(404, "No such actuator", errors=[wrong])
    return known[resource]


def _refuse_what_is_not_followed(loop: ControlLoop, actuator: Actuator, order: OverrideOrder) -> None:
    """Answer 409 where the gateway does not lead the actuator now, and 422 for a value outside the station's limits."""
    mode = loop.leads.mode(loop.switches.now.mode, actuator.resource)
    if mode is not ControlMode.AUTO:
        raise Problem(
            409, "Not in auto", f"the mode of {actuator.resource} is {mode.value}; overrides are followed in auto"
        )
    if loop.switches.stopped(actuator.resource) is not None:
        raise Problem(409, "E-stop is active", "an override would be followed as soon as it is cleared; clear it first")
    off = actuator.run is not None and order.value == OFF
    if not off and actuator.limits.refusal(actuator.counts(order.value), "station") is not None:
        lowest, highest = actuator.value(actuator.limits.minimum), actuator.value(actuator.limits.maximum)
        expected = f"{lowest:g} to {highest:g} {actuator.unit}" + (", or 0 for off" if actuator.run else "")
        wrong = FieldProblem(field="value", value=order.value, expected=expected)
        raise Problem(422, "Outside the station's limits", errors=[wrong])

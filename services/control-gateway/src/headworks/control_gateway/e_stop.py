"""What an emergency stop covers, and who may end it: pure, and the same in whatever order gateways hear of each other's orders.

A stop is a press, with an id of its own, on the whole system, a site or one actuator. Clearing names the presses it ends: so one
that came meanwhile, here or at another gateway, holds on. One person asks to clear, another confirms within CONFIRM_WITHIN.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headworks.common.messages import Instant, Name

CONFIRM_WITHIN = timedelta(minutes=10)
CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of two gateways may be apart."""
KEPT_AT_MOST = 500
"""So many ended presses are remembered: a gateway that was away for longer brings an old one back, which stops."""
OrderId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(_Order):
    """What a stop covers: the system without a site, a site without a resource, or one actuator."""

    site: Name | None = None
    resource: Name | None = None

    def covers(self, site: str, resource: str | None = None) -> bool:
        """Whether a stop of this scope stops a site, or one of its actuators."""
        return self.site in {None, site} and self.resource in {None, resource}

    def __str__(self) -> str:
        """As people read it."""
        return "system" if self.site is None else "/".join(filter(None, (self.site, self.resource)))


class Press(_Order):
    """Somebody pressed."""

    press_id: OrderId = Field(default_factory=lambda: uuid.uuid4().hex)
    scope: Scope
    by: str
    reason: str = ""
    at: Instant

    @property
    def told(self) -> str:
        """Who pressed and why."""
        return f"{self.by}: {self.reason}" if self.reason else self.by


class ClearRequest(_Order):
    """Somebody asks to end these presses; it ends nothing. `at` is real time, whatever the plant's clock does."""

    scope: Scope
    presses: tuple[OrderId, ...]
    by: str
    reason: str = ""
    at: Instant

    def may_be_confirmed_by(self, person: str) -> bool:
        """Whether somebody else than who asked would confirm."""
        return self.by.strip().casefold() != person.strip().casefold()


class EStops(_Order):
    """All presses, ended ones too, so that whoever hears of a press late also hears that it is over."""

    presses: tuple[Press, ...] = ()
    ended: tuple[OrderId, ...] = ()
    requests: tuple[ClearRequest, ...] = ()

    def active(self, scope: Scope | None = None) -> tuple[Press, ...]:
        """The presses in force, oldest first; with a scope those of just that scope."""
        return tuple(
            press
            for press in sorted(self.presses, key=lambda p: (p.at, p.press_id))
            if press.press_id not in self.ended and scope in {None, press.scope}
        )

    def stopped(self, site: str, resource: str | None = None) -> Press | None:
        """The press that stops a site, or one of its actuators; None when nothing does."""
        return next((press for press in self.active() if press.scope.covers(site, resource)), None)

    def waiting(self, scope: Scope, now: datetime) -> ClearRequest | None:
        """The newest request that another person may confirm: it names all presses in force and is not too old."""
        ids = {press.press_id for press in self.active(scope)}
        open_ones = [
            request
            for request in self.requests
            if request.scope == scope
            and ids
            and ids <= set(request.presses)
            and -CLOCKS_APART <= now - request.at <= CONFIRM_WITHIN
        ]
        return max(open_ones, key=lambda request: request.at, default=None)

    def with_press(self, press: Press) -> "EStops":
        """After a press."""
        return self.model_copy(update={"presses": (*self.presses, press)})

    def with_request(self, request: ClearRequest) -> "EStops":
        """After a request: the newest of each scope and person alone is kept."""
        others = [r for r in self.requests if (r.scope, r.by) != (request.scope, request.by)]
        return self.model_copy(update={"requests": (*others, request)})

    def without(self, presses: Iterable[str], scope: Scope) -> "EStops":
        """After presses were ended by two people; requests of the scope are done with."""
        ended = tuple(dict.fromkeys((*self.ended, *presses)))
        requests = tuple(request for request in self.requests if request.scope != scope)
        return EStops(presses=self.presses, ended=ended, requests=requests).pruned()

    def merged(self, other: "EStops") -> "EStops":
        """With what another gateway knows: in force is what somebody pressed and nobody ended."""
        presses = {press.press_id: press for press in (*self.presses, *other.presses)}
        ended = tuple(sorted({*self.ended, *other.ended}))
        alive = set(presses) - set(ended)
        in_time = sorted({*self.requests, *other.requests}, key=lambda r: (r.at, r.by, str(r.scope), r.presses))
        newest = {(r.scope, r.by): r for r in in_time if alive & set(r.presses)}
        kept = tuple(r for r in in_time if r in newest.values())
        in_order = tuple(sorted(presses.values(), key=lambda p: (p.at, p.press_id)))
        return EStops(presses=in_order, ended=ended, requests=kept).pruned()

    def pruned(self) -> "EStops":
        """With the newest ended presses only."""
        over = [press for press in self.presses if press.press_id in self.ended]
        forgotten = {press.press_id for press in over[:-KEPT_AT_MOST]}
        if not forgotten:
            return self
        presses = tuple(press for press in self.presses if press.press_id not in forgotten)
        ended = tuple(ended for ended in self.ended if ended not in forgotten)
        return self.model_copy(update={"presses": presses, "ended": ended})

"""Refused requests, for a service's audit. Anybody can send them, so some are noted at once and then a few.

What is passed over is counted in the next.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from headworks.common.audit import Category

AT_ONCE = 20
PER_S = 0.2
REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 422})
WITHOUT_ACCESS = frozenset({401, 403})


@dataclass(slots=True)
class Allowance:
    """How much is noted of what anybody can cause."""

    _left: float = AT_ONCE
    _at_s: float = field(default_factory=time.monotonic)
    _passed_over: int = 0

    def take(self) -> int | None:
        """How many were passed over since the last that was noted; None for one that is passed over too."""
        now_s = time.monotonic()
        self._left = min(AT_ONCE, self._left + (now_s - self._at_s) * PER_S)
        self._at_s = now_s
        if self._left < 1:
            self._passed_over += 1
            return None
        self._left -= 1
        passed_over, self._passed_over = self._passed_over, 0
        return passed_over


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """What is noted of one: what kind it is, who sent it from where, and how many went unnoted before it."""

    category: Category
    event_type: str
    actor: str
    path: str
    where: str
    method: str
    status: int
    passed_over: int


Note = Callable[[RefusedRequest], Awaitable[None]]


@dataclass(slots=True)
class RefusedRequests:
    """Answers requests, and notes those with a status of a refusal that are in the audit by no other way."""

    note: Note
    statuses: frozenset[int] = REFUSALS
    _allowance: Allowance = field(default_factory=Allowance)

    async def __call__(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer a request, and note it if the answer is a refusal."""
        response = await answer(request)
        status = response.status_code
        if status not in self.statuses or getattr(request.state, "in_audit", False):
            return response
        passed_over = self._allowance.take()
        if passed_over is not None:
            access = status in WITHOUT_ACCESS
            refused = RefusedRequest(
                Category.ACCESS_CONTROL if access else Category.REQUEST_ERROR,
                "access_refused" if access else "request_refused",
                "unknown" if status == 401 else getattr(request.state, "caller", "unknown"),
                request.url.path[:300],
                where_of(request),
                request.method,
                status,
                passed_over,
            )
            await self.note(refused)
        return response


def where_of(request: Request) -> str:
    """The caller's address, as the connection says it."""
    return f"api {request.client.host}" if request.client else "api"

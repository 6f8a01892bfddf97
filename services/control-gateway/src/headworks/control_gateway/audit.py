"""What the gateway notes of people and of itself: each event with the fields of IEC 62443-4-2 CR 2.8, in the journal's chain."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.clock import Clock
from headworks.control_gateway.journal import Journal

REFUSALS_AT_ONCE = 20
REFUSALS_PER_S = 0.2
"""How many refused requests are noted: each is synced to the disk that control writes to, and anybody can send them."""


@dataclass(frozen=True, slots=True)
class Auditor:
    """Notes events in the journal; False from each where the disk refuses."""

    journal: Journal
    clock: Clock

    def note(
        self,
        category: Category,
        event_type: str,
        actor: str,
        *,
        result: Result = Result.SUCCESS,
        subject: str = "",
        reason: str = "",
        where: str = "",
        **details: object,
    ) -> bool:
        """Note one event. `where` is the caller's address or the way by which it came."""
        source = f"{self.journal.gateway} {where}".strip()
        event = AuditEvent(
            at=self.clock.now(),
            source=source,
            category=category,
            event_type=event_type,
            result=result,
            actor=actor,
            subject=subject,
            reason=reason,
            details=details,
        )
        return self.journal.note(event)

    def order(
        self, event_type: str, actor: str, subject: str, reason: str, where: str, result: Result = Result.SUCCESS
    ) -> bool:
        """Note a person's order."""
        return self.note(
            Category.CONTROL_SYSTEM, event_type, actor, result=result, subject=subject, reason=reason, where=where
        )


@dataclass(slots=True)
class RefusedRequests:
    """Notes requests that were refused, some at once and then a few; what is passed over is counted in the next."""

    auditor: Auditor
    _left: float = REFUSALS_AT_ONCE
    _at_s: float = field(default_factory=time.monotonic)
    _passed_over: int = 0

    async def __call__(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer a request, and note it if the answer is a refusal."""
        response = await answer(request)
        if response.status_code in {400, 401, 403, 404, 405, 409, 422} and self._may_note():
            access = response.status_code in {401, 403}
            self.auditor.note(
                Category.ACCESS_CONTROL if access else Category.REQUEST_ERROR,
                "access_refused" if access else "request_refused",
                "unknown" if response.status_code == 401 else getattr(request.state, "caller", "unknown"),
                result=Result.REFUSED,
                subject=request.url.path[:300],
                where=where_of(request),
                method=request.method,
                status=response.status_code,
                passed_over=self._passed_over,
            )
            self._passed_over = 0
        return response

    def _may_note(self) -> bool:
        now_s = time.monotonic()
        self._left = min(REFUSALS_AT_ONCE, self._left + (now_s - self._at_s) * REFUSALS_PER_S)
        self._at_s = now_s
        if self._left < 1:
            self._passed_over += 1
            return False
        self._left -= 1
        return True


def where_of(request: Request) -> str:
    """The caller's address, as the connection says it."""
    return f"api {request.client.host}" if request.client else "api"

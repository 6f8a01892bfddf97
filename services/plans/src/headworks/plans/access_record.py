"""Who was let in, turned away and shown out: the access events of IEC 62443-4-2 CR 2.8, in the plans' audit.

Of each kind some are noted at once and then a few, for anybody can knock; what is passed over is counted in the next. Nobody
waits at the door for a database that is away.
"""

import uuid
from collections import defaultdict

import structlog

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.refused_requests import Allowance, RefusedRequest
from headworks.plans.audit_store import About, AuditStore

log = structlog.get_logger(__name__)


class AccessRecord:
    """Notes access events."""

    def __init__(self, audit: AuditStore, clock: Clock) -> None:
        self._audit, self._clock = audit, clock
        self._allowances: defaultdict[str, Allowance] = defaultdict(Allowance)

    async def at_the_door(self, event_type: str, actor: str, result: Result, **details: object) -> None:
        """Note what happened at the vendors' door to the bus."""
        passed_over = self._allowances[event_type].take()
        if passed_over is not None:
            noted = {**details, "passed_over": passed_over}
            await self._append(Category.ACCESS_CONTROL, event_type, actor, result, "bus", "", noted)

    async def refused_request(self, refused: RefusedRequest) -> None:
        """Note a request that was refused before it was a write."""
        details = {"method": refused.method, "status": refused.status, "passed_over": refused.passed_over}
        await self._append(
            refused.category,
            refused.event_type,
            refused.actor,
            Result.REFUSED,
            refused.where,
            refused.path,
            details,
        )

    async def _append(
        self,
        category: Category,
        event_type: str,
        actor: str,
        result: Result,
        where: str,
        subject: str,
        details: dict[str, object],
    ) -> None:
        event = AuditEvent(
            at=self._clock.now(),
            source=f"plans, {where}",
            category=category,
            event_type=event_type,
            result=result,
            actor=actor,
            subject=subject,
            details=details,
        )
        try:
            await self._audit.append(event, About(uuid.uuid4().hex), answers=False)
        except DatabaseUnavailable:
            log.exception("an access event could not be noted", event_type=event_type, actor=actor)

"""What the gateway notes of people and of itself: each event with the fields of IEC 62443-4-2 CR 2.8, in the journal's chain."""

from dataclasses import dataclass

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.clock import Clock
from headworks.common.refused_requests import RefusedRequest
from headworks.control_gateway.journal import Journal


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

    async def refused_request(self, refused: RefusedRequest) -> None:
        """Note a request that was refused."""
        self.note(
            refused.category,
            refused.event_type,
            refused.actor,
            result=Result.REFUSED,
            subject=refused.path,
            where=refused.where,
            method=refused.method,
            status=refused.status,
            passed_over=refused.passed_over,
        )

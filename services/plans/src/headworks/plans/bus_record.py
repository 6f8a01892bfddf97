"""Submissions from the bus stand in the audit too, once they are answered.

After the answer, so that no plan waits for its record: a fault in between has the bus bring the submission again, and then it
is noted. Of what is refused some of a publisher are noted at once and then a few, with how many were passed over.
"""

import uuid
from collections import defaultdict
from datetime import datetime

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.clock import Clock
from headworks.common.handling import Delivery
from headworks.common.messages import PlanReply, PlanSubmission
from headworks.common.refused_requests import Allowance
from headworks.plans.audit_store import About, AuditStore
from headworks.plans.desk import SubmissionDesk


class RecordedDesk:
    """The desk for the bus, with what it answered in the audit."""

    def __init__(self, desk: SubmissionDesk, audit: AuditStore, clock: Clock) -> None:
        self._desk, self._audit, self._clock = desk, audit, clock
        self._refused: defaultdict[str, Allowance] = defaultdict(Allowance)

    async def on_submission(self, submission: PlanSubmission, delivery: Delivery) -> None:
        """Take a submission and note it. Raises what the desk raises."""
        answered = await self._desk.on_submission(submission, delivery)
        if answered is None:
            return
        reply, passed_over = answered
        if not reply.accepted and reply.waits_until is None:
            unnoted = self._refused[submission.publisher].take()
            if unnoted is None:
                return
            passed_over += unnoted
        about = About(uuid.uuid4().hex, submission.site)
        asked = _asked(submission, delivery, passed_over, self._clock.now())
        await self._audit.append(asked, about, answers=False)
        await self._audit.append(_answered(asked, reply), about, answers=True)


def _asked(submission: PlanSubmission, delivery: Delivery, passed_over: int, at: datetime) -> AuditEvent:
    details = {
        "submission_id": submission.submission_id,
        "run_id": submission.run_id,
        "priority": submission.priority,
        "resources": sorted({interval.resource for interval in submission.intervals}),
        "intervals": len(submission.intervals),
        "attempt": delivery.attempt,
        "passed_over": passed_over,
    }
    return AuditEvent(
        at=at,
        source=f"bus, {delivery.subject}",
        category=Category.CONTROL_SYSTEM,
        event_type="submit",
        result=Result.PENDING,
        actor=submission.publisher,
        subject=submission.site,
        reason=submission.reason,
        details=details,
    )


def _answered(asked: AuditEvent, reply: PlanReply) -> AuditEvent:
    details = {
        "plan_ids": len(reply.plan_ids),
        "approval_id": reply.approval_id,
        "refusals": [refusal.model_dump(mode="json") for refusal in reply.refusals[:3]],
    }
    refused = Result.PENDING if reply.waits_until is not None else Result.REFUSED
    result = Result.SUCCESS if reply.accepted else refused
    return asked.model_copy(update={"event_id": uuid.uuid4().hex, "result": result, "details": details})

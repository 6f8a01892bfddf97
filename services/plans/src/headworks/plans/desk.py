"""Takes submissions, from the bus and the API alike: checks them, stores them, and answers."""

from collections.abc import Mapping

import structlog
from prometheus_client import Counter

from headworks.common.clock import Clock
from headworks.common.handling import Delivery, Unacceptable
from headworks.common.messages import PlanReply, PlanSubmission
from headworks.common.subjects import PLAN_SUBMISSION
from headworks.plans.actuators import Actuator
from headworks.plans.lifecycle import refusals
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import VendorDesk

log = structlog.get_logger(__name__)
SUBMISSIONS = Counter("headworks_plan_submissions", "plan submissions by outcome", ["site", "publisher", "outcome"])


class SubmissionDesk:
    """One door for all publishers; the same submission gets the same answer again."""

    def __init__(
        self, store: PlanStore, actuators: Mapping[tuple[str, str], Actuator], clock: Clock, outside: VendorDesk
    ) -> None:
        self._store, self._actuators, self._clock, self._outside = store, actuators, clock, outside

    async def take(self, submission: PlanSubmission) -> PlanReply:
        """The answer given before, or a new one."""
        return await self._store.known_reply(submission) or await self._judge(submission, over_bus=False)

    async def _judge(self, submission: PlanSubmission, *, over_bus: bool) -> PlanReply:
        """Accept or refuse; the answer is published too."""
        now = self._clock.now()
        reasons = refusals(submission, self._actuators, now)
        examined = await self._outside.examine(submission, reasons, now, over_bus=over_bus)
        if examined.refusals:
            reply = await self._store.refuse(submission, examined.refusals, now, examined.notes)
        else:
            reply = await self._store.accept(submission, now, examined.notes)
        outcome = "accepted" if reply.accepted else "refused"
        SUBMISSIONS.labels(submission.site, submission.publisher, outcome).inc()
        log.info(
            "submission answered",
            submission_id=submission.submission_id,
            publisher=submission.publisher,
            outcome=outcome,
            refusals=[r.model_dump() for r in reply.refusals[:3]],
        )
        return reply

    async def on_submission(self, submission: PlanSubmission, delivery: Delivery) -> None:
        """A submission from the bus: its publisher and site must be those of its subject. One sent again is answered again."""
        if delivery.subject != PLAN_SUBMISSION.at(publisher=submission.publisher, site=submission.site):
            raise Unacceptable(
                f"subject {delivery.subject} does not belong to publisher={submission.publisher!r}, "
                f"site={submission.site!r}"
            )
        known = await self._store.known_reply(submission)
        if known is None:
            await self._judge(submission, over_bus=True)
        else:
            await self._store.answer_again(known, delivery.sequence)

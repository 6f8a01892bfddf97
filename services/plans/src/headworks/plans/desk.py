"""Takes submissions, from the bus and the API alike: checks them, stores them, and answers."""

from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import Counter

from headworks.common.clock import Clock
from headworks.common.handling import Delivery, Unacceptable
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.common.subjects import PLAN_SUBMISSION
from headworks.plans.actuators import Actuator
from headworks.plans.lifecycle import refusals
from headworks.plans.store import PlanStore
from headworks.plans.vendor_desk import Examined, VendorDesk
from headworks.plans.waiting_room import WaitingRoom

log = structlog.get_logger(__name__)
SUBMISSIONS = Counter("headworks_plan_submissions", "plan submissions by outcome", ["site", "publisher", "outcome"])


class SubmissionDesk:
    """One door for all publishers; the same submission gets the same answer again."""

    def __init__(
        self,
        store: PlanStore,
        actuators: Mapping[tuple[str, str], Actuator],
        clock: Clock,
        outside: VendorDesk,
        waiting: WaitingRoom | None = None,
    ) -> None:
        """Without a waiting room no plan waits for a person's approval."""
        self._store, self._actuators, self._clock, self._outside = store, actuators, clock, outside
        self._waiting = waiting

    async def take(self, submission: PlanSubmission) -> PlanReply:
        """The answer given before, or a new one."""
        return await self._known(submission) or await self._judge(submission, over_bus=False)

    async def take_change(self, submission: PlanSubmission, by: str) -> PlanReply | None:
        """Let a change of one plan, already checked, wait as a person asks for it. None when it need not."""
        rule = self._waiting.rule_for(submission) if self._waiting else None
        if self._waiting is None or rule is None:
            return None
        return await self._waiting.hold(submission, rule, self._clock.now(), asked_by=by, over_bus=False)

    async def take_approved(
        self, submission: PlanSubmission, besides: Sequence[Refusal], *, over_bus: bool
    ) -> PlanReply:
        """What a person approved: judged again by all rules, at this moment, with what was found besides."""
        examined, now = await self._examine(submission, besides, over_bus=over_bus), self._clock.now()
        if examined.refusals:
            return _noted(submission, await self._store.refuse(submission, examined.refusals, now, examined.notes))
        if examined.shadow:
            return _noted(submission, await self._outside.keep_in_shadow(submission, now, examined.notes))
        return _noted(submission, await self._store.accept(submission, now, examined.notes))

    async def _known(self, submission: PlanSubmission) -> PlanReply | None:
        known = await self._store.known_reply(submission)
        return known or (await self._waiting.waiting_reply(submission) if self._waiting else None)

    async def _examine(
        self, submission: PlanSubmission, besides: Sequence[Refusal] = (), *, over_bus: bool
    ) -> Examined:
        now = self._clock.now()
        reasons = (*besides, *refusals(submission, self._actuators, now))
        return await self._outside.examine(submission, reasons, now, over_bus=over_bus)

    async def _judge(self, submission: PlanSubmission, *, over_bus: bool) -> PlanReply:
        """Accept, refuse, or let wait for an approval; the answer is published too."""
        examined, now = await self._examine(submission, over_bus=over_bus), self._clock.now()
        rule = self._waiting.rule_for(submission) if self._waiting else None
        if examined.refusals:
            reply = await self._store.refuse(submission, examined.refusals, now, examined.notes)
        elif examined.shadow:
            reply = await self._outside.keep_in_shadow(submission, now, examined.notes)
        elif self._waiting is not None and rule is not None:
            asked_by = submission.publisher
            reply = await self._waiting.hold(submission, rule, now, asked_by=asked_by, over_bus=over_bus)
        else:
            reply = await self._store.accept(submission, now, examined.notes)
        return _noted(submission, reply)

    async def on_submission(self, submission: PlanSubmission, delivery: Delivery) -> PlanReply:
        """A submission from the bus: its publisher and site must be those of its subject. One sent again is answered again."""
        if delivery.subject != PLAN_SUBMISSION.at(publisher=submission.publisher, site=submission.site):
            raise Unacceptable(
                f"subject {delivery.subject} does not belong to publisher={submission.publisher!r}, "
                f"site={submission.site!r}"
            )
        known = await self._known(submission)
        if known is None:
            return await self._judge(submission, over_bus=True)
        await self._store.answer_again(known, delivery.sequence)
        return known


def _noted(submission: PlanSubmission, reply: PlanReply) -> PlanReply:
    outcome = "accepted" if reply.accepted else "waiting" if reply.waits_until else "refused"
    SUBMISSIONS.labels(submission.site, submission.publisher, outcome).inc()
    log.info(
        "submission answered",
        submission_id=submission.submission_id,
        publisher=submission.publisher,
        outcome=outcome,
        refusals=[r.model_dump() for r in reply.refusals[:3]],
    )
    return reply

"""Takes submissions, from the bus and the API alike: checks them, stores them, and answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from headworks.common.clock import Clock
from headworks.common.handling import Delivery, Unacceptable, not_readable
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.common.refused_requests import Allowance
from headworks.common.subjects import PLAN_SUBMISSION
from headworks.plans.actuators import Actuator
from headworks.plans.approvals import ApprovalRule
from headworks.plans.lifecycle import refusals
from headworks.plans.standing import Overtaken
from headworks.plans.store import PlanStore
from headworks.plans.unread import id_of, misplaced, reasons_of
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
        self._repeats: defaultdict[str, Allowance] = defaultdict(Allowance)

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
        return _noted(submission, await self._by_what_stands(submission, besides, None, over_bus=over_bus))

    async def examine_change(self, changed: PlanSubmission) -> tuple[Refusal, ...]:
        """Every reason why a person may not change one plan so: the rules of plans, its publisher's standing, the preflight."""
        now = self._clock.now()
        return refusals(changed, self._actuators, now) or await self._outside.examine_change(changed, now)

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
        rule = self._waiting.rule_for(submission) if self._waiting else None
        return _noted(submission, await self._by_what_stands(submission, (), rule, over_bus=over_bus))

    async def _by_what_stands(
        self, submission: PlanSubmission, besides: Sequence[Refusal], rule: ApprovalRule | None, *, over_bus: bool
    ) -> PlanReply:
        """Judge until nothing of its vendor changed meanwhile: whoever is revoked during a preflight is refused."""
        while True:
            examined, now = await self._examine(submission, besides, over_bus=over_bus), self._clock.now()
            try:
                return await self._answer(submission, examined, rule, now, over_bus=over_bus)
            except Overtaken:
                log.info("judged again: its vendor was changed", submission_id=submission.submission_id)

    async def _answer(
        self,
        submission: PlanSubmission,
        examined: Examined,
        rule: ApprovalRule | None,
        now: datetime,
        *,
        over_bus: bool,
    ) -> PlanReply:
        if examined.refusals:
            return await self._store.refuse(submission, examined.refusals, now, examined.notes)
        if examined.shadow:
            return await self._outside.keep_in_shadow(submission, now, examined.notes)
        if self._waiting is not None and rule is not None:
            asked_by = submission.publisher
            return await self._waiting.hold(submission, rule, now, asked_by=asked_by, over_bus=over_bus)
        return await self._store.accept(submission, now, examined.notes, of_vendor=examined.of_vendor)

    async def on_submission(self, submission: PlanSubmission, delivery: Delivery) -> tuple[PlanReply, int] | None:
        """A submission from the bus, and how many sent again were passed over before it. One sent again is answered again.

        None for one that is passed over: it is sent again too often, or not its subject's and past the quota. Raises
        Unacceptable for one that is not its subject's within the quota.
        """
        if wrong := misplaced(submission, delivery):
            why = f"subject {delivery.subject} does not belong to publisher={submission.publisher!r}, site={submission.site!r}"
            await self._turn_back(submission.submission_id, wrong, delivery, Unacceptable(why))
            return None
        known = await self._known(submission)
        if known is None:
            return await self._judge(submission, over_bus=True), 0
        passed_over = self._repeats[submission.publisher].take()
        if passed_over is None:
            SUBMISSIONS.labels(submission.site, submission.publisher, "passed_over").inc()
            return None
        await self._store.tell(known, f"reply-again:{delivery.sequence}")
        return known, passed_over

    async def on_unreadable(self, data: bytes, error: ValidationError, delivery: Delivery) -> None:
        """A message from the bus that is no submission. Raises Unacceptable within its publisher's quota."""
        await self._turn_back(id_of(data, delivery), reasons_of(error), delivery, not_readable(PLAN_SUBMISSION, error))

    async def _turn_back(
        self, submission_id: str, reasons: Sequence[Refusal], delivery: Delivery, dead_letter: Unacceptable
    ) -> None:
        """Count it, and answer whoever sent it. What is past the quota is worth no dead letter: of a flood a few say all."""
        _, _, publisher, site = delivery.subject.split(".")
        now = self._clock.now()
        beyond = await self._outside.count(publisher, delivery, now)
        if beyond is None:
            raise dead_letter
        reply = PlanReply(
            submission_id=submission_id,
            publisher=publisher,
            site=site,
            at=now,
            accepted=False,
            refusals=(*beyond, *reasons),
        )
        await self._store.tell(reply, f"reply-unread:{delivery.sequence}")
        SUBMISSIONS.labels(site, publisher, "unreadable").inc()
        if not beyond:
            raise dead_letter
        log.warning("no submission, and past the quota", publisher=publisher, site=site, sequence=delivery.sequence)


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

"""Carries out what people decide on plans that wait: an approved one is judged again by all rules, at that moment."""

import asyncio
import uuid

import structlog

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.auth import Caller
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.messages import PlanReply, PlanSubmission, Refusal
from headworks.plans.approvals import Approval, ApprovalState, overtaken
from headworks.plans.audit_store import About, AuditStore
from headworks.plans.desk import SubmissionDesk
from headworks.plans.store import PlanStore
from headworks.plans.waiting_room import WaitingRoom

log = structlog.get_logger(__name__)
LOOK_S = 1.0


class ApprovalDesk:
    """Decides, and ends what waited too long."""

    def __init__(
        self, desk: SubmissionDesk, store: PlanStore, waiting: WaitingRoom, clock: Clock, audit: AuditStore
    ) -> None:
        self._desk, self._store, self.waiting, self._clock, self._audit = desk, store, waiting, clock, audit

    async def decide(self, approval_id: int, state: ApprovalState, caller: Caller, reason: str) -> bool:
        """Approve or reject; False when it waits no more. Whether the caller may is asked before."""
        decided = await self.waiting.decide(approval_id, state, caller.name, reason, self._clock.now())
        if decided:
            log.info("approval decided", approval_id=approval_id, state=state.value, by=caller.name)
            await self._carry_out(approval_id)
        return decided

    async def watch(self) -> None:
        """End what waited too long, for ever; run it as a task. Waits while the database is away."""
        while True:
            try:
                await self.look()
            except DatabaseUnavailable as error:
                log.warning("approvals wait for the database", error=repr(error))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """End what has waited too long, and carry out what a fault cut off."""
        now = self._clock.now()
        for approval_id in await self.waiting.expired(now):
            if await self.waiting.decide(approval_id, ApprovalState.EXPIRED, "plans", "nobody decided in time", now):
                await self._carry_out_by_itself(approval_id, "expire_approval")
        for approval_id in await self.waiting.cut_off():
            await self._carry_out_by_itself(approval_id, "carry_out_approval")

    async def _carry_out_by_itself(self, approval_id: int, what: str) -> None:
        """Carry out what no request does. In the audit before and after, as what a person asks for."""
        found = await self.waiting.find(approval_id)
        assert found is not None
        approval, about = found[0], About(uuid.uuid4().hex, found[0].site)
        asked = AuditEvent(
            at=self._clock.now(),
            source="plans, by itself",
            category=Category.CONTROL_SYSTEM,
            event_type=what,
            result=Result.PENDING,
            actor="plans",
            subject=f"approval {approval_id}",
            reason=approval.reason or "",
            details={"submission_id": approval.submission_id, "publisher": approval.publisher, "state": approval.state},
        )
        await self._audit.append(asked, about, answers=False)
        reply = await self._carry_out(approval_id)
        details = {"plan_ids": len(reply.plan_ids), "refusals": [each.model_dump() for each in reply.refusals[:3]]}
        ended = {"event_id": uuid.uuid4().hex, "at": self._clock.now(), "details": details}
        ended["result"] = Result.SUCCESS if reply.accepted else Result.REFUSED
        await self._audit.append(asked.model_copy(update=ended), about, answers=True)

    async def _carry_out(self, approval_id: int) -> PlanReply:
        """Store or refuse, once: what was answered before a fault has its answer again."""
        found = await self.waiting.find(approval_id)
        assert found is not None
        approval, submission, over_bus = found
        reply = await self._store.known_reply(submission)
        if reply is None:
            reply = await self._answer(approval, submission, over_bus=over_bus)
        await self.waiting.settle(approval_id, reply)
        return reply

    async def _answer(self, approval: Approval, submission: PlanSubmission, *, over_bus: bool) -> PlanReply:
        now = self._clock.now()
        if approval.state is ApprovalState.APPROVED:
            active = await self._store.active(submission.site, now)
            since = overtaken(submission, approval.asked_at, active)
            return await self._desk.take_approved(submission, since, over_bus=over_bus)
        return await self._store.refuse(submission, (_no(approval),), now)


def _no(approval: Approval) -> Refusal:
    """What the publisher is told of an approval that was not given."""
    limit = approval.expires_at.isoformat()
    if approval.state is ApprovalState.EXPIRED:
        return Refusal(field="approval", value="expired", expected=f"a person's approval before {limit}")
    said = f"rejected by {approval.decided_by}: {approval.reason}"
    return Refusal(field="approval", value=said, expected=f"a person's approval before {limit}")

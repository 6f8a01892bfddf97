"""Approvals: what waits for a person, and the person's yes or no."""

from fastapi import FastAPI, Request, Response

from headworks.common.auth import Caller, Viewer
from headworks.common.messages import PlanSubmission
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.approvals import Approval, ApprovalState, why_not
from headworks.plans.etags import TAGGED, tagged
from headworks.plans.paging import PAGED, Cursor, Limit, cursor_after, key_of, next_link
from headworks.plans.parameters import PlanId, Reason, Responses, Station

ABSENT: Responses = {404: {"description": "No such approval"}}
DECIDED: Responses = {**ABSENT, 409: {"description": "It waits no more, or the rules refuse the plan now"}}


class ApprovalWithPlan(Approval):
    """An approval with what it is about."""

    submission: PlanSubmission


def add_approval_routes(app: FastAPI, approvals: ApprovalDesk) -> None:
    """The approvals' routes."""

    @app.get("/approvals", response_model=list[Approval], responses={**PAGED, **TAGGED})
    async def list_approvals(
        request: Request,
        _caller: Viewer,
        station: Station | None = None,
        state: ApprovalState | None = None,
        limit: Limit = 200,
        cursor: Cursor = None,
    ) -> Response:
        """What waits or waited for a person, newest first."""
        key = key_of(cursor, int)
        found = await approvals.waiting.page(station, state, limit + 1, key[0] if key else None)
        more = cursor_after(found[limit - 1].approval_id) if len(found) > limit else None
        return tagged(request, found[:limit], next_link(request, more))

    @app.get("/approvals/{approval_id}", response_model=ApprovalWithPlan, responses={**TAGGED, **ABSENT})
    async def approval_by_id(request: Request, approval_id: PlanId, _caller: Viewer) -> Response:
        """One approval, with the plan it is about."""
        found = await approvals.waiting.find(approval_id)
        if found is None:
            raise Problem(404, "No such approval", f"approval_id={approval_id}")
        approval, submission, _over_bus = found
        return tagged(request, ApprovalWithPlan(**approval.model_dump(), submission=submission))

    @app.post("/approvals/{approval_id}/approve", responses=DECIDED)
    async def approve(approval_id: PlanId, body: Reason, caller: Viewer) -> Approval:
        """Let the plan into force: it is judged again by all rules now. By a second person of the roles that the site names."""
        await _check_caller(approvals, approval_id, caller)
        in_time = await approvals.decide(approval_id, ApprovalState.APPROVED, caller, body.reason)
        approval = await _existing(approvals, approval_id)
        if not in_time:
            raise _over(approval)
        if approval.reply is not None and not approval.reply.accepted:
            errors = [FieldProblem(**refusal.model_dump()) for refusal in approval.reply.refusals]
            raise Problem(409, "The plan is refused now", f"approval_id={approval_id}", errors=errors)
        return approval

    @app.post("/approvals/{approval_id}/reject", responses=DECIDED)
    async def reject(approval_id: PlanId, body: Reason, caller: Viewer) -> Approval:
        """Refuse the plan; its publisher is told by whom and why."""
        await _check_caller(approvals, approval_id, caller)
        in_time = await approvals.decide(approval_id, ApprovalState.REJECTED, caller, body.reason)
        approval = await _existing(approvals, approval_id)
        if not in_time:
            raise _over(approval)
        return approval


async def _existing(approvals: ApprovalDesk, approval_id: int) -> Approval:
    found = await approvals.waiting.find(approval_id)
    if found is None:
        raise Problem(404, "No such approval", f"approval_id={approval_id}")
    return found[0]


async def _check_caller(approvals: ApprovalDesk, approval_id: int, caller: Caller) -> None:
    """Answer 404 where nothing waits by that id, 403 to whoever may not decide on it."""
    if reason := why_not(caller, await _existing(approvals, approval_id)):
        raise Problem(403, "Not yours to decide", reason)


def _over(approval: Approval) -> Problem:
    """What is answered to a decision that comes too late."""
    if approval.state is ApprovalState.WAITING:
        expired = f"approval_id={approval.approval_id} waited until {approval.expires_at.isoformat()}"
        return Problem(409, "The time for an approval is over", expired)
    said = f"approval_id={approval.approval_id} is {approval.state.value} by {approval.decided_by}"
    return Problem(409, "It is decided", said)

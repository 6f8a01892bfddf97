"""What the service does about approvals by itself stands in the audit as what people do."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from headworks.common.audit import Whole
from headworks.common.auth import Caller, Role
from headworks.common.database import Database
from headworks.plans.approvals import ApprovalRule, ApprovalState
from headworks.plans.audit_store import AuditStore, Wanted, Write


@pytest.fixture
def rules() -> dict[str, ApprovalRule]:
    return {"blominmaki": ApprovalRule(timedelta(minutes=30), frozenset({Role.OPERATOR}), frozenset({"P1_1"}))}


async def by_itself(database: Database) -> list[Write]:
    audit = AuditStore(database)
    assert isinstance(await audit.verify(), Whole)
    return await audit.writes(Wanted(actor="plans"), 10, None)


async def waiting(api: Any) -> int:
    approval_id: int = (await api.submit("s1", api.pump(0, 4))).json()["approval_id"]
    return approval_id


async def test_an_approval_that_runs_out(api: Any, plans_database: Database) -> None:
    approval_id = await waiting(api)
    await api.approvals.look()
    assert await by_itself(plans_database) == []
    api.clock.forward(timedelta(minutes=31))
    await api.approvals.look()
    await api.approvals.look()
    [write] = await by_itself(plans_database)
    assert (write.asked.event_type, write.asked.subject) == ("expire_approval", f"approval {approval_id}")
    assert write.asked.details["submission_id"] == "s1"
    assert write.answered is not None
    assert write.answered.result == "refused"
    assert write.answered.details["refusals"][0]["value"] == "expired"


async def test_an_approved_plan_that_a_fault_cut_off_and_that_is_carried_out_later(
    api: Any, plans_database: Database
) -> None:
    """The service ends right after the decision: nothing but that is in the database."""
    approval_id, ann = await waiting(api), Caller("ann", Role.OPERATOR)
    room, now = api.approvals.waiting, api.clock.now()
    assert await room.decide(approval_id, ApprovalState.APPROVED, ann.name, "seen", now)
    async with plans_database.transaction() as connection:
        await connection.execute(text("update plans.approvals set settled_by = now() - interval '1 second'"))
    await api.approvals.look()
    [write] = await by_itself(plans_database)
    assert (write.asked.event_type, write.asked.details["state"]) == ("carry_out_approval", "APPROVED")
    assert write.answered is not None
    assert (write.answered.result, write.answered.details["plan_ids"]) == ("success", 1)

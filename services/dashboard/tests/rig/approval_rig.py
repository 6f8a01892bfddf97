"""A plan that waits for a person, as the plans service tells it."""

from datetime import datetime, timedelta
from typing import Any

from headworks.common.auth import Role
from headworks.common.messages import GenericTargets, PlanInterval, PlanSubmission, ResourceType, TargetType
from headworks.dashboard.answers import ApprovalRecord

HOUR = timedelta(hours=1)


def record(now: datetime, *megawatts: float, site: str = "abay") -> dict[str, Any]:
    """What plans tells of an approval: hours of the unit, from now on."""
    intervals = tuple(
        PlanInterval(
            resource="OXPH",
            resource_type=ResourceType.TURBINE,
            interval_start=now + i * HOUR,
            interval_end=now + (i + 1) * HOUR,
            targets=GenericTargets(target_type=TargetType.POWER, target_value=mw),
        )
        for i, mw in enumerate(megawatts)
    )
    submission = PlanSubmission(
        submission_id="s1", publisher="acme", site=site, created_at=now, priority=2, reason="peak", intervals=intervals
    )
    kept = ApprovalRecord(
        approval_id=7,
        site=site,
        publisher="acme",
        resources=("OXPH",),
        begins=intervals[0].interval_start,
        ends=intervals[-1].interval_end,
        asked_by="acme",
        asked_at=now,
        expires_at=now + HOUR,
        roles=(Role.OPERATOR, Role.ENGINEER),
        submission=submission,
    )
    return {**kept.model_dump(mode="json"), "state": "WAITING", "decided_by": None, "decided_at": None, "reply": None}


def waiting_at(stand_in: Any, now: datetime, decision: str, *megawatts: float) -> None:
    """Have a neighbour tell that a plan of the afterbay waits, and what became of it once somebody decides."""
    waiting = record(now, *megawatts)
    told = {name: value for name, value in waiting.items() if name != "submission"}
    decided = waiting | {"state": {"approve": "APPROVED", "reject": "REJECTED"}[decision], "decided_by": "otto"}
    stand_in.answers |= {
        "/approvals?station=abay": [told],
        "/approvals/7": waiting,
        f"/approvals/7/{decision}": decided,
    }

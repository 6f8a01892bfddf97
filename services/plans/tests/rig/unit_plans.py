"""A publisher's plan of the afterbay's unit, hour by hour: what tests of plans and of the page send."""

from datetime import datetime, timedelta

from headworks.common.messages import GenericTargets, PlanInterval, PlanSubmission, ResourceType, TargetType

HOUR = timedelta(hours=1)


def unit_plan(
    submission_id: str,
    *megawatts: float,
    begins: datetime,
    publisher: str = "acme",
    site: str = "abay",
    priority: int = 1,
    reason: str = "",
    created_at: datetime | None = None,
) -> PlanSubmission:
    """A plan of the unit from an instant on."""
    intervals = tuple(
        PlanInterval(
            resource="OXPH",
            resource_type=ResourceType.TURBINE,
            interval_start=begins + i * HOUR,
            interval_end=begins + (i + 1) * HOUR,
            targets=GenericTargets(target_type=TargetType.POWER, target_value=mw),
        )
        for i, mw in enumerate(megawatts)
    )
    return PlanSubmission(
        submission_id=submission_id,
        publisher=publisher,
        site=site,
        created_at=created_at or begins,
        priority=priority,
        reason=reason,
        intervals=intervals,
    )

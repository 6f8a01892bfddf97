"""A plan that waits for a person, as the plans service tells it; and a person at the page that shows it."""

from datetime import datetime
from typing import Any

from browser_rig import WAIT_MS
from playwright.async_api import Browser, Page
from unit_plans import HOUR, unit_plan

from headworks.common.auth import Role
from headworks.dashboard.answers import ApprovalRecord


def record(now: datetime, *megawatts: float, site: str = "abay") -> dict[str, Any]:
    """What plans tells of an approval: hours of the unit, from now on."""
    submission = unit_plan("s1", *megawatts, begins=now, site=site, priority=2, reason="peak")
    kept = ApprovalRecord(
        approval_id=7,
        site=site,
        publisher="acme",
        resources=("OXPH",),
        begins=submission.intervals[0].interval_start,
        ends=submission.intervals[-1].interval_end,
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


async def opened(browser: Browser, url: str, person: str, size: tuple[int, int]) -> Page:
    """The afterbay's page, signed in."""
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.set_default_timeout(WAIT_MS)
    await page.goto(f"{url}/#/abay")
    await page.get_by_label("Name").fill(person)
    await page.get_by_label("Password").fill("a good password")
    await page.get_by_role("button", name="Sign in").click()
    return page

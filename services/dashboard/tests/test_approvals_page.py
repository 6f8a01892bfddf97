"""A plan that waits, on the page in a real browser: what it asks, until when, and a person's decision with its reason."""

import os
from pathlib import Path
from typing import Any

import pytest
from approval_rig import opened, waiting_at
from browser_rig import PHONE
from playwright.async_api import Browser, expect

DESK = (1280, 900)
SHOTS = os.environ.get("HEADWORKS_SHOTS")
"""A folder to keep pictures in, for whoever wants to look."""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_what_waits_is_seen_and_approved_with_a_reason(
    dashboard: Any, neighbour: Any, recorded: Any, browser: Browser, size: tuple[int, int]
) -> None:
    stand_in = neighbour[0]
    waiting_at(stand_in, recorded.now, "approve", 2.0, 2.0, 2.5)
    page = await opened(browser, dashboard.url, "otto", size)
    card = page.get_by_role("region", name="Plans that wait for approval")
    await expect(card).to_contain_text("acme for OXPH")
    await expect(card).to_contain_text("in 1 h")
    await card.get_by_text("What it asks: 2 steps").click()
    await expect(card.get_by_role("row")).to_have_count(2)
    await expect(card).to_contain_text("power 2.5 MW")
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"approvals-{size[0]}.png")
    assert not await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    await card.get_by_role("button", name="Approve: acme for OXPH").click()
    dialog = page.get_by_role("dialog", name="Approve this plan?")
    await dialog.get_by_label("Reason").fill("seen")
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"approve-{size[0]}.png")
    stand_in.answers["/approvals?station=abay"] = []
    await dialog.get_by_role("button", name="Approve").click()
    await expect(card).to_have_count(0)
    assert stand_in.orders == [("/approvals/7/approve", "otto", "operator", {"reason": "seen"})]


async def test_who_may_not_decide_sees_who_may_and_plans_own_refusal_is_shown(
    dashboard: Any, neighbour: Any, recorded: Any, browser: Browser
) -> None:
    stand_in = neighbour[0]
    waiting_at(stand_in, recorded.now, "reject", 2.0)
    page = await opened(browser, dashboard.url, "vera", DESK)
    card = page.get_by_role("region", name="Plans that wait for approval")
    await expect(card).to_contain_text("for an operator or an engineer to decide")
    await expect(card.get_by_role("button")).to_have_count(0)
    await page.close()
    stand_in.refusal = (409, {"title": "It is decided", "status": 409, "detail": "approval_id=7 is APPROVED by enna"})
    page = await opened(browser, dashboard.url, "otto", DESK)
    await page.get_by_role("button", name="Reject: acme for OXPH").click()
    dialog = page.get_by_role("dialog", name="Reject this plan?")
    await dialog.get_by_label("Reason").fill("no")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(dialog.get_by_role("alert")).to_have_text("It is decided: approval_id=7 is APPROVED by enna")

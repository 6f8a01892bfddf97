"""A plan that waits, from the bus to a person's yes on the page, with the plans service itself behind it.

Its own code on a real PostgreSQL and NATS, by real HTTP, in a real browser. The other services are recorded answers.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from approval_rig import opened
from plans_rig import Running, plans_of
from playwright.async_api import Browser, Locator, Page, expect
from unit_plans import HOUR, unit_plan

from headworks.common.auth import Role
from headworks.common.bus import Bus
from headworks.common.messages import GenericTargets, PlanChange, PlanReply, PlanStatus
from headworks.common.subjects import PLAN_EVENT, PLAN_REPLY, PLAN_SUBMISSION
from headworks.common.testing import eventually, stored
from headworks.plans.actuators import actuators_of
from headworks.plans.approvals import Approval, ApprovalRule, ApprovalState
from headworks.plans.parts import Plant

DESK = (1280, 900)
LIMIT = 2 * HOUR
SECRET = "a-secret-of-these-tests-that-is-long-enough"
"""The dashboard's own (conftest.py): the plans service believes its tokens."""


@pytest.fixture
async def plans(database_url: str, bus: Bus, sites: Any, recorded: Any, tmp_path: Path) -> AsyncIterator[Running]:
    """The service, at a plant where a person approves every plan of the afterbay."""
    secret = tmp_path / "plans-secret"
    secret.write_text(SECRET)
    rule = ApprovalRule(LIMIT, frozenset({Role.OPERATOR, Role.ENGINEER}), None)
    plant = Plant(sites, actuators_of(sites), {"abay": rule})
    async with plans_of(database_url, bus, plant, secret, recorded.now) as running:
        yield running


@pytest.fixture
def addresses(neighbour: Any, plans: Running) -> dict[str, str]:
    there = dict.fromkeys(("ingest", "optimizer", "control_gateway", "alerts"), neighbour[1])
    return there | {"plans": plans.url}


@pytest.fixture
async def waiting(plans: Running, bus: Bus) -> int:
    """A plan of the optimizer, sent over the bus, that waits; its approval's id."""
    await eventually(lambda: "optimizer" in plans.lanes.publishers, 20)
    plan = unit_plan("s1", 2.0, 2.0, 2.5, begins=plans.clock.now(), publisher="optimizer", reason="peak")
    await bus.publish(PLAN_SUBMISSION, plan, publisher="optimizer", site="abay")

    async def waits() -> bool:
        return [reply.waits_until for reply in await stored(bus, PLAN_REPLY)] == [plans.clock.now() + LIMIT]

    await eventually(waits, 20)
    [reply] = await stored(bus, PLAN_REPLY)
    assert reply.approval_id is not None
    assert await active(plans) == []
    return reply.approval_id


async def active(plans: Running) -> list[tuple[str, PlanStatus, float]]:
    """The plans in force as the service keeps them."""
    kept = await plans.parts.store.active("abay", plans.clock.now())
    targets = [plan.targets for plan in kept]
    assert all(isinstance(each, GenericTargets) for each in targets)
    return [(p.publisher, p.plan_status, t.target_value) for p, t in zip(kept, targets, strict=True)]  # type: ignore[union-attr]


async def approval(plans: Running, approval_id: int) -> Approval:
    found = await plans.parts.waiting.find(approval_id)
    assert found is not None
    return found[0]


async def second_reply(bus: Bus) -> PlanReply:
    async def is_there() -> bool:
        return len(await stored(bus, PLAN_REPLY)) == 2

    await eventually(is_there, 20)
    return (await stored(bus, PLAN_REPLY))[1]


async def shown(page: Page) -> Locator:
    """The card, with the plan on it."""
    card = page.get_by_role("region", name="Plans that wait for approval")
    await expect(card).to_contain_text("optimizer for OXPH")
    return card


async def test_what_a_person_approves_on_the_page_is_active_in_the_plans_service_and_told_to_all(
    dashboard: Any, plans: Running, browser: Browser, bus: Bus, waiting: int
) -> None:
    page = await opened(browser, dashboard.url, "otto", DESK)
    card = await shown(page)
    await card.get_by_role("button", name="Approve: optimizer for OXPH").click()
    dialog = page.get_by_role("dialog", name="Approve this plan?")
    await dialog.get_by_label("Reason").fill("seen with the river in mind")
    await dialog.get_by_role("button", name="Approve").click()
    await expect(card).to_have_count(0)
    assert await active(plans) == [("optimizer", PlanStatus.ACTIVE, mw) for mw in (2.0, 2.0, 2.5)]
    decided = await approval(plans, waiting)
    assert (decided.state, decided.decided_by, decided.reason) == (
        ApprovalState.APPROVED,
        "otto",
        "seen with the river in mind",
    )
    reply = await second_reply(bus)
    assert (reply.submission_id, reply.accepted) == ("s1", True)
    [event] = await stored(bus, PLAN_EVENT)
    assert (event.change, tuple(plan.plan_id for plan in event.plans)) == (PlanChange.SUBMITTED, reply.plan_ids)


async def test_what_nobody_decides_in_time_lapses_and_can_be_approved_no_more(
    dashboard: Any, plans: Running, browser: Browser, bus: Bus, waiting: int
) -> None:
    page = await opened(browser, dashboard.url, "otto", DESK)
    card = await shown(page)
    plans.clock.forward(LIMIT - timedelta(microseconds=1))
    await plans.parts.approvals.look()
    assert (await approval(plans, waiting)).state is ApprovalState.WAITING
    plans.clock.forward(timedelta(microseconds=1))
    reply = await second_reply(bus)
    assert (reply.accepted, [(r.field, r.value) for r in reply.refusals]) == (False, [("approval", "expired")])
    assert (await approval(plans, waiting)).state is ApprovalState.EXPIRED
    await card.get_by_role("button", name="Approve: optimizer for OXPH").click()
    dialog = page.get_by_role("dialog", name="Approve this plan?")
    await dialog.get_by_label("Reason").fill("too late")
    await dialog.get_by_role("button", name="Approve").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("EXPIRED")
    assert await active(plans) == []
    assert await stored(bus, PLAN_EVENT) == []
    await page.reload()
    await expect(page.get_by_test_id("elevation")).to_be_visible()
    await expect(page.get_by_role("region", name="Plans that wait for approval")).to_have_count(0)

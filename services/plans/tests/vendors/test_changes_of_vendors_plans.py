"""A person's change of a vendor's plan: it can bring back nothing that its vendor may not have in force now."""

from typing import Any

import httpx
import pytest
from vendor_rig import HOUR, NOW, Plans, unit_plan

from headworks.common.messages import Plan
from headworks.plans.vendors import Terms

CALM = {"reason": "back to what it was"}
OTHER = {"reason": "a bit less", "changes": {"target_value": 1.5}}


async def two_versions(plans: Plans) -> tuple[int, int]:
    """The superseded plan and the active one of a vendor."""
    old = await plans.desk.take(unit_plan("s1", 2.0, priority=9))
    new = await plans.desk.take(unit_plan("s2", 3.0, priority=9))
    assert old.accepted
    assert new.accepted
    return old.plan_ids[0], new.plan_ids[0]


async def changed(plans: Plans, name: str, **terms: Any) -> None:
    vendor = await plans.vendors.registry.find(name)
    assert vendor is not None
    now = Terms(**vendor.model_dump(include=set(Terms.model_fields))).model_copy(update=terms)
    assert await plans.vendors.change_terms(name, now, "ann") is not None


def refused(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 409, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [(error["field"], error["expected"]) for error in answer.json()["errors"]]


async def in_force(plans: Plans) -> list[Plan]:
    return await plans.store.active("abay", NOW)


async def test_a_revoked_vendor_s_plan_is_not_rolled_back_to_nor_changed(plans: Plans) -> None:
    await plans.add("acme", max_priority=9)
    old, new = await two_versions(plans)
    async with plans.api() as ann:
        right = await ann.post(f"/plans/{old}/rollback", json=CALM)
        assert right.status_code == 200, right.text
        [active] = right.json()
        await plans.vendors.revoke("acme", "the contract ended", "ann", keep_plans=True)
        for answer in (
            await ann.post(f"/plans/{new}/rollback", json=CALM),
            await ann.patch(f"/plans/{active['plan_id']}", json=OTHER),
        ):
            [(field, expected)] = refused(answer)
            assert field == "publisher"
            assert "was revoked at 2026-02-17T08:00:00Z" in expected
    assert [plan.plan_id for plan in await in_force(plans)] == [active["plan_id"]]


async def test_nor_one_s_in_shadow_or_above_the_priority_it_has_now(plans: Plans) -> None:
    await plans.add("acme", max_priority=9)
    old, _ = await two_versions(plans)
    await changed(plans, "acme", max_priority=8)
    async with plans.api() as ann:
        assert refused(await ann.post(f"/plans/{old}/rollback", json=CALM)) == [("priority", "at most 8")]
        await changed(plans, "acme", max_priority=9, shadow=True)
        assert await in_force(plans) == []
        [(field, expected)] = refused(await ann.post(f"/plans/{old}/rollback", json=CALM))
        assert (field, expected.split(";")[0]) == ("publisher", "a vendor that plans live")
    assert await in_force(plans) == []


@pytest.mark.parametrize("change", ["rollback", "update"])
async def test_a_change_of_a_vendor_s_plan_is_simulated_as_a_submission_is(plans: Plans, change: str) -> None:
    """Ingest is away here, and the site asks for a simulation."""
    await plans.add("acme", max_priority=9)
    old, new = await two_versions(plans)
    await changed(plans, "acme", preflight=True)
    async with plans.api() as ann:
        if change == "rollback":
            answer = await ann.post(f"/plans/{old}/rollback", json=CALM)
        else:
            answer = await ann.patch(f"/plans/{new}", json=OTHER)
    [(field, expected)] = refused(answer)
    assert field == "preflight"
    assert "ingest does not answer" in expected
    assert [plan.plan_id for plan in await in_force(plans)] == [new]


async def test_changes_are_in_nobody_s_quota_and_the_optimizer_s_plans_ask_no_registry(plans: Plans) -> None:
    await plans.add("acme", max_priority=9, quota={"submissions_per_hour": 2})
    old, _ = await two_versions(plans)
    own = await plans.desk.take(unit_plan("o1", 2.0, publisher="optimizer", begins=NOW + HOUR))
    async with plans.api() as ann:
        assert (await ann.post(f"/plans/{old}/rollback", json=CALM)).status_code == 200
        assert (await ann.patch(f"/plans/{own.plan_ids[0]}", json=OTHER)).status_code == 200

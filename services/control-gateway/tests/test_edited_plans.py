"""What a person changes in a publisher's name is followed, and is no sign that the publisher lives."""

import pytest
from gateway_rig import plan_of
from loop_rig import Gateway

from headworks.common.messages import Plan, PlanChange, id_of_edit
from headworks.control_gateway.watchdog import WatchLimits


def edited(plan: Plan, gateway: Gateway, change: PlanChange) -> Plan:
    """The plan as the plans service keeps it after a person's change of it, made now."""
    now = gateway.clock.now()
    made = {"plan_created_at": now, "plan_updated_at": now, "submission_id": id_of_edit(change)}
    return plan.model_copy(update={"plan_id": plan.plan_id + 1, "plan_version": plan.plan_version + 1, **made})


@pytest.mark.parametrize("change", [PlanChange.UPDATED, PlanChange.ROLLED_BACK])
async def test_a_persons_change_is_no_sign_of_the_publishers_life(gateway: Gateway, change: PlanChange) -> None:
    gateway.watch = WatchLimits(1200)
    gateway.begin()
    plan = plan_of(2.1)
    gateway.follow(plan)
    assert (await gateway.tick(after_s=900)).leader == "plan"
    gateway.follow(edited(plan, gateway, change))
    state = await gateway.tick(after_s=299)
    assert (state.leader, state.plan_id) == ("plan", plan.plan_id + 1), "it is followed"
    state = await gateway.tick(after_s=2)
    assert (state.leader, state.leads_because) == ("fail_safe", "no plan update for 1200 s")
    gateway.follow(plan_of(2.2, plan_id=9, made=gateway.clock.now()))
    assert (await gateway.tick()).leader == "plan"


async def test_where_only_a_change_is_known_the_beginning_counts(gateway: Gateway) -> None:
    gateway.watch = WatchLimits(1200)
    gateway.follow(edited(plan_of(2.1), gateway, PlanChange.UPDATED))
    gateway.begin()
    assert (await gateway.tick(after_s=1200)).leader == "plan"
    assert (await gateway.tick(after_s=1)).leader == "fail_safe"


def test_a_submission_says_so_by_its_id() -> None:
    plan = plan_of(2.1)
    for submission_id in ("s1", "updated-by-me", id_of_edit(PlanChange.UPDATED) + "0", "submitted-" + 32 * "a"):
        assert not plan.model_copy(update={"submission_id": submission_id}).is_edit
    for change in (PlanChange.UPDATED, PlanChange.ROLLED_BACK):
        assert plan.model_copy(update={"submission_id": id_of_edit(change)}).is_edit

"""A vendor that sends one submission again and again, or goes on past its quota: what is kept of it does not grow with it."""

import json

from nats.aio.msg import Msg
from vendor_rig import HOUR, NOW, Plans, unit_plan

from headworks.common.refused_requests import AT_ONCE
from headworks.common.testing import eventually
from headworks.plans.audit_store import AuditStore, Wanted, Write

TIMES = 3 * AT_ONCE


async def noted(plans: Plans) -> list[Write]:
    writes = await AuditStore(plans.database).writes(Wanted(actor="acme"), 500, None)
    return [write for write in writes if write.asked.event_type == "submit"]


async def test_one_sent_again_too_often_is_passed_over_and_counted_and_a_new_one_is_answered(plans: Plans) -> None:
    await plans.add("acme")
    answered: list[str] = []

    async def heard(message: Msg) -> None:
        answered.append(json.loads(message.data)["submission_id"])

    async with plans.connected("acme") as acme:
        await eventually(lambda: "acme" in plans.lanes.publishers, 20)
        await acme.client.subscribe("plans.reply.acme.abay", cb=heard)
        await acme.client.flush()
        stream, same = acme.client.jetstream(), unit_plan("s1", 2.0).model_dump_json().encode()
        for _ in range(1 + TIMES):
            await stream.publish("plans.submit.acme.abay", same)
        new = unit_plan("s2", 2.0, begins=NOW + HOUR).model_dump_json().encode()
        await stream.publish("plans.submit.acme.abay", new)
        await eventually(lambda: "s2" in answered, 120)
        assert 1 + AT_ONCE <= answered.count("s1") < TIMES

        async def each_answer_is_in_the_audit() -> bool:
            return len(await noted(plans)) == len(answered)

        await eventually(each_answer_is_in_the_audit, 20)


async def test_past_the_quota_each_is_answered_and_some_are_in_the_audit(plans: Plans) -> None:
    await plans.add("acme", quota={"submissions_per_hour": 2})
    answered: dict[str, bool] = {}

    async def heard(message: Msg) -> None:
        reply = json.loads(message.data)
        answered.setdefault(reply["submission_id"], reply["accepted"])

    async with plans.connected("acme") as acme:
        await eventually(lambda: "acme" in plans.lanes.publishers, 20)
        await acme.client.subscribe("plans.reply.acme.abay", cb=heard)
        await acme.client.flush()
        for number in range(2 + TIMES):
            body = unit_plan(f"s{number}", 2.0).model_dump_json().encode()
            await acme.client.jetstream().publish("plans.submit.acme.abay", body)
        await eventually(lambda: len(answered) == 2 + TIMES, 180)
    assert sum(answered.values()) == 2
    writes = await noted(plans)
    assert 2 + AT_ONCE <= len(writes) < TIMES
    assert sum(write.asked.details["passed_over"] for write in writes) <= 2 + TIMES - len(writes)

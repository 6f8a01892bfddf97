"""A vendor that sends far more than its quota: each is answered, little of it stays, and nobody else waits behind it."""

import json

from nats.aio.msg import Msg
from nats.js.errors import ServiceUnavailableError
from vendor_rig import HOUR, NOW, Plans, unit_plan

from headworks.common.bus import Bus
from headworks.common.dead_letters import dead_letters
from headworks.common.permissions import OPERATIONS
from headworks.common.subjects import PLAN_SUBMISSIONS_STREAM
from headworks.common.testing import eventually

FLOOD, QUOTA = 120, 3
"""Far more than can be answered before the other's plan comes; the quota's alone become plans."""


async def rows(plans: Plans, table: str, where: str) -> int:
    [row] = await plans.database.fetch(f"select count(*) as n from plans.{table} where {where}")  # names of our own
    n: int = row["n"]
    return n


def keep_first(answers: dict[str, dict[str, object]], message: Msg) -> None:
    """What a busy service answers twice, since its answer came later than the bus waits for, says the same again."""
    reply = json.loads(message.data)
    answers.setdefault(reply["submission_id"], reply)


async def test_a_flood_is_refused_past_the_quota_and_another_vendor_s_plan_does_not_wait_behind_it(
    plans: Plans,
) -> None:
    await plans.add("acme", quota={"submissions_per_hour": QUOTA})
    await plans.add("beta", max_priority=9)
    replies = dict[str, dict[str, object]]()

    async def heard(message: Msg) -> None:
        keep_first(replies, message)

    async def beta_leads() -> bool:
        spans = await plans.store.effective("abay", None, NOW, NOW.replace(minute=1))
        return [span.plan.publisher for span in spans] == ["beta"]

    async with plans.connected("acme") as acme, plans.connected("beta") as beta:
        await eventually(lambda: plans.lanes.publishers >= {"acme", "beta"}, 20)
        await acme.client.subscribe("plans.reply.acme.abay", cb=heard)
        await acme.client.flush()
        stream = acme.client.jetstream()
        for i in range(FLOOD):
            await stream.publish("plans.submit.acme.abay", unit_plan(f"a{i}", 2.0).model_dump_json().encode())
        plan = unit_plan("b1", 3.0, publisher="beta", priority=9)
        await beta.client.jetstream().publish("plans.submit.beta.abay", plan.model_dump_json().encode())
        await eventually(beta_leads, 60, 0.02)
        answered_before = len(replies)
        await eventually(lambda: len(replies) == FLOOD, 240)
    assert answered_before < FLOOD / 2, "beta's plan was in force before half of the flood was answered"
    accepted = [reply for reply in replies.values() if reply["accepted"]]
    refused = [reply for reply in replies.values() if not reply["accepted"]]
    assert (len(accepted), len(refused)) == (QUOTA, FLOOD - QUOTA)
    [fields] = {tuple(refusal["field"] for refusal in reply["refusals"]) for reply in refused}  # type: ignore[attr-defined]
    assert fields == ("submission_id",)
    assert await rows(plans, "optimization_plans", "publisher = 'acme'") == QUOTA
    assert await rows(plans, "optimization_plans", "publisher = 'acme' and plan_status = 'ACTIVE'") == 1
    assert await rows(plans, "vendor_intake", "vendor = 'acme'") == QUOTA
    assert await beta_leads()


async def test_what_cannot_be_read_is_among_the_dead_letters_once_though_two_lanes_hear_it(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as acme:
        await eventually(lambda: "acme" in plans.lanes.publishers, 20)
        for garbage in (b"[1]", b"[2]"):
            await acme.client.jetstream().publish("plans.submit.acme.abay", garbage)
        await acme.client.jetstream().publish("plans.submit.acme.abay", unit_plan("a1", 2.0).model_dump_json().encode())

        async def is_in_force() -> bool:
            return [plan.submission_id for plan in await plans.store.active("abay", NOW)] == ["a1"]

        await eventually(is_in_force, 20)
        stream = "PLAN_SUBMISSIONS"
        async with await Bus.connect(plans.server.url, "plans", plans.keys / "plans.nk") as bus:
            jetstream = bus._jetstream
            for durable in ("plans", "plans-acme"):

                async def is_through(durable: str = durable) -> bool:
                    told = await jetstream.consumer_info(stream, durable)
                    return bool(told.num_pending == 0 and told.num_ack_pending == 0)

                await eventually(is_through, 20)
    async with await Bus.connect(plans.server.url, OPERATIONS, plans.keys / f"{OPERATIONS}.nk") as bus:
        letters = [letter async for letter in dead_letters(bus._jetstream)]
    assert len(letters) == 2


async def test_a_flood_while_nobody_answers_pushes_out_nobody_s_submission_and_the_flooder_is_told(
    plans: Plans,
) -> None:
    most = PLAN_SUBMISSIONS_STREAM.max_per_subject
    await plans.add("acme", quota={"submissions_per_hour": QUOTA})
    await plans.add("beta", max_priority=9)
    answered: dict[str, dict[str, dict[str, object]]] = {"acme": {}, "beta": {}}

    async def heard(message: Msg) -> None:
        keep_first(answered[message.subject.split(".")[2]], message)

    async with plans.connected("acme") as acme, plans.connected("beta") as beta:
        await eventually(lambda: plans.lanes.publishers >= {"acme", "beta"}, 20)
        for name, visitor in (("acme", acme), ("beta", beta)):
            await visitor.client.subscribe(f"plans.reply.{name}.abay", cb=heard)
            await visitor.client.flush()
        stream = acme.client.jetstream()
        async with plans.silent():
            plan = unit_plan("b1", 3.0, publisher="beta", priority=9)
            await beta.client.jetstream().publish("plans.submit.beta.abay", plan.model_dump_json().encode())
            told = []
            for i in range(most + 50):
                try:
                    await stream.publish("plans.submit.acme.abay", unit_plan(f"a{i}", 2.0).model_dump_json().encode())
                except ServiceUnavailableError as refused:
                    told.append((i, refused.description))
            assert told == [(most + i, "maximum messages per subject exceeded") for i in range(50)]
            late = unit_plan("b2", 4.0, publisher="beta", priority=9, begins=NOW + HOUR)
            await beta.client.jetstream().publish("plans.submit.beta.abay", late.model_dump_json().encode())
        await eventually(lambda: len(answered["beta"]) == 2, 60)
        assert [(name, reply["accepted"]) for name, reply in answered["beta"].items()] == [("b1", True), ("b2", True)]
        await eventually(lambda: len(answered["acme"]) == most, 240)
        await stream.publish("plans.submit.acme.abay", unit_plan("again", 2.0).model_dump_json().encode())
        await eventually(lambda: "again" in answered["acme"], 20)
    assert list(answered["acme"]) == [*(f"a{i}" for i in range(most)), "again"]
    assert sum(bool(reply["accepted"]) for reply in answered["acme"].values()) == QUOTA

"""A vendor on the bus with nothing but its key: what it can do, what it cannot, and how its access ends."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import nkeys
from vendor_rig import ADMIN, NOW, Plans, Visitor

from headworks.common.auth import Role
from headworks.common.permissions import new_seed, public_key
from headworks.common.testing import eventually
from headworks.plans.vendors import Terms, Vendor

SUBMIT, REPLY = "plans.submit.acme.abay", "plans.reply.acme.abay"
REFUSED = b"-ERR 'Authorization Violation'"
ADMIN_BUT_ONE = Role.ENGINEER


def body(submission_id: str, **changes: Any) -> dict[str, Any]:
    """One hour at 2.1 MW."""
    interval = {
        "resource": "OXPH",
        "resource_type": "TURBINE",
        "interval_start": NOW.isoformat(),
        "interval_end": (NOW + timedelta(hours=1)).isoformat(),
        "targets": {"kind": "generic", "target_type": "POWER", "target_value": 2.1},
    }
    return {
        "submission_id": submission_id,
        "publisher": "acme",
        "site": "abay",
        "created_at": NOW.isoformat(),
        "intervals": [interval],
    } | changes


async def answer(visitor: Visitor, submitted: dict[str, Any]) -> dict[str, Any]:
    """What is answered to a submission."""
    replies = await visitor.client.subscribe(REPLY)
    await visitor.client.jetstream().publish(SUBMIT, json.dumps(submitted).encode())
    while True:
        reply: dict[str, Any] = json.loads((await replies.next_msg(timeout=10)).data)
        if reply["submission_id"] == submitted["submission_id"]:
            await replies.unsubscribe()
            return reply


async def handshake(plans: Plans, seed: str, *, sign_with: str | None = None, nonce: str | None = None) -> bytes:
    """The server's answer to a client that names a seed's key and signs, with another seed or another nonce perhaps."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plans.server.port)
    given = json.loads((await reader.readline()).removeprefix(b"INFO "))["nonce"]
    signature = nkeys.from_seed((sign_with or seed).encode()).sign((nonce or given).encode())
    proof = {"nkey": public_key(seed), "sig": base64.urlsafe_b64encode(signature).rstrip(b"=").decode()}
    writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps({"verbose": False, **proof}).encode())
    answered = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await writer.wait_closed()
    return answered.strip()


async def test_a_vendor_submits_and_hears_what_was_stored(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        reply = await answer(visitor, body("s1"))
        assert (reply["accepted"], reply["refusals"], visitor.errors) == (True, [], [])
        assert [p.plan_id for p in await plans.store.active("abay", NOW)] == reply["plan_ids"]
        assert await answer(visitor, body("s1")) == reply


async def test_a_key_is_let_in_only_with_the_proof_of_holding_it(plans: Plans) -> None:
    await plans.add("acme")
    seed = plans.seeds["acme"]
    assert await handshake(plans, seed) == b"PONG"
    assert await handshake(plans, new_seed()) == REFUSED
    assert await handshake(plans, seed, sign_with=new_seed()) == REFUSED
    assert await handshake(plans, seed, nonce="a nonce of before") == REFUSED


ANYTHING_ELSE: tuple[dict[str, str], ...] = (
    {}, {"user": "acme", "pass": "x"}, {"nkey": "U" + "A" * 55}, {"nkey": "é", "sig": "é"}, {"nkey": "UA", "sig": "!"},
    {"jwt": "a.b.c", "sig": "x"},
)  # fmt: skip


async def test_nobody_comes_in_with_anything_else(plans: Plans) -> None:
    for sent in ANYTHING_ELSE:
        reader, writer = await asyncio.open_connection("127.0.0.1", plans.server.port)
        await reader.readline()
        writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps({"verbose": False, **sent}).encode())
        assert (await asyncio.wait_for(reader.readline(), 10)).strip() == REFUSED, sent
        writer.close()
        await writer.wait_closed()


ELSEWHERE = (
    "plans.submit.rival.abay", "plans.submit.optimizer.abay", "plans.submit.acme.blominmaki", "plans.submit.acme",
    "plans.event.abay.OXPH", REPLY, "control.setpoint.abay.OXPH", "telemetry.abay.pi", "dead.plans.submit.acme.abay",
    "_INBOX_plans.x", "$JS.API.STREAM.LIST", "$JS.API.STREAM.DELETE.PLAN_EVENTS", "$JS.API.STREAM.MSG.GET.PLAN_EVENTS",
    "$JS.API.DIRECT.GET.PLAN_EVENTS", "$JS.API.CONSUMER.CREATE.PLAN_EVENTS.x.plans.reply.acme.*",
    "$JS.API.CONSUMER.MSG.NEXT.PLAN_SUBMISSIONS.plans", "$JS.ACK.PLAN_SUBMISSIONS.plans.1.1.1.1.0",
    "$SYS.REQ.USER.AUTH", "$SYS.REQ.SERVER.PING.CONNZ",
)  # fmt: skip
UNHEARD = (
    ">", "plans.>", "plans.reply.>", "plans.reply.*.abay", "plans.reply.rival.abay", "plans.reply.acme.*",
    "plans.reply.acme.blominmaki", SUBMIT, "plans.event.*.*", "telemetry.*.*", "_INBOX_plans.>", "_INBOX.>",
    "$JS.EVENT.>", "dead.>", "$SYS.REQ.USER.AUTH",
)  # fmt: skip


async def test_a_vendor_publishes_nowhere_else_and_hears_nothing_else(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        for subject in ELSEWHERE:
            await visitor.client.publish(subject, b"x")
        for subject in UNHEARD:
            await visitor.client.subscribe(subject)
        await visitor.client.flush()
        refused = {f'permissions violation for publish to "{subject.lower()}"' for subject in ELSEWHERE}
        refused |= {f'permissions violation for subscription to "{subject.lower()}"' for subject in UNHEARD}
        await eventually(lambda: {e.removeprefix("nats: ").lower() for e in visitor.errors} >= refused)
        await plans.add("rival")
        async with plans.connected("rival") as rival:
            for subject in UNHEARD:
                await rival.client.subscribe(subject)
            assert (await answer(visitor, body("s1")))["accepted"]
            await rival.client.flush()
            assert rival.client.stats["in_msgs"] == 0, "nothing of another's answers came through"


async def test_a_revoked_vendor_is_cut_off_while_connected_and_its_plans_are_out_of_force(plans: Plans) -> None:
    await plans.add("acme")
    await plans.add("rival")
    async with plans.connected("acme") as visitor, plans.connected("rival") as other, plans.api() as ann:
        assert (await answer(visitor, body("s1")))["accepted"]
        response = await ann.post("/vendors/acme/revoke", json={"reason": "the contract ended"})
        assert (response.status_code, response.json()["cancelled_plans"]) == (200, 1)
        await asyncio.wait_for(visitor.closed.wait(), 5)
        assert other.client.is_connected
        assert await plans.store.current("abay", "OXPH", NOW) is None
    assert await handshake(plans, plans.seeds["acme"]) == REFUSED


async def test_what_a_revoked_vendor_had_sent_before_it_was_cut_off_is_refused(plans: Plans) -> None:
    """The desk asks the registry itself: it does not count on the bus."""
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        await plans.vendors.registry.revoke("acme", "test", ADMIN)  # and nobody tells the door
        reply = await answer(visitor, body("s1"))
        assert [refusal["field"] for refusal in reply["refusals"]] == ["publisher"]
        await asyncio.wait_for(visitor.closed.wait(), 10)  # the door sees it by itself


async def test_a_rotated_key_ends_the_one_before_at_once(plans: Plans) -> None:
    await plans.add("acme")
    old, new = plans.seeds["acme"], new_seed()
    async with plans.connected("acme") as visitor, plans.api() as ann:
        response = await ann.post("/vendors/acme/rotate", json={"public_key": public_key(new)})
        assert response.status_code == 200
        await asyncio.wait_for(visitor.closed.wait(), 5)
        again = await ann.post("/vendors/acme/rotate", json={"public_key": public_key(old)})
        assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "body.public_key")
    assert await handshake(plans, old) == REFUSED
    assert await handshake(plans, new) == b"PONG"


async def test_a_vendor_whose_sites_change_connects_again_and_has_the_new_ones(plans: Plans) -> None:
    vendor = await plans.add("acme")
    async with plans.connected("acme") as visitor, plans.api() as ann:
        terms = Terms(**vendor.model_dump(include=set(Terms.model_fields) - {"sites"}), sites=("blominmaki",))
        response = await ann.put("/vendors/acme/terms", json=terms.model_dump())
        assert response.status_code == 200, response.text
        await asyncio.wait_for(visitor.closed.wait(), 5)
    async with plans.connected("acme") as visitor:
        await visitor.client.publish(SUBMIT, b"{}")
        await visitor.client.jetstream().publish("plans.submit.acme.blominmaki", b"{}")
        await eventually(lambda: [e for e in visitor.errors if "publish to" in e] != [])


async def test_over_its_quota_a_vendor_hears_when_it_may_send_again(plans: Plans) -> None:
    await plans.add("acme", quota={"submissions_per_hour": 2})
    async with plans.connected("acme") as visitor:
        replies = [await answer(visitor, body(f"s{i}")) for i in range(3)]
        assert [reply["accepted"] for reply in replies] == [True, True, False]
        [refusal] = replies[2]["refusals"]
        assert refusal["field"] == "submission_id"
        assert "at most 2 submissions an hour; a new one is taken from 2026-02-17T09:00:00.0" in refusal["expected"]
        assert await answer(visitor, body("s1")) == replies[1], "one that was answered is no new one"


async def test_two_submissions_at_once_cannot_both_be_the_last_of_a_quota(plans: Plans) -> None:
    vendor = await plans.add("acme", quota={"submissions_per_hour": 3})
    taken = await asyncio.gather(*(plans.vendors.registry.take(vendor, f"s{i}", 1, NOW) for i in range(8)))
    assert sorted(len(refusals) for refusals in taken) == [0] * 3 + [1] * 5


async def test_what_a_vendor_may_not_is_refused_with_every_reason(plans: Plans) -> None:
    await plans.add("acme", max_priority=2, quota={"intervals_per_submission": 1})
    interval = body("x")["intervals"][0]
    out_of_range = interval | {"targets": interval["targets"] | {"target_value": 9.0}}
    async with plans.connected("acme") as visitor:
        reply = await answer(visitor, body("s1", priority=3, intervals=[interval, out_of_range]))
        fields = [refusal["field"] for refusal in reply["refusals"]]
        assert fields[:2] == ["priority", "intervals"]
        assert "intervals.1.targets.target_value" in fields


GARBAGE = (b"", b"\x00\xff", b"[]", b"{}", b'{"submission_id": 1e999}', b"[" * 10_000, b'"' + b"x" * 900_000 + b'"')


async def test_after_garbage_the_next_submission_is_answered(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        for garbage in GARBAGE:
            await visitor.client.jetstream().publish(SUBMIT, garbage)
        assert (await answer(visitor, body("s1")))["accepted"]


async def test_a_submission_in_another_s_name_is_not_answered_and_stores_nothing(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        for wrong in (body("s1", publisher="optimizer"), body("s2", site="blominmaki")):
            await visitor.client.jetstream().publish(SUBMIT, json.dumps(wrong).encode())
        reply = await answer(visitor, body("s3"))
        assert [p.plan_id for p in await plans.store.active("abay", NOW)] == reply["plan_ids"]


async def test_a_vendor_comes_back_when_the_server_does(plans: Plans) -> None:
    await plans.add("acme")
    await asyncio.to_thread(plans.server.restart)

    async def is_let_in() -> bool:
        return await handshake(plans, plans.seeds["acme"]) == b"PONG"

    await eventually(is_let_in, 20, 0.2)


async def test_only_an_admin_changes_the_registry_and_what_is_changed_is_kept_with_who(plans: Plans) -> None:
    new = {"name": "acme", "public_key": public_key(new_seed()), "sites": ["abay"]}
    async with plans.api(name="otto", role=ADMIN_BUT_ONE) as otto, plans.api() as ann:
        assert (await otto.post("/vendors", json=new)).status_code == 403
        added = await ann.post("/vendors", json=new)
        assert added.status_code == 201, added.text
        assert (await ann.post("/vendors", json=new)).json()["errors"][0]["field"] == "body.name"
        elsewhere = await ann.post("/vendors", json=new | {"name": "b", "sites": ["nowhere"]})
        assert elsewhere.json()["errors"][0] == {
            "field": "body.sites.0", "value": "nowhere", "expected": "one of abay, blominmaki"
        }  # fmt: skip
        assert Vendor.model_validate((await otto.get("/vendors/acme")).json()).added_by == "ann"
        assert (await ann.post("/vendors/nobody/revoke", json={"reason": "x"})).status_code == 404

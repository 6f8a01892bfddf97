"""A vendor on the bus with nothing but its key: what it can do, what it cannot, and how its access ends."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from door_rig import ELSEWHERE, REFUSED, REPLY, SUBMIT, handshake
from vendor_rig import ADMIN, NOW, Plans, Visitor

from headworks.common.auth import Role
from headworks.common.bus import Bus
from headworks.common.dead_letters import dead_letters
from headworks.common.permissions import HEAR_ONLY, OPERATIONS, new_seed, public_key
from headworks.common.subjects import PLAN_REPLY
from headworks.common.testing import eventually
from headworks.plans.vendors import Terms, Vendor

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
        named = [f"{HEAR_ONLY}.{subject}" if PLAN_REPLY.matches(subject) else subject for subject in ELSEWHERE]
        refused = {f'permissions violation for publish to "{subject.lower()}"' for subject in named}
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


GARBAGE = (
    b"",
    b'{"submission_id": "\\ud800", "priority": 1%s}' % (b"0" * 400),
    b"\x00\xff",
    b"[]",
    b"{}",
    b'{"submission_id": 1e999}',
    b"[" * 10_000,
    b'"' + b"x" * 900_000 + b'"',
)


WRONG = {
    "priority": (body("s1", priority=0.5), "s1", "integer"),
    "hurry": (body("s2", hurry=True), "s2", "not permitted"),
    "intervals": (body("s3", intervals=body("s3")["intervals"] * 4001), "s3", "at most 4000"),
    "submission_id": (body("no id: spaces"), None, "match pattern"),
    "publisher": (body("s5", publisher="optimizer"), "s5", "acme, as in the subject plans.submit.acme.abay"),
    "site": (body("s6", site="blominmaki"), "s6", "abay, as in the subject"),
}


async def told(visitor: Visitor, *messages: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Of each message its place, as the publish's confirmation tells it, and its first answer: one may be given again."""
    replies = await visitor.client.subscribe(REPLY)
    places = [(await visitor.client.jetstream().publish(SUBMIT, each)).seq for each in messages]
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < len(messages):
        answer = json.loads((await replies.next_msg(timeout=20)).data)
        for place, message in zip(places, messages, strict=True):
            if answer["submission_id"] == f"message-{place}" or f'"{answer["submission_id"]}"'.encode() in message:
                answers.setdefault(place, answer)
    await replies.unsubscribe()
    return sorted(answers.items())


async def test_garbage_is_answered_by_its_place_and_the_next_submission_as_ever(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        for place, reply in await told(visitor, *GARBAGE):
            assert (reply["submission_id"], reply["accepted"]) == (f"message-{place}", False)
            assert reply["refusals"] != []
            assert len(json.dumps(reply)) < 20_000
        assert (await answer(visitor, body("s1")))["accepted"]


async def test_what_is_no_submission_of_its_subject_is_answered_under_its_own_id_and_stores_nothing(
    plans: Plans,
) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        answers = await told(visitor, *(json.dumps(message).encode() for message, _, _ in WRONG.values()))
        for (place, reply), (field, (_, own_id, expected)) in zip(answers, WRONG.items(), strict=True):
            assert reply["submission_id"] == (own_id or f"message-{place}")
            [refusal] = reply["refusals"]
            assert (refusal["field"], expected in refusal["expected"]) == (field, True), refusal
        reply = await answer(visitor, body("s1"))
        assert reply["accepted"], "an id that was turned back is as good as new"
        assert [p.plan_id for p in await plans.store.active("abay", NOW)] == reply["plan_ids"]


async def test_whatever_is_sent_counts_and_past_the_quota_garbage_fills_no_dead_letters(plans: Plans) -> None:
    await plans.add("acme", quota={"submissions_per_hour": 4})
    refused = body("s2", intervals=[body("s2")["intervals"][0] | {"resource": "NOBODY"}])
    sent = [b"[1]", json.dumps(refused).encode(), json.dumps(body("s3", site="other")).encode(), b"[2]"]
    async with plans.connected("acme") as visitor:
        for _, reply in await told(visitor, *sent):
            assert "an hour" not in json.dumps(reply["refusals"]), "within the quota"
        over = [b"[3]", json.dumps(body("s4", site="other")).encode(), json.dumps(body("s5")).encode(), b"\xff" * 5]
        for _, reply in await told(visitor, *over):
            first = reply["refusals"][0]
            assert first["field"] == "submission_id"
            assert first["expected"].startswith(
                "at most 4 submissions an hour; a new one is taken from 2026-02-17T09:00"
            )
    async with await Bus.connect(plans.server.url, OPERATIONS, plans.keys / f"{OPERATIONS}.nk") as bus:
        letters = [letter.body async for letter in dead_letters(bus._jetstream)]
    assert letters == [sent[0], sent[2], sent[3]]


async def test_garbage_of_whoever_is_no_vendor_is_kept_and_nobody_is_told(plans: Plans) -> None:
    async with await Bus.connect(plans.server.url, "optimizer", plans.keys / "optimizer.nk") as bus:
        await bus.publish_raw("plans.submit.optimizer.abay", b"[1]", {})

    async def is_kept() -> bool:
        async with await Bus.connect(plans.server.url, OPERATIONS, plans.keys / f"{OPERATIONS}.nk") as bus:
            return [letter.body async for letter in dead_letters(bus._jetstream)] == [b"[1]"]

    await eventually(is_kept, 20, 0.1)
    assert await plans.database.fetch("select * from plans.outbox") == []


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

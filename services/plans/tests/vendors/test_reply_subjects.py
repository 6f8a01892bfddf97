"""A publish's reply subject, which the server does not check: a stream's confirmation goes there, in the server's own name."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from door_rig import ELSEWHERE, REPLY, SUBMIT, handshake
from nats.aio.client import Client
from nats.aio.msg import Msg
from vendor_rig import Plans, unit_plan

from headworks.common.bus import Bus
from headworks.common.embedded.nats import NatsServer
from headworks.common.permissions import (
    OPERATIONS,
    authorization,
    new_seed,
    public_key,
    write_seeds,
)
from headworks.common.testing import eventually

KEPT = ("control.lease.abay", "control.orders.gw1")
"""Subjects whose stream holds one message each: another one would push the true one out."""
TARGETS = (
    *ELSEWHERE, *KEPT, SUBMIT, "plans.reply.rival.abay", "plans.event.abay.pump1", "jobs.solve.abay", "runs.abay.r1.finished",
    "alarms.abay.x", "forecast.abay.inflow", "market.abay.dam", "$JS.API.STREAM.PURGE.LEASES", "$SYS.REQ.USER.INFO",
    "$SYS.REQ.SERVER.x.KICK", "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.PLAN_SUBMISSIONS.plans", "_R_.x", "_GR_.x", "x",
)  # fmt: skip
REFUSED_BY_SERVER = ("$JS.ACK.", "_R_.", "_GR_.")
"""What the server itself lets no client have as a reply subject."""
QUOTA = {"submissions_per_hour": 1000}
TRUE = b'{"the": "true one"}'


@pytest.fixture
def spy_seed() -> str:
    return new_seed()


@pytest.fixture
def guarded(tmp_path: Path, keys: Path, spy_seed: str) -> Iterator[NatsServer]:
    """A server with the generated permissions, and one more user in the services' account, who hears everything there."""
    text, spy = authorization(write_seeds(keys)), public_key(spy_seed)
    for before, after in (("    { # ingest\n", f"    {{ nkey: {spy} }}\n"), ("auth_users: [", f"{spy}, ")):
        assert text.count(before) == 1
        text = text.replace(before, after + before if before.startswith(" ") else before + after)
    server = NatsServer(tmp_path / "nats", authorization=text)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def spying(plans: Plans, spy_seed: str) -> AsyncIterator[tuple[Client, list[Msg]]]:
    """Whatever is said among the services."""
    client, heard = await nats.connect(plans.server.url, nkeys_seed_str=spy_seed), list[Msg]()

    async def on_message(message: Msg) -> None:
        heard.append(message)

    await client.subscribe(">", cb=on_message)
    await client.flush()
    try:
        yield client, heard
    finally:
        await client.close()


async def newest(plans: Plans, stream: str, subject: str) -> bytes | None:
    """A stream's newest message of a subject."""
    async with await Bus.connect(plans.server.url, OPERATIONS, plans.keys / f"{OPERATIONS}.nk") as bus:
        asked = json.dumps({"last_by_subj": subject}).encode()
        answer = json.loads((await bus._client.request(f"$JS.API.STREAM.MSG.GET.{stream}", asked, timeout=5)).data)
    return base64.b64decode(answer["message"]["data"]) if "message" in answer else None


async def test_no_reply_subject_leads_a_confirmation_among_the_services_or_to_another_vendor(
    plans: Plans, spy_seed: str
) -> None:
    await plans.add("acme", quota=QUOTA)
    await plans.add("rival")
    sent = {f"via-{i}": subject for i, subject in enumerate(TARGETS)}
    let_through = {each for each, subject in sent.items() if not subject.startswith(REFUSED_BY_SERVER)}
    answered, of_rival = set[str](), list[Msg]()

    async def on_answer(message: Msg) -> None:
        answered.add(json.loads(message.data)["submission_id"])

    async def on_rival(message: Msg) -> None:
        of_rival.append(message)

    async with (
        spying(plans, spy_seed) as (spy, heard),
        plans.connected("acme") as acme,
        plans.connected("rival") as rival,
    ):
        for subject in KEPT:
            await spy.jetstream().publish(subject, TRUE)
        await acme.client.subscribe(REPLY, cb=on_answer)
        await rival.client.subscribe("plans.reply.rival.abay", cb=on_rival)
        await rival.client.subscribe(f"{rival.client.new_inbox()}.*", cb=on_rival)
        await rival.client.flush()
        for each, subject in sent.items():
            await acme.client.publish(SUBMIT, unit_plan(each, 2.0).model_dump_json().encode(), reply=subject)
        await acme.client.flush()
        await eventually(lambda: answered >= let_through, 60)
        assert answered == let_through, "and nothing else"
        assert len(acme.errors) == len(TARGETS) - len(let_through), acme.errors
        assert all("publish with reply" in error for error in acme.errors)
        confirmations = [message for message in heard if message.data.startswith(b'{"stream":"PLAN_SUBMISSIONS"')]
        assert len(confirmations) >= len(let_through)
        assert {message.subject.split(".")[0] for message in confirmations} == {"_R_"}, "subjects of the server's own"
        assert of_rival == []
    for subject in KEPT:
        assert await newest(plans, "LEASES", subject) == TRUE
    assert await newest(plans, "PLAN_SUBMISSIONS", "plans.submit.optimizer.abay") is None
    assert await newest(plans, "PLAN_SUBMISSIONS", "plans.submit.rival.abay") is None


async def test_a_trace_of_a_message_goes_nowhere_else_either(plans: Plans, spy_seed: str) -> None:
    await plans.add("acme")
    places = [subject for subject in ELSEWHERE if "*" not in subject]  # with a wildcard the server traces nothing
    async with spying(plans, spy_seed) as (_, heard), plans.connected("acme") as acme:
        for subject in places:
            await acme.client.publish(SUBMIT, b"traced", headers={"Nats-Trace-Dest": subject})
        await acme.client.flush()
        await eventually(lambda: len(acme.errors) == len(places))
        assert [message for message in heard if message.data == b"traced"] == []


async def test_a_confirmation_comes_where_a_vendor_asks_for_it_among_its_own(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as acme:
        told = await acme.client.request(SUBMIT, unit_plan("s1", 2.0).model_dump_json().encode(), timeout=5)
        assert json.loads(told.data) == {"stream": "PLAN_SUBMISSIONS", "seq": 1}


async def test_a_rival_hears_nothing_whatever_it_asks_to_hear(plans: Plans) -> None:
    """Both are in one account of the server: between them stand the permissions of each."""
    await plans.add("acme")
    await plans.add("rival")
    async with plans.connected("acme") as acme, plans.connected("rival") as rival:
        asked = ("_INBOX_acme.>", "_INBOX.>", "_R_.>", "hear-only.>", REPLY, "plans.reply.*.*", SUBMIT, ">")
        for subject in asked:
            await rival.client.subscribe(subject)
        await rival.client.flush()
        await eventually(lambda: len(rival.errors) == len(asked))
        replies = await acme.client.subscribe(REPLY)
        await acme.client.jetstream().publish(SUBMIT, unit_plan("s1", 2.0).model_dump_json().encode())
        assert json.loads((await replies.next_msg(timeout=10)).data)["accepted"]
        await acme.client.publish(SUBMIT, b"{}", reply=REPLY)
        await acme.client.flush()
        told = [json.loads((await replies.next_msg(timeout=10)).data)]
        while told[-1]["submission_id"] == "s1":  # an answer may be given again
            told.append(json.loads((await replies.next_msg(timeout=10)).data))
        assert not told[-1]["accepted"], "the answer, and no confirmation"
        await rival.client.flush()
        assert rival.client.stats["in_msgs"] == 0


async def test_vendors_submit_again_after_the_server_was_away(plans: Plans) -> None:
    await plans.add("acme")
    await asyncio.to_thread(plans.server.restart)

    async def is_let_in() -> bool:
        return await handshake(plans, plans.seeds["acme"]) == b"PONG"

    await eventually(is_let_in, 20, 0.2)
    async with plans.connected("acme") as acme:
        replies = await acme.client.subscribe(REPLY)
        await acme.client.jetstream().publish(SUBMIT, unit_plan("s1", 2.0).model_dump_json().encode())
        assert json.loads((await replies.next_msg(timeout=20)).data)["accepted"]

"""A vendor on the running system's bus, with nothing but its key: it submits, hears its answer, and cannot be somebody else."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import nats
import pytest
from e2e_system import System
from nats.aio.client import Client
from typer.testing import CliRunner

from headworks.common.cli import create_app
from headworks.common.permissions import OPERATIONS

pytestmark = pytest.mark.prove
SUBMIT, REPLIES = "plans.submit.acme.abay", "plans.reply.acme.abay"


@pytest.fixture(scope="module", autouse=True)
def acme(running: System) -> None:
    """The vendor, added as a person on operations adds it to the demo."""
    told = dict(line.split("=", 1) for line in running.stack.command_environment.read_text().splitlines())
    seed_file = str(running.stack.seed_file("acme"))
    command = ["vendor", "add", "acme", "--site", "abay", "--no-preflight", "--seed-file", seed_file]
    result = CliRunner().invoke(create_app(), command, env=told)
    assert result.exit_code == 0, result.output


def submission(system: System, submission_id: str, publisher: str = "acme") -> dict[str, Any]:
    """One hour at 2.1 MW, from the next hour on."""
    start = system.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    interval = {
        "resource": "OXPH",
        "resource_type": "TURBINE",
        "interval_start": start.isoformat(),
        "interval_end": (start + timedelta(hours=1)).isoformat(),
        "targets": {"kind": "generic", "target_type": "POWER", "target_value": 2.1},
    }
    return {
        "submission_id": submission_id,
        "publisher": publisher,
        "site": "abay",
        "created_at": system.now().isoformat(),
        "intervals": [interval],
    }


async def answered(system: System, body: dict[str, Any]) -> dict[str, Any]:
    """The plans service's answer to a submission over the bus."""
    client = await connected(system)
    try:
        replies = await client.subscribe(REPLIES)
        await client.jetstream().publish(SUBMIT, json.dumps(body).encode())
        while True:
            reply: dict[str, Any] = json.loads((await replies.next_msg(timeout=10)).data)
            if reply["submission_id"] == body["submission_id"]:
                return reply
    finally:
        await client.close()


async def connected(system: System, on_error: Callable[[str], None] = lambda _error: None) -> Client:
    async def error_cb(error: Exception) -> None:
        on_error(str(error))

    seed, url = system.stack.seed_file("acme"), system.stack.nats.url
    return await nats.connect(url, nkeys_seed=str(seed), inbox_prefix="_INBOX_acme", error_cb=error_cb)


def test_a_vendor_submits_a_plan_and_hears_its_answer(running: System) -> None:
    reply = asyncio.run(answered(running, submission(running, "bus-1")))
    assert (reply["accepted"], reply["refusals"]) == (True, [])
    plans = running.get("plans", "/plans/active", station="abay", resource="OXPH")
    assert {p["plan_id"] for p in plans if p["submission_id"] == "bus-1"} == set(reply["plan_ids"])


def test_the_same_submission_gets_the_same_answer(running: System) -> None:
    body = submission(running, "bus-2")
    assert asyncio.run(answered(running, body)) == asyncio.run(answered(running, body))


def test_a_plan_in_another_s_name_is_buried_with_the_reason(running: System) -> None:
    async def publish() -> None:
        client = await connected(running)
        await client.jetstream().publish(SUBMIT, json.dumps(submission(running, "bus-3", "optimizer")).encode())
        await client.close()

    asyncio.run(publish())
    key = str(running.stack.seed_file(OPERATIONS))
    command = ["dead-letters", "list", "--nats-url", running.stack.nats.url, "--seed-file", key]
    reason = "does not belong to publisher='optimizer'"
    running.wait(lambda: reason in CliRunner().invoke(create_app(), command).output, "the letter is listed", 15)


def test_the_server_refuses_another_s_subject(running: System) -> None:
    async def refusal() -> str:
        told: asyncio.Queue[str] = asyncio.Queue()
        client = await connected(running, told.put_nowait)
        await client.publish("plans.submit.optimizer.abay", json.dumps(submission(running, "bus-4")).encode())
        error = await asyncio.wait_for(told.get(), 10)
        await client.close()
        return error

    assert 'permissions violation for publish to "plans.submit.optimizer.abay"' in asyncio.run(refusal())

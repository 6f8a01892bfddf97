"""The door as one vendor finds it, acme at the site abay: its subjects, what is not its own, and a bare handshake."""

import asyncio
import base64
import json

import nkeys
from vendor_rig import Plans

from headworks.common.permissions import public_key

SUBMIT, REPLY = "plans.submit.acme.abay", "plans.reply.acme.abay"
REFUSED = b"-ERR 'Authorization Violation'"
ELSEWHERE = (
    "plans.submit.rival.abay", "plans.submit.optimizer.abay", "plans.submit.acme.blominmaki", "plans.submit.acme",
    "plans.event.abay.OXPH", "plans.reply.acme.abay", "control.setpoint.abay.OXPH", "telemetry.abay.pi",
    "dead.plans.submit.acme.abay",
    "_INBOX_plans.x", "$JS.API.STREAM.LIST", "$JS.API.STREAM.DELETE.PLAN_EVENTS", "$JS.API.STREAM.MSG.GET.PLAN_EVENTS",
    "$JS.API.DIRECT.GET.PLAN_EVENTS", "$JS.API.CONSUMER.CREATE.PLAN_EVENTS.x.plans.reply.acme.*",
    "$JS.API.CONSUMER.MSG.NEXT.PLAN_SUBMISSIONS.plans", "$JS.ACK.PLAN_SUBMISSIONS.plans.1.1.1.1.0",
    "$SYS.REQ.USER.AUTH", "$SYS.REQ.SERVER.PING.CONNZ",
)  # fmt: skip
"""What is not acme's to publish on, with the site abay alone."""


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

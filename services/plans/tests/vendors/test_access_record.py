"""Who was let in, turned away or shown out stands in the plans' audit, at the API and at the door; a flood of it does not."""

import asyncio
import json
from typing import Any

from vendor_rig import Plans

from headworks.common.audit import Whole
from headworks.common.auth import Role
from headworks.common.permissions import new_seed, public_key
from headworks.common.refused_requests import AT_ONCE
from headworks.common.testing import eventually
from headworks.plans.audit_store import AuditStore, Wanted


async def noted(plans: Plans) -> list[dict[str, Any]]:
    """The events of access, oldest first."""
    audit = AuditStore(plans.database)
    assert isinstance(await audit.verify(), Whole)
    events = [write.asked for write in await audit.writes(Wanted(), 500, None)]
    return [event.model_dump(mode="json") for event in reversed(events) if event.category == "access_control"]


async def knock_without_proof(plans: Plans) -> bytes:
    """The server's answer to a client that names a key and signs nothing with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plans.server.port)
    await reader.readline()
    said = {"verbose": False, "nkey": public_key(new_seed()), "sig": ""}
    writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps(said).encode())
    answered = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    await writer.wait_closed()
    return answered


async def test_who_comes_to_the_door_who_is_turned_away_and_who_is_shown_out(plans: Plans) -> None:
    await plans.add("acme")
    async with plans.connected("acme") as visitor:
        assert await knock_without_proof(plans) == b"-ERR 'Authorization Violation'\r\n"
        await plans.vendors.revoke("acme", "the contract ended", "ann", keep_plans=False)
        await eventually(visitor.closed.is_set, 20)

        async def is_noted() -> bool:
            return any(event["event_type"] == "shown_out" for event in await noted(plans))

        await eventually(is_noted, 20)
    events = {event["event_type"]: event for event in await noted(plans)}
    assert (events["let_in"]["actor"], events["let_in"]["result"]) == ("acme", "success")
    assert events["let_in"]["details"]["address"] == "127.0.0.1"
    assert (events["turned_away"]["actor"], events["turned_away"]["result"]) == ("unknown", "refused")
    assert events["turned_away"]["details"]["why"] == "the client does not prove to hold its key"
    assert events["shown_out"]["actor"] == "acme"


async def test_a_request_without_a_caller_or_a_right_is_noted_reads_and_writes_alike_and_each_once(
    plans: Plans,
) -> None:
    async with plans.api(Role.VIEWER, "eve") as eve:
        assert (await eve.get("/audit/verification")).status_code == 403
        assert (await eve.post("/vendors/acme/revoke", json={"reason": "mine"})).status_code == 403
        assert (await eve.get("/plans/1")).status_code == 404
        eve.headers["Authorization"] = "Bearer nothing"
        assert (await eve.get("/plans/1")).status_code == 401
        assert (await eve.post("/plans/1/cancel")).status_code == 401
    seen = [(each["actor"], each["subject"], each["details"].get("status")) for each in await noted(plans)]
    assert seen == [
        ("eve", "/audit/verification", 403),
        ("unknown", "/plans/1", 401),
        ("unknown", "/plans/1/cancel", 401),
    ]
    async with plans.api() as ann:
        [write] = [each for each in (await ann.get("/audit")).json() if each["asked"]["event_type"] == "revoke"]
    assert (write["asked"]["actor"], write["answered"]["category"]) == ("eve", "access_control")


async def test_a_flood_of_refusals_is_noted_in_part_and_what_is_passed_over_is_counted(plans: Plans) -> None:
    async with plans.api() as nobody:
        nobody.headers["Authorization"] = "Bearer nothing"
        for _ in range(2 * AT_ONCE):
            assert (await nobody.get("/plans/1")).status_code == 401
    flood = await noted(plans)
    assert AT_ONCE <= len(flood) < 2 * AT_ONCE
    assert sum(event["details"]["passed_over"] for event in flood) < 2 * AT_ONCE - len(flood) + 1

"""What is around every write: it is done once for its key, and stands in an audit that can only grow."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from headworks.common.auth import Role
from headworks.common.database import Database
from headworks.common.handling import Delivery
from headworks.common.messages import PlanSubmission
from headworks.plans.audit_store import AuditStore
from headworks.plans.bus_record import RecordedDesk

UPDATE = {"changes": {"suggested_speed_hz": 48.0}, "reason": "noise"}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def versions(api: Any) -> int:
    return len((await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json())


# ---------------------------------------------------------------- once for a key


async def test_a_repeated_request_is_answered_again_and_not_done_again(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    first = await api("PATCH", f"/plans/{plan_id}", headers=keyed("k1"), json=UPDATE)
    again = await api("PATCH", f"/plans/{plan_id}", headers=keyed("k1"), json=UPDATE)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await versions(api) == 2


async def test_a_refusal_too_is_answered_again(api: Any) -> None:
    body = {"site": "blominmaki", "interval": api.pump(suggested_speed_hz=30.0)}
    first = await api("POST", "/plans", headers=keyed("k1"), json=body)
    again = await api("POST", "/plans", headers=keyed("k1"), json=body)
    assert (first.status_code, again.status_code, again.json()) == (409, 409, first.json())
    assert again.headers["content-type"] == "application/problem+json"


async def test_a_key_is_for_one_request_of_one_caller(api: Any) -> None:
    body = {"site": "blominmaki", "interval": api.pump()}
    assert (await api("POST", "/plans", headers=keyed("k1"), json=body)).status_code == 201
    other = await api("POST", "/plans", headers=keyed("k1"), json={**body, "reason": "x"})
    assert other.status_code == 422
    assert other.json()["errors"] == [
        {"field": "header.Idempotency-Key", "value": "k1", "expected": "a new key: this one had other content"}
    ]
    assert (await api("POST", "/submissions", headers=keyed("k1"), json=body)).status_code == 422
    assert (await api("POST", "/plans", headers=keyed("k1"), json=body, name="other")).status_code == 201
    assert await versions(api) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_key_that_is_none_is_refused(api: Any, key: str) -> None:
    answer = await api("POST", "/plans", headers=keyed(key), json={"site": "blominmaki", "interval": api.pump()})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header.Idempotency-Key"


async def test_of_many_at_once_with_one_key_one_is_done(api: Any) -> None:
    body = {"site": "blominmaki", "interval": api.pump()}
    answers = await asyncio.gather(*(api("POST", "/plans", headers=keyed("k1"), json=body) for _ in range(12)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json()["title"], answer.headers["retry-after"]) == ("The request is under way", "1")
    assert await versions(api) == 1
    assert (await api("POST", "/plans", headers=keyed("k1"), json=body)).status_code == 201
    assert await versions(api) == 1


async def test_a_key_is_kept_for_a_day(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump(0, 48))
    path, body = f"/plans/{plan_id}/rollback", {"reason": "x"}
    await api("POST", path, headers=keyed("k1"), json=body)
    api.clock.forward(timedelta(hours=24))
    await api("POST", path, headers=keyed("k1"), json=body)
    assert await versions(api) == 2
    api.clock.forward(timedelta(seconds=1))
    assert "idempotency-replayed" not in (await api("POST", path, headers=keyed("k1"), json=body)).headers
    assert await versions(api) == 3


async def test_a_request_that_a_fault_cut_off_can_be_tried_again(api: Any, plans_database: Database) -> None:
    body = {"site": "blominmaki", "interval": api.pump()}
    await api("POST", "/plans", headers=keyed("k1"), json=body)
    async with plans_database.transaction() as connection:
        await connection.execute(text("update plans.idempotency_keys set status = null, body = null"))
    assert (await api("POST", "/plans", headers=keyed("k1"), json=body)).status_code == 409
    api.clock.forward(timedelta(seconds=61))
    assert (await api("POST", "/plans", headers=keyed("k1"), json=body)).status_code == 201


async def test_who_may_not_is_asked_again_each_time(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    path = f"/plans/{plan_id}/cancel"
    assert (await api("POST", path, headers=keyed("k1"), role=Role.VIEWER)).status_code == 403
    assert (await api("POST", path, headers=keyed("k1"), role=Role.OPERATOR)).status_code == 200


# ---------------------------------------------------------------- the audit


async def test_every_write_is_listed_with_who_when_from_where_what_and_how_it_ended(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    api.clock.forward(timedelta(minutes=1))
    await api("PATCH", f"/plans/{plan_id}", headers=keyed("k1"), json=UPDATE, name="ann")
    await api("POST", f"/plans/{plan_id}/cancel", role=Role.VIEWER, name="eve")
    await api("POST", f"/plans/{plan_id}/cancel", role=Role.OPERATOR, name="bob")
    await api("GET", "/plans/active?station=blominmaki")
    await api("POST", "/plans", role=None, json={})
    unknown, refused, forbidden, changed, submitted = (await api("GET", "/audit", role=Role.VIEWER)).json()
    asked, answered = changed["asked"], changed["answered"]
    assert (asked["actor"], asked["event_type"], asked["subject"]) == ("ann", "update", f"plan {plan_id}")
    assert (asked["source"], asked["at"]) == ("plans, asked from 127.0.0.1", "2026-02-17T08:01:00Z")
    assert (asked["details"]["role"], asked["details"]["key"]) == ("engineer", "k1")
    assert '"reason":"noise"' in asked["details"]["body"].replace('": "', '":"')
    assert (answered["result"], answered["details"]["status"]) == ("success", 200)
    assert (forbidden["asked"]["actor"], forbidden["answered"]["category"]) == ("eve", "access_control")
    assert (refused["asked"]["actor"], refused["answered"]["result"]) == ("bob", "refused")
    assert (unknown["asked"]["actor"], unknown["asked"]["details"]["status"]) == ("unknown", 401)
    assert submitted["asked"]["subject"] == "blominmaki"
    for query, who in ((f"plan_id={plan_id}", ["bob", "eve", "ann"]), ("actor=ann", ["ann"]), ("station=abay", [])):
        assert [w["asked"]["actor"] for w in (await api("GET", f"/audit?{query}")).json()] == who
    later = (await api("GET", "/audit?since=2026-02-17T08:01:00Z")).json()
    assert len(later) == 4


async def test_the_audit_is_paged_while_it_grows(api: Any) -> None:
    for n in range(5):
        await api.planned(f"s{n}", api.pump())
    path, seen = "/audit?limit=2", []
    for _ in range(3):
        answer = await api("GET", path)
        seen += [write["sequence"] for write in answer.json()]
        await api.planned(f"later{len(seen)}", api.pump())
        path = answer.headers.get("link", "<>").removeprefix("<").removesuffix('>; rel="next"')
    assert seen == [9, 7, 5, 3, 1]


async def test_the_audit_can_only_grow_and_what_is_forced_is_found(api: Any, plans_database: Database) -> None:
    for n in range(3):
        await api.planned(f"s{n}", api.pump())
    for statement in ("update plans.audit set actor = 'x'", "delete from plans.audit", "truncate plans.audit"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with plans_database.transaction() as connection:
                await connection.execute(text(statement))
    whole = (await api("GET", "/audit/verification")).json()
    assert (whole["whole"], whole["links"], whole["why"]) == (True, 6, None)
    async with plans_database.transaction() as connection:
        await connection.execute(text("alter table plans.audit disable trigger append_only"))
        forged = 'update plans.audit set line = replace(line, \'"actor":"acme"\', \'"actor":"ann"\') where sequence = 3'
        await connection.execute(text(forged))
    broken = (await api("GET", "/audit/verification")).json()
    assert (broken["whole"], broken["why"]) == (False, "its content was changed")
    assert broken["where"].startswith("row 3")


async def test_submissions_from_the_bus_are_listed_too_with_how_they_ended(api: Any, plans_database: Database) -> None:
    desk = RecordedDesk(api.desk, AuditStore(plans_database), api.clock)
    for number, speed_hz in enumerate((49.0, 30.0)):
        intervals = [api.pump(suggested_speed_hz=speed_hz)]
        content = {
            "submission_id": f"s{number}",
            "publisher": "optimizer",
            "site": "blominmaki",
            "intervals": intervals,
        }
        submission = PlanSubmission.model_validate({**content, "created_at": api.clock.now(), "reason": "scheduled"})
        delivery = Delivery("plans.submit.optimizer.blominmaki", f"m{number}", number, 1, api.clock.now())
        await desk.on_submission(submission, delivery)
    refused, accepted = (await api("GET", "/audit?actor=optimizer")).json()
    assert (accepted["asked"]["source"], accepted["asked"]["reason"]) == (
        "bus, plans.submit.optimizer.blominmaki",
        "scheduled",
    )
    assert (accepted["answered"]["result"], accepted["answered"]["details"]["plan_ids"]) == ("success", 1)
    assert refused["answered"]["result"] == "refused"
    assert refused["answered"]["details"]["refusals"][0]["value"] == 30.0


async def test_writes_at_once_are_one_chain(api: Any) -> None:
    await asyncio.gather(*(api.planned(f"s{n}", api.pump(resource=f"P1_{n % 4 + 1}")) for n in range(12)))
    whole = (await api("GET", "/audit/verification")).json()
    assert (whole["whole"], whole["links"]) == (True, 24)
    assert all(write["answered"]["result"] == "success" for write in (await api("GET", "/audit")).json())

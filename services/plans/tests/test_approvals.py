"""Approvals: a plan that needs a person's yes is in force only with it: in time, of a second person, by the rules of then."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from headworks.common.auth import Role
from headworks.common.database import Database
from headworks.common.messages import PlanReply
from headworks.plans.approvals import ApprovalRule, approval_rules
from headworks.plans.lifecycle import MAX_AGE
from headworks.waterway.site import Site

LIMIT = timedelta(minutes=30)
YES = {"reason": "seen"}


@pytest.fixture
def rules() -> dict[str, ApprovalRule]:
    roles = frozenset({Role.OPERATOR, Role.ENGINEER})
    return {"blominmaki": ApprovalRule(LIMIT, roles, frozenset({"P1_1", "P1_2"}))}


async def waiting(api: Any, submission_id: str = "s1", **columns: float) -> int:
    answer = await api.submit(submission_id, api.pump(0, 4, **columns))
    assert answer.status_code == 202, answer.text
    approval_id: int = answer.json()["approval_id"]
    return approval_id


async def active(api: Any) -> list[float]:
    plans = (await api("GET", "/plans/active?station=blominmaki")).json()
    return [plan["targets"]["suggested_speed_hz"] for plan in plans]


async def replies(database: Database) -> list[PlanReply]:
    """What was published, in order."""
    async with database.transaction() as connection:
        rows = await connection.execute(
            text("select body from plans.outbox where subject like 'plans.reply.%' order by outbox_id")
        )
        return [PlanReply.model_validate_json(row.body) for row in rows]


async def test_a_plan_waits_outside_and_is_in_force_once_a_second_person_approves(
    api: Any, plans_database: Database
) -> None:
    approval_id = await waiting(api)
    assert await active(api) == []
    assert (await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json() == []
    [listed] = (await api("GET", "/approvals?station=blominmaki&state=WAITING", role=Role.VIEWER)).json()
    assert (listed["publisher"], listed["resources"], listed["roles"]) == ("acme", ["P1_1"], ["engineer", "operator"])
    assert listed["expires_at"] == "2026-02-17T08:30:00Z"
    whole = (await api("GET", f"/approvals/{approval_id}")).json()
    assert whole["submission"]["intervals"][0]["targets"]["suggested_speed_hz"] == 49.0
    done = await api("POST", f"/approvals/{approval_id}/approve", name="ann", role=Role.OPERATOR, json=YES)
    assert (done.status_code, done.json()["state"], done.json()["decided_by"]) == (200, "APPROVED", "ann")
    assert await active(api) == [49.0]
    first, last = await replies(plans_database)
    assert (first.accepted, first.approval_id, first.waits_until) == (
        False,
        approval_id,
        datetime(2026, 2, 17, 8, 30, tzinfo=UTC),
    )
    assert (last.accepted, last.waits_until, last.plan_ids) == (True, None, tuple(done.json()["reply"]["plan_ids"]))
    assert (await api.submit("s1", api.pump(0, 4))).json()["accepted"]


async def test_only_what_the_site_names_waits(api: Any) -> None:
    assert (await api.submit("s1", api.pump(resource="P2_1"))).status_code == 201
    both = await api.submit("s2", api.pump(resource="P2_1"), api.pump(resource="P1_2"))
    assert both.status_code == 202
    refused = await api.submit("s3", api.pump(suggested_speed_hz=51.0))
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("name", "role", "why"),
    [
        ("acme", Role.ENGINEER, "acme asked for it; it takes a second person"),
        ("ann", Role.VIEWER, "ann has the role viewer; one of engineer, operator is needed"),
        ("ann", Role.ADMIN, "ann has the role admin; one of engineer, operator is needed"),
        ("optimizer", Role.SERVICE, "optimizer is no person: services and API keys approve nothing"),
        (None, None, "machine is no person: services and API keys approve nothing"),
    ],
)
async def test_who_is_no_second_person_decides_nothing(api: Any, name: str, role: Role | None, why: str) -> None:
    approval_id = await waiting(api)
    headers = {} if name else {"X-API-Key": "a-key-of-these-tests"}
    for decision in ("approve", "reject"):
        answer = await api(
            "POST", f"/approvals/{approval_id}/{decision}", name=name, role=role, json=YES, headers=headers
        )
        assert (answer.status_code, answer.json()["detail"]) == (403, why)
    assert await active(api) == []


async def test_a_rejected_plan_is_refused_with_who_and_why(api: Any, plans_database: Database) -> None:
    approval_id = await waiting(api)
    done = await api("POST", f"/approvals/{approval_id}/reject", name="ann", json={"reason": "divers in the sump"})
    assert done.json()["state"] == "REJECTED"
    last = (await replies(plans_database))[-1]
    assert last.refusals[0].value == "rejected by ann: divers in the sump"
    assert await active(api) == []
    late = await api("POST", f"/approvals/{approval_id}/approve", name="bob", json=YES)
    assert (late.status_code, late.json()["detail"]) == (409, f"approval_id={approval_id} is REJECTED by ann")
    again = await api.submit("s1", api.pump(0, 4))
    assert again.status_code == 409


async def test_what_nobody_decides_on_expires_and_is_answered_so(api: Any, plans_database: Database) -> None:
    approval_id = await waiting(api)
    api.clock.forward(LIMIT - timedelta(microseconds=1))
    await api.approvals.look()
    assert (await api("GET", f"/approvals/{approval_id}")).json()["state"] == "WAITING"
    api.clock.forward(timedelta(microseconds=1))
    late = await api("POST", f"/approvals/{approval_id}/approve", name="ann", json=YES)
    assert (late.status_code, late.json()["title"]) == (409, "The time for an approval is over")
    await api.approvals.look()
    await api.approvals.look()
    expired = (await api("GET", f"/approvals/{approval_id}")).json()
    assert (expired["state"], expired["decided_by"]) == ("EXPIRED", "plans")
    first, last = await replies(plans_database)
    assert (first.accepted, last.accepted, last.refusals[0].value) == (False, False, "expired")
    assert last.refusals[0].expected == "a person's approval before 2026-02-17T08:30:00+00:00"
    assert await active(api) == []


async def test_in_the_last_instant_an_approval_counts(api: Any) -> None:
    approval_id = await waiting(api)
    api.clock.forward(LIMIT - timedelta(microseconds=1))
    assert (await api("POST", f"/approvals/{approval_id}/approve", name="ann", json=YES)).status_code == 200
    assert await active(api) == [49.0]


async def test_an_approved_plan_is_judged_again_by_the_rules_of_that_moment(api: Any) -> None:
    interval = api.pump(-3, 1 + 1 / 60)
    answer = await api.submit("s1", interval)
    assert answer.status_code == 202
    api.clock.forward(timedelta(minutes=2))
    approval_id = answer.json()["approval_id"]
    done = await api("POST", f"/approvals/{approval_id}/approve", name="ann", json=YES)
    assert (done.status_code, done.json()["title"]) == (409, "The plan is refused now")
    assert done.json()["errors"][0]["field"] == "intervals.0.interval_end"
    assert api.clock.now() - MAX_AGE > datetime.fromisoformat(interval["interval_end"])
    assert await active(api) == []


async def test_a_plan_that_a_newer_one_overtook_cannot_come_into_force(api: Any) -> None:
    older = await waiting(api, "s1")
    newer = await waiting(api, "s2", suggested_speed_hz=48.0)
    api.clock.forward(timedelta(minutes=1))
    assert (await api("POST", f"/approvals/{newer}/approve", name="ann", json=YES)).status_code == 200
    done = await api("POST", f"/approvals/{older}/approve", name="ann", json=YES)
    assert done.status_code == 409
    assert done.json()["errors"][0]["field"] == "approval"
    assert await active(api) == [48.0]


async def test_of_those_who_decide_at_once_one_decides(api: Any) -> None:
    approval_id = await waiting(api)
    decisions = [("approve", "ann"), ("reject", "bob")] * 4
    answers = await asyncio.gather(
        *(api("POST", f"/approvals/{approval_id}/{decision}", name=name, json=YES) for decision, name in decisions)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    state = (await api("GET", f"/approvals/{approval_id}")).json()["state"]
    assert await active(api) == ([49.0] if state == "APPROVED" else [])


async def test_a_waiting_submission_sent_again_is_answered_alike_and_its_id_is_taken(api: Any) -> None:
    approval_id = await waiting(api)
    assert await waiting(api) == approval_id
    other = await api.submit("s1", api.pump(0, 4, suggested_speed_hz=48.0))
    assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "submission_id")


async def test_a_change_of_an_approved_plan_waits_too(api: Any) -> None:
    approval_id = await waiting(api)
    done = await api("POST", f"/approvals/{approval_id}/approve", name="ann", json=YES)
    [plan_id] = done.json()["reply"]["plan_ids"]
    api.clock.forward(timedelta(minutes=1))
    body = {"changes": {"suggested_speed_hz": 48.0}, "reason": "noise"}
    changed = await api("PATCH", f"/plans/{plan_id}", name="bob", json=body)
    assert (changed.status_code, changed.json()["accepted"]) == (202, False)
    assert await active(api) == [49.0]
    path = f"/approvals/{changed.json()['approval_id']}/approve"
    assert (await api("POST", path, name="bob", json=YES)).status_code == 403
    assert (await api("POST", path, name="ann", json=YES)).status_code == 200
    assert await active(api) == [48.0]
    back = await api("POST", f"/plans/{plan_id}/rollback", name="bob", json={"reason": "back"})
    assert back.status_code == 202
    current = (await api("GET", "/plans/current?station=blominmaki&resource=P1_1")).json()
    assert (await api("POST", f"/plans/{current['plan_id']}/cancel", role=Role.OPERATOR)).status_code == 200


async def test_what_a_fault_cut_off_after_the_decision_is_carried_out_once(api: Any, plans_database: Database) -> None:
    approval_id = await waiting(api)
    assert (await api("POST", f"/approvals/{approval_id}/approve", name="ann", json=YES)).status_code == 200
    cut_off = "update plans.approvals set reply = null, settled_by = now() - interval '1 s'"
    async with plans_database.transaction() as connection:
        await connection.execute(text(cut_off))
    await api.approvals.look()
    assert (await api("GET", f"/approvals/{approval_id}")).json()["reply"]["accepted"]
    assert len((await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json()) == 1


async def test_the_list_is_paged(api: Any) -> None:
    ids = [await waiting(api, f"s{n}") for n in range(3)]
    first = await api("GET", "/approvals?limit=2")
    path = first.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
    await waiting(api, "later")
    rest = await api("GET", path)
    assert [each["approval_id"] for each in (*first.json(), *rest.json())] == ids[::-1]


# ---------------------------------------------------------------- the site file


def site(approval: object) -> dict[str, Site]:
    units = {"elevation": "m", "flow": "m**3/s", "volume": "m**3", "power": "MW"}
    content = {"site": "dam", "name": "Dam", "model": "any", "time_zone": "UTC", "display_units": units}
    return {"dam": Site.model_validate({**content, **({} if approval is None else {"approval": approval})})}


def test_a_site_asks_for_approvals_in_its_file() -> None:
    both = frozenset({Role.OPERATOR, Role.ENGINEER})
    assert approval_rules(site({"time_limit": "30 min"})) == {"dam": ApprovalRule(LIMIT, both, None)}
    whole = {"required": True, "time_limit": "1800 s", "roles": ["engineer"], "actuators": ["G1"]}
    assert approval_rules(site(whole)) == {"dam": ApprovalRule(LIMIT, frozenset({Role.ENGINEER}), frozenset({"G1"}))}
    assert approval_rules(site({"required": False, "time_limit": "30 min"})) == {}
    assert approval_rules(site(None)) == {}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "approval: time_limit: Field required"),
        ({"time_limit": "30 m"}, "'30 m' is a"),
        ({"time_limit": "0 s"}, "approval.time_limit: more than 0 s is right"),
        ({"time_limit": "1 h", "roles": ["service"]}, "approval.roles: a service is no person"),
        ({"time_limit": "1 h", "roles": []}, "approval: roles"),
        ({"time_limit": "1 h", "rolls": ["operator"]}, "approval: rolls"),
    ],
)
def test_what_is_wrong_in_the_site_file_is_named(wrong: object, named: str) -> None:
    with pytest.raises(ValueError, match="site dam: ") as raised:
        approval_rules(site(wrong))
    assert named in str(raised.value)

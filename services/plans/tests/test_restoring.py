"""Rolling back a whole submission: all of its actuators at once, from now on, by the rules of any change."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from headworks.common.auth import Role
from headworks.common.database import Database
from headworks.plans.approvals import ApprovalRule

AGAIN = {"reason": "yesterday's was right"}
HOURS = range(24)


@pytest.fixture
def rules() -> dict[str, ApprovalRule]:
    return {"blominmaki": ApprovalRule(timedelta(minutes=30), frozenset({Role.OPERATOR}), frozenset({"P2_4"}))}


def day(api: Any, speed_hz: float) -> list[dict[str, Any]]:
    """A day of two pumps, hour by hour."""
    return [api.pump(hour, 1, pump, suggested_speed_hz=speed_hz) for pump in ("P1_1", "P1_2") for hour in HOURS]


async def in_force(api: Any) -> dict[str, list[float]]:
    """The speeds ahead of each pump, in order of time."""
    plans = (await api("GET", "/plans/active?station=blominmaki")).json()
    found: dict[str, list[float]] = {}
    for plan in sorted(plans, key=lambda plan: plan["interval_start"]):
        found.setdefault(plan["resource_id"], []).append(plan["targets"]["suggested_speed_hz"])
    return found


async def test_a_good_day_is_back_in_force_for_all_its_actuators_with_an_event_each(
    api: Any, plans_database: Database
) -> None:
    good = await api.planned("good", *day(api, 48.0))
    await api.planned("bad", *day(api, 49.5))
    assert await in_force(api) == {"P1_1": [49.5] * 24, "P1_2": [49.5] * 24}
    answer = await api("POST", "/submissions/acme/good/rollback", name="ann", json=AGAIN)
    assert answer.status_code == 200, answer.text
    assert {plan["plan_version"] for plan in answer.json()} == {3}
    assert not {plan["plan_id"] for plan in answer.json()} & set(good), "they are new versions"
    assert await in_force(api) == {"P1_1": [48.0] * 24, "P1_2": [48.0] * 24}
    async with plans_database.transaction() as connection:
        query = "select convert_from(body, 'UTF8')::json ->> 'by' from plans.outbox where body like '%rolled_back%'"
        assert [*(await connection.execute(text(query))).scalars()] == ["ann", "ann"]


async def test_what_of_it_is_over_stays_as_it_was(api: Any) -> None:
    await api.planned("good", *day(api, 48.0))
    await api.planned("bad", *day(api, 49.5))
    api.clock.forward(timedelta(hours=20, minutes=30))
    answer = await api("POST", "/submissions/acme/good/rollback", json=AGAIN)
    assert answer.status_code == 200, answer.text
    first = min(plan["interval_start"] for plan in answer.json() if plan["targets"]["suggested_speed_hz"] == 48.0)
    assert first >= "2026-02-18T04:00:00"
    assert (await in_force(api))["P1_1"][-4:] == [48.0] * 4
    api.clock.forward(timedelta(hours=4))
    over = await api("POST", "/submissions/acme/good/rollback", json=AGAIN)
    assert (over.status_code, over.json()["detail"]) == (409, "its last interval ended at 2026-02-18T08:00:00Z")


async def test_one_interval_that_may_not_be_keeps_all_of_it_out(api: Any, plans_database: Database) -> None:
    """A pump of the submission was retired since."""
    await api.planned("good", *day(api, 48.0))
    await api.planned("bad", *day(api, 49.5))
    actuators = api.desk._actuators
    taken = actuators.pop(("blominmaki", "P1_2"))
    try:
        answer = await api("POST", "/submissions/acme/good/rollback", json=AGAIN)
    finally:
        actuators["blominmaki", "P1_2"] = taken
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["value"] == "P1_2"
    assert await in_force(api) == {"P1_1": [49.5] * 24, "P1_2": [49.5] * 24}


async def test_where_a_person_must_approve_all_of_it_waits(api: Any) -> None:
    asked = await api.submit("good", api.pump(0, 1, "P2_3"), api.pump(0, 1, "P2_4"))
    done = await api(
        "POST", f"/approvals/{asked.json()['approval_id']}/approve", name="ann", role=Role.OPERATOR, json=AGAIN
    )
    assert done.status_code == 200, done.text
    answer = await api("POST", "/submissions/acme/good/rollback", json=AGAIN)
    assert answer.status_code == 202
    assert answer.json()["waits_until"] is not None


async def test_what_is_none_and_who_may_not(api: Any) -> None:
    await api.planned("good", api.pump())
    for path in ("/submissions/acme/other/rollback", "/submissions/eve/good/rollback"):
        assert (await api("POST", path, json=AGAIN)).status_code == 404
    assert (await api("POST", "/submissions/acme/good/rollback", role=Role.OPERATOR, json=AGAIN)).status_code == 403

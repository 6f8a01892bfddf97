"""The API over a real PostgreSQL: closed without a caller, roles, one plan's life, and what two versions differ in."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from headworks.common.auth import Role
from headworks.common.messages import Plan
from headworks.plans.main import documented_api


def api_routes(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods or ()
    ]


def errors(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/problem+json"
    found: list[dict[str, Any]] = answer.json()["errors"]
    return found


async def test_nothing_is_open_to_whoever_is_nobody(api: Any) -> None:
    routes = api_routes(documented_api())
    assert len(routes) > 12
    for method, path in routes:
        closed = await api(method, path.replace("{", "").replace("}", ""), role=None)
        assert closed.status_code == 401, path


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", "/submissions", Role.OPERATOR),
        ("POST", "/plans", Role.OPERATOR),
        ("PATCH", "/plans/1", Role.OPERATOR),
        ("POST", "/plans/1/rollback", Role.OPERATOR),
        ("POST", "/plans/1/cancel", Role.VIEWER),
    ],
)
async def test_a_change_needs_its_role(api: Any, method: str, path: str, role: Role) -> None:
    assert (await api(method, path, role=role, json={})).status_code == 403


async def test_one_interval_goes_into_the_horizon_around_it(api: Any) -> None:
    await api.planned("s1", api.pump(0, 4))
    body = {"site": "blominmaki", "interval": api.pump(1, 1, suggested_speed_hz=48.0), "reason": "noise"}
    answer = await api("POST", "/plans", json=body)
    assert (answer.status_code, answer.json()["publisher"]) == (201, "acme")
    active = (await api("GET", "/plans/active?station=blominmaki")).json()
    assert [plan["targets"]["suggested_speed_hz"] for plan in active] == [49.0, 48.0, 49.0]
    wrong = await api("POST", "/plans", json={**body, "interval": api.pump(1, 1, suggested_speed_hz=51.0)})
    assert wrong.status_code == 409
    assert errors(wrong) == [
        {"field": "intervals.0.targets.suggested_speed_hz", "value": 51.0, "expected": "0 (off) or 47.8 to 50 Hz"}
    ]


async def test_changed_columns_alone_make_the_new_version(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump(target_flow_m3h=3000.0, target_level_m=2.0))
    body = {"changes": {"suggested_speed_hz": 48.5, "target_level_m": None}, "reason": "less"}
    [new] = (await api("PATCH", f"/plans/{plan_id}", json=body)).json()
    assert (new["plan_version"], new["reason"], new["publisher"]) == (2, "less", "acme")
    assert {name: value for name, value in new["targets"].items() if value is not None} == {
        "kind": "pump",
        "suggested_speed_hz": 48.5,
        "target_flow_m3h": 3000.0,
    }
    old = (await api("GET", f"/plans/{plan_id}")).json()
    assert (old["plan_status"], old["superseded_by"]) == ("SUPERSEDED", new["plan_id"])
    found = (await api("GET", f"/plans/difference?before={plan_id}&after={new['plan_id']}")).json()
    assert {each["field"]: (each["before"], each["after"]) for each in found}["targets.suggested_speed_hz"] == (
        49,
        48.5,
    )
    assert {"targets.target_level_m", "plan_version", "reason"} <= {each["field"] for each in found}
    assert "publisher" not in {each["field"] for each in found}


async def test_the_parts_of_generic_targets_merge_by_key(api: Any) -> None:
    parts = {"secondary_targets": {"flow_m3s": 11.0, "level_m": 357.0}, "constraints": {"deadband": 0.1}}
    [plan_id] = await api.planned("s1", api.unit(**parts), site="abay")
    changes = {"target_value": 2.5, "secondary_targets": {"flow_m3s": 13.0, "level_m": None}}
    [new] = (await api("PATCH", f"/plans/{plan_id}", json={"changes": changes, "reason": "award"})).json()
    assert new["targets"]["target_value"] == 2.5
    assert new["targets"]["secondary_targets"] == {"flow_m3s": 13.0}
    assert new["targets"]["constraints"] == {"deadband": 0.1}


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        (
            {"colour": 1},
            "changes.colour",
            "one of target_flow_m3h, target_power_kw, target_level_m, suggested_speed_hz",
        ),
        ({"suggested_speed_hz": "fast"}, "changes.suggested_speed_hz", "Input should be a valid number"),
        ({"suggested_speed_hz": 30}, "intervals.0.targets.suggested_speed_hz", "0 (off) or 47.8 to 50 Hz"),
        ({"kind": "generic"}, "changes.kind", "one of target_flow_m3h"),
    ],
)
async def test_a_wrong_change_is_refused_and_nothing_is_stored(
    api: Any, changes: dict[str, object], field: str, expected: str
) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    answer = await api("PATCH", f"/plans/{plan_id}", json={"changes": changes, "reason": "x"})
    assert answer.status_code == 409
    [error] = errors(answer)
    assert (error["field"], error["value"]) == (field, next(iter(changes.values())))
    assert expected in error["expected"]
    assert len((await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json()) == 1


async def test_an_update_has_changes_or_targets(api: Any) -> None:
    targets = {"kind": "pump", "suggested_speed_hz": 48.0}
    wrong: list[dict[str, object]] = [{}, {"changes": {}}, {"changes": {"target_level_m": 2.0}, "targets": targets}]
    for body in wrong:
        assert (await api("PATCH", "/plans/1", json={"reason": "x", **body})).status_code == 422
    [plan_id] = await api.planned("s1", api.pump(target_level_m=2.0))
    [new] = (await api("PATCH", f"/plans/{plan_id}", json={"reason": "x", "targets": targets})).json()
    assert new["targets"]["target_level_m"] is None


async def test_a_roll_back_is_a_new_version_of_the_old_content(api: Any) -> None:
    [first] = await api.planned("s1", api.pump())
    await api.planned("s2", api.pump(suggested_speed_hz=48.0))
    [new] = (await api("POST", f"/plans/{first}/rollback", json={"reason": "back"})).json()
    assert (new["plan_version"], new["targets"]["suggested_speed_hz"]) == (3, 49.0)


async def test_a_cancelled_plan_leaves_the_next_in_force(api: Any) -> None:
    [first] = await api.planned("s1", api.pump())
    [higher] = await api.planned("s2", api.pump(suggested_speed_hz=48.0), name="other", priority=5)
    span = f"start={api.pump()['interval_start']}&end={api.pump()['interval_end']}".replace("+00:00", "Z")
    [led] = (await api("GET", f"/plans/effective?station=blominmaki&{span}")).json()
    assert (led["plan"]["plan_id"], [plan["plan_id"] for plan in led["beaten"]]) == (higher, [first])
    done = await api("POST", f"/plans/{higher}/cancel", role=Role.OPERATOR, json={"reason": "too low"})
    assert done.json()["plan_status"] == "CANCELLED"
    again = await api("POST", f"/plans/{higher}/cancel", role=Role.OPERATOR)
    assert again.status_code == 409
    current = await api("GET", "/plans/current?station=blominmaki&resource=P1_1")
    assert current.json()["plan_id"] == first


async def test_the_plans_in_force_of_a_whole_station_come_at_once(api: Any) -> None:
    await api.planned("s1", api.pump())
    await api.planned("s2", api.pump(suggested_speed_hz=48.0), name="other", priority=5)
    await api.planned("s3", api.pump(resource="P1_2"))
    all_of_it = (await api("GET", "/plans/current/all?station=blominmaki")).json()
    alone = [
        (await api("GET", f"/plans/current?station=blominmaki&resource={resource}")).json()
        for resource in ("P1_1", "P1_2")
    ]
    assert [Plan.model_validate(each) for each in all_of_it] == [Plan.model_validate(each) for each in alone]
    assert [each["publisher"] for each in alone] == ["other", "acme"]
    assert (await api("GET", "/plans/current/all?station=abay")).json() == []


@pytest.mark.parametrize(("days", "expected"), [(0, "after"), (367, "at most 366 days")])
async def test_a_span_is_not_empty_and_not_endless(api: Any, days: int, expected: str) -> None:
    start = api.clock.now()
    params = {"station": "abay", "start": start.isoformat(), "end": (start + timedelta(days=days)).isoformat()}
    answer = await api("GET", str(httpx.URL("/plans/effective", params=params)))
    assert answer.status_code == 422
    assert expected in errors(answer)[0]["expected"]


# ---------------------------------------------------------------- entity tags


@pytest.mark.parametrize(
    "path",
    [
        "/plans/{id}",
        "/plans/active?station=blominmaki",
        "/plans/history?station=blominmaki&resource=P1_1",
        "/plans/current/all?station=blominmaki",
    ],
)
async def test_what_has_not_changed_is_not_sent_again(api: Any, path: str) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    path = path.replace("{id}", str(plan_id))
    tag = (await api("GET", path)).headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        same = await api("GET", path, headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await api.planned("s2", api.pump(suggested_speed_hz=48.0))
    changed = await api("GET", path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("method", "ending", "body"),
    [
        ("PATCH", "", {"changes": {"suggested_speed_hz": 48.0}, "reason": "x"}),
        ("POST", "/rollback", {"reason": "x"}),
        ("POST", "/cancel", None),
    ],
)
async def test_a_plan_that_changed_meanwhile_is_not_changed(
    api: Any, method: str, ending: str, body: dict[str, object] | None
) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    tag = (await api("GET", f"/plans/{plan_id}")).headers["etag"]
    await api.planned("s2", api.pump(suggested_speed_hz=48.0))
    for stale in (tag, f"W/{tag}", '"other"'):
        answer = await api(method, f"/plans/{plan_id}{ending}", headers={"If-Match": stale}, json=body)
        assert (answer.status_code, answer.json()["title"]) == (412, "The plan has changed")
    history = (await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json()
    assert [plan["plan_status"] for plan in history] == ["ACTIVE", "SUPERSEDED"]


async def test_of_those_who_change_what_they_read_at_once_one_does(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump())
    tag = (await api("GET", f"/plans/{plan_id}")).headers["etag"]

    async def change(speed_hz: float) -> int:
        body = {"changes": {"suggested_speed_hz": speed_hz}, "reason": "race"}
        answer = await api("PATCH", f"/plans/{plan_id}", headers={"If-Match": tag}, json=body)
        return int(answer.status_code)

    codes = await asyncio.gather(*(change(48.0 + n / 10) for n in range(8)))
    assert sorted(codes) == [200] + [412] * 7
    assert len((await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json()) == 2


async def test_without_a_tag_too_nobody_changes_what_another_just_changed(api: Any) -> None:
    [plan_id] = await api.planned("s1", api.pump())

    async def change(column: str, value: float) -> int:
        answer = await api("PATCH", f"/plans/{plan_id}", json={"changes": {column: value}, "reason": "race"})
        return int(answer.status_code)

    codes = await asyncio.gather(change("suggested_speed_hz", 48.0), change("target_level_m", 2.0))
    assert sorted(codes) == [200, 409]


# ---------------------------------------------------------------- pages


async def test_pages_hold_every_version_once_while_others_are_added(api: Any) -> None:
    ids = [plan_id for n in range(7) for plan_id in await api.planned(f"s{n}", api.pump())]
    path, seen = "/plans/history?station=blominmaki&resource=P1_1&limit=3", []
    for page in range(3):
        answer = await api("GET", path)
        seen += [plan["plan_id"] for plan in answer.json()]
        await api.planned(f"later{page}", api.pump())
        if "link" in answer.headers:
            path = answer.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
    assert seen == ids[::-1]
    assert "link" not in answer.headers


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "WzEsMV0", "WzFlOTld", "Wzk5OTk5OTk5OTk5XQ", "é", "WzB4"])
async def test_a_cursor_that_is_none_is_refused(api: Any, cursor: str) -> None:
    answer = await api("GET", f"/plans/history?station=blominmaki&resource=P1_1&cursor={cursor}")
    assert answer.status_code == 422
    assert errors(answer)[0]["field"] == "query.cursor"


async def test_the_actuators_that_have_plans_are_named_for_all_stations(api: Any) -> None:
    async def named() -> object:
        return (await api("GET", "/plans/actuators", role=Role.VIEWER)).json()

    assert await named() == []
    await api.planned("s1", api.pump(0, 4))
    assert await named() == [{"station_id": "blominmaki", "resource_id": "P1_1"}]
    for plan in (await api("GET", "/plans/active?station=blominmaki")).json():
        await api("POST", f"/plans/{plan['plan_id']}/cancel")
    assert await named() == []

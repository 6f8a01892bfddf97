"""The service on a socket: closed without a session, safe headers, live news over one subscription, orders in one's own name."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from headworks.common.auth import Role
from headworks.common.bus import Bus
from headworks.common.messages import (
    AlarmState,
    AlarmTransition,
    ControlMode,
    ControlState,
    Measurements,
    Quality,
    RunFinished,
    RunStatus,
    Sample,
    Severity,
)
from headworks.common.subjects import ALARM, CONTROL_STATE, RUN_FINISHED, TELEMETRY
from headworks.common.testing import eventually
from headworks.dashboard.main import documented_api

FT = 0.3048
OPEN = {("POST", "/session")}


def closed_routes() -> list[tuple[str, str]]:
    return [
        (method, route.path.format(site="abay", alarm="reservoir_low", approval_id=7))
        for route in documented_api().routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
        if (method, route.path) not in OPEN
    ]


async def test_nobody_is_served_without_a_session(dashboard: Any) -> None:
    assert len(closed_routes()) >= 10
    async with dashboard.client() as client:
        for method, path in closed_routes():
            for headers in ({}, {"Authorization": "Bearer garbage"}, {"Cookie": "headworks_session=garbage"}):
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_is_safe_for_a_browser(dashboard: Any) -> None:
    async with dashboard.client() as client:
        for path in ("/", "/sites", "/assets/nothing.js", "/nowhere"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (await client.get("/sites")).headers["cache-control"] == "no-store"


async def test_files_outside_the_build_are_not_given(dashboard: Any) -> None:
    async with dashboard.client() as client:
        for path in ("/assets/../../api.py", "/assets/%2e%2e/%2e%2e/api.py", "/api.py", "/assets//etc/passwd"):
            assert (await client.get(path)).status_code in {401, 404}, path


async def test_sign_in_sets_a_strict_cookie_and_sign_out_ends_it(dashboard: Any) -> None:
    async with dashboard.signed_in("otto") as client:
        session = (await client.get("/session")).json()
        assert (session["name"], session["role"]) == ("otto", "operator")
        assert session["scopes"] == ["operate", "view"]
        kept = client.cookies["headworks_session"]
        assert (await client.delete("/session")).status_code == 204
        assert (await client.get("/session", headers={"Cookie": f"headworks_session={kept}"})).status_code == 401


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(dashboard: Any) -> None:
    async with dashboard.client() as client:
        answer = await client.post("/session", json={"name": "vera", "password": "a good password"})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "argon2" not in answer.text


async def test_wrong_sign_ins_are_refused_and_then_slowed(dashboard: Any) -> None:
    async with dashboard.client() as client:
        wrong = {"name": "otto", "password": "wrong"}
        answers = [(await client.post("/session", json=wrong)).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]


async def test_garbage_for_a_sign_in_is_named_and_a_password_is_not_repeated(dashboard: Any) -> None:
    async with dashboard.client() as client:
        for body in (b"", b"{", b"[]", b'{"name": 7}', b'{"name": "otto"}'):
            answer = await client.post("/session", content=body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"]
        secret = {"name": "otto", "password": "secret" * 60}
        refused = await client.post("/session", json=secret)
        assert refused.status_code == 401
        assert "secretsecret" not in refused.text


async def test_a_write_from_another_site_is_refused(dashboard: Any, neighbour: Any) -> None:
    async with dashboard.signed_in("otto") as client:
        for origin in ("http://evil.example", "null"):
            answer = await client.post("/sites/abay/e-stop", json={"reason": "x"}, headers={"Origin": origin})
            assert answer.status_code == 403
            assert answer.json()["title"] == "Not from this page"
        del client.headers["Origin"]
        assert (await client.post("/sites/abay/e-stop", json={"reason": "x"})).status_code == 403
    assert neighbour[0].orders == []


async def test_a_system_with_a_token_needs_no_session(dashboard: Any) -> None:
    token = dashboard.issuer.issue("report", Role.VIEWER, timedelta(minutes=1))
    async with httpx.AsyncClient(base_url=dashboard.url, headers={"Authorization": f"Bearer {token}"}) as client:
        assert (await client.get("/sites")).json() == [
            {"site": "abay", "name": "Afterbay and Oxbow Powerhouse", "model": "afterbay"},
            {"site": "blominmaki", "name": "Blominmäki pumping station", "model": "pumping_station"},
        ]


async def test_the_view_is_whole_and_pages_that_ask_together_share_it(dashboard: Any, neighbour: Any) -> None:
    async with dashboard.signed_in("vera") as client:
        answers = await asyncio.gather(*(client.get("/sites/abay/view") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        view = answers[0].json()
        assert view["not_known"] == []
        assert view["limits"]["minimum_elevation"] == 1168.0
        assert len(view["inputs"]) == 12
        assert neighbour[0].asked.count("/sites/abay/state") == 1


async def test_the_view_of_a_station_is_of_its_own_kind(dashboard: Any) -> None:
    async with dashboard.signed_in("vera") as client:
        view = (await client.get("/sites/blominmaki/view")).json()
    assert view["not_known"] == []
    assert (view["model"], view["limits"]["maximum_level"], len(view["pumps"])) == ("pumping_station", 8.0, 8)
    assert {span["resource"] for span in view["plan"]} == {pump["resource"] for pump in view["pumps"]}


async def test_an_unknown_site_is_named(dashboard: Any) -> None:
    async with dashboard.signed_in("vera") as client:
        for path in ("/sites/nowhere/view", "/sites/nowhere/live"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.json()["errors"][0]["expected"] == "one of ['abay', 'blominmaki']"


class TestAway:
    """Services that do not answer."""

    @pytest.fixture
    def addresses(self, neighbour: Any, nowhere: str) -> dict[str, str]:
        there = dict.fromkeys(("ingest", "plans"), neighbour[1])
        return there | dict.fromkeys(("optimizer", "control_gateway", "alerts"), nowhere)

    async def test_the_page_stays_up_and_says_which_part_is_not_known(self, dashboard: Any) -> None:
        async with dashboard.signed_in("vera") as client:
            view = (await client.get("/sites/abay/view")).json()
        missing = {entry["part"]: entry["service"] for entry in view["not_known"]}
        assert missing == {
            "newest run": "optimizer",
            "schedule and forecast": "optimizer",
            "gateway state": "control_gateway",
            "setpoints": "control_gateway",
            "alarms": "alerts",
        }
        assert view["control"] is None
        assert view["alarms"] is None
        assert view["schedule"] is None
        assert len(view["plan"]) == 24

    async def test_an_order_that_cannot_be_passed_on_says_so(self, dashboard: Any) -> None:
        async with dashboard.signed_in("otto") as client:
            answer = await client.post("/sites/abay/e-stop", json={"reason": "exercise"})
        assert answer.status_code == 502
        assert "may not have been carried out" in answer.json()["detail"]


async def test_a_service_that_answers_garbage_is_not_known_with_the_field(dashboard: Any, neighbour: Any) -> None:
    neighbour[0].answers["/sites/abay/state"] = {"site": "abay", "mode": "fly"}
    async with dashboard.signed_in("vera") as client:
        view = (await client.get("/sites/abay/view")).json()
    [missing] = view["not_known"]
    assert missing["part"] == "gateway state"
    assert "unknown form" in missing["reason"]


async def test_orders_go_on_in_the_users_own_name_and_role(dashboard: Any, neighbour: Any, recorded: Any) -> None:
    stand_in, _ = neighbour
    state = recorded.answers["/sites/abay/state"]
    alarm = recorded.answers["/sites/abay/alarms"][0]
    stand_in.answers |= {
        "/sites/abay/e-stop": state,
        "/sites/abay/e-stop/clear": state,
        "/sites/abay/mode": state,
        "/sites/abay/runs": {"run_id": "abay-1"},
        f"/sites/abay/alarms/{alarm['alarm']}/acknowledge": alarm,
    }
    async with dashboard.signed_in("otto") as client:
        for path, body, status in (
            ("/sites/abay/e-stop", {"reason": "exercise"}, 200),
            ("/sites/abay/e-stop/clear", {"reason": "over"}, 200),
            ("/sites/abay/mode", {"mode": "manual", "reason": "by hand"}, 200),
            ("/sites/abay/runs", {"reason": "new tag"}, 202),
            (f"/sites/abay/alarms/{alarm['alarm']}/acknowledge", {"comment": None}, 200),
        ):
            answer = await client.post(path, json=body)
            assert answer.status_code == status, (path, answer.text)
            assert stand_in.orders[-1] == (path, "otto", "operator", body)


async def test_a_services_refusal_comes_back_in_its_own_words(dashboard: Any, neighbour: Any) -> None:
    neighbour[0].refusal = (403, {"title": "Not allowed", "status": 403, "detail": "otto is a operator"})
    async with dashboard.signed_in("otto") as client:
        answer = await client.post("/sites/abay/e-stop/clear", json={"reason": "over"})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "otto is a operator"


async def test_a_viewer_may_look_and_not_act(dashboard: Any, neighbour: Any) -> None:
    async with dashboard.signed_in("vera") as client:
        for path in ("e-stop", "e-stop/clear", "runs", "alarms/reservoir_low/acknowledge"):
            answer = await client.post(f"/sites/abay/{path}", json={"reason": "x"} if "alarm" not in path else {})
            assert answer.status_code == 403, path
    assert neighbour[0].orders == []


# ---------------------------------------------------------------- live


async def news_of(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for text in response.aiter_lines():
        if text.startswith("data: "):
            yield json.loads(text.removeprefix("data: "))


async def first(events: AsyncIterator[dict[str, Any]], kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        async for event in events:
            if event["kind"] == kind:
                return event
    raise AssertionError(f"the stream ended without {kind}")


async def test_what_the_bus_says_reaches_the_page_in_display_units(dashboard: Any, bus: Bus, recorded: Any) -> None:
    now = recorded.now
    async with dashboard.signed_in("vera") as client, client.stream("GET", "/sites/abay/live") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = news_of(response)
        beat = await first(events, "clock")
        assert beat["bus_connected"] is True
        assert beat["now"].startswith(f"{now:%Y-%m-%dT%H:%M}")
        await hearing(bus)
        sample = Sample(series="elevation_m", valid_at=now, value=1170.5 * FT, quality=Quality.GOOD)
        missing = Sample(series="r4_flow_m3s", valid_at=now, value=None, quality=Quality.MISSING)
        told = Measurements(site="abay", source="pi", known_at=now, samples=(sample, missing))
        await bus.publish(TELEMETRY, told, site="abay", source="pi")
        inputs = (await first(events, "inputs"))["inputs"]
        assert [(i["series"], i["value"], i["unit"], i["quality"]) for i in inputs] == [
            ("elevation_m", 1170.5, "ft", "GOOD"),
            ("r4_flow_m3s", None, "cfs", "MISSING"),
        ]
        state = ControlState(site="abay", at=now, mode=ControlMode.OFF, e_stop=True, e_stop_by="otto: x", resources=())
        await bus.publish(CONTROL_STATE, state, site="abay")
        assert (await first(events, "control"))["control"]["e_stop"] is True
        transition = AlarmTransition(
            transition_id="t1",
            site="abay",
            alarm="e_stop",
            at=now,
            severity=Severity.CRITICAL,
            title="Emergency stop active",
            from_state=AlarmState.NORMAL,
            to_state=AlarmState.ACTIVE_UNACKNOWLEDGED,
            by="monitor",
        )
        await bus.publish(ALARM, transition, site="abay", alarm="e_stop")
        assert (await first(events, "alarm"))["alarm"]["state"] == "active_unacknowledged"
        ended = RunFinished(run_id="abay-1", site="abay", at=now, status=RunStatus.INFEASIBLE, reason="no elevation")
        await bus.publish(RUN_FINISHED, ended, site="abay", run_id="abay-1")
        assert (await first(events, "run"))["text"] == "no elevation"
        assert (await first(events, "changed"))["part"] == "schedule"


async def test_new_prices_are_no_input_of_now_but_change_the_view(dashboard: Any, bus: Bus, recorded: Any) -> None:
    now = recorded.now
    async with dashboard.signed_in("vera") as client, client.stream("GET", "/sites/blominmaki/live") as response:
        events = news_of(response)
        await first(events, "clock")
        await hearing(bus)
        tomorrow = now + timedelta(days=1)
        price = Sample(series="day_ahead_price_eur_per_mwh", valid_at=tomorrow, value=4.2, quality=Quality.GOOD)
        level = Sample(series="tunnel_level_m", valid_at=now, value=2.5, quality=Quality.GOOD)
        told = Measurements(site="blominmaki", source="entsoe", known_at=now, samples=(price, level))
        await bus.publish(TELEMETRY, told, site="blominmaki", source="entsoe")
        inputs = (await first(events, "inputs"))["inputs"]
        assert [(i["label"], i["value"], i["unit"]) for i in inputs] == [("Tunnel level", 2.5, "m")]
        assert (await first(events, "changed"))["part"] == "price"


async def test_many_pages_share_one_subscription_and_leave_nothing_behind(
    dashboard: Any, bus: Bus, recorded: Any
) -> None:
    async with dashboard.signed_in("vera") as client:
        async with client.stream("GET", "/sites/abay/live") as a, client.stream("GET", "/sites/abay/live") as b:
            streams = [news_of(a), news_of(b)]
            for events in streams:
                await first(events, "clock")
            await hearing(bus)
            assert dashboard.live.watching == 2
            sample = Sample(series="mode", valid_at=recorded.now, value=1, quality=Quality.GOOD)
            told = Measurements(site="abay", source="pi", known_at=recorded.now, samples=(sample,))
            await bus.publish(TELEMETRY, told, site="abay", source="pi")
            for events in streams:
                assert (await first(events, "inputs"))["inputs"][0]["text"] == "SPILL"
            assert await consumers(bus, "TELEMETRY") == 1
        await eventually(lambda: dashboard.live.watching == 0)


async def test_a_page_that_does_not_keep_up_is_let_go(dashboard: Any) -> None:
    live = dashboard.live
    with live.watch("abay") as slow:
        for _ in range(600):
            live.tell("abay", live.beat())
        assert slow.gone
        assert slow.queue.get_nowait() is None


async def test_signing_out_ends_the_stream(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.dashboard.live.BEAT_S", 0.05)
    async with dashboard.signed_in("vera") as client, client.stream("GET", "/sites/abay/live") as response:
        events = news_of(response)
        await first(events, "clock")
        assert (await client.delete("/session")).status_code == 204
        async with asyncio.timeout(10):
            async for event in events:
                assert event["kind"] == "clock"


async def consumers(bus: Bus, stream: str) -> int:
    return len(await bus._jetstream.consumers_info(stream))


async def hearing(bus: Bus) -> None:
    """The dashboard hears the bus: its consumers are there."""

    async def there() -> bool:
        counts = [await consumers(bus, stream) for stream in ("TELEMETRY", "CONTROL", "ALARMS", "RUNS")]
        return counts == [1, 2, 1, 2]

    await eventually(there)

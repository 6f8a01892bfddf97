"""Orders on one actuator by API: by a named person of the role, refused with what is right, ended by time, and in the audit."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_rig import Caller, api_over, noted
from gateway_rig import HandClock, PlcServer
from time_rig import NOW

from headworks.common.auth import Role
from headworks.common.messages import ControlMode
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.orders import OrderBook

UNIT = "/sites/abay/actuators/OXPH"
MODE, OVERRIDE, END = f"{UNIT}/mode", f"{UNIT}/override", f"{UNIT}/override/end"
TO_MANUAL = {"mode": "manual", "reason": "bearings"}
TO_2_5 = {"value": 2.5, "minutes": 30, "reason": "a test run"}
OVER = {"reason": "test over"}
ORDERS: list[tuple[str, dict[str, object]]] = [(MODE, {**TO_MANUAL}), (OVERRIDE, {**TO_2_5}), (END, {**OVER})]


def orders(call: Caller) -> OrderBook:
    """As a gateway that begins anew would read them."""
    return OrderBook(call.folder, "abay", ["OXPH"])


def events(call: Caller) -> list[tuple[object, ...]]:
    """What the audit says was done: what, by whom, on what, why."""
    kept = [e for e in noted(call.folder) if e["category"] == "control_system"]
    return [(e["event_type"], e["actor"], e["subject"], e["reason"], e["result"]) for e in kept]


@pytest.mark.parametrize(("path", "order"), ORDERS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.SERVICE])
async def test_who_may_only_look_and_who_is_no_person_orders_nothing(
    call: Caller, path: str, order: dict[str, object], role: Role
) -> None:
    await call("POST", OVERRIDE, json=TO_2_5)
    before, told = orders(call).now, call.told()
    answer = await call("POST", path, role, order, name="machine")
    assert answer.status_code == 403
    if role is Role.SERVICE:
        assert answer.json()["detail"] == "machine is a service; this is done by hand, by a person"
    assert (orders(call).now, call.told()) == (before, told)
    last = noted(call.folder)[-1]
    assert (last["event_type"], last["actor"], last["subject"]) == ("access_refused", "machine", path)


@pytest.mark.parametrize(("path", "order"), ORDERS)
async def test_a_key_is_no_hand(call: Caller, path: str, order: dict[str, object]) -> None:
    await call("POST", OVERRIDE, json=TO_2_5)
    before, told = orders(call).now, call.told()
    answer = await call.by_key("POST", path, order)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "tablet shows an API key; this is done by hand: sign in with a token"
    assert (orders(call).now, call.told()) == (before, told)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ENGINEER, Role.ADMIN])
async def test_an_override_is_in_the_name_of_a_person_until_its_time_and_in_journal_and_audit(
    call: Caller, clock: HandClock, role: Role
) -> None:
    answer = await call("POST", OVERRIDE, role, TO_2_5)
    assert answer.status_code == 200
    assert answer.json()["resources"][0]["override"] == {
        "value": 2.5,
        "by": "ann",
        "reason": "a test run",
        "given_at": "2026-02-17T08:00:00Z",
        "until": "2026-02-17T08:30:00Z",
        "after": None,
    }
    assert call.told() == ["override 2.5 MW until 2026-02-17 08:30 UTC by ann: a test run"]
    assert events(call) == [("override", "ann", "abay/OXPH", "a test run", "success")]
    kept = orders(call)
    assert kept.override_of("OXPH", NOW + timedelta(minutes=30, seconds=-1)) is not None
    assert kept.override_of("OXPH", NOW + timedelta(minutes=30)) is None
    clock.forward(30 * 60)
    state = (await call("GET", "/sites/abay/state", Role.VIEWER)).json()
    assert state["resources"][0]["override"] is None
    assert (await call("POST", END, role, OVER)).status_code == 409, "there is nothing to end any more"


async def test_an_override_is_ended_before_its_time_once(call: Caller) -> None:
    await call("POST", OVERRIDE, json=TO_2_5)
    ended = await call("POST", END, json=OVER, name="bob")
    assert (ended.status_code, ended.json()["resources"][0]["override"]) == (200, None)
    assert call.told()[-1] == "override ended by bob: test over"
    assert events(call)[-1] == ("override_ended", "bob", "abay/OXPH", "test over", "success")
    assert orders(call).override_of("OXPH", NOW) is None
    again = await call("POST", END, json=OVER, name="bob")
    assert (again.status_code, again.json()["title"]) == (409, "Nothing to end")
    assert again.json()["detail"] == "no override of OXPH is in force"
    assert len(call.told()) == 2


async def test_a_mode_of_an_actuator_is_kept_with_who_set_it(call: Caller) -> None:
    for mode in ("manual", "maintenance", "off", "auto"):
        answer = await call("POST", MODE, json={"mode": mode, "reason": "bearings"}, name="bob")
        assert (answer.status_code, answer.json()["mode"]) == (200, "auto"), "the site's own stays"
        kept = orders(call).now.modes["OXPH"]
        assert (kept.mode, kept.by) == (ControlMode(mode), "bob: bearings")
        assert timedelta(0) <= kept.at - NOW < timedelta(seconds=1), (
            "each after the one before, though the clock stands"
        )
        assert call.told()[-1] == f"mode {mode} by bob: bearings"
        assert events(call)[-1] == (f"mode_{mode}", "bob", "abay/OXPH", "bearings", "success")


@pytest.mark.parametrize("mode", ["manual", "off", "maintenance"])
@pytest.mark.parametrize("path", [MODE, "/sites/abay/mode"])
async def test_what_would_not_be_followed_now_is_not_taken_for_later(call: Caller, path: str, mode: str) -> None:
    await call("POST", path, json={"mode": mode, "reason": "bearings"})
    answer = await call("POST", OVERRIDE, json=TO_2_5)
    assert (answer.status_code, answer.json()["title"]) == (409, "Not in auto")
    assert answer.json()["detail"] == f"the mode of OXPH is {mode}; overrides are followed in auto"
    assert orders(call).now.overrides == {}


@pytest.mark.parametrize("scope", [{}, {"site": "abay"}, {"site": "abay", "resource": "OXPH"}])
async def test_no_override_waits_for_an_e_stop_to_be_cleared(call: Caller, scope: dict[str, str]) -> None:
    await call("POST", "/e-stop", json={**scope, "reason": "smoke"})
    answer = await call("POST", OVERRIDE, json=TO_2_5)
    assert (answer.status_code, answer.json()["title"]) == (409, "E-stop is active")
    assert orders(call).now.overrides == {}


@pytest.mark.parametrize(("value", "status"), [(0.8, 200), (5.8, 200), (0.79, 422), (5.804, 422), (0, 422), (-1, 422)])
async def test_a_value_lies_within_the_station_s_limits(call: Caller, value: float, status: int) -> None:
    answer = await call("POST", OVERRIDE, json={**TO_2_5, "value": value})
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["title"] == "Outside the station's limits"
        assert answer.json()["errors"] == [{"field": "value", "value": value, "expected": "0.8 to 5.8 MW"}]
    assert bool(orders(call).now.overrides) is (status == 200)


@pytest.mark.parametrize("value", [1e300, -1e300, 1.7976931348623157e308])
async def test_a_value_beyond_all_counts_is_refused_as_any_other(call: Caller, value: float) -> None:
    answer = await call("POST", OVERRIDE, json={**TO_2_5, "value": value})
    assert (answer.status_code, answer.json()["title"]) == (422, "Outside the station's limits")


@pytest.mark.parametrize(
    ("path", "order", "field", "value"),
    [
        (MODE, {**TO_MANUAL, "mode": "fly"}, "body.mode", "fly"),
        (MODE, {"mode": "off"}, "body.reason", None),
        (MODE, {**TO_MANUAL, "reason": "two\nlines"}, "body.reason", "two\nlines"),
        (OVERRIDE, {**TO_2_5, "minutes": 0}, "body.minutes", 0),
        (OVERRIDE, {**TO_2_5, "minutes": 480.01}, "body.minutes", 480.01),
        (OVERRIDE, {**TO_2_5, "value": "much"}, "body.value", "much"),
        (OVERRIDE, {**TO_2_5, "reason": ""}, "body.reason", ""),
        (OVERRIDE, {**TO_2_5, "by": "bob"}, "body.by", "bob"),
        (END, {"reason": "x" * 301}, "body.reason", "x" * 200),
    ],
)
async def test_an_order_that_is_none_names_the_field_the_value_and_what_is_right(
    call: Caller, path: str, order: dict[str, object], field: str, value: object
) -> None:
    answer = await call("POST", path, json=order)
    assert answer.status_code == 422
    [wrong] = answer.json()["errors"]
    assert (wrong["field"], wrong["value"]) == (field, value)
    assert wrong["expected"]
    assert call.told() == []


async def test_the_longest_override_is_a_shift(call: Caller) -> None:
    answer = await call("POST", OVERRIDE, json={**TO_2_5, "minutes": 480})
    assert answer.json()["resources"][0]["override"]["until"] == "2026-02-17T16:00:00Z"


@pytest.mark.parametrize(("path", "order"), ORDERS)
@pytest.mark.parametrize(("there", "missing"), [("abay/actuators/OXPH", "resource"), ("/abay/", "site")])
async def test_an_actuator_that_is_not_there_is_named(
    call: Caller, path: str, order: dict[str, object], there: str, missing: str
) -> None:
    elsewhere = path.replace(there, "abay/actuators/P1_1" if missing == "resource" else "/nowhere/")
    answer = await call("POST", elsewhere, json=order)
    value, right = ("P1_1", "OXPH") if missing == "resource" else ("nowhere", "abay")
    assert answer.status_code == 404
    assert answer.json()["errors"] == [{"field": missing, "value": value, "expected": f"one of ['{right}']"}]


async def test_an_order_that_cannot_be_recorded_changes_nothing(call: Caller) -> None:
    await call("POST", OVERRIDE, json=TO_2_5)
    before = orders(call).now
    journal = call.folder / "journal.jsonl"
    journal.rename(journal.with_name("away"))
    for path, order in ORDERS:
        answer = await call("POST", path, json=order)
        assert (answer.status_code, answer.json()["title"]) == (503, "The order cannot be recorded")
    journal.with_name("away").rename(journal)
    (call.folder / "orders-abay.part").mkdir()
    for path, order in ORDERS:
        assert (await call("POST", path, json=order)).status_code == 503
    assert (call.loop.leads.orders.now, orders(call).now) == (before, before)


@pytest.fixture
async def call_pumps(
    tmp_path: Path, pumps: tuple[Actuator, ...], plc_server: PlcServer, clock: HandClock
) -> AsyncIterator[Caller]:
    async with api_over(pumps, plc_server.port, tmp_path, clock) as caller:
        yield caller


async def test_of_a_pump_0_is_off_and_what_lies_between_is_no_speed(call_pumps: Caller) -> None:
    path = "/sites/blominmaki/actuators/P1_1/override"
    assert (await call_pumps("POST", path, json={**TO_2_5, "value": 0})).status_code == 200
    low = await call_pumps("POST", path, json={**TO_2_5, "value": 1})
    assert low.status_code == 422
    assert low.json()["errors"] == [{"field": "value", "value": 1.0, "expected": "47.8 to 50 Hz, or 0 for off"}]

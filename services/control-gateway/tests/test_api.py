"""The API: closed without a caller, orders by role and by hand, each order in the journal, and no order lost to a full disk."""

import pytest
from api_rig import Caller, noted

from headworks.common.auth import Role
from headworks.common.messages import Outcome
from headworks.control_gateway.journal import Journal

STOP = "/sites/abay/e-stop"
CLEAR = "/sites/abay/e-stop/clear"
MODE = "/sites/abay/mode"
BY_HAND = "tablet shows an API key; this is done by hand: sign in with a token"


async def test_a_viewer_sees_and_orders_nothing(call: Caller) -> None:
    state = await call("GET", "/sites/abay/state", Role.VIEWER)
    assert state.status_code == 200
    assert state.json()["resources"][0]["reason"] == "starting"
    for path in (STOP, CLEAR, MODE):
        assert (await call("POST", path, Role.VIEWER, {"reason": "x", "mode": "off"})).status_code == 403
    assert call.told() == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ENGINEER, Role.ADMIN, Role.SERVICE])
async def test_whoever_operates_may_stop_the_plant_with_all_else_down(call: Caller, role: Role) -> None:
    pressed = await call("POST", STOP, role, {"reason": "smoke"})
    assert (pressed.status_code, pressed.json()["e_stop"], pressed.json()["e_stop_by"]) == (200, True, "ann: smoke")
    assert call.told() == ["e-stop pressed by ann: smoke"]
    assert call.switches().now.e_stop


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OPERATOR, 403), (Role.SERVICE, 403), (Role.ENGINEER, 200), (Role.ADMIN, 200)],
)
async def test_an_e_stop_is_cleared_by_hand_by_an_engineer(call: Caller, role: Role, status: int) -> None:
    await call("POST", STOP, json={"reason": "smoke"})
    asked = await call("POST", CLEAR, Role.ENGINEER, {"reason": "no smoke"}, name="bob")
    assert (asked.status_code, asked.json()["e_stop"], asked.json()["e_stop_clear_requested_by"]) == (200, True, "bob")
    assert call.switches().now.e_stop
    cleared = await call("POST", CLEAR, role, {"reason": "seen"})
    assert cleared.status_code == status
    assert call.switches().now.e_stop is (status != 200)
    assert ("e-stop cleared by ann: seen" in call.told()) is (status == 200)


async def test_one_person_alone_clears_no_e_stop_however_the_name_is_written(call: Caller) -> None:
    await call("POST", STOP, json={"reason": "smoke"})
    for name in ("ann", "Ann ", "ANN"):
        answer = await call("POST", CLEAR, Role.ENGINEER, {"reason": "no smoke"}, name=name)
        assert (answer.status_code, answer.json()["e_stop"]) == (200, True)
    assert call.switches().now.e_stop


@pytest.mark.parametrize("path", [CLEAR, "/e-stop/clear"])
async def test_one_person_with_a_token_and_a_key_clears_no_e_stop(call: Caller, path: str) -> None:
    order = {"reason": "no smoke"} | ({} if path == CLEAR else {"site": "abay"})
    pressed = await call.by_key("POST", STOP, {"reason": "smoke"})
    assert (pressed.status_code, pressed.json()["e_stop_by"]) == (200, "tablet: smoke"), "to stop a key is enough"
    await call("POST", path, Role.ENGINEER, order, name="ann")
    told = call.told()
    answer = await call.by_key("POST", path, order)
    assert (answer.status_code, answer.json()["detail"]) == (403, BY_HAND)
    assert (call.switches().now.e_stop, call.told()) == (True, told)


async def test_a_mode_is_not_set_by_a_key(call: Caller) -> None:
    answer = await call.by_key("POST", MODE, {"mode": "off", "reason": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (403, BY_HAND)
    assert (call.switches().now.mode.value, call.told()) == ("auto", [])


async def test_an_e_stop_that_is_pressed_again_must_be_asked_for_again(call: Caller) -> None:
    await call("POST", STOP, json={"reason": "smoke"})
    await call("POST", CLEAR, Role.ENGINEER, {"reason": "no smoke"}, name="bob")
    await call("POST", STOP, json={"reason": "fire"})
    answer = await call("POST", CLEAR, Role.ENGINEER, {"reason": "seen"}, name="carl")
    assert (answer.json()["e_stop"], answer.json()["e_stop_clear_requested_by"]) == (True, "carl")
    answer = await call("POST", CLEAR, Role.ENGINEER, {"reason": "all out"}, name="bob")
    assert answer.json()["e_stop"] is False


@pytest.mark.parametrize(
    ("scope", "site_stands", "unit_stands"),
    [({}, True, True), ({"site": "abay"}, True, True), ({"site": "abay", "resource": "OXPH"}, False, True)],
)
async def test_an_e_stop_is_of_the_system_a_site_or_an_actuator(
    call: Caller, scope: dict[str, str], site_stands: bool, unit_stands: bool
) -> None:
    pressed = await call("POST", "/e-stop", json={**scope, "reason": "smoke"})
    name = "/".join(scope.values()) or "system"
    assert (pressed.status_code, pressed.json()["message"]) == (200, f"stopped: {name}")
    state = (await call("GET", "/sites/abay/state", Role.VIEWER)).json()
    assert state["e_stop"] is site_stands
    assert (state["resources"][0]["e_stop_by"] == "ann: smoke") is unit_stands
    for other in ({}, {"site": "abay"}, {"site": "abay", "resource": "OXPH"}):
        if other != scope:
            for person in ("bob", "carl"):
                order = {**other, "reason": "another level"}
                assert (await call("POST", "/e-stop/clear", Role.ENGINEER, order, name=person)).status_code == 200
    assert len((await call("GET", "/e-stop", Role.VIEWER)).json()["active"]) == 1, "each level is cleared by itself"
    asked = await call("POST", "/e-stop/clear", Role.ENGINEER, {**scope, "reason": "over"}, name="bob")
    assert asked.json()["message"] == (f"a second person, an engineer, must confirm within 10 min: {name} asked by bob")
    confirmed = await call("POST", "/e-stop/clear", Role.ENGINEER, {**scope, "reason": "seen"}, name="carl")
    assert (confirmed.json()["active"], confirmed.json()["message"]) == ([], "nothing is stopped")
    kinds = [event["event_type"] for event in noted(call.folder) if str(event["event_type"]).startswith("e_stop")]
    assert kinds == ["e_stop_pressed", "e_stop_clear_requested", "e_stop_cleared"]


@pytest.mark.parametrize(
    ("order", "status", "field"),
    [
        ({"resource": "OXPH", "reason": "x"}, 422, "body"),
        ({"site": "nowhere", "reason": "x"}, 404, "site"),
        ({"site": "abay", "resource": "P1_1", "reason": "x"}, 404, "resource"),
        ({"site": "abay"}, 422, "body.reason"),
    ],
)
async def test_an_e_stop_of_nothing_that_is_there_is_named(
    call: Caller, order: dict[str, str], status: int, field: str
) -> None:
    for path in ("/e-stop", "/e-stop/clear"):
        answer = await call("POST", path, Role.ENGINEER, order)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["field"] == field


async def test_a_mode_is_set_by_hand_and_leaves_the_e_stop_alone(call: Caller) -> None:
    await call("POST", STOP, json={"reason": "smoke"})
    assert (await call("POST", MODE, Role.SERVICE, {"mode": "off", "reason": "x"})).status_code == 403
    state = (await call("POST", MODE, json={"mode": "manual", "reason": "test run"})).json()
    assert (state["mode"], state["e_stop"]) == ("manual", True)
    assert call.told()[-1] == "mode manual by ann: test run"


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 301},
        {"reason": "a\x00b"},
        {"reason": "two\nlines"},
        {"reason": 7},
        {"reason": "x", "mode": "fly"},
        {"reason": "x", "mode": "auto", "more": 1},
    ],
)
async def test_an_order_that_is_none_names_the_field(call: Caller, order: dict[str, object]) -> None:
    for path in (MODE, STOP) if "mode" not in order else (MODE,):
        answer = await call("POST", path, json=order)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith("body")
    assert call.told() == []


async def test_a_full_disk_stops_no_e_stop_but_every_order_that_lets_writes_go_on(call: Caller) -> None:
    journal = call.folder / "journal.jsonl"
    journal.rename(journal.with_name("away"))
    assert (await call("POST", STOP, json={"reason": "smoke"})).json()["e_stop"] is True
    for path, order in ((CLEAR, {"reason": "x"}), (MODE, {"reason": "x", "mode": "off"})):
        answer = await call("POST", path, Role.ENGINEER, order)
        assert answer.status_code == 503
        assert answer.json()["title"] == "The order cannot be recorded"
    journal.with_name("away").rename(journal)
    (call.folder / "e-stops.part").mkdir()
    assert (await call("POST", CLEAR, Role.ENGINEER, {"reason": "x"})).status_code == 503
    state = (await call("GET", "/sites/abay/state")).json()
    assert (state["e_stop"], state["mode"]) == (True, "auto")


async def test_refused_access_and_bad_requests_are_noted(call: Caller) -> None:
    before = len(noted(call.folder))
    await call("POST", CLEAR, Role.OPERATOR, {"reason": "x"})
    await call("POST", STOP, Role.OPERATOR, {"reason": ""})
    found = [(e["category"], e["event_type"], e["actor"], e["subject"]) for e in noted(call.folder)[before:]]
    assert found == [
        ("access_control", "access_refused", "ann", CLEAR),
        ("request_error", "request_refused", "ann", STOP),
    ]


async def test_a_flood_of_refused_requests_does_not_fill_the_disk(call: Caller) -> None:
    for _ in range(60):
        assert (await call("POST", STOP, role=None, json={"reason": "x"})).status_code == 401
    assert 10 <= len(noted(call.folder)) <= 25


BACKUP = {
    "category": "backup_and_restore",
    "event_type": "backup",
    "result": "failure",
    "subject": "headworks.dump",
    "reason": "disk full",
}


async def test_a_backup_is_noted_with_who_says_so_and_how_it_ended(call: Caller) -> None:
    before = len(noted(call.folder))
    answer = await call.by_key("POST", "/audit/events", BACKUP)
    assert (answer.status_code, answer.json()) == (201, BACKUP)
    [event] = noted(call.folder)[before:]
    assert {name: event[name] for name in BACKUP} == BACKUP
    assert event["actor"] == "tablet"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"category": "control_system"}, "category"), ({"result": "well"}, "result"), ({"reason": ""}, "reason")],
)
async def test_what_is_not_for_others_to_note_is_refused_by_field(
    call: Caller, change: dict[str, str], field: str
) -> None:
    answer = await call("POST", "/audit/events", json=BACKUP | change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert (await call("POST", "/audit/events", Role.VIEWER, BACKUP)).status_code == 403
    assert all(event["event_type"] != "backup" for event in noted(call.folder))


async def test_a_backup_that_cannot_be_noted_is_said_not_to_be(call: Caller) -> None:
    journal = call.folder / "journal.jsonl"
    journal.rename(journal.with_name("away"))
    answer = await call("POST", "/audit/events", json=BACKUP)
    assert (answer.status_code, answer.json()["title"]) == (503, "The event cannot be recorded")


async def test_the_journal_says_that_the_database_is_away(call: Caller) -> None:
    answer = await call("GET", "/sites/abay/journal", Role.VIEWER)
    assert answer.status_code == 503
    assert answer.json()["title"] == "The database is away"


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "resource=%00", "resource="])
async def test_a_question_that_is_none_is_refused(call: Caller, query: str) -> None:
    assert (await call("GET", f"/sites/abay/journal?{query}")).status_code == 422


@pytest.mark.parametrize(("method", "path"), [("GET", "state"), ("GET", "journal"), ("POST", "e-stop")])
async def test_a_site_that_is_not_there_is_named(call: Caller, method: str, path: str) -> None:
    answer = await call(method, f"/sites/nowhere/{path}", json={"reason": "x"} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json()["errors"] == [{"field": "site", "value": "nowhere", "expected": "one of ['abay']"}]


async def test_outcomes_of_orders_raise_no_alarm(call: Caller) -> None:
    await call("POST", STOP, json={"reason": "smoke"})
    assert {entry.outcome for entry in Journal(call.folder).unshipped()[0]} == {Outcome.HELD}

"""The API: closed without a caller, orders by role, what cannot be done is named."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from headworks.alerts.api import create_api
from headworks.alerts.channels.email import Email
from headworks.alerts.conditions import Cause
from headworks.alerts.events import CauseChange
from headworks.alerts.monitor import Monitor
from headworks.alerts.notices import NoticeDesk
from headworks.alerts.sections import Alarm
from headworks.alerts.store import AlarmStore
from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.clock import Clock
from headworks.common.settings import ServiceSettings
from headworks.waterway.afterbay_site import AfterbaySite

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-12)
SECRET = "a-secret-of-these-tests-that-is-long-enough"


class Caller:
    """Calls the API in a role."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def __call__(
        self, method: str, path: str, role: Role | None = Role.OPERATOR, json: object = None
    ) -> httpx.Response:
        headers = {}
        if role is not None:
            token = Issuer(SECRET, "headworks", "headworks").issue("ann", role, timedelta(minutes=1))
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, json=json)


@pytest.fixture
def monitor(site: AfterbaySite, alarms: dict[str, Alarm], store: AlarmStore) -> Monitor:
    return Monitor(site, alarms, store, CLOCK)


@pytest.fixture
async def call(monitor: Monitor, store: AlarmStore, tmp_path: Path) -> AsyncIterator[Caller]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    desk = NoticeDesk(store.database, {"email": Email("127.0.0.1", 1, "a@example.org", ("b@example.org",))})
    app = create_api({"abay": monitor}, store, desk, CLOCK)
    app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        caller = Caller(client)
        for route in app.routes:
            if isinstance(route, APIRoute):
                for method in route.methods or ():
                    closed = await caller(method, route.path.replace("{", "").replace("}", ""), role=None)
                    assert closed.status_code == 401, route.path
        yield caller


async def press(monitor: Monitor) -> None:
    await monitor.take([CauseChange("e_stop", "gateway", NOW, "pressed by bob")])


async def test_all_alarms_are_listed_raised_or_not(call: Caller, monitor: Monitor) -> None:
    await press(monitor)
    answer = await call("GET", "/sites/abay/alarms", Role.VIEWER)
    states = {alarm["alarm"]: alarm["state"] for alarm in answer.json()}
    assert states.keys() == monitor.alarms.keys()
    assert states["e_stop"] == "active_unacknowledged"
    assert states["reservoir_low"] == "normal"


async def test_an_operator_acknowledges_and_a_viewer_may_not(call: Caller, monitor: Monitor) -> None:
    await press(monitor)
    path = "/sites/abay/alarms/e_stop/acknowledge"
    assert (await call("POST", path, Role.VIEWER, json={})).status_code == 403
    seen = await call("POST", path, json={"comment": "on it"})
    assert (seen.json()["state"], seen.json()["acknowledged_by"]) == ("active_acknowledged", "ann")
    again = await call("POST", path, json={})
    assert again.status_code == 409
    assert "only an unacknowledged one can be acknowledged" in again.json()["detail"]
    journal = (await call("GET", "/sites/abay/alarms/journal?alarm=e_stop")).json()
    assert [entry["by"] for entry in journal] == ["ann", "monitor"]


async def test_shelving_needs_a_reason_and_a_time_and_can_be_taken_back(call: Caller, monitor: Monitor) -> None:
    await press(monitor)
    path = "/sites/abay/alarms/e_stop"
    for body in ({}, {"reason": "", "minutes": 5}, {"reason": "x", "minutes": 0}, {"reason": "x", "minutes": 1441}):
        assert (await call("POST", f"{path}/shelve", json=body)).status_code == 422
    shelved = (await call("POST", f"{path}/shelve", json={"reason": "known", "minutes": 60})).json()
    assert shelved["state"] == "shelved"
    assert shelved["shelved_until"].startswith("2026-02-17T09:00:00")
    assert (await call("POST", f"{path}/unshelve")).json()["state"] == "active_unacknowledged"


@pytest.mark.parametrize("path", ["/sites/nowhere/alarms", "/sites/abay/alarms/journal?alarm=none"])
async def test_what_is_not_there_is_named(call: Caller, path: str) -> None:
    answer = await call("GET", path)
    assert answer.status_code == 404
    assert "abay" in answer.json()["detail"]


async def test_a_test_notice_is_queued_and_listed_with_its_attempts(call: Caller) -> None:
    assert (await call("POST", "/notices/test", json={"channel": "email"})).status_code == 403
    wrong = await call("POST", "/notices/test", Role.ENGINEER, json={"channel": "pigeon"})
    assert wrong.json()["errors"][0]["value"] == "pigeon"
    [notice_id] = (await call("POST", "/notices/test", Role.ENGINEER, json={"channel": "email"})).json()["notice_ids"]
    [notice] = (await call("GET", "/notices")).json()
    assert (notice["notice_id"], notice["status"], notice["attempts"]) == (notice_id, "PENDING", [])


def test_causes_are_merged_not_replaced() -> None:
    causes = CauseChange("plc_lost", "B", NOW, "lost").applied({"A": Cause("lost", NOW)})
    assert set(causes) == {"A", "B"}

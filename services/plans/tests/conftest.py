"""The plans service's app over a real PostgreSQL, with a clock that the tests set."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from plans_rig import NOW, HandClock, migrated, parts_of

from headworks.common.auth import ApiKey, Authenticator, Issuer, Role
from headworks.common.database import Database
from headworks.common.settings import ServiceSettings
from headworks.common.sites import read_sites
from headworks.plans.actuators import Actuator, actuators_of
from headworks.plans.approval_desk import ApprovalDesk
from headworks.plans.approvals import ApprovalRule
from headworks.plans.desk import SubmissionDesk
from headworks.plans.parts import Plant
from headworks.plans.store import PlanStore
from headworks.plans.write_route import Writes

API_KEY = "a-key-of-these-tests"
SECRET = "a-secret-of-these-tests-that-is-long-enough"


@dataclass
class Api:
    """Calls the app as somebody, and builds what is mostly sent."""

    client: httpx.AsyncClient
    clock: HandClock
    approvals: ApprovalDesk
    desk: SubmissionDesk

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        name: str = "acme",
        role: Role | None = Role.ENGINEER,
        headers: dict[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        own = dict(headers or {})
        if role is not None:
            token = Issuer(SECRET, "headworks", "headworks").issue(name, role, timedelta(minutes=5))
            own["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=own, json=json, content=content)

    def pump(self, hour: float = 0, hours: float = 1, resource: str = "P1_1", **columns: float) -> dict[str, Any]:
        """An interval of a pump's plan."""
        start = self.clock.now() + timedelta(hours=hour)
        return {
            "resource": resource,
            "resource_type": "PUMP",
            "interval_start": start.isoformat(),
            "interval_end": (start + timedelta(hours=hours)).isoformat(),
            "targets": {"kind": "pump", "suggested_speed_hz": 49.0, **columns},
        }

    def unit(self, hour: float = 0, hours: float = 1, power_mw: float = 2.0, **parts: Any) -> dict[str, Any]:
        """An interval of the unit's plan."""
        start = self.clock.now() + timedelta(hours=hour)
        return {
            "resource": "OXPH",
            "resource_type": "TURBINE",
            "interval_start": start.isoformat(),
            "interval_end": (start + timedelta(hours=hours)).isoformat(),
            "targets": {"kind": "generic", "target_type": "POWER", "target_value": power_mw, **parts},
        }

    async def submit(
        self, submission_id: str, *intervals: dict[str, Any], site: str = "blominmaki", name: str = "acme", **more: Any
    ) -> httpx.Response:
        """A whole horizon."""
        body = {
            "submission_id": submission_id,
            "publisher": name,
            "site": site,
            "created_at": self.clock.now().isoformat(),
            "intervals": intervals,
            **more,
        }
        return await self("POST", "/submissions", name=name, json=body)

    async def planned(self, submission_id: str, *intervals: dict[str, Any], **more: Any) -> list[int]:
        """The plan ids of an accepted submission."""
        answer = await self.submit(submission_id, *intervals, **more)
        assert answer.status_code == 201, answer.text
        found: list[int] = answer.json()["plan_ids"]
        return found


@pytest.fixture(scope="session")
def known_actuators(sites_folder: Path) -> dict[tuple[str, str], Actuator]:
    return actuators_of(read_sites(sites_folder))


@pytest.fixture
async def plans_database(database_url: str) -> AsyncIterator[Database]:
    async with migrated(database_url) as database:
        yield database


@pytest.fixture
async def plan_store(plans_database: Database, known_actuators: dict[tuple[str, str], Actuator]) -> PlanStore:
    made = PlanStore(plans_database)
    await made.register(known_actuators.values(), NOW)
    return made


@pytest.fixture
def rules() -> dict[str, ApprovalRule]:
    """Which sites ask for approvals; a test file gives its own."""
    return {}


@pytest.fixture
async def api(
    plan_store: PlanStore,
    plans_database: Database,
    known_actuators: dict[tuple[str, str], Actuator],
    rules: dict[str, ApprovalRule],
    tmp_path: Path,
) -> AsyncIterator[Api]:
    (tmp_path / "secret").write_text(SECRET)
    key = ApiKey(name="machine", sha256=hashlib.sha256(API_KEY.encode()).hexdigest(), role=Role.ENGINEER)
    (tmp_path / "keys").write_text(f"[{key.model_dump_json()}]")
    clock = HandClock()
    writes = replace(Writes.over(plans_database, clock), real_now=clock.now)
    parts = parts_of(plans_database, Plant(actuators=known_actuators, rules=rules), clock, writes=writes)
    parts.api.state.authenticator = Authenticator(
        ServiceSettings(jwt_secret_file=tmp_path / "secret", api_keys_file=tmp_path / "keys")
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(parts.api), base_url="http://plans") as client:
        yield Api(client, clock, parts.approvals, parts.desk)

"""The gateway's API over the loop of one site, with bus, database and PLCs away all the time."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
from fastapi.routing import APIRoute
from gateway_rig import HandClock, lead_board, plc_at, points_of

from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.settings import ServiceSettings
from headworks.control_gateway.api import create_api
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.shipping import Shipper
from headworks.control_gateway.stop_orders import StopOrders
from headworks.control_gateway.switches import SwitchBoard

KEY = "a-key-of-these-tests"
"""Of an engineer whom it calls tablet."""
SECRET = "a-secret-of-these-tests-that-is-long-enough"
NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"


@dataclass(frozen=True)
class Caller:
    """Calls the API in a role."""

    client: httpx.AsyncClient
    folder: Path
    loop: ControlLoop

    async def __call__(
        self, method: str, path: str, role: Role | None = Role.OPERATOR, json: object = None, *, name: str = "ann"
    ) -> httpx.Response:
        headers = {}
        if role is not None:
            token = Issuer(SECRET, "headworks", "headworks").issue(name, role, timedelta(minutes=1))
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, json=json)

    async def by_key(self, method: str, path: str, json: object = None) -> httpx.Response:
        """The same by an API key."""
        return await self.client.request(method, path, headers={"X-API-Key": KEY}, json=json)

    def told(self) -> list[str]:
        return [entry.reason for entry in Journal(self.folder).unshipped()[0]]

    def switches(self) -> SwitchBoard:
        """As a gateway that begins anew would read them."""
        return SwitchBoard(self.folder, self.loop.site)


def noted(folder: Path) -> list[dict[str, object]]:
    """What the audit holds of requests."""
    links = Journal(folder).unshipped_links(1000)[0]
    return [link.body for link in links if link.kind == "audit"]


@asynccontextmanager
async def api_over(actuators: Sequence[Actuator], port: int, folder: Path, clock: HandClock) -> AsyncIterator[Caller]:
    """The API over these actuators of one site, whose PLCs are at a port; every route of it is closed without a caller."""
    site, state = actuators[0].site, folder / "state"
    secret, database = folder / "secret", Database(NOWHERE)
    secret.write_text(SECRET)
    key = {"name": "tablet", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "role": "engineer"}
    (folder / "keys").write_text(json.dumps([key]))
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as plans_client:
        journal, board = Journal(state), EStopBoard(state)
        loop = ControlLoop(
            site=site,
            actuators=tuple(actuators),
            plcs={a.plc: plc_at(port, points_of(site, a.plc)) for a in actuators},
            plans=OptimizationPlanManager(site, plans_client, bus, clock),
            switches=SwitchBoard(state, site, board),
            journal=journal,
            clock=clock,
            tick_s=1,
            leads=lead_board(state, site, actuators, clock.now()),
        )
        app = create_api(
            {site: loop}, Shipper(journal, database), StopOrders(board, {site: loop}, Auditor(journal, clock))
        )
        app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret, api_keys_file=folder / "keys"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            caller = Caller(client, state, loop)
            for route in app.routes:
                if isinstance(route, APIRoute):
                    for method in route.methods or ():
                        closed = await caller(method, route.path.replace("{site}", site), role=None)
                        assert closed.status_code == 401, route.path
            yield caller
        for plc in loop.plcs.values():
            plc.close()
    await database.close()

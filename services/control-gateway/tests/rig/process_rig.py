"""A gateway as a process, with whatever else there is on real sockets or away."""

import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import httpx
from pydantic import TypeAdapter

from headworks.common.auth import Issuer, Role
from headworks.common.embedded.process import free_port, spawn, stop, tail
from headworks.common.messages import Plan
from headworks.common.testing import eventually

SECRET = "a-secret-of-these-tests-that-is-long-enough"


def token_of(name: str) -> str:
    """An engineer's."""
    return Issuer(SECRET, "headworks", "headworks").issue(name, Role.ENGINEER, timedelta(minutes=5))


class Process:
    """A gateway's process; its state folder outlives it."""

    def __init__(
        self, folder: Path, sites: Path, plc_port: int, nats_url: str, pumps_ports: tuple[int, int] = (1, 2)
    ) -> None:
        self.folder, self.http_port, self.ops_port = folder, free_port(), free_port()
        folder.mkdir()
        (folder / "secret").write_text(SECRET)
        self.environment = {
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HEADWORKS_SITES": str(sites),
            "HEADWORKS_STATE_DIR": str(folder),
            "HEADWORKS_JWT_SECRET_FILE": str(folder / "secret"),
            "HEADWORKS_NATS_URL": nats_url,
            "HEADWORKS_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none",
            "HEADWORKS_PLANS_URL": "http://127.0.0.1:1",
            "HEADWORKS_PLC_ADDRESSES": json.dumps(
                {
                    name: f"127.0.0.1:{port}"
                    for name, port in zip(("oxph-plc", "pumps-1", "pumps-2"), (plc_port, *pumps_ports), strict=True)
                }
            ),
            "HEADWORKS_HTTP_PORT": str(self.http_port),
            "HEADWORKS_OPS_PORT": str(self.ops_port),
            # A hundred times as fast: a count of rate takes 0.14 s, and a plan that nobody renews is silent only after minutes.
            "HEADWORKS_CLOCK_EPOCH": datetime.now(UTC).isoformat(),
            "HEADWORKS_CLOCK_WALL_EPOCH": str(datetime.now(UTC).timestamp()),
            "HEADWORKS_CLOCK_SPEED": "100",
        }

    @property
    def own(self) -> Path:
        return self.folder / "control-gateway"

    def remember(self, *plans: Plan) -> None:
        """What a gateway that ran before has kept of a station."""
        self.own.mkdir(exist_ok=True)
        (self.own / f"plans-{plans[0].station_id}.json").write_bytes(TypeAdapter(list[Plan]).dump_json(list(plans)))

    @contextmanager
    def running(self) -> Iterator["Popen[bytes]"]:
        command = [sys.executable, "-m", "headworks.control_gateway.main"]
        process = spawn(command, self.folder / "log", environment=self.environment)
        try:
            yield process
        finally:
            stop(process)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[httpx.AsyncClient]:
        token = token_of("ann")
        with self.running() as process:
            base, headers = f"http://127.0.0.1:{self.http_port}", {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=base, headers=headers) as client:
                await eventually(lambda: self._answers(client, process), timeout_s=120)
                yield client

    async def _answers(self, client: httpx.AsyncClient, process: "Popen[bytes]") -> bool:
        assert process.poll() is None, tail(self.folder / "log")
        with contextlib.suppress(httpx.HTTPError):
            return (await client.get(f"http://127.0.0.1:{self.ops_port}/readyz")).status_code == 200
        return False

"""A service lives and dies as one: a dead task ends the process, SIGTERM ends it in order, only health and metrics are open."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headworks.common.embedded.process import free_port
from headworks.common.testing import eventually

PROGRAM = """
import asyncio, sys
from pathlib import Path
from headworks.common import tasks
from headworks.common.service import create_app, prepare, run
from headworks.common.settings import ServiceSettings

folder, how = Path(sys.argv[1]), sys.argv[2]
tasks.CANCEL_AGAIN_S = 0.5
settings = ServiceSettings()
app = create_app("test", "a service for its tests")

@app.get("/slow")
async def slow() -> str:
    return "closed"

async def works():
    (folder / "begun").touch()
    try:
        while True:
            if (folder / "die").exists():
                raise KeyError("storage curve")
            if (folder / "end").exists():
                return
            await asyncio.sleep(0.01)
    finally:
        await asyncio.sleep(0.05)
        (folder / "drained").touch()

async def beside():
    try:
        await asyncio.Event().wait()
    finally:
        (folder / "beside").touch()

async def deaf():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass  # as asyncio.wait_for can in Python 3.11
    await asyncio.Event().wait()

async def ready():
    return not (folder / "away").exists()

prepare("test", settings)
asyncio.run(run("test", settings, app, {"works": works, "beside": beside, "deaf": deaf}, {"database": ready}))
(folder / "left").touch()
"""


class Service:
    """The process and where it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.ops_port = folder, free_port(), free_port()
        self.log = folder / "log"
        environment = {
            "HEADWORKS_HTTP_PORT": str(self.port),
            "HEADWORKS_OPS_PORT": str(self.ops_port),
            "PATH": "/usr/bin:/bin",
        }
        with self.log.open("wb") as log:
            command = [sys.executable, "-c", PROGRAM, str(folder), "run"]
            self.process = subprocess.Popen(command, env=environment, stderr=log)

    async def get(self, path: str, port: int | None = None) -> httpx.Response:
        """An answer of the API, or of the ops port."""
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{port or self.port}{path}")

    async def ends(self) -> int:
        """The exit code, once it has ended."""
        await eventually(lambda: self.process.poll() is not None, timeout_s=10)
        return self.process.wait()

    def touched(self) -> set[str]:
        """What its tasks have come to."""
        return {path.name for path in self.folder.iterdir()} & {"begun", "drained", "beside", "left"}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Service]:
    service = Service(folder)
    try:

        async def up() -> bool:
            assert service.process.poll() is None, service.log.read_text()
            try:
                return (await service.get("/healthz", service.ops_port)).is_success and "begun" in service.touched()
            except httpx.TransportError:
                return False

        await eventually(up, timeout_s=30)
        yield service
    finally:
        service.process.kill()
        service.process.wait()


async def test_a_service_is_open_on_its_ops_port_alone_and_says_what_it_waits_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        for path in ("/slow", "/openapi.json"):
            assert (await service.get(path)).status_code == 401
        for path in ("/healthz", "/metrics", "/docs", "/redoc"):
            assert (await service.get(path)).status_code == 404
        assert (await service.get("/slow", service.ops_port)).status_code == 404
        ready = await service.get("/readyz", service.ops_port)
        assert (ready.status_code, ready.json()) == (200, {"database": True})
        (tmp_path / "away").touch()
        away = await service.get("/readyz", service.ops_port)
        assert (away.status_code, away.json()) == (503, {"database": False})
        assert (await service.get("/healthz", service.ops_port)).status_code == 200
        assert "python_info" in (await service.get("/metrics", service.ops_port)).text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
async def test_told_to_stop_its_tasks_come_to_their_end_and_it_leaves_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(tmp_path) as service:
        service.process.send_signal(number)
        assert await service.ends() == 0
        assert service.touched() == {"begun", "drained", "beside", "left"}
        assert "service stopped" in service.log.read_text()


@pytest.mark.parametrize(
    ("how", "said"),
    [("die", "KeyError: 'storage curve'"), ("end", "task works ended by itself; the service ends with it")],
)
async def test_a_dead_task_ends_the_process_and_says_why(tmp_path: Path, how: str, said: str) -> None:
    async with serving(tmp_path) as service:
        (tmp_path / how).touch()
        assert await service.ends() == 1
        assert service.touched() == {"begun", "drained", "beside"}
        assert said in service.log.read_text()


async def test_a_port_that_is_taken_ends_the_process(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        folder = tmp_path / "second"
        folder.mkdir()
        environment = {"HEADWORKS_HTTP_PORT": str(first.port), "HEADWORKS_OPS_PORT": str(free_port()), "PATH": "/bin"}
        command = (sys.executable, "-c", PROGRAM, str(folder), "run")
        second = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.PIPE)
        _, said = await asyncio.wait_for(second.communicate(), 20)
        assert second.returncode != 0
        assert b"address already in use" in said

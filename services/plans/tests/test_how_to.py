"""The how-to's commands do what it says, with curl against the running app."""

import asyncio
import re
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from headworks.common.auth import Issuer, Role


def commands(page: Path) -> str:
    """Every shell block of the page, in order."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_commands_of_the_how_to_work(api: Any, sites_folder: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    app = api.client._transport.app
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve([listening]))
    start = api.clock.now()
    secret = "a-secret-of-these-tests-that-is-long-enough"
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PLANS": f"http://127.0.0.1:{listening.getsockname()[1]}",
        "TOKEN": Issuer(secret, "headworks", "headworks").issue("utility", Role.ENGINEER, timedelta(minutes=5)),
        "START": f"{start:%FT%TZ}",
        "END": f"{start + timedelta(hours=1):%FT%TZ}",
    }
    script = "set -eu\n" + commands(sites_folder.parent / "docs" / "how-to" / "plans-api.md")
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", script, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(shell.communicate(), 60)
    assert shell.returncode == 0, output.decode()
    history = (await api("GET", "/plans/history?station=blominmaki&resource=P1_1")).json()
    assert [plan["targets"]["suggested_speed_hz"] for plan in history] == [49.0, 48.5, 49.0]
    assert [plan["reason"] for plan in history] == ["as it was", "less inflow", "day-ahead prices"]
    assert "plan_id,station_id,resource_id" in output.decode()
    server.should_exit = True
    await serving
    listening.close()

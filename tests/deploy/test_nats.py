"""The deployment's own NATS configuration, run by a real nats-server with the keys that deploy/make_secrets.py makes."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headworks.common.bus import Bus
from headworks.common.embedded.nats import nats_binary
from headworks.common.embedded.process import answers, free_port, spawn, stop, wait_until
from headworks.common.link import BusUnavailable
from headworks.common.messages import Measurements
from headworks.common.subjects import TELEMETRY

MEASURED = Measurements(site="abay", source="pi", known_at=datetime(2026, 2, 17, 8, tzinfo=UTC), samples=())


@pytest.fixture
def nats_url(root: Path, made_secrets: Path, tmp_path: Path) -> Iterator[str]:
    """A server as Compose and Kubernetes start it, but for its addresses and its folder."""
    shutil.copy(made_secrets / "auth.conf", tmp_path)
    port, config, log = free_port(), tmp_path / "nats.conf", tmp_path / "nats.log"
    text = (root / "deploy/nats/nats.conf").read_text()
    own = {"0.0.0.0:4222": f"127.0.0.1:{port}", "0.0.0.0:8222": f"127.0.0.1:{free_port()}", "/data": f"{tmp_path}/data"}
    for ours, here in own.items():
        assert text.count(f'"{ours}"') == 1
        text = text.replace(f'"{ours}"', f'"{here}"')
    config.write_text(text)
    command = [str(nats_binary()), "-c", str(config)]
    server = spawn(command, log, environment={**os.environ, "NATS_SERVER_NAME": "headworks"})
    wait_until(lambda: answers(port), server, log)
    yield f"nats://127.0.0.1:{port}"
    stop(server)


async def test_the_migration_declares_every_stream_and_a_service_publishes(nats_url: str, made_secrets: Path) -> None:
    async with await Bus.connect(nats_url, "migrate", made_secrets / "bus/migrate.nk") as bus:
        await bus.declare_streams()
        with pytest.raises(BusUnavailable):
            await bus.publish(TELEMETRY, MEASURED, site="abay", source="pi")
    async with await Bus.connect(nats_url, "ingest", made_secrets / "bus/ingest.nk") as bus:
        await bus.publish(TELEMETRY, MEASURED, site="abay", source="pi")


async def test_nobody_connects_without_a_key(nats_url: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(nats_url.rpartition(":")[2]))
    writer.write(b"CONNECT {}\r\nPING\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    assert b"'Authorization Violation'" in answer
    assert b"PONG" not in answer

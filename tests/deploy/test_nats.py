"""The deployment's own NATS configuration and start, by a real nats-server with the keys that deploy/make_secrets.py makes."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest

from headworks.common.bus import Bus
from headworks.common.embedded.nats import nats_binary
from headworks.common.embedded.process import answers, free_port, spawn, stop, wait_until
from headworks.common.link import BusUnavailable
from headworks.common.messages import Measurements
from headworks.common.permissions import SERVICES_ACCOUNT
from headworks.common.subjects import TELEMETRY

MEASURED = Measurements(site="abay", source="pi", known_at=datetime(2026, 2, 17, 8, tzinfo=UTC), samples=())


@contextmanager
def started(root: Path, tmp_path: Path) -> Iterator[str]:
    """A server as Compose and Kubernetes start it, but for its addresses and its folder; beside it lies its auth.conf."""
    port, config, log = free_port(), tmp_path / "nats.conf", tmp_path / "nats.log"
    text = (root / "deploy/nats/nats.conf").read_text()
    own = {"0.0.0.0:4222": f"127.0.0.1:{port}", "0.0.0.0:8222": f"127.0.0.1:{free_port()}", "/data": f"{tmp_path}/data"}
    for ours, here in own.items():
        assert text.count(f'"{ours}"') == 1
        text = text.replace(f'"{ours}"', f'"{here}"')
    config.write_text(text)
    command = ["sh", str(root / "deploy/nats/start.sh"), str(tmp_path), f"{tmp_path}/data/jetstream"]
    path = f"{nats_binary().parent}{os.pathsep}{os.environ['PATH']}"
    server = spawn(command, log, environment={**os.environ, "NATS_SERVER_NAME": "headworks", "PATH": path})
    try:
        wait_until(lambda: answers(port), server, log)
        yield f"nats://127.0.0.1:{port}"
    finally:
        stop(server)


@pytest.fixture
def nats_url(root: Path, made_secrets: Path, tmp_path: Path) -> Iterator[str]:
    """The server with the list that the script wrote."""
    shutil.copy(made_secrets / "auth.conf", tmp_path)
    with started(root, tmp_path) as url:
        yield url


async def test_the_migration_declares_every_stream_and_a_service_publishes(nats_url: str, made_secrets: Path) -> None:
    async with await Bus.connect(nats_url, "migrate", made_secrets / "bus/migrate.nk") as bus:
        await bus.declare_streams()
        with pytest.raises(BusUnavailable):
            await bus.publish(TELEMETRY, MEASURED, site="abay", source="pi")
    async with await Bus.connect(nats_url, "ingest", made_secrets / "bus/ingest.nk") as bus:
        await bus.publish(TELEMETRY, MEASURED, site="abay", source="pi")


async def test_streams_of_before_the_services_had_an_account_are_there_when_it_has_its_list(
    root: Path, made_secrets: Path, tmp_path: Path
) -> None:
    (tmp_path / "auth.conf").write_text("")  # a list without accounts, as far as streams go
    for _ in range(2):  # with that list nothing is moved
        with started(root, tmp_path) as url:
            client = await nats.connect(url)
            await client.jetstream().add_stream(name="LEASES", subjects=["control.orders.*"])
            stored = await client.jetstream().publish("control.orders.gw1", b"e-stop")
            await client.close()
    assert stored.seq == 2
    shutil.copy(made_secrets / "auth.conf", tmp_path)
    for _ in range(2):
        with started(root, tmp_path) as url:
            async with await Bus.connect(url, "operations", made_secrets / "bus/operations.nk") as bus:
                kept = await bus._jetstream.get_msg("LEASES", 2)
                assert kept.data == b"e-stop"
    assert [folder.name for folder in (tmp_path / "data/jetstream").iterdir()] == [SERVICES_ACCOUNT]


async def test_nobody_connects_without_a_key(nats_url: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(nats_url.rpartition(":")[2]))
    writer.write(b"CONNECT {}\r\nPING\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    assert b"'Authorization Violation'" in answer
    assert b"PONG" not in answer

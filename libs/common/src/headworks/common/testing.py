"""The pytest plugin of all parts: real NATS and PostgreSQL for a test session, and ways to wait for outcomes."""

import asyncio
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import nats.js.errors
import pytest
from hypothesis import settings

from headworks.common.bus import Bus
from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.messages import GenericTargets, Message, Plan, PlanStatus, PumpTargets, ResourceType
from headworks.common.subjects import Subject

M = TypeVar("M", bound=Message)

# How long an example takes is the machine's matter, not the rule's: a test as a whole has its time-out.
settings.register_profile("headworks", deadline=None)
settings.load_profile("headworks")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers that even user nobody can reach."""
    folder = Path(tempfile.mkdtemp(prefix="headworks-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """One PostgreSQL for the session."""
    server = PostgresServer(server_folder / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A fresh, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_server.dsn())
    try:
        await connection.execute(f'create database "{name}"')
        yield postgres_server.url(name)
        await connection.execute(f'drop database if exists "{name}" with (force)')
    finally:
        await connection.close()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS of the test's own, without streams: it starts in milliseconds."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A connected bus with the registry's streams."""
    async with await Bus.connect(nats_server.url, "test") as connected:
        await connected.declare_streams()
        yield connected


@pytest.fixture(scope="session")
def headworks_data() -> Path:
    """The folder of real input that HEADWORKS_DATA names."""
    value = os.environ.get("HEADWORKS_DATA")
    if value:
        return Path(value)
    if os.environ.get("HEADWORKS_REQUIRE_ALL") == "1":
        pytest.fail("HEADWORKS_DATA is not set, and HEADWORKS_REQUIRE_ALL=1 lets nothing skip")
    pytest.skip("HEADWORKS_DATA is not set: no real input to test with")


@pytest.fixture(scope="session")
def sites_folder() -> Path:
    """The repository's site files."""
    return next(p / "sites" for p in Path(__file__).resolve().parents if (p / "sites" / "abay.yaml").exists())


async def eventually(
    holds: Callable[[], Awaitable[bool]] | Callable[[], bool], timeout_s: float = 10.0, every_s: float = 0.02
) -> None:
    """Wait until a condition holds. Raises AssertionError when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        outcome = holds()
        if await outcome if isinstance(outcome, Awaitable) else outcome:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"did not hold within {timeout_s} s")
        await asyncio.sleep(every_s)


def active_plan(
    targets: GenericTargets | PumpTargets,
    *,
    station_id: str,
    resource_id: str,
    resource_type: ResourceType,
    begins: datetime,
    ends: datetime,
    made: datetime,
    plan_id: int = 1,
) -> Plan:
    """A plan in force, the first version of the optimizer's."""
    return Plan(
        plan_id=plan_id,
        station_id=station_id,
        resource_id=resource_id,
        resource_type=resource_type,
        interval_start=begins,
        interval_end=ends,
        targets=targets,
        plan_version=1,
        plan_priority=1,
        plan_status=PlanStatus.ACTIVE,
        publisher="optimizer",
        submission_id=f"s{plan_id}",
        optimization_run_id=None,
        superseded_by=None,
        plan_created_at=made,
        plan_updated_at=made,
    )


async def stored(bus: Bus, subject: Subject[M]) -> list[M]:
    """The messages of a subject that its stream holds at this moment, oldest first."""
    assert subject.stream is not None
    jetstream = bus._jetstream  # noqa: SLF001
    messages: list[M] = []
    sequence = 0
    while True:
        try:
            raw = await jetstream.get_msg(subject.stream.name, sequence + 1, subject=subject.filter(), next=True)
        except nats.js.errors.NotFoundError:
            return messages
        assert raw.seq is not None
        sequence = raw.seq
        messages.append(subject.message.model_validate_json(raw.data or b""))

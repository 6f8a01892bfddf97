"""Servers of our own: they start, restart, refuse to run twice, get over a crash, and never outlive us."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from headworks.common.bus import Bus
from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.embedded.process import HELD_PORTS, ServerFault, answers, free_port, spawn, stop, tail, wait_until
from headworks.common.testing import eventually


@pytest.fixture
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A server of the test's own, on data that the tests here share: initdb is slow."""
    server = PostgresServer(server_folder / "embedded", password="a-password", durable=False)
    yield server
    server.stop()


async def one(server: PostgresServer, query: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def main_process(server: PostgresServer) -> psutil.Process:
    return psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


# ---------------------------------------------------------------- PostgreSQL


async def test_postgres_keeps_its_data_and_its_port_over_a_restart(postgres: PostgresServer) -> None:
    postgres.start()
    await one(postgres, "create table if not exists kept (id int)")
    port = postgres.port
    postgres.restart()
    assert await one(postgres, "select to_regclass('kept') is not null")
    assert postgres.port == port
    postgres.stop()
    assert not answers(port)
    postgres.stop()  # twice is no fault


def test_postgres_runs_once_on_its_data(postgres: PostgresServer) -> None:
    postgres.start()
    with pytest.raises(ServerFault, match="it runs already, as process"):
        postgres.start()
    other = PostgresServer(postgres.folder, password=postgres.password)
    with pytest.raises(ServerFault, match=f"is in use by the server of process .* on port {postgres.port}"):
        other.start()
    assert answers(postgres.port)


async def test_postgres_gets_over_a_crash_and_its_stale_lock(postgres: PostgresServer) -> None:
    postgres.start()
    process = main_process(postgres)
    children = process.children()
    process.kill()
    psutil.wait_procs(children, timeout=5)
    pid_file = postgres.folder / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # As after a crash of the machine: the number belongs to somebody else now.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    postgres.start()
    assert await one(postgres, "select 1") == 1


async def test_postgres_recovers_what_was_committed_before_a_crash(postgres: PostgresServer) -> None:
    postgres.durable = True
    postgres.start()
    await one(postgres, "drop table if exists outlives_a_crash")
    await one(postgres, "create table outlives_a_crash as select 7 as number")
    postgres.crash()
    assert not answers(postgres.port)
    postgres.start()
    assert await one(postgres, "select number from outlives_a_crash") == 7


async def test_postgres_asks_for_its_password_and_listens_on_loopback_only(postgres: PostgresServer) -> None:
    postgres.start()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn().replace(postgres.password, "guessed"))
    assert await one(postgres, "show listen_addresses") == "127.0.0.1"
    assert postgres.password not in repr(postgres)


def test_a_server_that_cannot_start_says_why(postgres: PostgresServer) -> None:
    with socket.create_server(("127.0.0.1", postgres.port)), pytest.raises(ServerFault, match="could not bind"):
        postgres.start()


# ---------------------------------------------------------------- NATS


async def test_nats_keeps_its_streams_over_a_restart_and_runs_once(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        async with await Bus.connect(server.url, "test") as bus:
            await bus.declare_streams()
        with pytest.raises(ServerFault, match="it runs already"):
            server.start()
        server.restart()
        kept = {path.name for path in (tmp_path / "nats" / "jetstream").rglob("streams/*")}
        assert {"JOBS", "PLAN_EVENTS"} <= kept
        async with await Bus.connect(server.url, "test") as bus:
            await bus.declare_streams()
    finally:
        server.stop()
    assert not answers(server.port)


def test_nats_on_a_strangers_port_is_a_fault_not_a_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        server = NatsServer(tmp_path / "nats", port=stranger.getsockname()[1])
        with pytest.raises(ServerFault, match="address already in use"):
            server.start()


def test_nats_gets_over_a_crash(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    server.start()
    server.crash()
    assert not answers(server.port)
    server.start()
    server.stop()


# ---------------------------------------------------------------- nothing is left behind

PROGRAM = """
import signal, sys, time
from pathlib import Path
from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer
# A shell starts what runs in its background deaf to SIGINT; a person's Ctrl-C is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
nats, postgres = NatsServer(Path(sys.argv[1])), PostgresServer(Path(sys.argv[2]), password="a-password", durable=False)
nats.start()
postgres.start()
print("up", flush=True)
time.sleep(600)  # until the test ends it; by itself where the test died
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
async def test_however_we_end_no_server_stays(postgres: PostgresServer, tmp_path: Path, number: signal.Signals) -> None:
    if not (postgres.folder / "data" / "PG_VERSION").exists():
        postgres.start()
        postgres.stop()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "nats"), str(postgres.folder)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    with parent, parent.stdout:
        assert await asyncio.to_thread(parent.stdout.readline) == b"up\n"
        servers = psutil.Process(parent.pid).children(recursive=True)
        assert {"nats-server", "postgres"} <= {process.name() for process in servers}
        parent.send_signal(number)
        try:
            await asyncio.to_thread(parent.wait, 10)
        finally:
            parent.kill()
    await eventually(lambda: not any(map(alive, servers)))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_that_does_not_listen_to_the_first_signal_is_made_to_end(tmp_path: Path) -> None:
    """It would live for ten minutes: long past this test, and no longer should the test die."""
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", program], log)
    wait_until(lambda: "deaf" in tail(log), child, log)
    stop(child, patience_s=0.1)
    assert child.returncode == -signal.SIGKILL


def test_a_child_that_ends_or_keeps_silent_is_a_fault_with_the_end_of_its_log(tmp_path: Path) -> None:
    """The silent one would live for ten minutes, as above."""
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", "print('no space left'); raise SystemExit(3)"], log)
    with pytest.raises(ServerFault, match=r"ended with 3: no space left"):
        wait_until(lambda: False, child, log)
    silent = spawn([sys.executable, "-c", "import time; time.sleep(600)"], log)
    with pytest.raises(ServerFault, match=r"did not answer within 0.1 s"):
        wait_until(lambda: False, silent, log, timeout_s=0.1)
    assert silent.poll() is not None
    assert tail(tmp_path / "none") == "(no log)"


def test_no_port_is_given_twice_while_it_is_held_even_by_another_process() -> None:
    free, *held = [free_port() for _ in range(HELD_PORTS + 1)]  # the first of so many is let go
    assert len(set(held)) == HELD_PORTS
    script = f"from headworks.common.embedded import process; process.BELOW_EPHEMERAL = {[*held, free]}; "
    script += "print(process.free_port())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert int(other.stdout) == free


def test_a_free_port_is_free() -> None:
    port = free_port()
    assert not answers(port)
    with socket.create_server(("127.0.0.1", port)):
        assert answers(port)

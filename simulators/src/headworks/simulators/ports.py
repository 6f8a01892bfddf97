"""Ports to listen on that nobody else is given meanwhile."""

import os
import secrets
import socket
import sys
from collections import deque

BELOW_EPHEMERAL = range(20_000, 32_768)
"""Linux gives outgoing connections ports from 32,768 on, others from 49,152: one may be taken before we listen on it."""
HELD_PORTS = 200
"""The last so many: one that was given longer ago listens by now, or is not wanted."""
_held: deque[int] = deque()


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

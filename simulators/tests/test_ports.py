"""A port is given once while it is held, and a server may listen on it."""

import socket
import subprocess
import sys

from headworks.simulators.ports import HELD_PORTS, free_port


def test_no_port_is_given_twice_while_it_is_held_even_by_another_process() -> None:
    held = [free_port() for _ in range(HELD_PORTS)]
    assert len(set(held)) == HELD_PORTS
    with socket.create_server(("127.0.0.1", 0)) as spare:
        free = spare.getsockname()[1]
    script = (
        f"from headworks.simulators import ports; ports.BELOW_EPHEMERAL = {[*held, free]}; print(ports.free_port())"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert int(other.stdout) == free


def test_a_server_listens_on_a_port_it_was_given() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        socket.create_connection(server.getsockname()).close()

"""Bytes under way to a PLC: the system gives up on those that it does not take, long before they could arrive late."""

import os
import socket
import stat
from pathlib import Path

import pytest
from gateway_rig import TIMEOUT_S, PlcServer, plc_at
from structlog.testing import capture_logs


def links_to(port: int) -> list[int]:
    """The TCP_USER_TIMEOUT [ms] of each live connection of this process to a port."""
    found = list[int]()
    for fd in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
            with socket.socket(fileno=os.dup(fd)) as link:
                if link.family == socket.AF_INET and link.getpeername()[1] == port:
                    found.append(link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        except OSError:  # it is closed, or no connection
            continue
    return found


async def test_every_connection_gives_up_on_bytes_that_the_plc_does_not_take_after_twice_the_time_out(
    plc_server: PlcServer,
) -> None:
    for timeout_s in (TIMEOUT_S, 0.75 * TIMEOUT_S):
        plc = plc_at(plc_server.port, timeout_s=timeout_s)
        blocks = plc.points.blocks("OXPH.setpoint")
        for _again in range(2):
            await plc.read(blocks)
            assert links_to(plc_server.port) == [round(2000 * timeout_s)]
            plc.close()


async def test_a_system_that_cannot_give_up_on_bytes_is_told_for_each_connection(
    plc_server: PlcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    plc = plc_at(plc_server.port, timeout_s=TIMEOUT_S)
    blocks = plc.points.blocks("OXPH.setpoint")
    with capture_logs() as logged:
        for _connection in range(2):
            for _again in range(2):
                await plc.read(blocks)
            plc.close()
    assert [entry["plc"] for entry in logged if "TCP_USER_TIMEOUT" in entry["event"]] == [plc.name] * 2

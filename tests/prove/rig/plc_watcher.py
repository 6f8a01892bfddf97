"""Watches a PLC from outside: what its registers hold, many times a second, by a Modbus client of its own.

Run as a process for each PLC, so that nothing it times waits for the test; it imports nothing of Headworks. Each line it prints
is a look: when it asked, when it had the answer [s, wall], the holding registers, the input registers.
"""

import json
import socket
import struct
import sys
import time
from contextlib import suppress

HOLDING, INPUT = 3, 4
FIRST = 100
EVERY_S, TIMEOUT_S = 0.04, 0.4


def read(connection: socket.socket, unit_id: int, function: int, count: int) -> list[int]:
    """The registers from FIRST on. Raises OSError for no answer, or another one than was asked for."""
    connection.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit_id, function, FIRST, count))
    head = _exactly(connection, 9)
    *_, answered, size = struct.unpack(">HHHBBB", head)
    if (answered, size) != (function, 2 * count):
        raise OSError(f"asked function {function}, got {head!r}")
    return list(struct.unpack(f">{count}H", _exactly(connection, size)))


def _exactly(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        if not more:
            raise OSError("closed")
        got += more
    return got


def watch(port: int, unit_id: int, holding: int, inputs: int) -> None:
    """Look for ever; while the PLC does not answer there is nothing to see."""
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            while True:
                asked_s = time.time()
                held = read(connection, unit_id, HOLDING, holding)
                measured = read(connection, unit_id, INPUT, inputs)
                answered_s = time.time()
                print(json.dumps([asked_s, answered_s, held, measured]), flush=True)  # noqa: T201 - what it is for
                time.sleep(max(0.0, EVERY_S - (answered_s - asked_s)))
        time.sleep(EVERY_S)


if __name__ == "__main__":
    watch(*(int(argument) for argument in sys.argv[1:]))

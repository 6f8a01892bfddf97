"""PostgreSQL and NATS are stopped, crashed and started again and again under a running system: no process of ours ends by it.

HEADWORKS_RESTARTS (60) says how often. What a service meets depends on the instant: a few restarts prove little.
"""

import os
import random
import time

import pytest
from e2e_system import System

from headworks.common.embedded.nats import NatsServer
from headworks.common.embedded.postgres import PostgresServer

RESTARTS = int(os.environ.get("HEADWORKS_RESTARTS", "60"))
SEED = 4
LOOKED_AT_S = 5.0
"""Services ask their database and bus every second: each meets the server as it is."""
pytestmark = [pytest.mark.prove, pytest.mark.timeout(RESTARTS * (LOOKED_AT_S + 10) + 300)]


def test_no_process_ends_by_a_server_s_restart_and_runs_go_on(running: System) -> None:
    chosen = random.Random(SEED)
    servers: tuple[PostgresServer | NatsServer, ...] = (running.stack.postgres, running.stack.nats)
    for restart in range(RESTARTS):
        server = chosen.choices(servers, (2, 1))[0]
        if isinstance(server, PostgresServer) and chosen.random() < 0.5:
            server.crash()
        else:
            server.stop()
        time.sleep(chosen.random())  # an outage has its length
        server.start()
        time.sleep(chosen.uniform(1, LOOKED_AT_S))  # a process that ends tells nobody when
        assert running.stack.dead() == [], f"restart {restart}, {type(server).__name__}"
    running.wait(lambda: running.run("after all")["run"]["status"] in {"SOLVED", "RELAXED"}, "runs go on", 90)

"""What the gateway's benchmark stands on: many PLCs on libmodbus, a site of many actuators, and the gateway's own process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from headworks.common.embedded.process import free_port, spawn, wait_until
from headworks.common.stack import Options, Stack

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "tests" / "counterparts" / "libmodbus_plc.c"
WRITTEN, READ, MEASURED = 1, 2, 3
"""Unit ids. libmodbus' TCP server answers each from the same registers, so that what was written is read back and measured."""
FIRST, START_COUNTS = 100, 300
FAST = "F"
"""How the names of those begin that reach their plan in one step; the others ramp slowly."""


@dataclass
class BenchPlc:
    """One server in C, obeying lines."""

    port: int
    process: subprocess.Popen[str]

    def tell(self, line: str) -> str:
        """Order something; its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def turns_s(self) -> list[float]:
        """When each turn's first request came since the last time [monotonic s]."""
        return [int(microseconds) / 1e6 for microseconds in self.tell(f"arrived {MEASURED}").split()]


def compiled(folder: Path) -> Path:
    """The server. Raises CalledProcessError or FileNotFoundError without a C compiler and libmodbus-dev."""
    program = folder / "libmodbus_plc"
    command = ["cc", "-O2", "-I/usr/include/modbus", "-o", str(program), str(SOURCE), "-lmodbus"]
    subprocess.run(command, check=True, timeout=60)
    return program


@contextmanager
def many_plcs(folder: Path, count: int, actuators: int) -> Iterator[list[BenchPlc]]:
    """So many servers, their registers where the machines stand at the start."""
    program, plcs = compiled(folder), list[BenchPlc]()
    with ExitStack() as ends:
        for _ in range(count):
            port = free_port()
            process = subprocess.Popen(
                [str(program), "tcp", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            ends.callback(process.communicate)
            ends.callback(process.kill)
            plc = BenchPlc(port, process)
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            plc.tell(f"set holding {FIRST} {' '.join([str(START_COUNTS)] * actuators)}")
            plcs.append(plc)
        yield plcs


def resources(plcs: int, actuators: int) -> dict[str, str]:
    """Each actuator's PLC. The first of each PLC is a fast one."""
    return {f"{FAST if k == 0 else 'S'}{p}_{k}": f"plc-{p}" for p in range(plcs) for k in range(actuators)}


def site_file(names: dict[str, str], actuators: int, rate: str) -> str:
    """The afterbay with other PLCs and actuators."""
    site: dict[str, Any] = yaml.safe_load((ROOT / "sites" / "abay.yaml").read_text(encoding="utf-8"))
    limits = {"minimum": "0.8 MW", "maximum": "5.8 MW"}
    site["actuators"] = [
        {"resource": name, "type": "TURBINE", "target": "POWER", "unit": "MW", **limits} for name in names
    ]
    allowed = {**site["control"]["actuators"]["OXPH"], "max_rate": rate, "deadband": "0.01 MW"}
    points: dict[str, dict[str, Any]] = {plc: {} for plc in names.values()}
    for k, (name, plc) in enumerate(names.items()):
        at = {"table": "holding", "address": FIRST + k % actuators, "type": "uint16", "scale": "0.01 MW"}
        points[plc][name] = {
            "setpoint": {**at, "unit_id": WRITTEN, "writable": True},
            "readback": {**at, "unit_id": READ},
            "actual": {**at, "unit_id": MEASURED},
        }
    site["control"] = {
        "tick_every": "1 s",
        "plcs": {plc: {"unit_id": WRITTEN, "timeout": "0.5 s", "points": of} for plc, of in points.items()},
        "actuators": {
            name: {**allowed, "plc": plc, **({"max_rate": "600 MW/min"} if name.startswith(FAST) else {})}
            for name, plc in names.items()
        },
    }
    return yaml.safe_dump(site, sort_keys=False)


@dataclass
class Gateway:
    """The service's process."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str

    @property
    def cpu_s(self) -> float:
        """The processor time it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def entries(self) -> list[dict[str, Any]]:
        """The decisions in its journal."""
        lines = (self.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        links = [json.loads(line) for line in lines]
        return [link["body"] for link in links if link["kind"] == "setpoint"]


@contextmanager
def running(folder: Path, site: str, plcs: Sequence[BenchPlc]) -> Iterator[tuple[Stack, Gateway]]:
    """NATS, PostgreSQL, the plans service and the gateway, on this site and these PLCs."""
    (folder / "sites").mkdir()
    (folder / "sites" / "abay.yaml").write_text(site, encoding="utf-8")
    stack = Stack(folder / "stack", Options(sites=folder / "sites", services=("plans",), start_s=240))
    with ExitStack() as ends:
        ends.callback(stack.stop)
        for step in stack.start():
            print(f"started: {step}", flush=True)
        log, http, ops = stack.log_file("control_gateway"), free_port(), free_port()
        own = {
            "HEADWORKS_HTTP_PORT": str(http),
            "HEADWORKS_OPS_PORT": str(ops),
            "HEADWORKS_NATS_SEED_FILE": str(stack.seed_file("control_gateway")),
            "HEADWORKS_PLC_ADDRESSES": json.dumps({f"plc-{p}": f"127.0.0.1:{plc.port}" for p, plc in enumerate(plcs)}),
        }
        command, began_s = [sys.executable, "-m", "headworks.control_gateway.main"], time.monotonic()
        process = spawn(command, log, environment=stack.environment | os.environ | own)
        ends.callback(process.kill)
        gateway = Gateway(process, stack.folder / "state" / "control-gateway", f"http://127.0.0.1:{http}")
        unseen = list(plcs)

        def all_seen() -> bool:
            unseen[:] = [plc for plc in unseen if not plc.turns_s()]
            return not unseen

        wait_until(all_seen, process, log, 240)
        print(f"started: the gateway, all PLCs read {time.monotonic() - began_s:.1f} s after its start", flush=True)
        yield stack, gateway

"""Starts the programs that ours are held against, and makes ports to them from a site file's own words."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from headworks.common.embedded.process import free_port
from headworks.control_gateway.plc import Plc
from headworks.control_gateway.section import ControlSection
from headworks.control_gateway.site_points import PlcPoints, plc_points

HERE = Path(__file__).parents[1]
SOURCE = HERE / "libmodbus_plc.c"
HEADERS = Path("/usr/include/modbus")
TIMEOUT_S = 1.0


def needed(there: bool, what: str) -> None:
    """Skip where a counterpart is not installed; fail where nothing may skip."""
    if there:
        return
    if os.environ.get("HEADWORKS_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is not installed, and HEADWORKS_REQUIRE_ALL=1 lets nothing skip")
    pytest.skip(f"{what} is not installed")


def compiled(folder: Path) -> Path:
    """The C server, built against the system's libmodbus."""
    needed(shutil.which("cc") is not None and HEADERS.exists(), "cc with libmodbus-dev")
    program = folder / "libmodbus_plc"
    flags = ["-Wall", "-Wextra", "-Werror", "-O1", f"-I{HEADERS}"]
    command = ["cc", *flags, "-o", str(program), str(SOURCE), "-lmodbus"]
    subprocess.run(command, check=True, timeout=60)
    return program


def node() -> str:
    """The node that the environment brings, with its packages beside these tests."""
    program = shutil.which("node", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}")
    needed(program is not None and (HERE / "node_modules" / "modbus-serial").exists(), "node with modbus-serial")
    return str(program)


@dataclass
class LibmodbusPlc:
    """The C server as a process; it obeys lines."""

    program: Path
    framing: str = "tcp"
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "LibmodbusPlc":
        command = [str(self.program), self.framing, str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._output.readline() == "listening\n"
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it: a power cut asks nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def _output(self) -> IO[str]:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout

    def tell(self, line: str) -> str:
        """Order something; its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._output.readline().strip()
        assert not answer.startswith("what?"), answer
        return answer

    def set(self, table: str, address: int, values: Sequence[int]) -> None:
        """Fill cells."""
        if values:
            self.tell(f"set {table} {address} {' '.join(str(int(value)) for value in values)}")

    def get(self, table: str, address: int, count: int = 1) -> list[int]:
        """What cells hold."""
        return [int(value) for value in self.tell(f"get {table} {address} {count}").split()]

    def served(self) -> list[int]:
        """The function codes of the requests since the last time."""
        return [int(function) for function in self.tell("served").split()]

    def fault(self, name: str, value: int = 0) -> None:
        """Order a fault."""
        self.tell(f"fault {name} {value}")


def points_of(points: dict[str, Any], actuators: dict[str, Any] | None = None, **plc: Any) -> PlcPoints:
    """A PLC's points from the words of a site file. `points` are shared ones, or by actuator where there are any."""
    where = "points" if actuators else "shared_points"
    section = {"unit_id": 1, "timeout": f"{TIMEOUT_S} s", "points": {}, **plc, where: points}
    actuators = actuators or {"unused": ANY_ACTUATOR}
    raw = {"tick_every": "1 s", "plcs": {"plc": section}, "actuators": actuators}
    return plc_points("counterpart", ControlSection.model_validate(raw))["plc"]


ANY_ACTUATOR = {
    "plc": "plc",
    "unit": "Hz",
    "minimum": "20 Hz",
    "maximum": "50 Hz",
    "max_rate": "1 Hz/s",
    "rate_window": "10 s",
    "deadband": "0.1 Hz",
    "plan_stale_after": "1 h",
    "feedback_stale_after": "1 min",
    "fail_safe": "hold",
}


def served_by(function: int, order: str = "CDAB", of_type: str = "float32") -> tuple[dict[str, Any], dict[str, Any]]:
    """A drive's points and its actuator: a setpoint in steps of 0.01 Hz, written by one function."""
    plain = {"table": "holding", "type": of_type, "order": order, "scale": "1 Hz"}
    roles = {
        "setpoint": {**plain, "address": 10, "step": "0.01 Hz", "writable": True, "write_function": function},
        "readback": {**plain, "address": 12},
        "actual": {**plain, "address": 14, "table": "input"},
    }
    return {"M": roles}, {"M": ANY_ACTUATOR}


def port_to(points: PlcPoints, port: int) -> Plc:
    """A port to a PLC on this machine."""
    return Plc(points, "127.0.0.1", port)

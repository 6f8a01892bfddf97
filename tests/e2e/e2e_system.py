"""A running system, and the ways a user or an operator reaches it."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import getitem
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import yaml

from headworks.common.auth import Issuer, Role
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.stack import Stack

LIMITS_MW = (0.8, 5.8)


@dataclass(frozen=True, slots=True)
class Setup:
    """The site of a system, when its plant's clock begins, and how fast it goes.

    `changes` stand in for what the site file says, by its path there, where a scaled clock leaves too little real time for it or
    would make a test wait too long.
    """

    site: str
    epoch: datetime
    speed: float
    changes: Mapping[str, str] = field(default_factory=dict)

    def site_file(self, original: Path) -> str:
        """The text of the site file for this system."""
        content = yaml.safe_load(original.read_text(encoding="utf-8"))
        for path, value in self.changes.items():
            *sections, name = path.split(".")
            section = functools.reduce(getitem, sections, content)
            assert name in section, path
            section[name] = value
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


ABAY = Setup("abay", datetime(2026, 2, 17, 8, 30, tzinfo=UTC), 240.0)
"""The day of the real award."""
BLOMINMAKI = Setup(
    "blominmaki",
    datetime(2026, 2, 17, 14, 0, tzinfo=UTC),
    60.0,
    {
        "schedule.time_limit": "4 s",
        "pumping_station.rules.minimum_run": "30 min",
        "pumping_station.rules.minimum_rest": "30 min",
        "control.pumps.minimum_run": "30 min",
        "control.pumps.minimum_rest": "30 min",
    },
)
"""A quarter hour, and with it a solve, every fifteen seconds; a pump may change after half a minute."""


@dataclass
class System:
    """A running stack of one site, and the ways a user or an operator reaches it."""

    stack: Stack
    site: str
    _broken: set[str] = field(default_factory=set)

    def token(self, name: str = "tester", role: Role = Role.ENGINEER) -> str:
        secret = Path(self.stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text().strip()
        return Issuer(secret, "headworks", "headworks").issue(name, role, timedelta(minutes=10))

    def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        caller: str = "tester",
        role: Role = Role.ENGINEER,
        **keywords: Any,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(caller, role)}"}
        return httpx.request(method, self.stack.url(service) + path, headers=headers, timeout=10, **keywords)

    def get(self, service: str, path: str, **parameters: str) -> Any:
        response = self.call("GET", service, path, params=parameters)
        response.raise_for_status()
        return response.json()

    def world(self, path: str) -> Any:
        return httpx.get(f"http://127.0.0.1:{self.stack.world['control']}{path}", timeout=5).json()

    def writes(self) -> list[int]:
        """What the register of OXPH's setpoint held at the start and was ever given [0.01 MW]."""
        found: list[int] = self.world("/plants/abay/writes")["plc"]["100"]
        return found

    def fault(self, target: str, kind: str) -> None:
        order = {"target": target, "kind": kind}
        httpx.post(f"http://127.0.0.1:{self.stack.world['control']}/faults", json=order, timeout=10).raise_for_status()
        self._broken.add(target)

    def heal(self) -> None:
        """Make the outside world whole."""
        for target in sorted(self._broken):
            self.fault(target, "none")
        self._broken.clear()

    @property
    def clock(self) -> Clock:
        """The clock that all processes of the stack share."""
        return clock_from_environment(self.stack.environment)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.plant()["at"])

    def plant(self) -> Any:
        """How the simulated plant stands."""
        return self.world(f"/plants/{self.site}")

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the gateway knows of each actuator, by resource."""
        state = self.get("control_gateway", f"/sites/{self.site}/state")
        return {resource["resource"]: resource for resource in state["resources"]}

    def resource(self) -> dict[str, Any]:
        """What the gateway knows of the only actuator."""
        [resource] = self.resources().values()
        return resource

    def all_planned(self) -> bool:
        """Whether every actuator has a plan."""
        resources = self.resources().values()
        return bool(resources) and all(resource["plan_id"] is not None for resource in resources)

    def run(self, reason: str) -> dict[str, Any]:
        """Ask for a run and wait for its end."""
        run_id = self.call("POST", "optimizer", f"/sites/{self.site}/runs", json={"reason": reason}).json()["run_id"]
        ended = f"run {run_id} ends"
        self.wait(lambda: self.get("optimizer", f"/runs/{run_id}")["finished_at"] is not None, ended, 180)
        found = self.get("optimizer", f"/runs/{run_id}/result")
        assert isinstance(found, dict)
        return found

    def submit(self, submission_id: str, power_mw: float, *, hours: int = 12, priority: int = 50) -> httpx.Response:
        """A vendor's plan from this minute on, above the optimizer's priority."""
        start = self.now().replace(second=0, microsecond=0)
        intervals = [
            {
                "resource": "OXPH",
                "resource_type": "TURBINE",
                "interval_start": (start + timedelta(hours=h)).isoformat(),
                "interval_end": (start + timedelta(hours=h + 1)).isoformat(),
                "targets": {"kind": "generic", "target_type": "POWER", "target_value": power_mw},
            }
            for h in range(hours)
        ]
        return self.submit_intervals(submission_id, intervals, priority)

    def submit_intervals(
        self, submission_id: str, intervals: list[dict[str, Any]], priority: int = 50
    ) -> httpx.Response:
        """A vendor's plan of these intervals."""
        body = {
            "submission_id": submission_id,
            "publisher": "vendor",
            "site": self.site,
            "created_at": self.now().isoformat(),
            "priority": priority,
            "intervals": intervals,
        }
        return self.call("POST", "plans", "/submissions", caller="vendor", json=body)

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
        """Wait for an outcome; a service that is away for a moment is asked again."""
        deadline, last = monotonic() + timeout_s, ""
        while monotonic() < deadline:
            try:
                if holds():
                    return
                last = "does not hold"
            except (httpx.HTTPError, KeyError, ValueError) as error:
                last = repr(error)
            sleep(0.1)
        raise AssertionError(f"{what}: not within {timeout_s} s; {last}; dead: {self.stack.dead()}")

    def alarm(self, name: str) -> str:
        """The state of an alarm."""
        states = {alarm["alarm"]: alarm["state"] for alarm in self.get("alerts", f"/sites/{self.site}/alarms")}
        return str(states[name])

    def wait_raised(self, name: str, timeout_s: float = 30) -> None:
        """Wait until an alarm is raised."""
        self.wait(lambda: self.alarm(name) == "active_unacknowledged", f"the alarm {name} is raised", timeout_s)

    def settle(self, name: str) -> None:
        """Wait until an alarm has returned, and acknowledge it as an operator would, so that it can be raised anew."""
        self.wait(lambda: self.alarm(name) in {"returned_unacknowledged", "normal"}, f"the alarm {name} returns")
        body = {"comment": "seen in a test"}
        self.call("POST", "alerts", f"/sites/{self.site}/alarms/{name}/acknowledge", role=Role.OPERATOR, json=body)
        self.wait(lambda: self.alarm(name) == "normal", f"the alarm {name} is normal")

    def assert_no_jump(self, writes: list[int]) -> None:
        """Every setpoint that the PLC was ever given is within limits, and no step is larger than the rate allows."""
        most = 0.042 * 5 * 100 + 1  # counts in the rate window of five minutes
        assert all(LIMITS_MW[0] * 100 <= counts <= LIMITS_MW[1] * 100 for counts in writes), writes
        steps = [abs(b - a) for a, b in pairwise(writes)]
        assert max(steps, default=0) <= most, writes

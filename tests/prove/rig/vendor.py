"""A vendor that plans without pause, asks again until it is answered, and keeps every answer."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from e2e_system import System

PAUSE_S = 1.5
HOURS = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """A target for an actuator: its lowest and highest value, and whether 0 (off) may be asked too."""

    resource: str
    resource_type: str
    lowest: float
    highest: float
    may_stop: bool = False

    def drawn(self, rng: random.Random) -> float:
        """Any allowed target."""
        off = self.may_stop and rng.random() < 0.35
        return 0.0 if off else round(rng.uniform(self.lowest, self.highest), 2)

    def targets(self, value: float) -> dict[str, Any]:
        """As the plans' API takes it."""
        if self.resource_type == "PUMP":
            return {"kind": "pump", "suggested_speed_hz": value}
        return {"kind": "generic", "target_type": "POWER", "target_value": value}


@dataclass
class Vendor:
    """Plans for one site. `accepted` holds each accepted submission with its reply, `open` those without an answer yet."""

    system: System
    wishes: Sequence[Wish]
    rng: random.Random
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost_answers: int = 0
    _number: int = 0
    _enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Submit until `stop`; run it in a thread."""
        while not self._enough.wait(PAUSE_S):
            if not self.open:
                self._write_one()
            self.ask_again()

    def stop(self) -> None:
        """End `run` after the present submission."""
        self._enough.set()

    def ask_again(self) -> None:
        """Send what has no answer, the same as before."""
        for submission_id, body in list(self.open.items()):
            try:
                response = self.system.call("POST", "plans", "/submissions", caller="vendor", json=body)
            except httpx.HTTPError:
                self.lost_answers += 1
                continue
            if response.status_code >= 500 or response.status_code == 429:
                continue
            self.open.pop(submission_id)
            if response.status_code == 201:
                self.accepted[submission_id] = {"body": body, "reply": response.json()}
            else:
                self.refused[submission_id] = response.text

    def _write_one(self) -> None:
        self._number += 1
        chosen = self.rng.sample(self.wishes, self.rng.randint(1, len(self.wishes)))
        self.write(f"{self.system.site}-{self._number}", {wish: wish.drawn(self.rng) for wish in chosen})

    def write(self, submission_id: str, targets: dict[Wish, float]) -> None:
        """Have a submission waiting: an hour each, from this minute on."""
        start = self.system.clock.now().replace(second=0, microsecond=0)
        self.open[submission_id] = {
            "submission_id": submission_id,
            "publisher": "vendor",
            "site": self.system.site,
            "created_at": self.system.clock.now().isoformat(),
            "priority": 50,
            "intervals": [
                {
                    "resource": wish.resource,
                    "resource_type": wish.resource_type,
                    "interval_start": (start + timedelta(hours=hour)).isoformat(),
                    "interval_end": (start + timedelta(hours=hour + 1)).isoformat(),
                    "targets": wish.targets(value),
                }
                for wish, value in targets.items()
                for hour in range(HOURS)
            ],
        }

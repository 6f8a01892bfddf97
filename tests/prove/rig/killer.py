"""What goes wrong when: a schedule that its seed gives whole, and the hand that does it."""

import os
import random
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from e2e_system import System
from links import Link

SERVICES = ("control_gateway", "plans", "optimizer", "alerts", "ingest")
PLCS = ("plc", "pumps-1", "pumps-2")
KINDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(SERVICES, ("kill", "freeze")),
    "nats": ("crash",),
    "postgres": ("crash",),
    **{f"link of {plc}": ("hang", "drop") for plc in PLCS},
    **dict.fromkeys(PLCS, ("hang", "restart", "down")),
}
"""By target. A PLC's `restart` and `down` leave its registers at 0; a `restart` is over at once."""
EVERY_S = (2.0, 14.0)
LASTS_S = (0.5, 9.0)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """From `at_s` after the beginning until `until_s`."""

    at_s: float
    until_s: float
    target: str
    kind: str

    def __str__(self) -> str:
        """As a report tells it."""
        return f"{self.at_s:.1f} to {self.until_s:.1f} s: {self.kind} {self.target}"


def schedule(seed: int, length_s: float) -> list[Fault]:
    """The faults of a run: every kind comes once before any comes again, several at a time, one at a time on a target."""
    rng, faults, at_s = random.Random(seed), list[Fault](), 0.0
    deck = _deck(rng)
    while True:
        at_s += rng.uniform(*EVERY_S)
        target, kind = next(deck)
        begin_s = max([at_s, *(fault.until_s + 1 for fault in faults if fault.target == target)])
        until_s = begin_s + (0.0 if kind == "restart" else rng.uniform(*LASTS_S))
        if until_s > length_s:
            return sorted(faults)
        faults.append(Fault(begin_s, until_s, target, kind))


def _deck(rng: random.Random) -> Iterator[tuple[str, str]]:
    every = [(target, kind) for target, kinds in KINDS.items() for kind in kinds]
    for _turn in count():
        yield from rng.sample(every, len(every))


@dataclass
class Killer:
    """Begins and ends faults of a running system."""

    system: System
    links: Mapping[str, Link]
    frozen: dict[str, int] = field(default_factory=dict)

    def begin(self, fault: Fault) -> None:
        """Do it."""
        stack, target = self.system.stack, fault.target
        if target in PLCS:
            self.system.fault(target, fault.kind)
        elif target in self.links:
            self.links[target].break_down(fault.kind)
        elif target == "nats":
            stack.nats.crash()
        elif target == "postgres":
            stack.postgres.crash()
        elif fault.kind == "kill":
            stack.kill(target)
        else:
            self.frozen[target] = stack.pids[target]
            os.kill(stack.pids[target], signal.SIGSTOP)

    def end(self, fault: Fault) -> None:
        """Make it whole."""
        stack, target = self.system.stack, fault.target
        if target in PLCS:
            self.system.fault(target, "none")
        elif target in self.links:
            self.links[target].heal()
        elif target == "nats":
            stack.nats.start()
        elif target == "postgres":
            stack.postgres.start()
        elif fault.kind == "kill":
            stack.launch(target)
        else:
            os.kill(self.frozen.pop(target), signal.SIGCONT)

    def thaw(self) -> None:
        """Let go on what is frozen, whatever happened."""
        while self.frozen:
            os.kill(self.frozen.popitem()[1], signal.SIGCONT)

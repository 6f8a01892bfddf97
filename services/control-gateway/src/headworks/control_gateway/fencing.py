"""The last question before a byte goes to a PLC: is this gateway still the one that may write?

Two barriers. By the clock: a lease that ends within the time that a write can take is none. By the PLC: a register of it holds
the epoch of its leader; it is read right before each write, and whoever sees a newer one than its own stops for good. A process
that is frozen between that reading and its write finds on waking that the reading is too old.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from headworks.control_gateway.lease import EPOCHS, Held, is_newer, seconds
from headworks.control_gateway.points import WritablePoint
from headworks.control_gateway.section import HaSection
from headworks.control_gateway.site_points import PlcPoints

EPOCH_POINT = "lease_epoch"
LEAST_WRITES = 2.5
FRESH_S = 0.25
"""How long the PLC's own word counts. A new leader waits for so long, and for a write to end, before its first one."""


@dataclass(slots=True)
class Term:
    """A site's lease as its fences see it. `held` is None while another gateway leads, or nobody."""

    without_bus: Literal["stop", "continue"]
    held: Held | None = None
    overtaken: Callable[[str], None] = lambda _why: None
    """Told when a PLC says that another gateway leads."""


@dataclass(slots=True)
class Fence:
    """What stands before one PLC. `write_s`: the longest that a write can be under way."""

    term: Term
    write_s: float
    point: WritablePoint | None = None
    clock_s: Callable[[], float] = seconds
    _proved_s: float = -math.inf
    _taken: int = 0
    _settled_epoch: int = 0
    _settled_s: float = -math.inf
    newest_epoch: int = field(default=0)
    """The newest epoch that the PLC was seen to hold."""

    def refusal(self, writable: WritablePoint) -> str | None:
        """Why a point may not be written in this very moment, if it may not. Asked with nothing between it and the write."""
        if writable is self.point:
            return None if self.may_be_taken() else "the lease is not this gateway's: it gives no PLC its epoch"
        held, now_s = self.term.held, self.clock_s()
        if held is None:
            return "this gateway does not lead"
        if self.point is not None and (self._taken != held.epoch or now_s < self._settled_s):
            return "the PLC does not hold this gateway's epoch yet"
        proved = self.point is not None and now_s - self._proved_s <= FRESH_S
        if self.point is not None and not proved:
            return "the PLC's word on who leads is too old: this gateway was held up"
        if now_s + self.write_s < held.until_s:
            return None
        if self.term.without_bus == "continue" and proved:
            return None
        return "the lease is over: it could not be renewed"

    def must_be_taken(self) -> bool:
        """Whether the PLC must be given this gateway's epoch."""
        return self.point is not None and self.term.held is not None and self._taken != self.term.held.epoch

    def may_be_taken(self) -> bool:
        """Whether the lease is surely this gateway's: it alone lets an epoch be written, in no mode the PLC's word."""
        held = self.term.held
        return held is not None and self.clock_s() + self.write_s < held.until_s

    def is_settled(self) -> bool:
        """Whether the PLC holds this gateway's epoch, and nobody else's write can still be under way."""
        held = self.term.held
        if held is None:
            return False
        return self.point is None or (self._taken == held.epoch and self.clock_s() >= self._settled_s)

    @property
    def settled_epoch(self) -> int | None:
        """This gateway's epoch, once nobody else's write can still be under way; None before, and while it does not lead."""
        return self.term.held.epoch if self.term.held is not None and self.is_settled() else None

    def leads_under(self, settled: int | None) -> int | None:
        """The epoch under which nobody else wrote since it was settled, nor can in this moment; None where another may."""
        held = self.term.held
        if held is None or held.epoch != settled:
            return None
        by_the_plc = self.term.without_bus == "continue" and self.clock_s() - self._proved_s <= FRESH_S
        return held.epoch if by_the_plc or self.may_be_taken() else None

    def took(self) -> None:
        """The PLC holds this gateway's epoch now; whoever led may still have a write under way on the PLC's older word."""
        held, now_s = self.term.held, self.clock_s()
        if held is None:
            return
        self._taken = self.newest_epoch = held.epoch
        if self._settled_epoch != held.epoch:
            wait_s = FRESH_S + self.write_s if self.term.without_bus == "continue" else 0.0
            self._settled_epoch, self._settled_s = held.epoch, now_s + wait_s

    def saw(self, epoch: int, asked_s: float) -> None:
        """The PLC said who leads, when asked at `asked_s`."""
        held = self.term.held
        if is_newer(epoch, self.newest_epoch):
            self.newest_epoch = epoch
        if held is None:
            return
        if epoch == held.epoch:
            self._proved_s = asked_s
        elif is_newer(epoch, held.epoch) or (epoch != 0 and self._taken == held.epoch):
            self._taken = 0
            self.term.overtaken(f"the PLC is led with epoch {epoch}, not {held.epoch}")
        else:
            self._taken = 0  # it is led by who led before, or it restarted: it must be given the epoch


def fences_of(site: str, ha: HaSection | None, plcs: Mapping[str, PlcPoints]) -> tuple[Term, dict[str, Fence]] | None:
    """What stands before each PLC of a site with a standby; None where a gateway is alone. Raises ValueError naming the field."""
    if ha is None or not ha.standby:
        return None
    term = Term(ha.without_bus)
    return term, {name: _fence(f"site {site}: control", ha, term, plc) for name, plc in plcs.items()}


def _fence(at: str, ha: HaSection, term: Term, plc: PlcPoints) -> Fence:
    if plc.transport == "rtu_over_tcp" and plc.bridge_delay_s is None:
        raise ValueError(
            f"{at}.plcs.{plc.plc}.bridge_delay is missing: ha.standby needs to know how long the bridge keeps a telegram that it "
            "has taken, such as 2 s"
        )
    write_s, point = 2 * plc.timeout_s + (plc.bridge_delay_s or 0.0), plc.writable.get(EPOCH_POINT)
    if ha.lease < LEAST_WRITES * write_s:
        raise ValueError(
            f"{at}.ha.lease={ha.lease:g} s must be at least {LEAST_WRITES} times what a write to {plc.plc} may take, "
            f"{write_s:g} s (twice its timeout, and its bridge_delay)"
        )
    holds_each = point is not None and point.point.is_plain and point.lowest <= 0 and point.highest >= EPOCHS
    if EPOCH_POINT in plc.points and not holds_each:
        raise ValueError(
            f"{at}.plcs.{plc.plc}.shared_points.{EPOCH_POINT} must be a writable, whole uint16 without scale or range: it says "
            "which of two gateways leads"
        )
    if ha.without_bus == "continue" and point is None:
        raise ValueError(
            f"{at}.ha.without_bus='continue' needs plcs.{plc.plc}.shared_points.{EPOCH_POINT}, a writable uint16: "
            "without it nothing tells a leader that the other one leads"
        )
    return Fence(term, write_s, point)

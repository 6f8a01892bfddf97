"""What people and interlocks say in the very moment before a byte goes to a PLC: does what was decided still stand?

Between a decision and its write lie the disk, the PLC's word on who leads, and other calls to the same PLC. What is ordered
meanwhile holds: an e-stop stops all but a stop, another mode than `auto` stops all. Who leads must still be whom it was decided
for, and the decision must not be old; what protects waits for neither.
"""

from collections.abc import Callable
from dataclasses import dataclass

from headworks.common.clock import Clock
from headworks.common.messages import ControlMode
from headworks.control_gateway.known import Stood
from headworks.control_gateway.lead_board import LeadBoard
from headworks.control_gateway.lease import seconds
from headworks.control_gateway.plc import Refusal
from headworks.control_gateway.switches import SwitchBoard

DECIDED_AT_MOST_S = 5.0
"""So old a decision may be when it is written, in real time: longer than a busy disk and two time-outs of a PLC take."""
E_STOP = "e-stop came before the write"
UNDECIDED = "nobody judged who leads before the write"
ANOTHER_LEADS = "an override or an interlock came or went before the write"
TOO_OLD = f"the decision was older than {DECIDED_AT_MOST_S:g} s before the write"


@dataclass(frozen=True, slots=True)
class LastWord:
    """Of one site's people and interlocks."""

    switches: SwitchBoard
    leads: LeadBoard
    clock: Clock
    clock_s: Callable[[], float] = seconds

    def stood(self, resource: str) -> Stood:
        """What leads an actuator over its plan, as it is now; asked together with who leads."""
        acting = self.leads.trips.acting_on(resource)
        override = self.leads.orders.override_of(resource, self.clock.now())
        return Stood(override, None if acting is None else acting[0].name, self.clock_s())

    def of(self, resource: str, stood: Stood | None, *, stops: bool = False, protects: bool = False) -> Refusal:
        """What the port asks before it writes what was decided as things `stood`."""

        def refusal() -> str | None:
            if self.switches.stopped(resource) is not None:
                return None if stops else E_STOP
            mode = self.leads.mode(self.switches.now.mode, resource)
            if mode is not ControlMode.AUTO:
                return f"mode became {mode.value} before the write"
            if stops and protects:
                return None
            return overtaken(stood, self.stood(resource), protects=protects)

        return refusal


def overtaken(then: Stood | None, now: Stood, *, protects: bool = False) -> str | None:
    """Why what was decided as things stood then may not be written as they stand now."""
    if then is None:
        return UNDECIDED
    if (then.override, then.interlock) != (now.override, now.interlock):
        return ANOTHER_LEADS
    return TOO_OLD if not protects and now.at_s - then.at_s > DECIDED_AT_MOST_S else None

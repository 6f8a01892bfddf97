"""Lets each PLC see that the gateway lives: a number that changes every turn, in its `heartbeat` point, where it has one."""

from collections.abc import Mapping

import structlog

from headworks.control_gateway.plc import NotPermitted, Plc
from headworks.control_gateway.points import WritablePoint
from headworks.control_gateway.site_points import HEARTBEAT
from headworks.control_gateway.writer import Verified, write_heartbeat

log = structlog.get_logger(__name__)
LOST_AFTER = 3
"""So many beats in a row that a PLC does not hold: one alone may be a time-out under load."""


class Heartbeat:
    """The heartbeats of one site's PLCs. `lost` are those that do not hold what is written."""

    def __init__(self, plcs: Mapping[str, Plc]) -> None:
        found = {name: plc.points.writable.get(HEARTBEAT) for name, plc in plcs.items()}
        self._points: dict[str, WritablePoint] = {name: point for name, point in found.items() if point is not None}
        self._beats = dict.fromkeys(self._points, 0)
        self._missed = dict.fromkeys(self._points, 0)
        self.lost: frozenset[str] = frozenset()

    async def beat(self, name: str, plc: Plc) -> bool:
        """Write the next number and see that the PLC holds it; True when that is another outcome than before.

        It never is 0, which a PLC holds that has just restarted.
        """
        point = self._points.get(name)
        if point is None:
            return False
        self._beats[name] = self._beats[name] % point.highest + 1
        result = await write_heartbeat(plc, point, self._beats[name])
        if isinstance(result, NotPermitted) and plc.fence is not None and plc.fence.term.held is None:
            return False  # another gateway leads, and beats: this one has missed none
        self._missed[name] = 0 if isinstance(result, Verified) else self._missed[name] + 1
        before = self.lost
        if self._missed[name] == 0:
            self.lost -= {name}
        elif self._missed[name] >= LOST_AFTER:
            self.lost |= {name}
        if self.lost != before:
            log.warning("heartbeat", plc=name, result=result)
        return self.lost != before

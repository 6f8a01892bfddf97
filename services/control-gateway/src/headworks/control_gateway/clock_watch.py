"""What is done when somebody sets the wall clock: each site begins anew by it, as after a restart, and forgets nothing.

One that was set while the gateway was down is found at the start: a site's clock begins at the instant that it would be
(clock_mark.py), and so the wall clock stands away from it.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from headworks.common.audit import Category
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.clock_mark import ClockMarks
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.journal import CLOCK_STEPPED
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.steady_clock import SteadyClock

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 0.5
LOOKS_A_MARK = 20
TOLD_FOR_S = 3600.0
"""So long a step stands among the site's findings: until people have seen it."""


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """Keeps the clocks of all sites by the wall clock."""

    controlled: ControlledSites
    auditor: Auditor
    marks: ClockMarks
    _told_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look again and again; run it as a task."""
        while True:
            for _ in range(LOOKS_A_MARK):
                await asyncio.sleep(LOOK_EVERY_S)
                await self.look()
            self.leave_marks()

    async def look(self) -> None:
        """Look once. Raises ValueError or OSError where a site cannot begin anew; it goes on by the time it has."""
        for name, loop in list(self.controlled.loops.items()):
            self._end_telling(name, loop)
            away = loop.clock.follow() if isinstance(loop.clock, SteadyClock) else None
            if away is not None:
                await self._begin_anew(name, loop, away)

    def leave_marks(self) -> None:
        """Keep how far each site's time has come."""
        for name, loop in self.controlled.loops.items():
            self.marks.leave(name, loop.clock.now())

    async def _begin_anew(self, name: str, loop: ControlLoop, away: timedelta) -> None:
        told = f"the wall clock was stepped by {away.total_seconds():+.0f} s: the site began anew by it"
        await self.controlled.begin(self.controlled.sites[name], between=lambda: self._note(name, loop, away, told))
        log.error("the wall clock was stepped", site=name, by_s=away.total_seconds())
        begun = self.controlled.loops[name]
        begun.findings, begun.clock_finding = loop.findings, told
        begun.changed.set()
        self._told_s[name] = self.marks.clock_s()

    def _end_telling(self, name: str, loop: ControlLoop) -> None:
        if loop.clock_finding and self.marks.clock_s() - self._told_s[name] > TOLD_FOR_S:
            loop.clock_finding = None
            loop.changed.set()

    def _note(self, name: str, loop: ControlLoop, away: timedelta, told: str) -> None:
        """All that is kept in old time is kept in new time. Between the old loop and the new one nothing else is recorded.

        Raises OSError where it cannot be; then all is kept in old time.
        """
        if loop.station is not None:
            loop.station.keep_runs(away)
        gateway, by_s = self.auditor.journal.gateway, away.total_seconds()
        if not self.auditor.note(Category.CONTROL_SYSTEM, CLOCK_STEPPED, gateway, subject=name, reason=told, by_s=by_s):
            with contextlib.suppress(OSError):
                if loop.station is not None:
                    loop.station.keep_runs(timedelta())
            raise OSError(f"{told}: that could not be recorded, so it goes on by the time it has")
        self.marks.leave(name, loop.clock.now() + away)

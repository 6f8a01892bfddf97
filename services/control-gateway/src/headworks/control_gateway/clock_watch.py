"""What is done when somebody sets the wall clock: each site begins anew by it, as after a restart, and forgets nothing."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from headworks.common.audit import Category
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.journal import CLOCK_STEPPED
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.steady_clock import SteadyClock

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """Keeps the clocks of all sites by the wall clock."""

    controlled: ControlledSites
    auditor: Auditor

    async def run(self) -> None:
        """Look again and again; run it as a task."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look once. Raises ValueError or OSError where a site cannot begin anew; it goes on by the time it has."""
        for name, loop in list(self.controlled.loops.items()):
            away = loop.clock.follow() if isinstance(loop.clock, SteadyClock) else None
            if away is not None:
                await self._begin_anew(name, loop, away)

    async def _begin_anew(self, name: str, loop: ControlLoop, away: timedelta) -> None:
        told = f"the wall clock was stepped by {away.total_seconds():+.0f} s: the site began anew by it"

        def note() -> None:
            """All that is kept in old time is kept in new time. Between the old loop and the new one nothing else is recorded."""
            if loop.station is not None:
                loop.station.clock_stepped(away)
            gateway, by_s = self.auditor.journal.gateway, away.total_seconds()
            if not self.auditor.note(
                Category.CONTROL_SYSTEM, CLOCK_STEPPED, gateway, subject=name, reason=told, by_s=by_s
            ):
                raise OSError(f"{told}: that could not be recorded, so it goes on by the time it has")

        await self.controlled.begin(self.controlled.sites[name], between=note)
        log.error("the wall clock was stepped", site=name, by_s=away.total_seconds())
        begun = self.controlled.loops[name]
        begun.findings = (*loop.findings, told)
        begun.changed.set()

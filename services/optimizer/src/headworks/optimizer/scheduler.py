"""When to solve by itself: every hour of plant time, and when a new award or forecast arrives.

A run's id says why and for when, so that several schedulers, or a message heard twice, queue one run.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from headworks.common.bus import Delivery
from headworks.common.clock import Clock
from headworks.common.database import is_away
from headworks.common.messages import Award, Forecast, SolveJob
from headworks.optimizer.store import RunStore
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 0.5
SETTLE = timedelta(minutes=2)
"""After the hour, so that the values of the hour have come in."""


@dataclass
class Scheduler:
    """Queues the runs of one site that nobody has to ask for."""

    site: Site
    store: RunStore
    clock: Clock

    async def every_period(self) -> None:
        """Queue a run in every period; run it as a task."""
        period = timedelta(seconds=in_unit(self.site.section("schedule")["resolve_every"], "s"))
        while True:
            now = self.clock.now() - SETTLE
            begun = datetime.fromtimestamp(
                now.timestamp() // period.total_seconds() * period.total_seconds(), now.tzinfo
            )
            try:
                await self._queue(f"{begun:%Y%m%dT%H%M}", "scheduled")
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("scheduler waits for the database", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def on_award(self, award: Award, _delivery: Delivery) -> None:
        """A new award may change the inflow of its whole day."""
        await self._queue(
            f"award-{award.trade_date:%Y%m%d}-{award.known_at:%H%M%S}", f"new award of {award.trade_date}"
        )

    async def on_forecast(self, forecast: Forecast, _delivery: Delivery) -> None:
        """One run an issue, for all its series together."""
        if forecast.source != "held":
            text = f"new forecast of {forecast.issued_at:%Y-%m-%d %H:%M}Z"
            await self._queue(f"forecast-{forecast.issued_at:%Y%m%dT%H%M}", text)

    async def _queue(self, key: str, reason: str) -> None:
        job = SolveJob(
            run_id=f"{self.site.site}-{key}",
            site=self.site.site,
            requested_at=self.clock.now(),
            requested_by="scheduler",
            reason=reason,
        )
        if await self.store.queue(job):
            log.info("run queued", run_id=job.run_id, reason=reason)

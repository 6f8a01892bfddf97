"""When to solve by itself: in every period of plant time, and when a new award or forecast arrives.

A run's id says why and for when, so that several schedulers, or a message heard twice, queue one run.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.handling import Delivery
from headworks.common.messages import Award, Forecast, SolveJob
from headworks.optimizer.store import RunStore
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 0.5
DEFAULT_SETTLE = "2 min"
REQUESTED_BY = "scheduler"
WAITED_FOR = 4
"""A run that has waited for so many periods may have lost its job: it keeps no other from being queued."""


@dataclass
class Scheduler:
    """Queues the runs of one site that nobody has to ask for."""

    site: Site
    store: RunStore
    clock: Clock

    async def every_period(self) -> None:
        """Queue a run in every period; run it as a task."""
        queued: datetime | None = None
        while True:
            begun = self.period_begun(self.clock.now())
            if begun != queued:
                try:
                    await self._queue_period(begun)
                    queued = begun
                except DatabaseUnavailable as error:
                    log.warning("scheduler waits for the database", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _queue_period(self, begun: datetime) -> None:
        """Queue the period's run, unless the one before still waits: that one will see what there is when it begins."""
        waiting = await self.store.waiting(self.site.site, REQUESTED_BY, begun - WAITED_FOR * self.period)
        if waiting is None:
            await self._queue(f"{begun:%Y%m%dT%H%M}", "scheduled")
        elif waiting != f"{self.site.site}-{begun:%Y%m%dT%H%M}":
            log.warning("no run queued: one before still waits", site=self.site.site, run_id=waiting)

    @property
    def period(self) -> timedelta:
        """How often a run is due."""
        return timedelta(seconds=in_unit(self.site.section("schedule")["resolve_every"], "s"))

    @property
    def settle(self) -> timedelta:
        """How long after a period begins its run is due, so that the values up to then have come in."""
        return timedelta(seconds=in_unit(self.site.section("schedule").get("settle", DEFAULT_SETTLE), "s"))

    def period_begun(self, now: datetime) -> datetime:
        """When the period began that a run is now due for: values of its first minutes are awaited."""
        settled, period_s = now - self.settle, self.period.total_seconds()
        return datetime.fromtimestamp(settled.timestamp() // period_s * period_s, now.tzinfo)

    async def on_award(self, award: Award, _delivery: Delivery) -> None:
        """A new award may change the inflow of its whole day."""
        if self._is_news(award.known_at):
            key = f"award-{award.trade_date:%Y%m%d}-{award.known_at:%Y%m%dT%H%M%S}"
            await self._queue(key, f"new award of {award.trade_date}")

    async def on_forecast(self, forecast: Forecast, _delivery: Delivery) -> None:
        """One run an issue, for all its series together."""
        if forecast.source != "held" and self._is_news(forecast.known_at):
            text = f"new forecast of {forecast.issued_at:%Y-%m-%d %H:%M}Z"
            await self._queue(f"forecast-{forecast.issued_at:%Y%m%dT%H%M}", text)

    def _is_news(self, known_at: datetime) -> bool:
        """Whether no scheduled run can have used it yet: what was heard of late is in those."""
        return self.clock.now() - known_at <= self.period

    async def _queue(self, key: str, reason: str) -> None:
        job = SolveJob(
            run_id=f"{self.site.site}-{key}",
            site=self.site.site,
            requested_at=self.clock.now(),
            requested_by=REQUESTED_BY,
            reason=reason,
        )
        if await self.store.queue(job):
            log.info("run queued", run_id=job.run_id, reason=reason)

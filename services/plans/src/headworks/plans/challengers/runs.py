"""Scores challengers: every day once it is over, and on request; a run goes on where it stopped, also over a restart."""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from headworks.common.clock import Clock
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.ingest import IngestAway, IngestClient
from headworks.common.messages import Instant
from headworks.common.tasks import wait_at_most
from headworks.plans.challengers.followed import days_between
from headworks.plans.challengers.replay import DayScore, score_day
from headworks.plans.challengers.tables import challenger_runs, challenger_scores
from headworks.plans.vendor_store import VendorStore
from headworks.waterway.site_file import AnySite
from headworks.waterway.timegrid import local_date, local_midnight

log = structlog.get_logger(__name__)
LOOK_S = 30.0
AFTER_THE_DAY = timedelta(hours=2)
"""Measurements of a day's end may come late."""
DAILY = "daily"


class ScoreRun(BaseModel):
    """A run over some days, and how far it is."""

    model_config = ConfigDict(frozen=True)
    run_id: str
    publisher: str
    site: str
    first_day: date
    last_day: date
    requested_by: str
    requested_at: Instant
    days: int
    days_done: int
    status: Literal["QUEUED", "RUNNING", "DONE", "FAILED"]
    error: str | None = None


class Challengers:
    """Runs and scores; `work` runs as a task."""

    def __init__(
        self,
        database: Database,
        registry: VendorStore,
        sites: Mapping[str, AnySite],
        ingest: IngestClient,
        clock: Clock,
        kept: timedelta,
    ) -> None:
        """Of challengers' plans those are `kept` that ended no longer ago."""
        self._database, self._registry, self._sites, self._kept = database, registry, sites, kept
        self._ingest, self._clock, self._wake = ingest, clock, asyncio.Event()

    def first_day(self, site: AnySite) -> date:
        """The first local day whose plans are all there still: an earlier one, scored again, would lose what was known of it."""
        return local_date(self._clock.now() - self._kept, site.zone) + timedelta(days=1)

    async def request(self, publisher: str, site: str, first: date, last: date, by: str) -> ScoreRun:
        """Queue a run over these days."""
        row = {
            "run_id": uuid.uuid4().hex,
            "publisher": publisher,
            "site": site,
            "first_day": first,
            "last_day": last,
            "requested_by": by,
            "requested_at": self._clock.now(),
            "days_done": 0,
            "status": "QUEUED",
        }
        async with self._database.transaction() as connection:
            made = await connection.execute(insert(challenger_runs).values(row).returning(challenger_runs))
            run = _run(made.mappings().one())
        self._wake.set()
        return run

    async def run(self, run_id: str) -> ScoreRun | None:
        """A run, and how far it is."""
        query = select(challenger_runs).where(challenger_runs.c.run_id == run_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _run(row) if row is not None else None

    async def scores(self, publisher: str, site: str, first: date, last: date) -> list[DayScore]:
        """The days that were scored, in order."""
        t = challenger_scores
        query = select(t.c.score).where(t.c.publisher == publisher, t.c.site == site, t.c.day.between(first, last))
        async with self._database.transaction() as connection:
            return [DayScore.model_validate(row.score) for row in await connection.execute(query.order_by(t.c.day))]

    async def work(self) -> None:
        """Do what is queued, and queue each day of each challenger once it is over, for ever."""
        while True:
            self._wake.clear()
            try:
                await self.queue_daily()
                while await self.do_next():
                    pass
            except IngestAway as error:
                log.warning("scoring waits for ingest", error=str(error))
            except DatabaseUnavailable as error:
                log.warning("scoring waits for the database", error=repr(error))
            await wait_at_most(self._wake, LOOK_S)

    async def queue_daily(self) -> None:
        """Queue yesterday of every challenger and site that has it neither scored nor queued."""
        now = self._clock.now()
        for vendor in await self._registry.all():
            for site in (self._sites[name] for name in vendor.sites if vendor.shadow and name in self._sites):
                day = local_date(now, site.zone) - timedelta(days=1)
                over = now >= local_midnight(day + timedelta(days=1), site.zone) + AFTER_THE_DAY
                if over and not await self._is_asked(vendor.name, site.site, day):
                    await self.request(vendor.name, site.site, day, day, DAILY)

    async def _is_asked(self, publisher: str, site: str, day: date) -> bool:
        t = challenger_runs
        query = select(func.count()).where(
            t.c.publisher == publisher, t.c.site == site, t.c.first_day <= day, t.c.last_day >= day
        )
        async with self._database.transaction() as connection:
            return bool((await connection.execute(query)).scalar_one())

    async def do_next(self) -> bool:
        """Score the oldest run's days from where it stands; False when nothing waits. Raises IngestAway: it waits then."""
        t = challenger_runs
        waiting = select(t).where(t.c.status.in_(["QUEUED", "RUNNING"])).order_by(t.c.requested_at).limit(1)
        async with self._database.transaction() as connection:
            row = (await connection.execute(waiting)).mappings().first()
        if row is None:
            return False
        run = _run(row)
        try:
            for done, day in enumerate(days_between(run.first_day, run.last_day)[run.days_done :], run.days_done + 1):
                site = self._sites[run.site]
                score = await score_day(self._database, self._ingest, site, run.publisher, day, self._clock.now())
                await self._keep(run, score, done)
        except ValueError as error:
            log.exception("a day could not be scored", run_id=run.run_id)
            await self._set(run, {"status": "FAILED", "error": str(error)[:500]})
        return True

    async def _keep(self, run: ScoreRun, score: DayScore, done: int) -> None:
        row = {
            "publisher": run.publisher,
            "site": run.site,
            "day": score.day,
            "scored_at": score.scored_at,
            "score": score.model_dump(mode="json"),
        }
        async with self._database.transaction() as connection:
            new = upsert(challenger_scores).values(row)
            again = {"scored_at": new.excluded.scored_at, "score": new.excluded.score}
            keys = ["publisher", "site", "day"]
            await connection.execute(new.on_conflict_do_update(index_elements=keys, set_=again))
        await self._set(run, {"days_done": done, "status": "DONE" if done == run.days else "RUNNING"})

    async def _set(self, run: ScoreRun, values: dict[str, Any]) -> None:
        t = challenger_runs
        async with self._database.transaction() as connection:
            await connection.execute(update(t).where(t.c.run_id == run.run_id).values(values))


def _run(row: RowMapping) -> ScoreRun:
    days = len(days_between(row["first_day"], row["last_day"]))
    return ScoreRun.model_validate({**row, "days": days})


def latest_day(now: datetime, site: AnySite) -> date:
    """The last local day that is over."""
    return local_date(now, site.zone) - timedelta(days=1)

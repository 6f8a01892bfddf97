"""Collects from the sources at their pace: stores first, then tells the bus. A fault is kept, shown, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.link import BusUnavailable
from headworks.common.messages import Award, Forecast, ForecastStep, Measurements, Quality, Sample
from headworks.common.subjects import TELEMETRY
from headworks.ingest.sections import CaisoSection, EntsoeSection, HydroForecastSection, PiSection
from headworks.ingest.sources.caiso import Client, NotPublished, fetch_awards
from headworks.ingest.sources.entsoe import Entsoe
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.sources.hydroforecast import HydroForecast, Newest
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.standing import HELD, STALE
from headworks.ingest.store import SeriesStore
from headworks.waterway.series import si_series
from headworks.waterway.site import Site
from headworks.waterway.timegrid import local_date, local_midnight

log = structlog.get_logger(__name__)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OVERLAP = timedelta(hours=3)
"""So far back values are asked for again: they may have come late."""
MOST_FILLED = timedelta(days=10)
"""A gap is filled by so much a poll, however long the source was away."""
HELD_HOURS = 168
SHORTEST_PAUSE_S = 0.5
MESSAGE_SAMPLES = 2000
"""So many samples stay well below the megabyte that a message may have."""


@dataclass(frozen=True, slots=True)
class Polled:
    """How a poll went: the newest valid time it gave, and what of the answer was not as it should be."""

    newest: datetime | None
    flaw: str | None = None


Poll = Callable[[], Awaitable[Polled]]


@dataclass
class Collector:
    """What all sources of a site share."""

    site: Site
    store: SeriesStore
    clock: Clock

    async def keep_polling(self, source: str, every_s: float, poll: Poll) -> None:
        """Poll for ever, every `every_s` of plant time; run it as a task."""
        while True:
            await self.poll_once(source, poll)
            await asyncio.sleep(max(SHORTEST_PAUSE_S, self.clock.real_seconds(timedelta(seconds=every_s))))

    async def poll_once(self, source: str, poll: Poll) -> str | None:
        """Poll and keep how it went; gives what is wrong, if anything is."""
        try:
            try:
                polled = await poll()
            except SourceFault as fault:
                log.warning("source fault", source=source, site=self.site.site, error=str(fault))
                await self.store.note_fault(self.site.site, source, self.clock.now(), str(fault))
                return str(fault)
            if polled.flaw is not None:
                log.warning("source flaw", source=source, site=self.site.site, error=polled.flaw)
            await self.store.note_success(self.site.site, source, self.clock.now(), polled.newest, polled.flaw)
        except DatabaseUnavailable as error:
            log.warning("not stored: the database is away", source=source, error=repr(error))
            return "the database is away"
        return polled.flaw


class Telling:
    """Keeps samples of a source, then tells the bus of those that are new."""

    def __init__(self, collector: Collector, bus: Bus, source: str) -> None:
        self._c, self._bus, self._source = collector, bus, source
        self._untold: dict[tuple[str, str, datetime], Sample] = {}

    async def keep(self, samples: list[Sample], now: datetime) -> None:
        """Store, then tell; what cannot be told while the bus is away is told with the next."""
        site, source = self._c.site.site, self._source
        fresh = await self._c.store.add_samples(site, source, samples, now)
        self._untold |= {(s.series, s.basis.value, s.valid_at): s for s in fresh}
        while self._untold:
            keys = list(self._untold)[:MESSAGE_SAMPLES]
            part = tuple(self._untold[key] for key in keys)
            message = Measurements(site=site, source=source, known_at=now, samples=part)
            try:
                await self._bus.publish(TELEMETRY, message, site=site, source=source)
            except BusUnavailable as error:
                log.warning("stored but not yet told: the bus is away", source=source, error=str(error))
                return
            for key in keys:
                del self._untold[key]


class PiCollector:
    """Measurements from PI: whole steps and present values; what does not come is told as missing."""

    def __init__(self, collector: Collector, bus: Bus, pi: PiWebApi, section: PiSection) -> None:
        self._c, self._pi, self._section = collector, pi, section
        self._telling = Telling(collector, bus, "pi")
        self._filled_until: datetime | None = None
        self._was_away = True

    async def poll(self) -> Polled:
        """One poll. Raises SourceFault after telling that every series is missing now."""
        now = self._c.clock.now()
        last_step = _step_at(now, self._section.step)
        start = self._filled_until or _step_at(now - timedelta(seconds=self._section.history), self._section.step)
        end = min(last_step, start + MOST_FILLED)
        try:
            steps = await self._pi.steps(start - OVERLAP, end)
            now = self._c.clock.now()  # a long fill takes its time, and what is present is of after it
            present = await self._pi.latest(now)
        except SourceFault:
            self._was_away = True
            await self._telling.keep(self._missing(set(), now), now)
            raise
        samples = steps.samples + present.samples + self._missing({s.series for s in present.samples}, now)
        if self._was_away:
            samples += await self._bridged(present.samples, now)
        await self._telling.keep(samples, now)
        self._was_away, self._filled_until = False, end
        newest = max((s.valid_at for s in samples if s.quality is Quality.GOOD), default=None)
        return Polled(newest, "; ".join(dict.fromkeys(steps.flaws + present.flaws)) or None)

    def _missing(self, came: set[str], now: datetime) -> list[Sample]:
        names = [s.name.name for s in self._section.series]
        return [
            Sample(series=name, valid_at=now, value=None, quality=Quality.MISSING) for name in names if name not in came
        ]

    async def _bridged(self, present: list[Sample], now: datetime) -> list[Sample]:
        """PI's present values that are older than the last instant marked missing, told for that instant as suspect.

        A tag that seldom changes would else stay missing long after PI is back.
        """
        bridged = []
        for sample in present:
            last = await self._c.store.latest(self._c.site.site, sample.series, now, good_only=False)
            if last is None or last.quality is not Quality.MISSING or last.valid_at <= sample.valid_at:
                continue
            if sample.value is not None:
                text = f"PI's value of {sample.valid_at:%Y-%m-%d %H:%M}Z; PI did not answer then"
                update = {"valid_at": last.valid_at, "quality": Quality.SUSPECT, "substituted": text}
                bridged.append(sample.model_copy(update=update))
        return bridged


def _step_at(instant: datetime, step: timedelta) -> datetime:
    """The start of the step that holds an instant."""
    return instant - (instant - datetime.min.replace(tzinfo=instant.tzinfo)) % step


class ForecastCollector:
    """Forecasts, by the order of fallback: HydroForecast, CNRFC, the last observed value held; each marked."""

    def __init__(self, collector: Collector, source: HydroForecast, section: HydroForecastSection) -> None:
        self._c, self._source, self._section = collector, source, section

    async def poll(self) -> Polled:
        """One poll. Raises SourceFault after holding the last observed values."""
        now = self._c.clock.now()
        names = [si_series(s.series).name for s in self._section.sites]
        fault: SourceFault | None = None
        try:
            found = await self._source.newest(self._c.site.site, now)
        except SourceFault as error:
            found, fault = Newest({}), error
        for name in names:
            forecast = found.forecasts.get(name) or await self._held(name, now)
            if forecast is not None:
                await self._c.store.add_forecast(forecast)
        if fault is not None:
            raise fault
        return Polled(
            max((f.issued_at for f in found.forecasts.values()), default=None), "; ".join(found.flaws) or None
        )

    async def _held(self, series: str, now: datetime) -> Forecast | None:
        """The last good observation, held; None when a real forecast of the last day is known, or nothing is."""
        known = await self._c.store.forecast(self._c.site.site, series, None, now)
        if known is not None and known.source != HELD and now - known.issued_at < STALE:
            return None
        last = await self._c.store.latest(self._c.site.site, series, now, good_only=True)
        if last is None or last.value is None:
            return None
        hour = now.replace(minute=0, second=0, microsecond=0)
        return Forecast(
            site=self._c.site.site,
            series=series,
            source=HELD,
            issued_at=hour,
            known_at=now,
            step_s=3600,
            steps=tuple(ForecastStep(valid_at=hour + h * HOUR, value=last.value) for h in range(HELD_HOURS)),
            substituted=f"no forecast; the observation of {last.valid_at:%Y-%m-%d %H:%M}Z held",
        )


class AwardCollector:
    """CAISO's awards of today and, once they are due, of tomorrow."""

    def __init__(self, collector: Collector, client: Client, section: CaisoSection) -> None:
        self._c, self._client, self._section = collector, client, section

    async def poll(self) -> Polled:
        """Fetch what is due and not known. Raises SourceFault."""
        now = self._c.clock.now()
        local = now.astimezone(self._c.site.zone)
        today = local_date(now, self._c.site.zone)
        due = [today, *([today + timedelta(days=1)] if local.hour >= self._section.published_after_hour else [])]
        newest: datetime | None = None
        for trade_date in due:
            known = await self._c.store.award(self._c.site.site, trade_date)
            award = known or await self.fetch(trade_date)
            if award is not None:
                newest = award.intervals[-1].end
        return Polled(newest)

    async def fetch(self, trade_date: date) -> Award | None:
        """Fetch a trade date now; None when it is not published yet. Raises SourceFault."""
        intervals = await fetch_awards(self._client, trade_date, self._section.resource, self._section.product)
        if isinstance(intervals, NotPublished):
            return None
        award = Award(
            site=self._c.site.site,
            resource=self._section.resource,
            product=self._section.product,
            trade_date=trade_date,
            known_at=self._c.clock.now(),
            intervals=intervals,
        )
        if await self._c.store.add_award(award):
            return award
        return await self._c.store.award(self._c.site.site, trade_date)


class PriceCollector:
    """Day-ahead prices of today and, once they are due, of tomorrow. Those that are known stay when the source is down."""

    def __init__(self, collector: Collector, bus: Bus, source: Entsoe, section: EntsoeSection) -> None:
        self._c, self._source, self._section = collector, source, section
        self._telling = Telling(collector, bus, "entsoe")

    async def poll(self) -> Polled:
        """Ask for what is due, again and again: a price may be corrected. Raises SourceFault."""
        now, zone = self._c.clock.now(), self._c.site.zone
        today, due = local_date(now, zone), now.astimezone(zone).hour >= self._section.published_after_hour
        end = local_midnight(today + (2 if due else 1) * DAY, zone)
        prices = await self._source.prices(local_midnight(today, zone), end)
        await self._telling.keep(prices, now)
        covered = any(p.valid_at <= now < p.valid_at + p.basis.span for p in prices)
        newest = max((p.valid_at for p in prices), default=None)
        return Polled(newest, None if covered else f"no price of {now:%Y-%m-%dT%H:%MZ} is published")

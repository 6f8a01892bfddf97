"""What is new, for all who watch: one subscription of each bus subject, whatever the number of pages.

A page that cannot keep up is let go; it comes back and asks for the whole view again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.messages import (
    AlarmTransition,
    Award,
    ControlState,
    Forecast,
    Measurements,
    Message,
    PlanEvent,
    RunFinished,
    RunProgress,
    Setpoint,
)
from headworks.common.subjects import (
    ALARM,
    CONTROL_STATE,
    FORECAST,
    MARKET,
    PLAN_EVENT,
    RUN_FINISHED,
    RUN_PROGRESS,
    SETPOINT,
    TELEMETRY,
    Subject,
)
from headworks.common.tasks import end
from headworks.dashboard import shapes
from headworks.dashboard.display import Display, alarm_of, control_of, input_of, setpoint_of
from headworks.dashboard.parts import KNOWN_AHEAD
from headworks.waterway.site_file import AnySite

M = TypeVar("M", bound=Message)
BEAT_S = 5.0
MOST_WAITING = 500


@dataclass(eq=False)
class Watcher:
    """One page that watches a site. `gone` is set when it is let go."""

    site: str
    queue: asyncio.Queue[shapes.News | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    gone: bool = False

    def tell(self, news: shapes.News) -> None:
        """Queue it; a full queue means that the page does not keep up."""
        try:
            self.queue.put_nowait(news)
        except asyncio.QueueFull:
            self.let_go()

    def let_go(self) -> None:
        """End the page's stream."""
        self.gone = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Live:
    """The bus's news as the pages read them."""

    def __init__(self, sites: Mapping[str, AnySite], bus: Bus, clock: Clock, stale_after: timedelta) -> None:
        self._displays = {name: Display(site) for name, site in sites.items()}
        self._bus, self._clock, self._stale_after = bus, clock, stale_after
        self._watchers: set[Watcher] = set()
        self._told: dict[str, int] = dict.fromkeys(sites, 0)

    @property
    def watching(self) -> int:
        """How many pages watch."""
        return len(self._watchers)

    async def run(self) -> None:
        """Hear the bus for ever; run it as a task. At its end every page is let go."""
        hearing = [
            asyncio.create_task(followed)
            for followed in (
                self._hear(TELEMETRY, self._inputs),
                self._hear(CONTROL_STATE, _control),
                self._hear(SETPOINT, _setpoint),
                self._hear(ALARM, _alarm),
                self._hear(RUN_PROGRESS, _progress),
                self._hear(RUN_FINISHED, _finished),
                self._hear(PLAN_EVENT, _plan_changed),
                self._hear(FORECAST, _forecast_changed),
                self._hear(MARKET, _award_changed),
            )
        ]
        try:
            ended, _ = await asyncio.wait(hearing, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for watcher in list(self._watchers):
                watcher.let_go()
            await end(*hearing)

    async def _hear(self, subject: Subject[M], read: Callable[[M], Iterator[shapes.News]]) -> None:
        async for message, _delivery in self._bus.follow(subject):
            site = str(getattr(message, "site", ""))
            for news in read(message) if site in self._displays else ():
                self.tell(site, news)

    def told(self, site: str) -> int:
        """How often a large part of the site's view became new; a view of an earlier count is an old one."""
        return self._told[site]

    def tell(self, site: str, news: shapes.News) -> None:
        """Give every page of the site the news."""
        if isinstance(news, shapes.ChangedNews):
            self._told[site] += 1
        for watcher in list(self._watchers):
            if watcher.site == site:
                watcher.tell(news)

    @contextlib.contextmanager
    def watch(self, site: str) -> Iterator[Watcher]:
        """A watcher of a site."""
        watcher = Watcher(site)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def news(self, site: str, welcome: Callable[[], bool]) -> AsyncIterator[shapes.News]:
        """News of a site, and a beat between them, until the watcher is let go or is `welcome` no more."""
        with self.watch(site) as watcher:
            yield self.beat()
            while not watcher.gone:
                try:
                    async with asyncio.timeout(BEAT_S):
                        item = await watcher.queue.get()
                except TimeoutError:
                    if not welcome():
                        return
                    yield self.beat()
                    continue
                if item is None:
                    return
                yield item

    def beat(self) -> shapes.ClockNews:
        """Plant time, and whether the bus is heard."""
        return shapes.ClockNews(
            now=self._clock.now(), clock_speed=self._clock.speed, bus_connected=self._bus.is_connected
        )

    def _inputs(self, message: Measurements) -> Iterator[shapes.News]:
        display = self._displays[message.site]
        of_now = [sample for sample in message.samples if sample.series not in KNOWN_AHEAD]
        if of_now:
            yield shapes.InputsNews(inputs=[input_of(display, sample, self._stale_after) for sample in of_now])
        if len(of_now) < len(message.samples):
            yield shapes.ChangedNews(part="price", at=message.known_at)


def _finished(message: RunFinished) -> Iterator[shapes.News]:
    yield shapes.RunNews(run_id=message.run_id, at=message.at, stage=None, status=message.status, text=message.reason)
    yield shapes.ChangedNews(part="schedule", at=message.at)


def _plan_changed(message: PlanEvent) -> Iterator[shapes.News]:
    yield shapes.ChangedNews(part="plan", at=message.at)


def _forecast_changed(message: Forecast) -> Iterator[shapes.News]:
    yield shapes.ChangedNews(part="forecast", at=message.known_at)


def _award_changed(message: Award) -> Iterator[shapes.News]:
    yield shapes.ChangedNews(part="award", at=message.known_at)


def _control(message: ControlState) -> Iterator[shapes.News]:
    yield shapes.ControlNews(control=control_of(message))


def _setpoint(message: Setpoint) -> Iterator[shapes.News]:
    yield shapes.SetpointNews(setpoint=setpoint_of(message))


def _alarm(message: AlarmTransition) -> Iterator[shapes.News]:
    yield shapes.AlarmNews(alarm=alarm_of(message))


def _progress(message: RunProgress) -> Iterator[shapes.News]:
    yield shapes.RunNews(run_id=message.run_id, at=message.at, stage=message.stage, status=None, text=message.text)

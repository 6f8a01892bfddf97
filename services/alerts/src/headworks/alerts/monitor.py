"""Watches one site: learns facts from the bus, and lets every alarm see them at once and at a steady beat."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from headworks.alerts.conditions import Facts, read
from headworks.alerts.events import CauseChange, of_reply, of_run, of_setpoint, of_state
from headworks.alerts.lifecycle import Changed, Record, observe
from headworks.alerts.sections import Alarm, EventAlarm
from headworks.alerts.store import AlarmStore, Decide
from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.database import DatabaseUnavailable
from headworks.common.handling import Delivery
from headworks.common.messages import Message
from headworks.common.service import Task
from headworks.common.subjects import (
    CONTROL_STATE,
    MARKET,
    PLAN_REPLY,
    RUN_FINISHED,
    SETPOINT,
    TELEMETRY,
    Subject,
)
from headworks.common.tasks import wait_at_most
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite

M = TypeVar("M", bound=Message)
log = structlog.get_logger(__name__)
EVALUATE_EVERY_S = 1.0


class Monitor:
    """The alarms of one site."""

    def __init__(self, site: AnySite, alarms: Mapping[str, Alarm], store: AlarmStore, clock: Clock) -> None:
        self.site, self.alarms = site, alarms
        self._store, self._clock = store, clock
        self.facts = Facts(clock.now())
        self._wake = asyncio.Event()

    def tasks(self, bus: Bus) -> dict[str, Task]:
        """What must run for ever."""
        events: dict[str, Task] = {
            "replies": self._hearing(bus, PLAN_REPLY, of_reply, Deliver.NEW),
            "runs": self._hearing(bus, RUN_FINISHED, of_run, Deliver.NEW),
            "setpoints": self._hearing(bus, SETPOINT, of_setpoint, Deliver.NEW),
            "control": self._hearing(bus, CONTROL_STATE, of_state, Deliver.LAST_PER_SUBJECT),
        }
        watching: dict[str, Task] = {
            "telemetry": lambda: self._watch_telemetry(bus),
            "evaluation": self._keep_evaluating,
        }
        if isinstance(self.site, AfterbaySite):
            resource = self.site.afterbay.upstream.market_resource
            watching["awards"] = lambda: self._watch_awards(bus, resource)
        return {f"{name}-{self.site.site}": task for name, task in (events | watching).items()}

    async def _watch_telemetry(self, bus: Bus) -> None:
        newest = bus.follow(TELEMETRY, deliver=Deliver.LAST_PER_SUBJECT, site=self.site.site)
        async for measurements, _ in newest:
            for sample in measurements.samples:
                self.facts.learn(sample)
            self._wake.set()

    async def _watch_awards(self, bus: Bus, resource: str) -> None:
        async for award, _ in bus.follow(MARKET, deliver=Deliver.ALL, site=self.site.site):
            if award.resource == resource:
                self.facts.award_dates.add(award.trade_date)

    def _hearing(
        self, bus: Bus, subject: Subject[M], meaning: Callable[[M], Iterable[CauseChange]], deliver: Deliver
    ) -> Task:
        async def on_message(message: M, _delivery: Delivery) -> None:
            await self.take(meaning(message))

        name = subject.message.__name__.lower()
        return lambda: bus.consume(
            subject,
            on_message,
            durable=f"alerts-{name}-{self.site.site}",
            deliver=deliver,
            site=self.site.site,
        )

    async def take(self, changes: Iterable[CauseChange]) -> None:
        """Let the alarms on an event know of its causes, and see them at once."""
        heard = tuple(changes)
        decide: dict[str, Decide] = {
            name: partial(self._with_causes, alarm, own)
            for name, alarm in self.alarms.items()
            if isinstance(alarm, EventAlarm) and (own := [change for change in heard if change.event == alarm.event])
        }
        if decide:
            await self._store.change(self.site.site, self.alarms, decide, self._clock.now())

    def _with_causes(self, alarm: EventAlarm, changes: Sequence[CauseChange], record: Record) -> Changed:
        causes = dict(record.causes)
        for change in changes:
            causes = change.applied(causes)
        return self._observed(alarm, replace(record, causes=causes))

    def _observed(self, alarm: Alarm, record: Record) -> Changed:
        now = self._clock.now()
        reading = read(alarm, self.site, self.facts, record.causes, now, held=record.holds)
        return observe(alarm, record, reading, now)

    async def evaluate(self) -> None:
        """Let every alarm see the facts as they are now."""
        decide: dict[str, Decide] = {name: partial(self._observed, alarm) for name, alarm in self.alarms.items()}
        await self._store.change(self.site.site, self.alarms, decide, self._clock.now())

    async def _keep_evaluating(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.evaluate()
            except DatabaseUnavailable as error:
                log.warning("alarms wait for the database", site=self.site.site, error=repr(error))
            await wait_at_most(self._wake, EVALUATE_EVERY_S)

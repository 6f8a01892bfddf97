"""The sites under control, each with its loop and tasks: one begins, or begins anew, while the others go on."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from headworks.common.service import Task
from headworks.common.tasks import end
from headworks.control_gateway.loop import ControlLoop
from headworks.waterway.site import Site

log = structlog.get_logger(__name__)
TURN_S = 10.0
"""Longer than a whole turn with a hung PLC."""
Build = Callable[[Site], tuple[ControlLoop, Mapping[str, Task]]]
"""Makes a site's loop and its tasks from its file and what the folder keeps. Raises ValueError naming what is wrong."""


@dataclass
class ControlledSites:
    """What is controlled. The API and the local API look up `loops`."""

    build: Build
    loops: dict[str, ControlLoop] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    _to_run: dict[str, Mapping[str, Task]] = field(default_factory=dict)
    _running: dict[str, list[asyncio.Task[None]]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, site: Site) -> None:
        """Make a site ready; it begins with `run`. Raises ValueError."""
        self.loops[site.site], self._to_run[site.site] = self.build(site)
        self.sites[site.site] = site

    async def run(self) -> None:
        """Run every site's tasks. Raises what one of them raised: a dead loop is a dead process."""
        try:
            for name in self.sites:
                self._start(name)
            while True:
                tasks = [task for of_site in self._running.values() for task in of_site]
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait([*tasks, news], return_when=asyncio.FIRST_COMPLETED)
                self._news.clear()
                await end(news)
                self._raise_first()
        finally:
            await end(*(task for of_site in self._running.values() for task in of_site))

    async def begin(self, site: Site, between: Callable[[], None] = lambda: None) -> None:
        """Control a new site, or a known one as it is now, from what its folder keeps: as after a restart, it begins from
        where its PLCs are. The old loop ends after its turn; where the new one cannot be made, the old one goes on.
        `between` is done when the old one has ended. Raises ValueError, and what `between` raises.
        """
        name, known = site.site, site.site in self._running
        self.build(site)  # what is wrong is found before anything ends
        if known:
            await self._end(name)
        try:
            between()
            self.add(site)
        finally:
            self._start(name)  # where it could not be made anew after all: the old one
        log.info("a site begins", site=name, anew=known, actuators=len(self.loops[name].actuators))

    async def _end(self, name: str) -> None:
        """Let the loop end its turn, then end the rest."""
        loop, tasks = self.loops[name], self._running.pop(name)
        loop.end_after_this_turn()
        await asyncio.wait(tasks, timeout=TURN_S, return_when=asyncio.FIRST_COMPLETED)
        await end(*tasks)
        loop.may_run_again()  # where the new one cannot be made, this one goes on
        for task in tasks:
            if not task.cancelled() and (fault := task.exception()) is not None:
                log.info("task ended", task=task.get_name(), why=repr(fault))

    def _start(self, name: str) -> None:
        if name in self._to_run:
            self._running[name] = [
                asyncio.create_task(_forever(task, what), name=what) for what, task in self._to_run[name].items()
            ]
            self._news.set()
            if not self.loops[name].leads.watch.rests_on:
                log.warning("no watchdog over measurements: control.watchdog.measurements names none", site=name)

    def _raise_first(self) -> None:
        for of_site in self._running.values():
            for task in of_site:
                if task.done():
                    task.result()


async def _forever(task: Task, name: str) -> None:
    await task()
    raise RuntimeError(f"task {name} ended by itself; the service ends with it")

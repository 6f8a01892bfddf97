"""Takes the submissions that wait at the same time through one transaction.

Most of what a submission costs is the call and the commit, not its plans; and submissions for one actuator would wait for each
other's commits. None waits for others to come: whoever finds the database free goes at once, and who comes meanwhile goes next.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import count

import asyncpg

from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.messages import PlanInterval
from headworks.plans.versions import Origin, horizons

AT_ONCE = 2
"""Calls under way: while the database does one, the next is made ready."""
MOST_INTERVALS = 2000
"""A call takes no more, but for a single submission that has more."""
ACCEPT = "select change, reply, known from plans.accept($1::json, $2::json)"
ACCEPT_OF_VENDORS = "select change, reply, known from plans.accept_of_vendors($1::json, $2::json)"


@dataclass(frozen=True)
class Asked:
    """A checked submission: who makes which versions, and what `plans.accept` takes beside (content, answer, reply_subject)."""

    origin: Origin
    intervals: Sequence[PlanInterval]
    row: Mapping[str, object]
    of_vendor: bool = False
    """Whether the registry is asked once more: own publishers pay nothing for it."""

    @property
    def own_id(self) -> tuple[str, str]:
        """Whose submission it is, and its id there."""
        return self.origin.publisher, self.origin.submission_id

    @cached_property
    def spans(self) -> tuple[tuple[tuple[str, str], datetime, datetime], ...]:
        """Which actuators it plans for, and from when to when."""
        by_resource: dict[str, list[PlanInterval]] = {}
        for interval in self.intervals:
            by_resource.setdefault(interval.resource, []).append(interval)
        return tuple(
            ((self.origin.site, resource), min(i.interval_start for i in of_it), max(i.interval_end for i in of_it))
            for resource, of_it in by_resource.items()
        )


@dataclass(frozen=True, slots=True)
class Done:
    """The reply as JSON; with the hash of the content it was given to, if that was before."""

    reply: str
    known: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    asked: Asked
    answer: asyncio.Future[Done]


class Together:
    """The one way to `plans.accept`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._under_way: list[_Waiting] = []
        self._at_work = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, asked: Asked) -> Done:
        """Store one submission, with others that wait. Raises what the database raises about this one."""
        waiting = _Waiting(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._at_work < AT_ONCE:
            self._at_work += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)  # or nobody holds it
            task.add_done_callback(self._tasks.discard)
        return await waiting.answer

    async def _work(self) -> None:
        """Serve who waits, until nobody does whom another's call does not keep waiting: that one looks again when it is done."""
        try:
            while together := self._next():
                self._under_way += together
                try:
                    await self._answer(together)
                finally:
                    self._under_way = [each for each in self._under_way if each not in together]
        finally:
            self._at_work -= 1  # at once with the last look, so that whoever comes next is served

    def _next(self) -> list[_Waiting]:
        """Who goes next, together, and waits no longer; who has gone meanwhile is forgotten."""
        waiting = [each for each in self._waiting if not each.answer.cancelled()]
        under_way = [each.asked for each in self._under_way]
        chosen = who_goes_together([each.asked for each in waiting], under_way)
        self._waiting = [each for place, each in enumerate(waiting) if place not in chosen]
        return [waiting[place] for place in sorted(chosen)]

    async def _answer(self, together: Sequence[_Waiting]) -> None:
        """What fails together is tried once more one by one, so that a fault is only whose it is.

        One that comes again is found then, too, if the same id was accepted elsewhere in between.
        """
        try:
            done = await self._call([each.asked for each in together])
        except Exception as error:  # noqa: BLE001 each caller has it raised where it waits
            a_lock = isinstance(error.__cause__, asyncpg.LockNotAvailableError)
            for each in together:
                if isinstance(error, DatabaseUnavailable) and not a_lock:
                    _raise_at(each, error)
                else:
                    await self._answer_alone(each)
            return
        for each, answer in zip(together, done, strict=True):
            _answer_at(each, answer)

    async def _answer_alone(self, one: _Waiting) -> None:
        try:
            [answer] = await self._call([one.asked])
        except Exception as error:  # noqa: BLE001 the caller has it raised where it waits
            _raise_at(one, error)
        else:
            _answer_at(one, answer)

    async def _call(self, together: Sequence[Asked]) -> list[Done]:
        changes = [{**asked.origin.row(number), **asked.row} for number, asked in enumerate(together)]
        places = count()
        wanted = [
            {"change": number, "horizon": next(places), **horizon}
            for number, asked in enumerate(together)
            for horizon in horizons(asked.intervals)
        ]
        accept = ACCEPT_OF_VENDORS if any(asked.of_vendor for asked in together) else ACCEPT
        rows = await self._database.fetch(accept, json.dumps(changes), json.dumps(wanted))
        found = {row["change"]: Done(row["reply"], row["known"]) for row in rows}
        return [found[number] for number in range(len(together))]


def who_goes_together(waiting: Sequence[Asked], under_way: Sequence[Asked] = ()) -> set[int]:
    """The places of those that the next call takes.

    Whoever overlaps one that is under way or came before it, or has its id, waits; and who overlaps that one waits too.
    """
    chosen: set[int] = set()
    taken: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
    ids: set[tuple[str, str]] = set()
    intervals = 0

    def take(asked: Asked) -> None:
        ids.add(asked.own_id)
        for actuator, first, last in asked.spans:
            taken.setdefault(actuator, []).append((first, last))

    for asked in under_way:
        take(asked)
    for place, asked in enumerate(waiting):
        apart = all(
            last <= a or b <= first for actuator, first, last in asked.spans for a, b in taken.get(actuator, ())
        )
        fits = intervals + len(asked.intervals) <= MOST_INTERVALS or not chosen
        if apart and fits and asked.own_id not in ids:
            chosen.add(place)
            intervals += len(asked.intervals)
        take(asked)
    return chosen


def _answer_at(waiting: _Waiting, answer: Done) -> None:
    if not waiting.answer.done():  # whoever asked may have gone
        waiting.answer.set_result(answer)


def _raise_at(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)

"""Hears submissions, each publisher's in a lane of its own: one that floods the bus waits behind itself alone.

Beside them runs the lane of all, for a publisher that has none: nobody's submission stays unanswered.
"""

import asyncio
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from headworks.common.bus import Bus
from headworks.common.database import DatabaseUnavailable
from headworks.common.handling import Delivery, Handler, Unreadable
from headworks.common.link import BusUnavailable
from headworks.common.messages import PlanSubmission
from headworks.common.subjects import PLAN_SUBMISSION, PLAN_SUBMISSIONS_STREAM
from headworks.common.tasks import end
from headworks.plans.vendor_desk import OWN
from headworks.plans.vendor_store import VendorStore

log = structlog.get_logger(__name__)
LOOK_S = 5.0
"""How soon a new vendor has its lane."""


@dataclass
class Lanes:
    """All lanes of this service; `keep` runs as a task."""

    bus: Bus
    registry: VendorStore
    handler: Handler[PlanSubmission]
    unreadable: Unreadable
    _own: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def publishers(self) -> frozenset[str]:
        """Who has a lane."""
        return frozenset(self._own)

    async def keep(self) -> None:
        """Hear for ever, and open a lane for each publisher that comes to be known. Raises what a lane raises."""
        assert PLAN_SUBMISSIONS_STREAM.kept_for is not None
        every = asyncio.create_task(
            self.bus.consume(
                PLAN_SUBMISSION,
                self._of_others,
                durable=PLAN_SUBMISSIONS_STREAM.kept_for,
                unreadable=self._unreadable_of_others,
            )
        )
        try:
            while True:
                await self._open()
                done, _ = await asyncio.wait(
                    [every, *self._own.values()], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
        finally:
            await end(every, *self._own.values())
            self._own.clear()

    async def _open(self) -> None:
        """Open the lanes that are wanting. The stream keeps messages for a lane before the lane of all passes them by."""
        for publisher in await self._publishers():
            if publisher in self._own:
                continue
            try:
                await self.bus.make_consumer(
                    PLAN_SUBMISSION, durable=_durable(publisher), in_order=True, publisher=publisher
                )
            except BusUnavailable as error:
                log.warning("a lane waits for the bus", publisher=publisher, error=str(error))
                return
            self._own[publisher] = asyncio.create_task(self._lane(publisher))

    async def _lane(self, publisher: str) -> None:
        """A new one hears what is in the stream from its begin: what was answered before is answered again, the same."""
        await self.bus.consume(
            PLAN_SUBMISSION,
            self.handler,
            durable=_durable(publisher),
            in_order=True,  # or an older horizon that is tried again would supersede a newer one
            unreadable=self.unreadable,
            publisher=publisher,
        )

    async def _of_others(self, submission: PlanSubmission, delivery: Delivery) -> None:
        if _publisher(delivery) not in self._own:
            await self.handler(submission, delivery)

    async def _unreadable_of_others(self, data: bytes, error: ValidationError, delivery: Delivery) -> None:
        if _publisher(delivery) not in self._own:
            await self.unreadable(data, error, delivery)

    async def _publishers(self) -> tuple[str, ...]:
        """Who has a lane: the optimizer, and every vendor there ever was. While the database is away, who has one already."""
        try:
            return (OWN, *(vendor.name for vendor in await self.registry.all()))
        except DatabaseUnavailable as error:
            log.warning("new vendors' lanes wait for the database", error=repr(error))
            return (OWN,)


def _publisher(delivery: Delivery) -> str:
    return delivery.subject.split(".")[2]


def _durable(publisher: str) -> str:
    return f"plans-{publisher}"

"""Hands an actuator to the PLC's own control, and takes it back: told, read back, journalled, and remembered over a restart.

What people switched to local at the plant is theirs: the gateway takes back only what it handed over itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import structlog

from headworks.common.clock import Clock
from headworks.common.messages import Outcome
from headworks.control_gateway.known import Known
from headworks.control_gateway.last_word import LastWord
from headworks.control_gateway.leading import Lead, Leader
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.orders import OrderBook
from headworks.control_gateway.plc import LOST, LinkFault, NotPermitted, Plc
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.writer import Differs, Verified, write_local

log = structlog.get_logger(__name__)
AT_THE_PLANT = "the PLC is in local control: somebody at the plant leads"
TOLD_AGAIN_AFTER_S = 60.0
"""A PLC that does not take it over is told again after so long."""


@dataclass(frozen=True, slots=True)
class LocalControl:
    """Who leads at the PLC, for one site."""

    orders: OrderBook
    recorder: Recorder
    clock: Clock
    last_word: LastWord

    def of_others(self, actuator: Actuator, known: Known) -> str | None:
        """Why the gateway must not lead: the PLC's own control does, and it was not the gateway that handed it over."""
        return AT_THE_PLANT if known.local and self.orders.handed_at(actuator.resource) is None else None

    async def settle(self, actuator: Actuator, plc: Plc, known: Known, lead: Lead, now: datetime) -> Known:
        """Tell the PLC who leads, where that is another than it says."""
        handed = self.orders.handed_at(actuator.resource) is not None
        if actuator.local is None or self.of_others(actuator, known) is not None:
            return known
        told_at = known.local_told_at
        if told_at is not None and (now - told_at).total_seconds() < TOLD_AGAIN_AFTER_S:
            return known
        if lead.by is Leader.LOCAL and not known.local:
            return await self._tell(actuator, plc, known, lead.why, now, local=True)
        if lead.by is not Leader.LOCAL and known.local:
            return await self._tell(actuator, plc, known, "the gateway leads again", now, local=False)
        if lead.by is not Leader.LOCAL and handed:
            self._forget(actuator.resource)
        return known

    async def _tell(self, actuator: Actuator, plc: Plc, known: Known, why: str, now: datetime, *, local: bool) -> Known:
        """Journal the intent, remember that it was the gateway, write, journal what became of it.

        What was surely not written is not remembered: who switches it to local next is somebody at the plant.
        """
        plan, record, resource = known.plan, self.recorder.local, actuator.resource
        handed_before = self.orders.handed_at(resource) is not None
        if not record(actuator, plan, Outcome.INTENDED, now, local=local, reason=why):
            return known
        try:
            if local:
                self.orders.hand_over(resource, now)
        except OSError:
            log.exception("not handed to local control: that cannot be remembered", resource=resource)
            record(actuator, plan, Outcome.HELD, now, local=local, reason="not written: it cannot be remembered")
            return known._replace(local_told_at=now)
        result = await write_local(plc, actuator, local, self.last_word.of(resource, known.stood))
        at = self.clock.now()
        if local and not handed_before and (isinstance(result, NotPermitted) or result == LinkFault(LOST)):
            self._forget(resource)
        if isinstance(result, NotPermitted):
            record(actuator, plan, Outcome.HELD, at, local=local, reason=f"not written: {result.reason}")
            return known
        known = known._replace(local_told_at=now)
        match result:
            case Verified(read_back=read_back):
                record(actuator, plan, Outcome.VERIFIED, at, local=local, read_back=read_back, reason=why)
                return known._replace(local=local, local_told_at=None)
            case Differs(read_back=read_back):
                reason = f"the PLC holds another leader than was written{result.why}"
                record(actuator, plan, Outcome.READ_BACK_DIFFERS, at, local=local, read_back=read_back, reason=reason)
                return known
            case LinkFault(reason=reason):
                record(actuator, plan, Outcome.LINK_LOST, at, local=local, reason=reason)
                return known._replace(link_up=False, decision=None)
            case _:
                assert_never(result)

    def _forget(self, resource: str) -> None:
        """It is not handed over, or not any more."""
        try:
            self.orders.take_back(resource)
        except OSError:
            log.exception("not handed to local control, and remembered as if it were", resource=resource)

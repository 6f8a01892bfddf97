"""What gateways tell each other: e-stops, modes and overrides, so that an order given at one holds at both, and outlasts either.

Each tells all that it knows, on every change and at a steady beat; what is heard is merged. A mode is the newest order's; an
e-stop is in force while anybody's press is. Newest is not what a clock says, but what was given knowing the other (orders.py).
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import ValidationError

from headworks.common.audit import Category, Result
from headworks.common.bus import Bus, Deliver
from headworks.common.link import BusUnavailable
from headworks.common.messages import GatewayOrders
from headworks.common.subjects import GATEWAY_ORDERS
from headworks.common.tasks import together, wait_at_most
from headworks.control_gateway.e_stop import EStops
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.safety import CLOCKS_DIFFER_S
from headworks.control_gateway.stop_orders import StopOrders

log = structlog.get_logger(__name__)
BEAT_S = 5.0
AGAIN_S = 0.5
PRESENT = timedelta(seconds=30)
"""Who told orders within this time is there."""


@dataclass
class SharedOrders:
    """The orders of people at this gateway and at others of the same sites."""

    gateway: str
    stops: StopOrders
    _place: int | None = None
    _heard: dict[str, int] = field(default_factory=dict)
    _warned: set[tuple[str, str]] = field(default_factory=set)

    @property
    def place(self) -> int | None:
        """Where the newest word of this gateway stands; None while an order is not told yet."""
        return None if self.stops.board.changed.is_set() else self._place

    async def share(self, bus: Bus) -> None:
        """Tell and hear for ever; run it as a task."""
        await together(self._tell(bus), self._hear(bus))

    def has_heard(self, gateway: str, place: int) -> bool:
        """Whether all that a gateway had told up to a place in the stream is known here."""
        return gateway == self.gateway or self._heard.get(gateway, -1) >= place

    async def _tell(self, bus: Bus) -> None:
        changed = self.stops.board.changed
        while True:
            if changed.is_set():
                changed.clear()
                self._place = None
            told = GatewayOrders(
                gateway=self.gateway,
                at=self.stops.auditor.clock.now(),
                e_stops=self.stops.board.now.model_dump(mode="json"),
                modes={site: loop.switches.kept_mode for site, loop in self.stops.loops.items()},
                actuator_modes={site: loop.leads.orders.now.modes for site, loop in self.stops.loops.items()},
                overrides={site: loop.leads.orders.now.overrides for site, loop in self.stops.loops.items()},
            )
            try:
                self._place = await bus.publish_after(GATEWAY_ORDERS, told, None, gateway=self.gateway)
            except BusUnavailable:
                changed.set()
                await asyncio.sleep(AGAIN_S)
                continue
            await wait_at_most(changed, BEAT_S)

    async def _hear(self, bus: Bus) -> None:
        async for told, delivery in bus.follow(GATEWAY_ORDERS, deliver=Deliver.LAST_PER_SUBJECT):
            if told.gateway != self.gateway:
                self.heard(told)
                self._warn_of_a_second(told, delivery.published_at)
                self._heard[told.gateway] = delivery.sequence

    def _warn_of_a_second(self, told: GatewayOrders, published_at: datetime) -> None:
        """Say loudly that another gateway controls a site that this one takes for its own alone."""
        if datetime.now(UTC) - published_at > PRESENT:
            return
        for site in sorted(told.modes):
            loop = self.stops.loops.get(site)
            if loop is not None and not loop.fences and (told.gateway, site) not in self._warned:
                self._warned.add((told.gateway, site))
                why = f"{told.gateway} controls it too, and its site file has no ha.standby here: end one of the two"
                log.error("two gateways without a lease", site=site, why=why)
                self.stops.auditor.note(
                    Category.CONTROL_SYSTEM,
                    "second_gateway",
                    told.gateway,
                    result=Result.FAILURE,
                    subject=site,
                    reason=why,
                )

    def heard(self, told: GatewayOrders) -> None:
        """Another gateway's orders."""
        try:
            self.stops.heard(EStops.model_validate(told.e_stops), told.gateway)
        except ValidationError:
            log.exception("another gateway's e-stops cannot be read", gateway=told.gateway)
            raise
        for site, mode in told.modes.items():
            if site in self.stops.loops:
                self.stops.loops[site].switches.take_over(mode)
        for site, loop in self.stops.loops.items():
            loop.leads.orders.take_over(told.actuator_modes.get(site, {}), told.overrides.get(site, {}))
            self._find_ahead(told, site, loop)

    def _find_ahead(self, told: GatewayOrders, site: str, loop: ControlLoop) -> None:
        """Tell people of orders that are stamped in this gateway's future: one of the clocks is wrong."""
        of_site = [told.modes[site]] if site in told.modes else []
        modes = (mode.at for mode in (*of_site, *told.actuator_modes.get(site, {}).values()))
        overrides = (override.given_at for override in told.overrides.get(site, {}).values())
        ahead_s = (max((told.at, *modes, *overrides)) - self.stops.auditor.clock.now()).total_seconds()
        if ahead_s <= CLOCKS_DIFFER_S:
            if loop.orders_ahead.pop(told.gateway, None) is not None:
                loop.changed.set()
        elif told.gateway not in loop.orders_ahead:
            why = f"orders of gateway {told.gateway} are stamped {ahead_s:.0f} s in the future: one of the two clocks is wrong"
            loop.orders_ahead[told.gateway] = why
            loop.changed.set()
            log.error("orders from the future", site=site, gateway=told.gateway, ahead_s=ahead_s)
            lost = Result.FAILURE
            self.stops.auditor.note(
                Category.CONTROL_SYSTEM, "orders_ahead", told.gateway, result=lost, subject=site, reason=why
            )

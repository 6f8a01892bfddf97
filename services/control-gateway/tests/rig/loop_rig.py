"""A gateway that controls the afterbay's unit over a real Modbus/TCP server, ticked by hand."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from gateway_rig import TIMEOUT_S, HandClock, lead_board, plc_at

from headworks.common.bus import Bus
from headworks.common.messages import Plan, ResourceState, Setpoint
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.control_gateway.fencing import EPOCH_POINT, Fence, Term
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_interlocks import SiteInterlocks, interlocks_of
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.watchdog import WatchLimits
from headworks.waterway.site import Site


@dataclass
class Gateway:
    """A gateway's loop, ticked by hand, as often begun anew as a test likes."""

    folder: Path
    actuators: tuple[Actuator, ...]
    ports: dict[str, int]
    clock: HandClock
    bus: Bus
    client: httpx.AsyncClient
    tick_s: float = 60.0
    timeout_s: float = TIMEOUT_S
    made: SiteInterlocks | None = None
    watch: WatchLimits | None = None
    points: PlcPoints | None = None
    term: Term | None = None
    """Where another gateway could lead: the lease as this one sees it."""
    plans: OptimizationPlanManager = field(init=False)
    loop: ControlLoop = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin as after a restart: only what lies in the folder is known."""
        self.plans = OptimizationPlanManager(
            "abay", self.client, self.bus, self.clock, cache_file=self.folder / "plans-abay.json"
        )
        epoch = None if self.points is None else self.points.writable.get(EPOCH_POINT)
        term, write_s = self.term, 2 * self.timeout_s
        fences = {} if term is None else {name: Fence(term, write_s, epoch) for name in self.ports}
        plcs = {name: plc_at(port, self.points, self.timeout_s) for name, port in self.ports.items()}
        for name, fence in fences.items():
            plcs[name].fence = fence
        self.loop = ControlLoop(
            site="abay",
            actuators=self.actuators,
            plcs=plcs,
            plans=self.plans,
            switches=SwitchBoard(self.folder, "abay"),
            journal=Journal(self.folder),
            clock=self.clock,
            tick_s=self.tick_s,
            leads=lead_board(self.folder, "abay", self.actuators, self.clock.now(), self.made, self.watch),
            fences=fences,
        )

    def follow(self, *plans: Plan) -> None:
        """These plans and no other are active."""
        self.plans._hold(plans, ended=set(self.plans._by_id))
        assert self.plans._cache is not None
        self.plans._cache.store()

    async def tick(self, *, after_s: float = 1.0, times: int = 1) -> ResourceState:
        for _ in range(times):
            self.clock.forward(after_s)
            for name in self.ports:
                await self.loop._turn(name)
        return self.loop.state().resources[0]

    def told(self) -> list[Setpoint]:
        """All that is in the journal."""
        return Journal(self.folder).unshipped(10_000)[0]

    def outcomes(self) -> list[str]:
        return [entry.outcome.value for entry in self.told()]

    def close(self) -> None:
        for plc in self.loop.plcs.values():
            plc.close()

    def begin_with(self, **changes: object) -> None:
        """Begin anew with another actuator."""
        self.actuators = tuple(actuator.model_copy(update=changes) for actuator in self.actuators)
        self.close()
        self.begin()

    def begin_by(self, site: Site) -> None:
        """Begin anew by another site file."""
        section = control_section(site)
        self.actuators, self.points = actuators_of(site, section), plc_points(site.site, section)["oxph-plc"]
        self.made = interlocks_of(site, section, self.actuators)
        self.close()
        self.begin()


def with_limits(gateway: Gateway, **changes: object) -> None:
    """The gateway begins anew with other limits."""
    [actuator] = gateway.actuators
    gateway.begin_with(limits=replace(actuator.limits, **changes))  # type: ignore[arg-type]  # fields of any type

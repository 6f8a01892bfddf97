"""A folder of site files and the gateway's loops over them, on one real PLC: sites begin, begin anew, and are restarted."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from gateway_rig import HandClock, PlcServer, lead_board, plc_at

from headworks.common.bus import Bus
from headworks.common.messages import Plan, PlannedActuator
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.service import Task
from headworks.common.testing import eventually
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.clock_mark import ClockMarks
from headworks.control_gateway.clock_watch import ClockWatch
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.discovering import Discovery
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import actuators_of
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.steady_clock import SteadyClock
from headworks.control_gateway.switches import SwitchBoard
from headworks.waterway.site import Site
from headworks.waterway.site_file import parse_site

Raw = dict[str, Any]
SECOND = {
    "setpoint": {"table": "holding", "address": 120, "type": "uint16", "scale": "0.01 MW", "writable": True},
    "readback": {"table": "holding", "address": 121, "type": "uint16", "scale": "0.01 MW"},
    "actual": {"table": "input", "address": 120, "type": "uint16", "scale": "0.01 MW"},
}


def site_of(raw: Raw, **changes: Any) -> Site:
    return parse_site(yaml.safe_dump(raw | changes))


def with_second(raw: Raw, **points: Any) -> Raw:
    """The file with a second unit on the same PLC."""
    grown = copy.deepcopy(raw)
    grown["control"]["plcs"]["oxph-plc"]["points"]["SECOND"] = SECOND | points
    grown["control"]["actuators"]["SECOND"] = grown["control"]["actuators"]["OXPH"]
    return grown


@dataclass
class Running:
    """The afterbay under control in a folder of its own."""

    sites: Path
    state: Path
    plc_server: PlcServer
    clock: HandClock
    bus: Bus
    client: httpx.AsyncClient
    controlled: ControlledSites = field(init=False)
    discovery: Discovery = field(init=False)
    watch: ClockWatch = field(init=False)
    refused: str = ""
    lived_s: float = 0.0
    """The machine's seconds."""
    boot: str = "first"
    planned: list[PlannedActuator] | int = field(default_factory=list)
    """What the plans service names; a number is the status of a refusal."""

    def __post_init__(self) -> None:
        """Begin with the file that is there."""
        self.begin()

    def begin(self) -> None:
        """Begin as after a restart: only what lies in the two folders is known. It is not run yet."""
        self.journal = Journal(self.state)
        self.marks = ClockMarks(self.state, self.clock, self.journal.begun_after, lambda: self.lived_s, self.boot)
        self.controlled, self.starting = ControlledSites(self.build), True
        for path in self.sites.glob("*.yaml"):
            self.controlled.add(parse_site(path.read_text()))
        self.starting = False
        auditor = Auditor(self.journal, self.clock)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.plans_service), base_url="http://plans")
        self.discovery = Discovery(
            self.sites, self.controlled, auditor, client, every_s=3600, elsewhere=frozenset({"elsewhere"})
        )
        self.watch = ClockWatch(self.controlled, auditor, self.marks)

    def build(self, site: Site) -> tuple[ControlLoop, dict[str, Task]]:
        if site.site == self.refused:
            raise ValueError(f"HEADWORKS_PLC_ADDRESSES lacks the PLC of {site.site}")
        begun_at = self.marks.would_be(site.site) if self.starting else None
        section, clock = control_section(site), SteadyClock.beside(self.clock, lambda: self.lived_s, begun_at)
        actuators = actuators_of(site, section)
        plans = OptimizationPlanManager(
            site.site, self.client, self.bus, clock, cache_file=self.state / f"plans-{site.site}.json"
        )
        loop = ControlLoop(
            site=site.site,
            actuators=actuators,
            plcs={n: plc_at(self.plc_server.port, p) for n, p in plc_points(site.site, section).items()},
            plans=plans,
            switches=SwitchBoard(self.state, site.site),
            journal=self.journal,
            clock=clock,
            tick_s=0.02,
            leads=lead_board(self.state, site.site, actuators, clock.now()),
        )
        return loop, {f"control-{site.site}": loop.run}

    def plans_service(self, request: httpx.Request) -> httpx.Response:
        """What the neighbour that keeps the plans answers to discovery."""
        assert request.url.path == "/plans/actuators"
        if isinstance(self.planned, int):
            return httpx.Response(self.planned)
        return httpx.Response(200, json=[actuator.model_dump() for actuator in self.planned])

    def live(self, seconds: float) -> None:
        """So much time passes."""
        self.lived_s += seconds
        self.clock.forward(seconds)

    async def turns(self, count: int = 3) -> None:
        """Let the PLC see so many turns."""
        for _ in range(count):
            beat = self.plc_server.heartbeat
            await eventually(lambda beat=beat: self.plc_server.heartbeat != beat)

    async def moved_to(self, counts: int) -> None:
        """Live, for twenty minutes at most, until the PLC holds so much."""
        for _ in range(80):
            self.live(15)
            await self.turns(2)
            if self.plc_server.setpoint >= counts:
                return
        raise AssertionError(f"the PLC holds {self.plc_server.setpoint}: {self.loop.state().resources[0].reason}")

    def write(self, name: str, raw: Raw) -> None:
        (self.sites / name).write_text(yaml.safe_dump(raw))

    def follow(self, *plans: Plan) -> None:
        """What the gateway holds, and would find in its folder after a restart."""
        held = self.controlled.loops["abay"].plans
        held._hold(plans, ended=set())
        assert held._cache is not None
        held._cache.store()

    @property
    def loop(self) -> ControlLoop:
        return self.controlled.loops["abay"]

    def is_up(self, name: str) -> bool:
        return name in self.controlled.loops and all(r.link_up for r in self.controlled.loops[name].state().resources)

"""Two PLCs of four pumps each on real Modbus/TCP servers, and a gateway that controls them, ticked by hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from gateway_rig import TIMEOUT_S, HandClock, lead_board, plc_at, points_of
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from time_rig import NOW

from headworks.common.bus import Bus
from headworks.common.embedded.process import free_port
from headworks.common.messages import Outcome, Plan, PumpTargets, ResourceState, ResourceType, Setpoint
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.testing import active_plan
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.pump_limits import PumpLimits
from headworks.control_gateway.runs import RunBook
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_interlocks import SiteInterlocks, interlocks_of
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.control_gateway.station import Station
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.watchdog import WatchLimits
from headworks.waterway.site import Site

LEVEL, HEARTBEAT, EPOCH = 200, 300, 301
KW_AT_50_HZ = 400.0
PLAN_IDS = count(100)


@dataclass
class PumpRegisters:
    """One pump: it takes over what is written and does it at once; `broken` stands whatever it is told."""

    setpoint: int = 4900
    read_back: int = 4900
    run: int = 0
    run_read_back: int = 0
    running: int = 0
    speed: int = 4900
    minutes_in_state: int = 0
    broken: bool = False
    local: int = 0
    contact_broken: bool = False
    """Its run feedback says that it stands, whatever it does."""

    def write(self, register: int, value: int) -> None:
        if register == 0:
            self.setpoint = self.read_back = self.speed = value
        if register == 2:
            self.run = self.run_read_back = value
            self.running = 0 if self.broken else value
        if register == 4:
            self.local = value

    def holding(self, register: int) -> int:
        held = (self.setpoint, self.read_back, self.run, self.run_read_back, self.local, self.local)
        return held[register] if register < len(held) else 0

    def input(self, register: int) -> int:
        speed = self.speed if self.running == 1 else 0
        power = round(KW_AT_50_HZ * 10 * (speed / 5000) ** 3)
        measured = (
            speed,
            0 if self.contact_broken else self.running,
            3000 if speed else 0,
            power,
            self.minutes_in_state,
        )
        return measured[register] if register < len(measured) else 0


@dataclass
class PumpPlcServer:
    """A PLC of four pumps with the registers of sites/blominmaki.yaml. `writes` are (pump, "speed", "run" or "local", counts)."""

    unit_id: int
    level: int = 2000
    port: int = field(default_factory=free_port)
    fault: str = "none"
    heartbeat: int = 0
    epoch: int = 0
    while_asked: Callable[[], None] = lambda: None
    """What happens while the PLC is asked who leads."""
    pumps: list[PumpRegisters] = field(default_factory=lambda: [PumpRegisters() for _ in range(4)])
    writes: list[tuple[int, str, int]] = field(default_factory=list)
    _server: ModbusTcpServer | None = None

    async def start(self) -> None:
        block = [SimData(address=0, count=400, values=0, datatype=DataType.REGISTERS)]
        bits = [SimData(address=0, count=1, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(self.unit_id, simdata=(bits, bits, block, block), action=self._on_access)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
            self._server = None

    def restart(self) -> None:
        """After a power cycle the holding registers read 0; the machines go on as they were."""
        for pump in self.pumps:
            pump.setpoint = pump.read_back = pump.run = pump.run_read_back = 0

    async def _on_access(
        self, function_code: int, start_address: int, address: int, count: int, current: list[int], values: Any
    ) -> ExcCodes | None:
        if self.fault == "hang":
            await asyncio.sleep(3600)
        if function_code == 6 and address == HEARTBEAT and values is not None:
            self.heartbeat = int(values[0])
        elif function_code == 6 and values is not None:
            pump, register = divmod(address - 100, 10)
            if self.fault == "refuse":
                return ExcCodes.DEVICE_FAILURE
            self.writes.append((pump + 1, {0: "speed", 2: "run", 4: "local"}[register], int(values[0])))
            self.pumps[pump].write(register, int(values[0]))
        if function_code in {3, 4}:
            for at in range(address, address + count):
                current[at - start_address] = self._read(function_code, at)
        return None

    def _read(self, function_code: int, address: int) -> int:
        if address == LEVEL:
            return self.level if function_code == 4 else 0
        if address == HEARTBEAT:
            return self.heartbeat
        if address == EPOCH:
            self.while_asked()
            return self.epoch
        pump, register = divmod(address - 100, 10)
        return self.pumps[pump].holding(register) if function_code == 3 else self.pumps[pump].input(register)


@dataclass
class PumpGateway:
    """A gateway's loop over the two PLCs, as often begun anew as a test likes."""

    folder: Path
    actuators: tuple[Actuator, ...]
    limits: PumpLimits
    servers: Sequence[PumpPlcServer]
    clock: HandClock
    bus: Bus
    client: httpx.AsyncClient
    timeout_s: float = TIMEOUT_S
    made: SiteInterlocks | None = None
    watch: WatchLimits | None = None
    points: Mapping[str, PlcPoints] | None = None
    loop: ControlLoop = field(init=False)
    plans: OptimizationPlanManager = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin as after a restart: only what lies in the folder is known."""
        self.plans = OptimizationPlanManager(
            "blominmaki", self.client, self.bus, self.clock, cache_file=self.folder / "plans-blominmaki.json"
        )
        runs = RunBook(self.folder, "blominmaki", self.limits.unseen_s)
        self.loop = ControlLoop(
            site="blominmaki",
            actuators=self.actuators,
            plcs={
                name: plc_at(s.port, (self.points or {}).get(name) or points_of("blominmaki", name), self.timeout_s)
                for name, s in ((f"pumps-{s.unit_id}", s) for s in self.servers)
            },
            plans=self.plans,
            switches=SwitchBoard(self.folder, "blominmaki"),
            journal=Journal(self.folder),
            clock=self.clock,
            tick_s=60.0,
            leads=lead_board(self.folder, "blominmaki", self.actuators, self.clock.now(), self.made, self.watch),
            station=Station(self.limits, self.limits.interlocks.order, runs, self.clock.now()),
        )

    def follow(self, *plans: Plan) -> None:
        """These plans and no other are active."""
        self.plans._hold(plans, ended=set(self.plans._by_id))
        assert self.plans._cache is not None
        self.plans._cache.store()

    def plan(self, *on: str, speed_hz: float = 49.0) -> None:
        """These pumps on at a speed, all others off; made now."""
        made = self.clock.now()
        ends = made + timedelta(hours=24)
        self.follow(
            *(
                pump_plan(p, speed_hz if p in on else 0, plan_id=next(PLAN_IDS), made=made, ends=ends)
                for p in (actuator.resource for actuator in self.actuators)
            )
        )

    def begin_with(self, **changes: str) -> None:
        """Begin anew, all pumps with another entry in the site file."""
        self.actuators = tuple(actuator.model_copy(update=changes) for actuator in self.actuators)
        self.begin()

    def begin_by(self, site: Site) -> None:
        """Begin anew by another site file."""
        section = control_section(site)
        self.actuators, self.points = actuators_of(site, section), plc_points(site.site, section)
        self.made = interlocks_of(site, section, self.actuators)
        self.close()
        self.begin()

    async def tick(self, *, after_s: float = 10.0, times: int = 1) -> dict[str, ResourceState]:
        for _ in range(times):
            self.clock.forward(after_s)
            for name in self.loop.plcs:
                await self.loop._turn(name)
        return {state.resource: state for state in self.loop.state().resources}

    async def settle(self) -> None:
        """Let the minimum run and rest pass, seen all the time; then what was written is forgotten."""
        await self.tick(after_s=600, times=13)
        for server in self.servers:
            server.writes.clear()

    def pump(self, resource: str) -> PumpRegisters:
        return self.servers[int(resource[1]) - 1].pumps[int(resource[3]) - 1]

    def run(self, *resources: str) -> None:
        """These pumps run, and no other, as the PLCs were told before the gateway began."""
        for actuator in self.actuators:
            pump, on = self.pump(actuator.resource), actuator.resource in resources
            pump.run = pump.run_read_back = pump.running = int(on)

    def running(self) -> set[str]:
        return {actuator.resource for actuator in self.actuators if self.pump(actuator.resource).running}

    def written(self) -> list[tuple[str, str, int]]:
        """All writes, PLC by PLC: (resource, "speed" or "run", counts)."""
        return [(f"P{s.unit_id}_{pump}", what, counts) for s in self.servers for pump, what, counts in s.writes]

    def told(self) -> list[Setpoint]:
        """What was decided and done, as the journal has it."""
        return [entry for entry in self.journal() if entry.outcome is not Outcome.HELD]

    def led(self, resource: str) -> list[str]:
        """Who led a pump, one after the other, as the journal has it."""
        return [e.reason for e in self.journal() if e.resource == resource and e.outcome is Outcome.HELD]

    def journal(self) -> list[Setpoint]:
        return Journal(self.folder).unshipped(10_000)[0]

    def set_level(self, counts: int) -> None:
        for server in self.servers:
            server.level = counts

    def close(self) -> None:
        for plc in self.loop.plcs.values():
            plc.close()


def pump_plan(
    resource: str,
    speed_hz: float | None,
    *,
    plan_id: int = 0,
    made: datetime = NOW,
    ends: datetime = NOW + timedelta(hours=24),
    level_m: float | None = None,
    power_kw: float | None = None,
) -> Plan:
    """A plan of one pump; 0 Hz is off."""
    return active_plan(
        PumpTargets(suggested_speed_hz=speed_hz, target_level_m=level_m, target_power_kw=power_kw),
        station_id="blominmaki",
        resource_id=resource,
        resource_type=ResourceType.PUMP,
        begins=NOW - timedelta(hours=1),
        ends=ends,
        made=made,
        plan_id=plan_id or 10 * int(resource[1]) + int(resource[3]),
    )

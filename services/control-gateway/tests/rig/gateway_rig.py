"""What the gateway's tests share: a clock moved by hand, plans, and a PLC on a real Modbus/TCP server."""

import asyncio
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from time_rig import NOW

from headworks.common.clock import Clock
from headworks.common.embedded.process import free_port
from headworks.common.messages import (
    GenericTargets,
    Measurements,
    Plan,
    PumpTargets,
    Quality,
    ResourceType,
    Sample,
    TargetType,
)
from headworks.common.sites import read_sites
from headworks.common.testing import active_plan
from headworks.control_gateway.lead_board import LeadBoard
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.orders import OrderBook
from headworks.control_gateway.plc import Plc
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_interlocks import SiteInterlocks
from headworks.control_gateway.site_points import PlcPoints, plc_points
from headworks.control_gateway.trip_board import TripBoard
from headworks.control_gateway.watchdog import WatchLimits
from headworks.waterway.site import Site

LOCAL, HEARTBEAT, EPOCH, SECOND = 102, 110, 111, 120
TIMEOUT_S = 1.0
"""Of a PLC: on a busy machine one that answers at once may take a fifth of this; each that hangs costs a test as much."""


def lead_board(
    folder: Path,
    site: str,
    actuators: Iterable[Actuator],
    now: datetime,
    made: SiteInterlocks | None = None,
    watch: WatchLimits | None = None,
) -> LeadBoard:
    """Who stands above the plan, as the folder says; no silence is too long where no other limit is given."""
    return LeadBoard(
        TripBoard(folder, site, made or SiteInterlocks(), now),
        OrderBook(folder, site, [actuator.resource for actuator in actuators]),
        watch or WatchLimits(timedelta(days=365).total_seconds()),
        begun_at=now,
    )


@cache
def points_of(site: str, plc: str) -> PlcPoints:
    """A PLC's points in the repository's site file."""
    folder = next(p / "sites" for p in Path(__file__).resolve().parents if (p / "sites" / "abay.yaml").exists())
    return plc_points(site, control_section(read_sites(folder)[site]))[plc]


def plc_at(port: int, points: PlcPoints | None = None, timeout_s: float = TIMEOUT_S) -> Plc:
    """A port to a PLC on this machine; the afterbay's where no other is named."""
    points = points_of("abay", "oxph-plc") if points is None else points
    return Plc(replace(points, timeout_s=timeout_s), "127.0.0.1", port)


def changed(site: Site, path: str, value: object) -> Site:
    """The site with one field of its control section changed; None takes it out."""
    extra = copy.deepcopy(site.model_extra or {})
    *folders, name = path.split(".")
    at: dict[str, Any] = extra["control"]
    for folder in folders:
        at = at[folder]
    if value is None:
        del at[name]
    else:
        at[name] = value
    return Site.model_construct(**{name: getattr(site, name) for name in Site.model_fields}, **extra)


class HandClock(Clock):
    """A clock that stands until a test moves it."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)

    def now(self) -> datetime:
        at: datetime = self.at  # type: ignore[attr-defined]  # the base is frozen and has slots
        return at

    def forward(self, seconds: float) -> None:
        object.__setattr__(self, "at", self.now() + timedelta(seconds=seconds))


@dataclass
class PlcServer:
    """A PLC with the afterbay's registers: a setpoint taken over is read back, and the machine follows at once.

    A second unit beside it, at 120, does the same.
    """

    setpoint: int = 200
    read_back: int = 200
    actual: int = 200
    port: int = field(default_factory=free_port)
    fault: str = "none"
    epoch: int = 0
    while_asked: Callable[[], None] = lambda: None
    """What happens while the PLC is asked who leads."""
    writes: list[int] = field(default_factory=list)
    stale_reads: int = 0
    elevation: int = 7000
    second: int = 200
    local: int = 0
    heartbeat: int = 0
    deaf: bool = False
    hung: bool = False
    _server: ModbusTcpServer | None = None

    async def start(self) -> None:
        block = [SimData(address=0, count=200, values=0, datatype=DataType.REGISTERS)]
        bits = [SimData(address=0, count=1, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(1, simdata=(bits, bits, block, block), action=self._on_access)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
            self._server = None

    def restart(self) -> None:
        """After a power cycle the registers read 0; the machine goes on as it was."""
        self.setpoint = self.read_back = self.epoch = 0

    async def _on_access(
        self, function_code: int, start_address: int, address: int, count: int, current: list[int], values: Any
    ) -> ExcCodes | None:
        if self.fault == "hang" or (self.fault == "hang_on_write" and (function_code == 6 or self.hung)):
            self.hung = True
            await asyncio.sleep(3600)  # hung for longer than any test lives; it ends with the test's loop
        if self.fault == "exception" or (self.fault == "exception_on_write" and function_code == 6):
            return ExcCodes.DEVICE_FAILURE
        if function_code == 6 and address == 100 and values is not None:
            self._take(int(values[0]))
        if function_code == 6 and address == SECOND and values is not None:
            self.second = int(values[0])
        if function_code == 6 and address == EPOCH and values is not None:
            self.epoch = int(values[0])
        if function_code == 6 and address == LOCAL and values is not None and not self.deaf:
            self.local = int(values[0])
        if function_code == 6 and address == HEARTBEAT and values is not None and not self.deaf:
            self.heartbeat = int(values[0])
        if function_code in {3, 4}:
            for at in range(address, address + count):
                current[at - start_address] = self._read(function_code, at)
        return None

    def _take(self, counts: int) -> None:
        self.writes.append(counts)
        if self.fault == "ignore":
            return
        self.setpoint = self.actual = counts
        self.read_back = counts + 7 if self.fault == "differ" else counts
        self.stale_reads = 3 if self.fault == "slow" else 0

    def _read(self, function_code: int, address: int) -> int:
        if function_code == 4:
            return {100: self.actual, 101: self.elevation, SECOND: self.second}.get(address, 0)
        if address == EPOCH:
            self.while_asked()
        if address == 101 and self.stale_reads:
            self.stale_reads -= 1
            return 300
        return {
            100: self.setpoint,
            101: self.read_back,
            LOCAL: self.local,
            LOCAL + 1: self.local,
            EPOCH: self.epoch,
            HEARTBEAT: self.heartbeat,
            SECOND: self.second,
            SECOND + 1: self.second,
        }.get(address, 0)


def good(source: str, series: str, at: datetime) -> Measurements:
    """One good value of a series, measured and told at an instant."""
    sample = Sample(series=series, valid_at=at, value=2.0, quality=Quality.GOOD)
    return Measurements(site="abay", source=source, known_at=at, samples=(sample,))


def plan_of(
    value: float,
    *,
    plan_id: int = 1,
    made: datetime = NOW,
    begins: datetime = NOW - timedelta(hours=1),
    ends: datetime = NOW + timedelta(hours=24),
    target_type: TargetType | None = TargetType.POWER,
) -> Plan:
    """A plan of the unit; without a target type one in a pump's columns."""
    generic = target_type and GenericTargets(target_type=target_type, target_value=value)
    return active_plan(
        generic or PumpTargets(suggested_speed_hz=value),
        station_id="abay",
        resource_id="OXPH",
        resource_type=ResourceType.TURBINE,
        begins=begins,
        ends=ends,
        made=made,
        plan_id=plan_id,
    )

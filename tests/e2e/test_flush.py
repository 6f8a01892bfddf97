"""A flush from its plan to the simulated plant: all pumps together for two hours, by a clock moved by hand.

A real solve, the plan's intervals as they are submitted, a gateway on two simulated PLCs over Modbus/TCP, and the plant with its
own physics.
The running system of the other modules would need minutes for it.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from gateway_rig import HandClock
from pump_rig import PumpGateway

from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.embedded.process import free_port
from headworks.common.messages import Plan, PlanInterval, PlanStatus
from headworks.common.sites import read_sites
from headworks.control_gateway.limits import actuators_of
from headworks.control_gateway.pump_limits import pump_limits_of
from headworks.control_gateway.section import control_section
from headworks.optimizer.station.case import OutsideInflow, PumpState, StationInputs, StrategyPeriod
from headworks.optimizer.station.example_cases import EXAMPLES, START
from headworks.optimizer.station.kind import StationKind
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.simulators.plc import SimulatedPlc
from headworks.simulators.registers import pump_registers
from headworks.simulators.station_plant import StationPlant
from headworks.waterway.station_site import StationSite

SITES = Path(__file__).parents[2] / "sites"
INFLOW_M3H = 4000.0
LEVEL_M = 5.0
HOURS_IN_STATE = 3
SEEN_EVERY = timedelta(seconds=15)


@pytest.fixture(scope="module")
def raw_site() -> dict[str, Any]:
    """Four hours of all pumps of a make alike: small, and as long as it takes."""
    raw: dict[str, Any] = yaml.safe_load((SITES / "blominmaki.yaml").read_text(encoding="utf-8"))
    raw["planning"]["solve"] |= {"alike": "1000 m", "tail": "20 h"}
    raw["schedule"] |= {"horizon": "4 h", "time_limit": "100 s", "mip_gap": 0.03}
    return raw


@pytest.fixture
def plant(raw_site: dict[str, Any]) -> StationPlant:
    """The tunnel well filled; one pump runs and the others stand, all of them for hours."""
    made = StationPlant(raw_site, lambda _at: INFLOW_M3H, START, past=timedelta(0))
    made.level_m, made.volume_m3 = LEVEL_M, made._tunnel.volume_m3(LEVEL_M)
    for name, pump in made.pumps.items():
        pump.commanded = pump.feedback = name == "P1_4"
        pump.frequency_hz = pump.setpoint_hz if pump.commanded else 0.0
        pump.in_state_s = HOURS_IN_STATE * 3600
    return made


@pytest.fixture
async def gateway(tmp_path: Path, plant: StationPlant) -> AsyncIterator[PumpGateway]:
    site, machines = read_sites(SITES)["blominmaki"], list(plant.pumps.values())
    section = control_section(site)
    actuators = actuators_of(site, section)
    limits = pump_limits_of(site, section, actuators)
    assert limits is not None
    plcs = {
        unit: SimulatedPlc(
            pump_registers(machines[4 * (unit - 1) : 4 * unit], lambda: plant.level_m), free_port(), unit
        )
        for unit in (1, 2)
    }
    for plc in plcs.values():
        await plc.start()
    servers: Any = [SimpleNamespace(unit_id=unit, port=plc.port) for unit, plc in plcs.items()]
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        made = PumpGateway(tmp_path / "state", actuators, limits, servers, HandClock(START), bus, client)
        yield made
        made.close()
    for plc in plcs.values():
        await plc.stop()


async def test_the_plant_has_all_pumps_at_speed_together_for_two_hours(
    raw_site: dict[str, Any], plant: StationPlant, gateway: PumpGateway
) -> None:
    site = StationSite.model_validate(raw_site)
    solution = solve_inputs(site, known_of(plant))
    window = solution.flush_window
    assert (solution.relaxations, window is None) == ((), False)
    assert window is not None
    intervals = kind_of(site).intervals(solution, START)
    seen: list[tuple[datetime, bool]] = []
    while plant.at < window.end + timedelta(minutes=10):
        gateway.follow(*plans_at(intervals, plant.at))
        tick_s = 30.0 if plant.at < window.start + timedelta(minutes=10) else 150.0
        await gateway.tick(after_s=tick_s)
        while plant.at < gateway.clock.now():
            plant.advance(min(gateway.clock.now(), plant.at + SEEN_EVERY))
            seen.append((plant.at, all(pump.frequency_hz >= 49.0 - 1e-6 for pump in plant.pumps.values())))
    together = sum((b - a for (a, was), (b, now) in pairwise(seen) if was and now), timedelta())
    assert together >= timedelta(hours=2)
    assert plant.short_m3 == plant.overflow_m3 == 0
    after = solution.steps[round((window.end - START) / timedelta(minutes=15))]
    planned_on = {name for name, hz in after.frequency_hz.items() if hz > 0}
    assert {name for name, pump in plant.pumps.items() if pump.feedback} == planned_on, "they stop when it ends"
    ends = next(step for step in solution.steps if step.start + timedelta(minutes=15) == window.end)
    assert plant.level_m == pytest.approx(ends.level_m, abs=0.5), "it drained as planned, but for what starts took"


def known_of(plant: StationPlant) -> StationInputs:
    """The dry day of the examples, with the plant as it stands, and a flush asked in the next two and a half hours."""
    pumps = tuple(
        PumpState(resource=name, on=pump.feedback, steps=4 * HOURS_IN_STATE) for name, pump in plant.pumps.items()
    )
    period = StrategyPeriod.model_validate(
        {"start": START, "end": START + timedelta(hours=2.5), "strategy": "balanced", "flush_window": True}
    )
    inflow = OutsideInflow(source="the test", issued_at=START, flow_m3s=(INFLOW_M3H / 3600,))
    return EXAMPLES["dry-day"]().model_copy(
        update={"level_m": plant.level_m, "pumps": pumps, "strategies": (period,), "outside_inflow": inflow}
    )


def kind_of(site: StationSite) -> StationKind:
    """The kind over a database that no plan asks."""
    database = Database("postgresql+asyncpg://nobody@nowhere/nothing")
    return StationKind(site, StrategyStore(database, RunStore(database)))


def plans_at(intervals: tuple[PlanInterval, ...], now: datetime) -> list[Plan]:
    """Each pump's plan of now, made just now, as the optimizer would make it again each quarter hour."""
    return [
        Plan(
            plan_id=10_000 * int(interval.resource[1:].replace("_", ""))
            + round((interval.interval_start - START).total_seconds()),
            station_id="blominmaki",
            resource_id=interval.resource,
            resource_type=interval.resource_type,
            interval_start=interval.interval_start,
            interval_end=interval.interval_end,
            targets=interval.targets,
            plan_version=1,
            plan_priority=1,
            plan_status=PlanStatus.ACTIVE,
            publisher="optimizer",
            submission_id="s1",
            optimization_run_id=None,
            superseded_by=None,
            plan_created_at=now,
            plan_updated_at=now,
        )
        for interval in intervals
        if interval.interval_end > now
    ]

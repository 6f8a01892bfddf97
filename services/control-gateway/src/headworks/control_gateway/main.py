"""Wires the control gateway and runs it."""

import asyncio
import contextlib
import gc
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import structlog
from fastapi import FastAPI

from headworks.common.audit import Category
from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.plan_manager import OptimizationPlanManager
from headworks.common.service import Task, prepare, run
from headworks.common.sites import read_sites
from headworks.common.subjects import TELEMETRY
from headworks.control_gateway.api import create_api
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.clock_mark import ClockMarks
from headworks.control_gateway.clock_watch import ClockWatch
from headworks.control_gateway.connections import plc_of, refuse_shared
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.discovering import Discovery
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.fencing import fences_of
from headworks.control_gateway.files import only_user_of
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.lead_board import LeadBoard, watch_limits_of
from headworks.control_gateway.leadership import Leadership
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.local_api import create_local_api, serve_local_api
from headworks.control_gateway.loop import ControlLoop
from headworks.control_gateway.orders import OrderBook
from headworks.control_gateway.pump_limits import pump_limits_of
from headworks.control_gateway.runs import RunBook
from headworks.control_gateway.section import ControlSection, control_section
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.sharing import SharedOrders
from headworks.control_gateway.shipping import Shipper, publish_state
from headworks.control_gateway.site_interlocks import interlocks_of
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.station import Station
from headworks.control_gateway.steady_clock import SteadyClock
from headworks.control_gateway.stop_orders import StopOrders
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.trip_board import TripBoard
from headworks.waterway.site import Site

log = structlog.get_logger(__name__)
BEGIN_AGAIN_S = 2.0
THREADS_SWITCH_S = 0.0005
"""So long may the loop keep the thread waiting that syncs the journal, for which a write waits: a tenth of Python's own."""


async def main() -> None:
    """Control until told to stop. Only the site files and the own folder are needed to begin."""
    settings = GatewaySettings()
    prepare("control_gateway", settings)
    sys.setswitchinterval(THREADS_SWITCH_S)
    with only_user_of(settings.folder):
        await _control(settings)


async def _control(settings: GatewaySettings) -> None:
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    journal = Journal(settings.folder, gateway=settings.gateway_name)
    database, auditor = Database(settings.database_url), Auditor(journal, clock)
    shipper, marks = Shipper(journal, database), ClockMarks(settings.folder, clock, journal.begun_after)
    board = EStopBoard(settings.folder)
    _note_start(auditor, settings)
    tell_what_is_off(settings)
    async with (
        Bus.connect_in_background(settings.nats_url, "control_gateway", settings.nats_seed_file) as bus,
        service_client(settings, "control_gateway", settings.plans_url) as client,
    ):
        loops: dict[str, ControlLoop] = {}
        starting = True
        orders = StopOrders(board, loops, auditor)
        shared = SharedOrders(settings.gateway_name, orders)
        tasks = _telling(shipper, database, shared, bus, settings.outbox_retention_days)

        def build(site: Site) -> tuple[ControlLoop, dict[str, Task]]:
            by = SteadyClock.beside(clock, begun_at=marks.would_be(site.site) if starting else None)
            plans = plans_of(site, settings, client, bus, by)
            loop = _loop(site, settings, plans, journal, by, board)
            known = {**loops, site.site: loop}
            refuse_shared({f"{plc} of {name}": at for name, of in known.items() for plc, at in of.plcs.items()})
            return loop, _tasks(loop, plans, bus) | _leadership_tasks(site, loop, shared, bus)

        controlled = ControlledSites(build, loops)
        for site in sites.values():
            controlled.add(site)
        starting = False  # a site that begins anew later begins by the wall clock
        tasks["sites"] = controlled.run
        tasks["clock"] = outlasting_faults("clock", ClockWatch(controlled, auditor, marks).run)
        tasks |= _discovering(settings, controlled, auditor, client)

        async def controlling() -> bool:
            return all(loop.is_alive() for loop in loops.values())

        # Bus and database are not asked: control and e-stop must be reachable without them.
        ready = {"control": controlling}
        tasks |= _local(settings, orders)
        api = create_api(loops, shipper, orders)
        gc.freeze()  # a full collection over all that was read and made so far would hold control up for a tenth of a second
        try:
            await run("control_gateway", settings, api, tasks, ready)
        finally:
            auditor.note(Category.CONTROL_SYSTEM, "stopped", settings.gateway_name)
    await database.close()


def _telling(shipper: Shipper, database: Database, shared: SharedOrders, bus: Bus, outbox_days: int) -> dict[str, Task]:
    """What carries the journal and the orders of people out of the process."""
    return {
        "journal": outlasting_faults("journal", shipper.ship),
        "outbox": outlasting_faults("outbox", lambda: shipper.outbox.relay(database, bus)),
        "outbox-clearing": outlasting_faults(
            "outbox-clearing", lambda: shipper.outbox.keep_cleared(database, outbox_days)
        ),
        "orders": outlasting_faults("orders", lambda: shared.share(bus)),
    }


def _local(settings: GatewaySettings, orders: StopOrders) -> dict[str, Task]:
    """The local API, where the settings ask for one."""
    if settings.local_api is None:
        return {}
    local, address = create_local_api(orders, settings), settings.local_api
    return {"local-api": outlasting_faults("local-api", lambda: serve_local_api(local, address))}


def _discovering(
    settings: GatewaySettings, controlled: ControlledSites, auditor: Auditor, client: httpx.AsyncClient
) -> dict[str, Task]:
    if not settings.auto_discovery_enabled:
        return {}
    asked = client if settings.optimization_monitoring_enabled else None
    every_s = 60 * settings.auto_discovery_refresh_minutes
    discovery = Discovery(settings.sites, controlled, auditor, asked, every_s, settings.stations_elsewhere)
    return {"discovery": outlasting_faults("discovery", discovery.run)}


def _note_start(auditor: Auditor, settings: GatewaySettings) -> None:
    """Note the start, and by their hashes the site files that are in force from now on."""
    auditor.note(Category.CONTROL_SYSTEM, "started", settings.gateway_name)
    for file in sorted(settings.sites.glob("*.yaml")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        auditor.note(
            Category.CONFIGURATION, "site_file_loaded", settings.gateway_name, subject=file.stem, sha256=content
        )


def tell_what_is_off(settings: GatewaySettings) -> None:
    """Warn once, at the start, of what people may count on that the settings leave out."""
    if settings.local_api is None:
        log.warning("no local e-stop: HEADWORKS_LOCAL_API is not set, so an e-stop needs the API and a token or key")
    elif _is_empty_list(settings.local_secrets_file):
        log.warning(
            "no local e-stop: HEADWORKS_LOCAL_SECRETS_FILE names nobody, so an e-stop needs the API and a token or key"
        )
    if not settings.optimization_monitoring_enabled:
        log.warning("plans are not heard of: HEADWORKS_OPTIMIZATION_MONITORING_ENABLED=false")


def _is_empty_list(file: Path | None) -> bool:
    """Whether nobody is in a list; one that cannot be read is refused where it is used."""
    with contextlib.suppress(OSError, ValueError):
        return file is not None and json.loads(file.read_text()) == []
    return False


def _tasks(loop: ControlLoop, plans: OptimizationPlanManager, bus: Bus) -> dict[str, Task]:
    return {
        f"plans-{loop.site}": outlasting_faults(f"plans-{loop.site}", plans.start_monitoring),
        f"control-{loop.site}": loop.run,
        f"measurements-{loop.site}": outlasting_faults(
            f"measurements-{loop.site}", lambda: hear_measurements(loop, bus)
        ),
        f"state-{loop.site}": outlasting_faults(f"state-{loop.site}", lambda: publish_state(loop, bus)),
    }


def _leadership_tasks(site: Site, loop: ControlLoop, shared: SharedOrders, bus: Bus) -> dict[str, Task]:
    """The site's lease, where two gateways share the site."""
    ha = control_section(site).ha
    if ha is None or not loop.fences:
        return {}
    leadership = Leadership(
        site=site.site,
        gateway=shared.gateway,
        valid_s=ha.lease,
        term=next(iter(loop.fences.values())).term,
        fences=loop.fences,
        orders=shared,
        auditor=shared.stops.auditor,
        reaches=loop.reaches,
        changed=loop.wake,
    )
    loop.leader = partial(_leader, leadership)
    return {f"lease-{site.site}": outlasting_faults(f"lease-{site.site}", partial(leadership.keep, bus))}


def _leader(leadership: Leadership) -> str | None:
    return leadership.leader


def outlasting_faults(name: str, task: Task) -> Task:
    """The task, begun again after a fault: whatever goes wrong around control must not end control."""

    async def begun_again() -> None:
        while True:
            try:
                await task()
            except Exception:  # whatever it is: control goes on beside it, and the fault is told
                log.exception("task failed and begins again", task=name)
            await asyncio.sleep(BEGIN_AGAIN_S)

    return begun_again


def plans_of(
    site: Site, settings: GatewaySettings, client: httpx.AsyncClient, bus: Bus, clock: Clock
) -> OptimizationPlanManager:
    """What the gateway holds of a site's plans, kept in its folder."""
    return OptimizationPlanManager(
        site.site,
        client,
        bus,
        clock,
        cache_file=settings.folder / f"plans-{site.site}.json",
        optimization_monitoring_enabled=settings.optimization_monitoring_enabled,
        optimization_refresh_seconds=settings.optimization_refresh_seconds,
    )


def _loop(
    site: Site,
    settings: GatewaySettings,
    plans: OptimizationPlanManager,
    journal: Journal,
    clock: Clock,
    board: EStopBoard,
) -> ControlLoop:
    section = control_section(site)
    points = plc_points(site.site, section)
    plcs = {name: plc_of(plc, settings) for name, plc in points.items()}
    actuators = actuators_of(site, section)
    guarded = fences_of(site.site, section.ha, points)
    fences = guarded[1] if guarded is not None else {}
    for name, fence in fences.items():
        plcs[name].fence = fence
    return ControlLoop(
        site=site.site,
        actuators=actuators,
        plcs=plcs,
        plans=plans,
        switches=SwitchBoard(settings.folder, site.site, board),
        journal=journal,
        clock=clock,
        tick_s=section.tick_every,
        fences=fences,
        leads=_leads(site, section, actuators, settings, clock),
        station=_station(site, section, actuators, settings, clock),
    )


def _leads(
    site: Site, section: ControlSection, actuators: Sequence[Actuator], settings: GatewaySettings, clock: Clock
) -> LeadBoard:
    now = clock.now()
    return LeadBoard(
        TripBoard(settings.folder, site.site, interlocks_of(site, section, actuators), now),
        OrderBook(settings.folder, site.site, [actuator.resource for actuator in actuators]),
        watch_limits_of(section.watchdog),
        now,
    )


async def hear_measurements(loop: ControlLoop, bus: Bus) -> None:
    """Tell the watchdog what was measured; run it as a task."""
    async for measurements, _delivery in bus.follow(TELEMETRY, site=loop.site):
        loop.leads.hear(measurements, loop.clock.now())


def _station(
    site: Site, section: ControlSection, actuators: Sequence[Actuator], settings: GatewaySettings, clock: Clock
) -> Station | None:
    limits = pump_limits_of(site, section, actuators)
    if limits is None:
        return None
    runs = RunBook(settings.folder, site.site, limits.unseen_s)
    return Station(limits, limits.interlocks.order, runs, clock.now())


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        shipper = Shipper(journal, Database(GatewaySettings().database_url))
        return create_api({}, shipper, StopOrders(EStopBoard(Path(folder)), {}, Auditor(journal, Clock())))


if __name__ == "__main__":
    asyncio.run(main())

"""Wires the dashboard and runs it."""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import timedelta

from fastapi import FastAPI
from nats.aio.client import Client

from headworks.common.auth import Authenticator, Issuer
from headworks.common.bus import Bus
from headworks.common.client import service_client
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.service import prepare, run
from headworks.common.sites import read_sites
from headworks.dashboard.api import Desk, create_api
from headworks.dashboard.live import Live
from headworks.dashboard.orders import Orders
from headworks.dashboard.services import Services
from headworks.dashboard.sessions import Sessions
from headworks.dashboard.settings import DashboardSettings
from headworks.dashboard.throttle import Throttle
from headworks.dashboard.users import read_users


async def main() -> None:
    """Serve the page until told to stop."""
    settings = DashboardSettings()
    prepare("dashboard", settings)
    clock, sites, issuer = (
        clock_from_environment(os.environ),
        read_sites(settings.sites),
        Authenticator(settings).issuer,
    )
    stale_after = timedelta(seconds=settings.stale_after_s)
    lifetime = timedelta(hours=settings.session_hours)
    sessions = Sessions(read_users(settings.users_file), issuer.secret, lifetime, Throttle())
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(
            await Bus.connect(settings.nats_url, "dashboard", settings.nats_seed_file)
        )
        clients = {
            name: await stack.enter_async_context(service_client(settings, "dashboard", url))
            for name, url in _addresses(settings).items()
        }
        live = Live(sites, bus, clock, stale_after)
        services, orders = Services(clients), Orders(clients, issuer)
        desk = Desk(sites, services, orders, live, sessions, issuer, clock, stale_after, settings.public_url)

        async def bus_ready() -> bool:
            return bus.is_connected

        await run("dashboard", settings, create_api(desk), {"live": live.run}, {"bus": bus_ready})


def _addresses(settings: DashboardSettings) -> dict[str, str]:
    return {
        "ingest": settings.ingest_url,
        "optimizer": settings.optimizer_url,
        "plans": settings.plans_url,
        "control_gateway": settings.control_gateway_url,
        "alerts": settings.alerts_url,
    }


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    issuer = Issuer("only for the document; no token is made", "headworks", "headworks")
    sessions = Sessions({}, issuer.secret, timedelta(), Throttle())
    live = Live({}, Bus(Client(), "dashboard"), Clock(), timedelta())
    return create_api(Desk({}, Services({}), Orders({}, issuer), live, sessions, issuer, Clock(), timedelta(), None))


if __name__ == "__main__":
    asyncio.run(main())

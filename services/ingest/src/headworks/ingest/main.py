"""Wires ingest and runs it."""

import asyncio
import os
import ssl
from collections.abc import Generator
from contextlib import AsyncExitStack

import httpx
from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.service import Task, prepare, run
from headworks.common.sites import afterbays, read_sites
from headworks.ingest.api import create_api
from headworks.ingest.collect import AwardCollector, Collector, ForecastCollector, PiCollector
from headworks.ingest.sections import SourcesSection, sources_of
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import Client, client_context
from headworks.ingest.sources.hydroforecast import HydroForecast
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.store import SeriesStore


async def main() -> None:
    """Collect and serve until told to stop."""
    settings = IngestSettings()
    prepare("ingest", settings)
    clock, sites = clock_from_environment(os.environ), afterbays(read_sites(settings.sites))
    database = Database(settings.database_url)
    store = SeriesStore(database)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(await Bus.connect(settings.nats_url, "ingest", settings.nats_seed_file))
        tasks: dict[str, Task] = {"outbox": lambda: store.outbox.relay(database, bus)}
        awards: dict[str, AwardCollector] = {}
        for site in sites.values():
            collector, section = Collector(site, store, clock), sources_of(site)
            tasks |= _pi_task(collector, bus, section, settings, stack)
            tasks |= _forecast_task(collector, section, settings, stack)
            award_collector = _award_collector(collector, section, settings, stack)
            if award_collector is not None:
                awards[site.site] = award_collector
                tasks[f"caiso-{site.site}"] = _polling(collector, "caiso", section.caiso.poll_every, award_collector)

        async def bus_ready() -> bool:
            return bus.is_connected

        api = create_api(sites, store, awards, clock)
        await run("ingest", settings, api, tasks, {"database": database.is_ready, "bus": bus_ready})
    await database.close()


def _polling(
    collector: Collector, source: str, every_s: float, poller: PiCollector | ForecastCollector | AwardCollector
) -> Task:
    return lambda: collector.keep_polling(source, every_s, poller.poll)


def _client(
    stack: AsyncExitStack,
    url: str,
    settings: IngestSettings,
    *,
    auth: httpx.Auth | None = None,
    verify: ssl.SSLContext | bool = True,
) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=url, timeout=settings.source_timeout_s, auth=auth, verify=verify)
    stack.push_async_callback(client.aclose)
    return client


class _Bearer(httpx.Auth):
    """A bearer token on every request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def pi_auth(settings: IngestSettings) -> httpx.Auth | None:
    """A bearer token where there is one, else Basic where there is a user, else nothing: anonymous inside a VPN."""
    if token := settings.pi_token.get_secret_value():
        return _Bearer(token)
    if settings.pi_username:
        return httpx.BasicAuth(settings.pi_username, settings.pi_password.get_secret_value())
    return None


def _pi_task(
    collector: Collector, bus: Bus, section: SourcesSection, settings: IngestSettings, stack: AsyncExitStack
) -> dict[str, Task]:
    if settings.pi_url is None:
        return {}
    pi = PiWebApi(_client(stack, settings.pi_url, settings, auth=pi_auth(settings)), section.pi)
    poller = PiCollector(collector, bus, pi, section.pi)
    return {f"pi-{collector.site.site}": _polling(collector, "pi", section.pi.poll_every, poller)}


def _forecast_task(
    collector: Collector, section: SourcesSection, settings: IngestSettings, stack: AsyncExitStack
) -> dict[str, Task]:
    if settings.hydroforecast_url is None:
        return {}
    client = _client(stack, settings.hydroforecast_url, settings)
    source = HydroForecast(client, settings.hydroforecast_key.get_secret_value(), section.hydroforecast)
    poller = ForecastCollector(collector, source, section.hydroforecast)
    every_s = section.hydroforecast.poll_every
    return {f"hydroforecast-{collector.site.site}": _polling(collector, "hydroforecast", every_s, poller)}


def _award_collector(
    collector: Collector, section: SourcesSection, settings: IngestSettings, stack: AsyncExitStack
) -> AwardCollector | None:
    if settings.caiso_url is None or settings.caiso_certificate_file is None or settings.caiso_key_file is None:
        return None
    certificate, key = settings.caiso_certificate_file, settings.caiso_key_file
    context = client_context(certificate, key, settings.caiso_ca_file)
    client = Client.from_files(
        _client(stack, settings.caiso_url, settings, verify=context),
        certificate,
        key,
        settings.caiso_path,
        settings.caiso_soap_action,
        settings.caiso_request_body,
    )
    return AwardCollector(collector, client, section.caiso)


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    return create_api({}, SeriesStore(Database(IngestSettings().database_url)), {}, Clock())


if __name__ == "__main__":
    asyncio.run(main())

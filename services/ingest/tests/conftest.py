"""The outside world on real sockets, and a store on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from collect_rig import Outside, Serve, clients, stopped
from fastapi import FastAPI

from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.embedded.process import free_port
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.sites import read_sites
from headworks.ingest.collect import AwardCollector, Collector, ForecastCollector, PiCollector
from headworks.ingest.sections import (
    CaisoSection,
    EntsoeSection,
    HydroForecastSection,
    PiSection,
    SourcesSection,
    sources_of,
)
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import Client
from headworks.ingest.sources.hydroforecast import HydroForecast
from headworks.ingest.sources.pi import PiWebApi
from headworks.ingest.store import SeriesStore
from headworks.simulators.awards import PublishedAwards
from headworks.simulators.caiso import create_caiso
from headworks.simulators.certificates import make_client_certificate
from headworks.simulators.hydroforecast import create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.pi_web_api import create_pi
from headworks.simulators.plant import Plant, constants_of
from headworks.simulators.web import Tls, WebServer
from headworks.waterway.site import Site

NOW = datetime(2026, 2, 17, 21, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def site(sites_folder: Path) -> Site:
    return read_sites(sites_folder)["abay"]


@pytest.fixture(scope="session")
def station(sites_folder: Path) -> Site:
    return read_sites(sites_folder)["blominmaki"]


@pytest.fixture(scope="session")
def section(site: Site) -> SourcesSection:
    return sources_of(site)


@pytest.fixture(scope="session")
def pi_section(section: SourcesSection) -> PiSection:
    assert section.pi is not None
    return section.pi


@pytest.fixture(scope="session")
def hydroforecast_section(section: SourcesSection) -> HydroForecastSection:
    assert section.hydroforecast is not None
    return section.hydroforecast


@pytest.fixture(scope="session")
def caiso_section(section: SourcesSection) -> CaisoSection:
    assert section.caiso is not None
    return section.caiso


@pytest.fixture(scope="session")
def station_pi(station: Site) -> PiSection:
    found = sources_of(station).pi
    assert found is not None
    return found


@pytest.fixture(scope="session")
def entsoe_section(station: Site) -> EntsoeSection:
    found = sources_of(station).entsoe
    assert found is not None
    return found


@pytest.fixture(scope="session")
def client_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """CAISO's client: certificate and key."""
    return make_client_certificate(tmp_path_factory.mktemp("client"))


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve an app on a free port of loopback until the test ends."""
    servers: list[WebServer] = []

    async def start(app: FastAPI, tls: Tls | None = None) -> WebServer:
        server = WebServer(app, free_port(), tls=tls)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "ingest", dict(migration_folders())["ingest"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> SeriesStore:
    return SeriesStore(database)


@pytest.fixture(scope="session")
def hydrology() -> Hydrology:
    return Hydrology(7, "calm", NOW)


@pytest.fixture(scope="session")
def plant(sites_folder: Path, hydrology: Hydrology) -> Plant:
    """A plant with thirty hours behind it, up to 21:30."""
    constants = constants_of(yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8")))
    return Plant(constants, hydrology, PublishedAwards(), NOW, 7)


@pytest.fixture
async def outside(
    serve: Serve,
    plant: Plant,
    hydrology: Hydrology,
    site: Site,
    pi_section: PiSection,
    hydroforecast_section: HydroForecastSection,
    caiso_section: CaisoSection,
    store: SeriesStore,
    bus: Bus,
    client_files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Outside]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    found = Outside(site, store)
    found.collector = Collector(site, store, stopped(found.now))
    apps = {
        "pi": create_pi({"ABAY": plant}, lambda: found.now, "demo:demo", lambda: found.faults["pi"]),
        "hydroforecast": create_hydroforecast(
            hydrology, lambda: found.now, "demo-key", lambda: found.faults["hydroforecast"]
        ),
        "caiso": create_caiso(lambda: found.now, client_files[0].read_bytes(), lambda: found.faults["caiso"]),
    }
    found.servers = {name: await serve(app) for name, app in apps.items()}
    async with clients({name: server.url for name, server in found.servers.items()}) as http:
        settings = IngestSettings()
        pi = PiWebApi(http["pi"], pi_section)
        hydroforecast = HydroForecast(http["hydroforecast"], "demo-key", hydroforecast_section)
        caiso = Client.from_files(
            http["caiso"],
            *client_files,
            settings.caiso_path,
            settings.caiso_soap_action,
            settings.caiso_request_body,
        )
        found.pollers = {
            "pi": PiCollector(found.collector, bus, pi, pi_section),
            "hydroforecast": ForecastCollector(found.collector, hydroforecast, hydroforecast_section),
            "caiso": AwardCollector(found.collector, caiso, caiso_section),
        }
        yield found

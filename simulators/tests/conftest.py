"""A plant of the afterbay's site file, and servers on free ports of loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI

from headworks.common.embedded.process import free_port
from headworks.simulators.awards import PublishedAwards
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.plant import Constants, Plant, constants_of
from headworks.simulators.web import WebServer

NOW = datetime(2026, 2, 17, 21, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def constants(sites_folder: Path) -> Constants:
    return constants_of(yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def hydrology() -> Hydrology:
    return Hydrology(7, "calm", NOW)


@pytest.fixture(scope="session")
def plant(constants: Constants, hydrology: Hydrology) -> Plant:
    """A plant with thirty hours behind it."""
    return Plant(constants, hydrology, PublishedAwards(), NOW, 7)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[FastAPI], Awaitable[WebServer]]]:
    """Serve an app until the test ends."""
    servers: list[WebServer] = []

    async def start(app: FastAPI) -> WebServer:
        servers.append(WebServer(app, free_port()))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()

"""The outside world as one process: plants, PLCs, data sources and markets, mail, and a control port that breaks them."""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from aiosmtpd.smtp import SMTP
from fastapi import FastAPI, HTTPException

from headworks.simulators.caiso import create_caiso
from headworks.simulators.certificates import make_client_certificate
from headworks.simulators.clock import world_clock
from headworks.simulators.entsoe import Prices, create_entsoe, generated_prices
from headworks.simulators.faults import FaultOrder, healthy
from headworks.simulators.hydroforecast import create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.pi_web_api import create_pi
from headworks.simulators.plc import SimulatedPlc
from headworks.simulators.site_parts import SimulatedPart, afterbay_part, station_part
from headworks.simulators.smtp import MailBox
from headworks.simulators.station_plant import StationPlant
from headworks.simulators.station_record import StationRecord, read_record, recorded_prices
from headworks.simulators.web import WebServer

SERVERS = ("pi", "hydroforecast", "caiso", "entsoe", "smtp", "control")
UNIT_IDS = {"plc": 1, "pumps-1": 1, "pumps-2": 2}
PLANT_EVERY_S = 0.1
PI_PAGE = 100
"""Fourteen days of quarter hours take as many pages as a client follows with patience."""


class World:
    """Everything outside Headworks."""

    def __init__(
        self,
        site_files: Sequence[Path],
        folder: Path,
        *,
        seed: int,
        scenario: str,
        ports: dict[str, int],
        host: str = "127.0.0.1",
    ) -> None:
        self.clock, self.host = world_clock(), host
        self.faults = healthy()
        start = self.clock.now()
        hydrology, record = Hydrology(seed, scenario, start), read_record(start)
        self.sites = dict(_part(file, hydrology, record, start, seed, scenario) for file in site_files)
        prices = recorded_prices(record) if record else generated_prices(seed)
        registers = {name: plc for part in self.sites.values() for name, plc in part.plcs.items()}
        self.ports = {name: ports.get(name) or keep_port() for name in (*SERVERS, *registers)}
        self.plcs = {name: SimulatedPlc(plc, self.ports[name], UNIT_IDS[name], host) for name, plc in registers.items()}
        self.certificate, self.key = make_client_certificate(folder)
        self.mailbox = MailBox(self._fault("smtp"))
        self.web = {name: WebServer(app, self.ports[name], host) for name, app in self._apps(hydrology, prices).items()}
        self._smtp: asyncio.Server | None = None

    def _apps(self, hydrology: Hydrology, prices: Prices) -> dict[str, FastAPI]:
        """What answers over HTTP, by name."""
        now = self.clock.now
        databases = {site.upper(): part.plant for site, part in self.sites.items()}
        return {
            "pi": create_pi(databases, now, "demo:demo", self._fault("pi"), PI_PAGE),
            "hydroforecast": create_hydroforecast(hydrology, now, "demo-key", self._fault("hydroforecast")),
            "caiso": create_caiso(now, self.certificate.read_bytes(), self._fault("caiso")),
            "entsoe": create_entsoe(now, "demo-token", self._fault("entsoe"), prices),
            "control": self._control(),
        }

    def _fault(self, target: str) -> Callable[[], str]:
        return lambda: self.faults[target]

    async def run(self, ports_file: Path) -> None:
        """Open every port, say which, and let the plant run until cancelled."""
        for plc in self.plcs.values():
            await plc.start()
        await self._start_smtp()
        for server in self.web.values():
            await server.start()
        unfinished = ports_file.with_suffix(".part")
        paths = {"certificate": str(self.certificate), "key": str(self.key)}
        unfinished.write_text(json.dumps({**self.ports, **paths}))
        unfinished.replace(ports_file)
        try:
            while True:
                for part in self.sites.values():
                    part.plant.advance(self.clock.now())
                await asyncio.sleep(PLANT_EVERY_S)
        finally:
            for server in self.web.values():
                await server.stop()
            for plc in self.plcs.values():
                await plc.stop()
            self._stop_smtp()

    async def _start_smtp(self) -> None:
        loop = asyncio.get_running_loop()
        self._smtp = await loop.create_server(
            lambda: SMTP(self.mailbox, enable_SMTPUTF8=True, loop=loop), self.host, self.ports["smtp"]
        )

    def _stop_smtp(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    async def _break(self, order: FaultOrder) -> None:
        was, kind = self.faults[order.target], order.kind
        self.faults[order.target] = kind
        if order.target in self.plcs:
            await _break_plc(self.plcs[order.target], kind, was)
        elif order.target == "inflow":
            self._flood(kind == "flood")
        elif kind == "down":
            await self.web[order.target].stop() if order.target in self.web else self._stop_smtp()
        elif was == "down":
            await self.web[order.target].start() if order.target in self.web else await self._start_smtp()

    def _flood(self, flooded: bool) -> None:
        for part in self.sites.values():
            if isinstance(part.plant, StationPlant):
                part.plant.flooded = flooded

    def _control(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/healthz")
        async def healthz() -> dict[str, str]:
            return {"status": "ok"}

        @app.get("/plants/{site}")
        async def plant(site: str) -> dict[str, Any]:
            return self._site(site).told()

        @app.get("/plants/{site}/writes")
        async def writes(site: str) -> dict[str, dict[int, list[int]]]:
            return self._site(site).writes

        @app.get("/mails")
        async def mails() -> list[dict[str, str]]:
            return self.mailbox.mails

        @app.post("/faults")
        async def faults(order: FaultOrder) -> dict[str, str]:
            if order.target in UNIT_IDS and order.target not in self.plcs:
                raise HTTPException(404, f"target={order.target!r}: this world has {', '.join(self.plcs)}")
            await self._break(order)
            return self.faults

        return app

    def _site(self, name: str) -> SimulatedPart:
        if name not in self.sites:
            raise HTTPException(404, f"site={name!r} must be one of {', '.join(self.sites)}")
        return self.sites[name]


def _part(
    file: Path, hydrology: Hydrology, record: StationRecord | None, start: datetime, seed: int, scenario: str
) -> tuple[str, SimulatedPart]:
    """The site of a file, by its name. Raises ValueError naming a model that nobody simulates."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    match content["model"]:
        case "afterbay":
            return content["site"], afterbay_part(content, hydrology, start, seed)
        case "pumping_station":
            return content["site"], station_part(content, record, start, seed, scenario)
        case model:
            raise ValueError(f"{file}: model={model!r} must be afterbay or pumping_station")


async def _break_plc(plc: SimulatedPlc, kind: str, was: str) -> None:
    plc.registers.fault = kind
    if kind in {"down", "restart"}:
        await plc.stop()
        plc.registers.restart()
    if kind == "restart" or (was == "down" and kind != "down"):
        await plc.start()


def keep_port() -> int:
    """A loopback port of the system's choice, kept for a server of this process.

    On Linux by a socket that is bound and does not listen: nobody else is given the port, no outgoing connection takes it, and a
    server, which sets SO_REUSEADDR, may listen on it and again. Elsewhere the port is only free now.
    """
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))
    port: int = keeper.getsockname()[1]
    if sys.platform == "linux":
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.detach()
    else:
        keeper.close()
    return port

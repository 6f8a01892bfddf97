"""The outside world as one process: plant, PLC, PI, HydroForecast, CAISO, SMTP, and a control port that breaks them."""

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from aiosmtpd.smtp import SMTP
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, model_validator

from headworks.simulators.awards import PublishedAwards
from headworks.simulators.caiso import create_caiso
from headworks.simulators.certificates import make_client_certificate
from headworks.simulators.clock import world_clock
from headworks.simulators.hydroforecast import create_hydroforecast
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.pi_web_api import STATES, create_pi
from headworks.simulators.plant import Plant, constants_of
from headworks.simulators.plc import PlcRegisters, SimulatedPlc
from headworks.simulators.smtp import MailBox
from headworks.simulators.web import WebServer

Target = Literal["pi", "hydroforecast", "caiso", "plc", "smtp"]
FAULTS: dict[Target, frozenset[str]] = {
    "pi": frozenset({"down", "garbage", "refuse_auth", "unavailable", "hang", *STATES}),
    "hydroforecast": frozenset(
        {"down", "garbage", "refuse_auth", "unavailable", "no_data", "no_primary", "stale", "hang"}
    ),
    "caiso": frozenset({"down", "garbage", "refuse_auth", "unavailable", "no_data", "bad_hash", "hang"}),
    "plc": frozenset({"down", "restart", "hang", "exception", "refuse", "read_back_differs"}),
    "smtp": frozenset({"down", "refuse", "unavailable"}),
}
PLANT_EVERY_S = 0.1


class FaultOrder(BaseModel):
    """What shall go wrong, and where; "none" heals it."""

    model_config = ConfigDict(extra="forbid")
    target: Target
    kind: str

    @model_validator(mode="after")
    def _known(self) -> "FaultOrder":
        if self.kind not in {"none", *FAULTS[self.target]}:
            raise ValueError(
                f"kind={self.kind!r} of {self.target} must be none or one of {sorted(FAULTS[self.target])}"
            )
        return self


class World:
    """Everything outside Headworks."""

    def __init__(
        self,
        site_file: Path,
        folder: Path,
        *,
        seed: int,
        scenario: str,
        ports: dict[str, int],
        host: str = "127.0.0.1",
    ) -> None:
        self.clock, self.host = world_clock(), host
        self.faults: dict[str, str] = dict.fromkeys(get_args(Target), "none")
        self.ports = {name: ports.get(name) or free_port() for name in (*self.faults, "control")}
        start = self.clock.now()
        constants = constants_of(yaml.safe_load(site_file.read_text(encoding="utf-8")))
        hydrology = Hydrology(seed, scenario, start)
        self.plant = Plant(constants, hydrology, PublishedAwards(), start, seed)
        self.certificate, self.key = make_client_certificate(folder)
        self.mailbox = MailBox(self._fault("smtp"))
        registers = PlcRegisters(
            constants.min_mw,
            constants.max_mw,
            self._take_over,
            lambda: self.plant.power_mw,
            lambda: self.plant.elevation_ft,
        )
        registers.write_setpoint(round(self.plant.setpoint_mw * 100))
        self.plc = SimulatedPlc(registers, self.ports["plc"], host=host)
        now = self.clock.now
        self.web = {
            "pi": WebServer(create_pi(self.plant, now, "demo:demo", self._fault("pi")), self.ports["pi"], host),
            "hydroforecast": WebServer(
                create_hydroforecast(hydrology, now, "demo-key", self._fault("hydroforecast")),
                self.ports["hydroforecast"],
                host,
            ),
            "caiso": WebServer(
                create_caiso(now, self.certificate.read_bytes(), self._fault("caiso")), self.ports["caiso"], host
            ),
            "control": WebServer(self._control(), self.ports["control"], host),
        }
        self._smtp: asyncio.Server | None = None

    def _fault(self, target: str) -> Callable[[], str]:
        return lambda: self.faults[target]

    def _take_over(self, power_mw: float) -> None:
        self.plant.setpoint_mw = power_mw

    async def run(self, ports_file: Path) -> None:
        """Open every port, say which, and let the plant run until cancelled."""
        await self.plc.start()
        await self._start_smtp()
        for server in self.web.values():
            await server.start()
        part = ports_file.with_suffix(".part")
        paths = {"certificate": str(self.certificate), "key": str(self.key)}
        part.write_text(json.dumps({**self.ports, **paths}))
        part.replace(ports_file)
        try:
            while True:
                self.plant.advance(self.clock.now())
                await asyncio.sleep(PLANT_EVERY_S)
        finally:
            for server in self.web.values():
                await server.stop()
            await self.plc.stop()
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
        if order.target == "plc":
            await self._break_plc(kind, was)
        elif kind == "down":
            await self.web[order.target].stop() if order.target in self.web else self._stop_smtp()
        elif was == "down":
            await self.web[order.target].start() if order.target in self.web else await self._start_smtp()

    async def _break_plc(self, kind: str, was: str) -> None:
        self.plc.registers.fault = kind
        if kind in {"down", "restart"}:
            await self.plc.stop()
            self.plc.registers.restart()
        if kind == "restart" or (was == "down" and kind != "down"):
            await self.plc.start()

    def _control(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/healthz")
        async def healthz() -> dict[str, str]:
            return {"status": "ok"}

        @app.get("/plant")
        async def plant() -> dict[str, Any]:
            p = self.plant
            return {
                "at": p.at.isoformat(),
                "elevation_ft": p.elevation_ft,
                "power_mw": p.power_mw,
                "setpoint_mw": p.setpoint_mw,
                "spill_cfs": p.spill_cfs,
                "writes": len(self.plc.registers.writes),
            }

        @app.get("/writes")
        async def writes() -> list[int]:
            return self.plc.registers.writes

        @app.get("/mails")
        async def mails() -> list[dict[str, str]]:
            return self.mailbox.mails

        @app.post("/faults")
        async def faults(order: FaultOrder) -> dict[str, str]:
            await self._break(order)
            return self.faults

        return app


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
